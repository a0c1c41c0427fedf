//! `show` of features: figures for windows of the present size and of others.

use std::fmt::Write;

use artifact::{FeatureFigures, Manifest, SplitName, WindowFigures};
use serde_json::{Map, Value};

use crate::table::{columns, grouped};

/// The keys of the comparison, and of the share of unknown tokens, among the metrics of a split.
const METRICS: [&str; 2] = ["window_settings", "unknown_tokens"];

/// Moves the comparisons from the metrics into tables, one for each split that has one.
pub(super) fn take(manifest: &Manifest, metrics: &mut Map<String, Value>) -> String {
    let mut text = String::new();
    for split in SplitName::ALL {
        let Some(metrics) = metrics.get_mut(split.as_str()).and_then(Value::as_object_mut) else { continue };
        for metric in METRICS {
            metrics.shift_remove(metric);
        }
        let Some(figures) = FeatureFigures::of(manifest, split) else { continue };
        if !figures.window_settings.is_empty() {
            let table = table(&figures.window_settings);
            let _ = write!(text, "\nwindows of {split}, the present size first:\n{table}");
        }
        if let Some(unknown) = figures.unknown_tokens {
            let [questions, contexts, answers] =
                [unknown.questions, unknown.contexts, unknown.answers].map(|part| percent(part.share));
            let _ = writeln!(
                text,
                "[UNK] among the tokens of {split}: questions {questions}, contexts {contexts}, answers {answers}"
            );
        }
    }
    text
}

fn table(settings: &[WindowFigures]) -> String {
    let head = [
        "max_length",
        "doc_stride",
        "features",
        "tokens",
        "in several",
        "too long",
        "answers lost",
        "padding",
        "in batches of 8",
        "length p50",
        "p90",
        "p99",
        "max",
    ];
    let mut rows = vec![head.map(str::to_owned)];
    rows.extend(settings.iter().map(|row| {
        let length = &row.length_percentiles;
        [
            grouped(row.max_length),
            grouped(row.doc_stride),
            grouped(row.features),
            grouped(row.tokens),
            percent(row.questions_in_several_windows_share),
            grouped(row.questions_too_long),
            percent(row.answers_lost_share),
            percent(row.padding_share_at_max_length),
            percent(row.padding_share_in_batches_of_8),
            grouped(length.p50),
            grouped(length.p90),
            grouped(length.p99),
            grouped(length.max),
        ]
    }));
    columns(&rows, 0)
}

fn percent(share: f64) -> String {
    format!("{:.2} %", share * 100.0)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_comparison_becomes_a_table() {
        let row = |max_length: u32, features: u32| {
            json!({
                "max_length": max_length, "doc_stride": 128, "features": features, "tokens": 1_234_567,
                "questions_in_several_windows_share": 0.0105, "questions_too_long": 0, "answers_lost_share": 0.0,
                "padding_share_at_max_length": 0.555, "padding_share_in_batches_of_8": 0.25,
                "length_percentiles": {"p50": 160, "p90": 250, "p99": 384, "max": 384},
            })
        };
        let unknown = json!({
            "questions": { "share": 0.0012 }, "contexts": { "share": 0.1 }, "answers": { "share": 0.0 },
        });
        let train = json!({
            "features": 88_524, METRICS[0]: [row(384, 88_524), row(512, 87_700)], METRICS[1]: unknown,
        });
        let mut metrics = Map::from_iter([("train".to_owned(), train)]);
        let manifest = json!({
            "format_version": 1, "stage": "tokenize-features", "fingerprint": "", "parts": {}, "inputs": [], "files": [],
            "metrics": metrics, "run": {}, "checksum": "",
        });
        let manifest: Manifest = serde_json::from_value(manifest).unwrap();
        insta::assert_snapshot!(take(&manifest, &mut metrics));
        assert_eq!(metrics["train"], json!({ "features": 88_524 }));
    }
}
