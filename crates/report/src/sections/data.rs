//! The data: what the windows keep of it, and what its audit found.

use std::collections::BTreeMap;

use artifact::{FeatureFigures, Finding, Manifest, SplitCounts, SplitName, WindowFigures};
use page::chart::{Axis, Line, LineChart, Look};
use page::number::grouped;
use maud::{Markup, html};
use page::Table;

use crate::inputs::Inputs;

/// Bins of the chart of lengths.
const BINS: usize = 32;

pub(super) fn render(inputs: &Inputs) -> Markup {
    let [ingest, features, ..] = &inputs.manifests;
    html! {
        (windows(ingest, features))
        div.charts { (lengths(inputs)) }
        h3 { "What the audit found" }
        (audit(ingest))
    }
}

fn splits(ingest: &Manifest) -> Vec<(SplitName, SplitCounts)> {
    SplitName::ALL.into_iter().filter_map(|split| Some((split, SplitCounts::of(ingest, split)?))).collect()
}

fn windows(ingest: &Manifest, features: &Manifest) -> Markup {
    let rows = splits(ingest).into_iter().filter_map(|(split, counts)| {
        let figures = FeatureFigures::of(features, split)?;
        let unknown = figures.unknown_tokens;
        let present: &WindowFigures = figures.window_settings.first()?;
        Some(vec![
            html! { (split) },
            html! { (grouped(counts.articles)) },
            html! { (grouped(counts.contexts)) },
            html! { (grouped(counts.questions)) },
            html! { (grouped(counts.unanswerable)) },
            html! { (grouped(present.features)) },
            html! { (grouped(present.length_percentiles.p50)) },
            html! { (grouped(present.length_percentiles.p99)) },
            html! { (percent(present.questions_in_several_windows_share)) },
            html! { (percent(present.answers_lost_share)) },
            html! { (percent(present.padding_share_at_max_length)) },
            html! { (unknown.map_or_else(String::new, |unknown| percent(unknown.contexts.share))) },
            html! { (unknown.map_or_else(String::new, |unknown| percent(unknown.answers.share))) },
        ])
    });
    let head = [
        "split",
        "articles",
        "contexts",
        "questions",
        "without an answer",
        "windows",
        "tokens, median",
        "99 %",
        "in several windows",
        "answers lost",
        "padding at full length",
        "[UNK] in contexts",
        "in answers",
    ];
    let settings = &features.parts["settings"];
    html! {
        p { "Windows of " (settings["tokenize-features.max_length"]) " tokens that overlap by "
            (settings["tokenize-features.doc_stride"]) ". An answer is lost where no window holds the whole of it. Batches are \
            not padded; the column says how much of fixed-length batches would be." }
        div.wide { (Table { caption: "Splits", head: &head, words: 1, rows: rows.collect() }.render()) }
    }
}

fn percent(share: f64) -> String {
    format!("{:.2} %", 100.0 * share)
}

fn lengths(inputs: &Inputs) -> Markup {
    let longest = inputs.window_lengths.iter().filter_map(|(_, lengths)| lengths.keys().next_back()).max();
    let width = longest.copied().unwrap_or(1).div_ceil(BINS).max(1);
    let curve = |lengths: &BTreeMap<usize, u64>| {
        let total = lengths.values().sum::<u64>().max(1) as f64;
        let mut bins = vec![0; longest.copied().unwrap_or(0) / width + 1];
        lengths.iter().for_each(|(length, count)| bins[length / width] += count);
        let middle = |bin: usize| width as f64 * (bin as f64 + 0.5);
        bins.iter().enumerate().map(|(bin, count)| (middle(bin), *count as f64 / total)).collect::<Vec<_>>()
    };
    // Of three splits, training and the one that is reported.
    let shown: Vec<Line<'_>> = inputs
        .window_lengths
        .iter()
        .filter(|(split, _)| *split == SplitName::Train || *split == inputs.split)
        .zip([Look::Solid, Look::Dashed])
        .map(|((split, lengths), look)| Line { name: split.as_str(), look, points: curve(lengths) })
        .collect();
    let most: Vec<String> = inputs
        .window_lengths
        .iter()
        .filter_map(|(split, lengths)| Some(format!("{split}: at most {}", lengths.keys().next_back()?)))
        .collect();
    LineChart {
        id: "lengths",
        title: "Tokens in a window",
        description: &format!("Share of the windows by length, in steps of {width} tokens. {}.", most.join("; ")),
        x: Axis { name: "tokens", format: |tokens| grouped(tokens.round() as u64), range: None },
        y: Axis { name: "windows", format: |share| format!("{:.0} %", 100.0 * share), range: None },
        lines: &shown,
    }
    .render()
}

fn audit(ingest: &Manifest) -> Markup {
    let splits: Vec<SplitName> = splits(ingest).into_iter().map(|(split, _)| split).collect();
    let count = |finding: Finding, split: SplitName| {
        ingest.metrics.get("audit").map_or(0, |audit| audit[split.as_str()]["findings"][finding.name()].as_u64().unwrap_or(0))
    };
    let found = Finding::ALL.iter().filter(|finding| splits.iter().any(|split| count(**finding, *split) > 0));
    let rows: Vec<Vec<Markup>> = found
        .map(|finding| {
            let cells = [html! { (finding.about()) }, html! { (finding.severity().name()) }];
            cells.into_iter().chain(splits.iter().map(|split| html! { (grouped(count(*finding, *split))) })).collect()
        })
        .collect();
    if rows.is_empty() {
        return html! { p { "Nothing." } };
    }
    let head: Vec<&str> = ["finding", "severity"].into_iter().chain(splits.iter().map(|split| split.as_str())).collect();
    html! {
        (Table { caption: "Findings, the gravest first", head: &head, words: 2, rows }.render())
        p.quiet { code { "distilburn show ingest" } " has examples of each." }
    }
}
