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
            (format!("{:.0}", steps[steps.len() / 2])) " ms for a step in the middle of all."
        }
    }
}

fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}
