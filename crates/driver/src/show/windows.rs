//! `show` of features: what windows of the present size give, and of others would.

use std::fmt::Write;

use serde_json::{Map, Value};

use crate::table::{columns, number};

/// Where tokenize-features puts the comparison among the metrics of a split.
const METRIC: &str = "window_settings";
/// And the share of words that the vocabulary lacks.
const UNKNOWN_METRIC: &str = "unknown_tokens";

/// Takes the comparisons out of the metrics and puts them into tables, one for each split that has one.
pub(super) fn take(metrics: &mut Map<String, Value>) -> String {
    let mut text = String::new();
    for (split, metrics) in metrics.iter_mut() {
        let Some(metrics) = metrics.as_object_mut() else { continue };
        let (settings, unknown) = (metrics.shift_remove(METRIC), metrics.shift_remove(UNKNOWN_METRIC));
        if let Some(Value::Array(settings)) = settings {
            let _ = write!(text, "\nwindows of {split}, the present size first:\n{}", table(&settings));
        }
        if let Some(unknown) = unknown {
            let share = |part: &str| percent(&unknown[part]["share"]);
            let [questions, contexts, answers] = ["questions", "contexts", "answers"].map(share);
            let _ = writeln!(
                text,
                "[UNK] among the tokens of {split}: questions {questions}, contexts {contexts}, answers {answers}"
            );
        }
    }
    text
}

fn table(settings: &[Value]) -> String {
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
        let length = &row["length_percentiles"];
        [
            number(&row["max_length"]),
            number(&row["doc_stride"]),
            number(&row["features"]),
            number(&row["tokens"]),
            percent(&row["questions_in_several_windows_share"]),
            number(&row["questions_too_long"]),
            percent(&row["answers_lost_share"]),
            percent(&row["padding_share_at_max_length"]),
            percent(&row["padding_share_in_batches_of_8"]),
            number(&length["p50"]),
            number(&length["p90"]),
            number(&length["p99"]),
            number(&length["max"]),
        ]
    }));
    columns(&rows, 0)
}

fn percent(share: &Value) -> String {
    share.as_f64().map_or_else(String::new, |share| format!("{:.2} %", share * 100.0))
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
            "features": 88_524, METRIC: [row(384, 88_524), row(512, 87_700)], UNKNOWN_METRIC: unknown,
        });
        let mut metrics = Map::from_iter([("train".to_owned(), train)]);
        insta::assert_snapshot!(take(&mut metrics));
        assert_eq!(metrics["train"], json!({ "features": 88_524 }));
        assert_eq!(take(&mut metrics), "");
    }
}
