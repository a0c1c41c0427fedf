//! `score`: exact match and F1 of a predictions file, as the official SQuAD script computes them.

use std::collections::HashMap;
use std::io::{Read, Seek};
use std::path::Path;

use flate2::read::MultiGzDecoder;
use serde::de::DeserializeOwned;
use serde_json::json;
use squad::json::Dataset;

use crate::Error;
use crate::cli::ScoreOptions;

/// `distilburn score`
pub(crate) fn print(options: &ScoreOptions) -> Result<(), Error> {
    let dataset: Dataset = read(
        &options.dataset,
        "a dataset in SQuAD's JSON form",
        "expected {\"data\": [{\"paragraphs\": [{\"context\": …, \"qas\": [{\"id\": …, \"question\": …, \"answers\": […]}]}]}]}",
    )?;
    let predictions: HashMap<String, String> = read(
        &options.predictions,
        "a predictions file",
        "expected one JSON object of question id → answer text: {\"5733be28\": \"Denver Broncos\", …}",
    )?;
    let ground_truths = dataset.ground_truths();
    if ground_truths.is_empty() {
        return Err(Error::NoQuestions { path: options.dataset.clone() });
    }
    let score = squad::score(&ground_truths, &predictions);
    if score.unanswered > 0 {
        tracing::warn!(unanswered = score.unanswered, "questions without a prediction count 0");
    }
    if !score.unknown_ids.is_empty() {
        tracing::warn!(
            unknown = score.unknown_ids.len(),
            first = score.unknown_ids[0],
            "predictions for ids that the dataset lacks are ignored"
        );
    }
    let text = if options.json {
        json!({
            "exact_match": score.exact_match,
            "f1": score.f1,
            "questions": score.questions,
            "unanswered": score.unanswered,
            "unknown_ids": score.unknown_ids,
        })
        .to_string()
    } else {
        format!("exact match {:.2}, F1 {:.2} ({} questions)", score.exact_match, score.f1, score.questions)
    };
    Ok(stage::print(&format!("{text}\n"))?)
}

/// Reads JSON, gzip or not: the first two bytes tell.
fn read<T: DeserializeOwned>(path: &Path, expected: &'static str, remedy: &'static str) -> Result<T, Error> {
    let named =
        |error: std::io::Error| std::io::Error::new(error.kind(), format!("{}: {error}", path.display()));
    let mut file = std::fs::File::open(path).map_err(named)?;
    let mut bytes = Vec::new();
    file.by_ref().take(2).read_to_end(&mut bytes).map_err(named)?;
    if bytes == [0x1f, 0x8b] {
        bytes.clear();
        file.rewind().map_err(named)?;
        MultiGzDecoder::new(file).read_to_end(&mut bytes).map_err(named)?;
    } else {
        file.read_to_end(&mut bytes).map_err(named)?;
    }
    serde_json::from_slice(&bytes).map_err(|source| Error::Json {
        path: path.to_owned(),
        expected,
        remedy,
        source,
    })
}
