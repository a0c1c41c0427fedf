//! `score`: exact match and F1 of a predictions file, as the official SQuAD script computes them.

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::io::{Read, Seek};
use std::path::Path;

use flate2::read::MultiGzDecoder;
use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::json;
use squad::json::Dataset;
use squad::{Means, Parts, Score};

use crate::Error;
use crate::cli::ScoreOptions;

/// `distilburn score`
pub(crate) fn print(options: &ScoreOptions) -> Result<(), Error> {
    let dataset: Dataset =
        serde_json::from_slice(&read(&options.dataset)?).map_err(|source| Error::Json {
            path: options.dataset.clone(),
            expected: "a dataset in SQuAD's JSON form",
            remedy: "expected {\"data\": [{\"paragraphs\": [{\"context\": …, \"qas\": [{\"id\": …, \"question\": …, \"answers\": […]}]}]}]}",
            source,
        })?;
    let ground_truths = dataset.ground_truths();
    if ground_truths.is_empty() {
        return Err(Error::NoQuestions { path: options.dataset.clone() });
    }
    let mut ids = HashSet::new();
    if let Some((id, _)) = ground_truths.iter().find(|(id, _)| !ids.insert(*id)) {
        let (path, id) = (options.dataset.clone(), (*id).to_owned());
        return Err(Error::DuplicateId { path, what: "question", id });
    }
    let predictions = predictions(&options.predictions)?;
    let score = squad::score(&ground_truths, &predictions, options.f1_units);
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
        let mut answer = json!({
            "exact_match": score.exact_match,
            "f1": score.f1,
            "questions": score.questions,
            "unanswered": score.unanswered,
            "unknown_ids": score.unknown_ids,
        });
        if let Some(Parts { has_answer, no_answer }) = score.parts {
            for (part, means) in [("has_answer", has_answer), ("no_answer", no_answer)] {
                answer[format!("{part}_questions")] = means.questions.into();
                answer[format!("{part}_exact_match")] = means.exact_match.into();
                answer[format!("{part}_f1")] = means.f1.into();
            }
        }
        answer.to_string()
    } else {
        let line = |what: &str, means: Means| {
            let Means { questions, exact_match, f1 } = means;
            format!("{what}exact match {exact_match:.2}, F1 {f1:.2} ({questions} questions)")
        };
        let Score { questions, exact_match, f1, .. } = score;
        let mut text = line("", Means { questions, exact_match, f1 });
        if let Some(Parts { has_answer, no_answer }) = score.parts {
            let parts = [("with an answer: ", has_answer), ("without: ", no_answer)];
            text.extend(parts.map(|(what, means)| format!("\n{}", line(what, means))));
        }
        text
    };
    Ok(stage::print(&format!("{text}\n"))?)
}

/// Answer texts by question id, each id once.
fn predictions(path: &Path) -> Result<HashMap<String, String>, Error> {
    let entries = parse_predictions(&read(path)?).map_err(|source| Error::Json {
        path: path.to_owned(),
        expected: "a predictions file",
        remedy: "expected one JSON object of question id → answer text, {\"5733be28\": \"Denver Broncos\", …}, or JSON \
                 Lines of {\"id\": \"5733be28\", \"prediction_text\": \"Denver Broncos\"}",
        source,
    })?;
    let mut predictions = HashMap::with_capacity(entries.len());
    for (id, text) in entries {
        if predictions.contains_key(&id) {
            return Err(Error::DuplicateId { path: path.to_owned(), what: "prediction", id });
        }
        predictions.insert(id, text);
    }
    Ok(predictions)
}

/// Every id and text, in the file's order: its first value tells which form it has.
fn parse_predictions(bytes: &[u8]) -> serde_json::Result<Vec<(String, String)>> {
    let lines = || serde_json::Deserializer::from_slice(bytes).into_iter::<Line>();
    if let Some(Ok(_)) = lines().next() {
        lines().map(|line| line.map(|line| (line.id, line.prediction_text))).collect()
    } else {
        serde_json::from_slice::<Entries>(bytes).map(|entries| entries.0)
    }
}

/// A line of JSON Lines, as the SQuAD metrics of `datasets` and `evaluate` name its fields.
#[derive(Deserialize)]
struct Line {
    id: String,
    prediction_text: String,
}

/// The entries of a JSON object; a map would keep the last of those with the same key.
struct Entries(Vec<(String, String)>);

impl<'de> Deserialize<'de> for Entries {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct ObjectVisitor;

        impl<'de> Visitor<'de> for ObjectVisitor {
            type Value = Entries;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a map")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Entries, A::Error> {
                let mut entries = Vec::new();
                while let Some(entry) = map.next_entry()? {
                    entries.push(entry);
                }
                Ok(Entries(entries))
            }
        }

        deserializer.deserialize_map(ObjectVisitor)
    }
}

/// The contents of a file, gzip or not: the first two bytes tell.
fn read(path: &Path) -> Result<Vec<u8>, Error> {
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
    Ok(bytes)
}
