//! What it took: time, machine and memory, as far as the stages noted it.

use maud::{Markup, html};
use page::Table;
use page::number::{duration, grouped, size};
use serde_json::Value;

use crate::inputs::Inputs;

pub(super) fn render(inputs: &Inputs) -> Markup {
    let rows = inputs.manifests.iter().map(|manifest| {
        let run = |key: &str| manifest.run.get(key).map_or_else(|| "–".to_owned(), plain);
        let bytes = manifest.files.iter().map(|file| file.bytes).sum();
        vec![
            html! { (manifest.stage) },
            html! { (run("device")) },
            html! { (run("precision")) },
            html! { (run("threads")) },
            html! { (manifest.run.get("elapsed_ms").and_then(Value::as_u64).map_or_else(|| "–".to_owned(), duration)) },
            html! { (size(bytes)) },
        ]
    });
    let head = ["stage", "device", "precision", "threads", "time", "on disk"];
    html! {
        (Table { caption: "The stages behind this report", head: &head, words: 3, rows: rows.collect() }.render())
        (speed(inputs))
        (answering(inputs))
    }
}

/// How fast the model answers, as evaluate measured it.
fn answering(inputs: &Inputs) -> Markup {
    const MEASURES: [&str; 4] = ["p50_ms", "p90_ms", "questions_per_s", "tokens_per_s"];
    if inputs.profile.is_empty() {
        return html! { p { "How fast the model answers was not measured: " code { "evaluate.profile_seconds = 0" } "." } };
    }
    let run = |key: &str| inputs.manifests[3].run.get(key).and_then(Value::as_u64);
    let cell = |scope: &str, measure: &str| {
        let row = inputs.profile.iter().find(|row| row.scope == scope && row.measure == measure);
        row.map_or_else(|| "–".to_owned(), |row| significant(row.value))
    };
    let rows = [("end to end", "text to answer"), ("model", "the model alone")].map(|(scope, words)| {
        let cells = MEASURES.map(|measure| html! { (cell(scope, measure)) });
        std::iter::once(html! { (words) }).chain(cells).collect()
    });
    let head = ["", "one at a time, p50 in ms", "p90 in ms", "all at once, questions/s", "tokens/s"];
    html! {
        (Table { caption: "How fast the model answers validation questions", head: &head, words: 1, rows: rows.into() }.render())
        p {
            @if let Some(load_ms) = run("load_ms") { "The model loads in " (grouped(load_ms)) " ms. " }
            @if let Some(bytes) = run("peak_memory_bytes") { "The whole evaluation needed at most " (size(bytes)) " of memory. " }
            "These figures come from about " (inputs.profile.iter().map(|row| row.samples).max().unwrap_or_default())
            " questions on the machine named above; " code { "distilburn profile" } " measures for longer, by length of the text."
        }
    }
}

/// With three digits that count.
fn significant(value: f64) -> String {
    match value {
        value if value >= 100.0 => grouped(value.round() as u64),
        value if value >= 10.0 => format!("{value:.1}"),
        value => format!("{value:.2}"),
    }
}

/// How fast training was, validations left out.
fn speed(inputs: &Inputs) -> Markup {
    let total = |of: fn(&artifact::TimingRow) -> u64| inputs.timing.iter().map(of).sum::<u64>() as f64;
    let elapsed_ms = inputs.timing.last().map_or(0.0, |row| row.elapsed_ms);
    if elapsed_ms <= 0.0 {
        return Markup::default();
    }
    let per_second = |count: f64| grouped((1000.0 * count / elapsed_ms).round() as u64);
    let mut steps: Vec<f64> = inputs.timing.iter().map(|row| row.step_ms).collect();
    steps.sort_by(f64::total_cmp);
    html! {
        p {
            "Training without its validations took " (duration(elapsed_ms as u64)) ": " (per_second(total(|row| row.features)))
            " windows and " (per_second(total(|row| row.tokens))) " tokens a second, "
            (format!("{:.0}", steps[steps.len() / 2])) " ms for the median step."
        }
    }
}

fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}
