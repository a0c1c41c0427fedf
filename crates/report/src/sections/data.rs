//! The data: what the windows keep of it, and what its audit found.

use std::collections::BTreeMap;

use artifact::{FeatureFigures, Finding, Manifest, SplitCounts, SplitName, UnknownFigures, WindowFigures};
use maud::{Markup, html};
use page::Table;
use page::chart::{Axis, Line, LineChart, Look};
use page::number::grouped;

use crate::inputs::Inputs;

/// Bins of the chart of lengths: as many as its table has rows for.
const BINS: usize = 24;

pub(super) fn render(inputs: &Inputs) -> Markup {
    let [ingest, features, ..] = &inputs.manifests;
    html! {
        div.beside {
            div { (windows(ingest, features)) }
            (lengths(inputs))
        }
        h3 { "What the audit found" }
        (audit(ingest))
    }
}

fn splits(ingest: &Manifest) -> Vec<(SplitName, SplitCounts)> {
    SplitName::ALL.into_iter().filter_map(|split| Some((split, SplitCounts::of(ingest, split)?))).collect()
}

fn windows(ingest: &Manifest, features: &Manifest) -> Markup {
    let splits: Vec<(SplitName, SplitCounts, FeatureFigures)> = splits(ingest)
        .into_iter()
        .filter_map(|(split, counts)| Some((split, counts, FeatureFigures::of(features, split)?)))
        .collect();
    let row = |name: &str, of: &dyn Fn(&SplitCounts, &FeatureFigures) -> String| -> Vec<Markup> {
        let cells = splits.iter().map(|(_, counts, figures)| html! { (of(counts, figures)) });
        std::iter::once(html! { (name) }).chain(cells).collect()
    };
    let window = |name: &str, of: fn(&WindowFigures) -> String| {
        row(name, &|_, figures| figures.window_settings.first().map(of).unwrap_or_default())
    };
    let unknown = |name: &str, of: fn(&UnknownFigures) -> f64| {
        row(name, &|_, figures| {
            figures.unknown_tokens.as_ref().map(|unknown| percent(of(unknown))).unwrap_or_default()
        })
    };
    let rows = vec![
        row("articles", &|counts, _| grouped(counts.articles)),
        row("contexts", &|counts, _| grouped(counts.contexts)),
        row("questions", &|counts, _| grouped(counts.questions)),
        row("questions without an answer", &|counts, _| grouped(counts.unanswerable)),
        window("windows", |window| grouped(window.features)),
        window("tokens in a window, median", |window| grouped(window.length_percentiles.p50)),
        window("tokens in a window, 99th percentile", |window| grouped(window.length_percentiles.p99)),
        window("questions in several windows", |window| percent(window.questions_in_several_windows_share)),
        window("answers that are complete in no window", |window| percent(window.answers_lost_share)),
        window("padding, if batches had a fixed length", |window| {
            percent(window.padding_share_at_max_length)
        }),
        unknown("[UNK] among the tokens of questions", |unknown| unknown.questions.share),
        unknown("[UNK] among the tokens of contexts", |unknown| unknown.contexts.share),
        unknown("[UNK] among the tokens of answers", |unknown| unknown.answers.share),
    ];
    let head: Vec<&str> =
        std::iter::once("").chain(splits.iter().map(|(split, ..)| split.as_str())).collect();
    let settings = &features.parts["settings"];
    let caption = format!(
        "Windows of {} tokens that overlap by {}",
        settings["tokenize-features.max_length"], settings["tokenize-features.doc_stride"]
    );
    Table { caption: &caption, head: &head, words: 1, rows }.render()
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
        for (length, count) in lengths {
            bins[length / width] += count;
        }
        let least = |bin: usize| (width * bin) as f64;
        bins.iter().enumerate().map(|(bin, count)| (least(bin), *count as f64 / total)).collect::<Vec<_>>()
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
        description: &format!(
            "Share of the windows by length, in steps of {width} tokens. {}.",
            most.join("; ")
        ),
        x: Axis { name: "tokens", format: |tokens| grouped(tokens.round() as u64), range: None },
        y: Axis { name: "windows", format: |share| format!("{:.0} %", 100.0 * share), range: None },
        lines: &shown,
    }
    .render()
}

fn audit(ingest: &Manifest) -> Markup {
    let splits: Vec<SplitName> = splits(ingest).into_iter().map(|(split, _)| split).collect();
    let count = |finding: Finding, split: SplitName| {
        ingest
            .metrics
            .get("audit")
            .map_or(0, |audit| audit[split.as_str()]["findings"][finding.name()].as_u64().unwrap_or(0))
    };
    let is_there = |finding: &&Finding| splits.iter().any(|split| count(**finding, *split) > 0);
    let mut found: Vec<&Finding> = Finding::ALL.iter().filter(is_there).collect();
    found.sort_by_key(|finding| finding.severity());
    let rows: Vec<Vec<Markup>> = found
        .into_iter()
        .map(|finding| {
            let cells = [html! { (finding.about()) }, html! { (finding.severity().name()) }];
            cells
                .into_iter()
                .chain(splits.iter().map(|split| html! { (grouped(count(*finding, *split))) }))
                .collect()
        })
        .collect();
    if rows.is_empty() {
        return html! { p { "Nothing." } };
    }
    let head: Vec<&str> =
        ["finding", "severity"].into_iter().chain(splits.iter().map(|split| split.as_str())).collect();
    html! {
        (Table { caption: "Findings, the most severe first", head: &head, words: 2, rows }.render())
        p.quiet { code { "distilburn show ingest" } " has examples of each." }
    }
}
