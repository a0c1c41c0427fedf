//! `score`: exact match and F1 of a predictions file, as the official SQuAD script computes them.

use std::collections::HashMap;
use std::path::Path;

use question_files::{QuestionFile, labelled_questions};
use serde_json::json;
use squad::{Means, Parts, Score};

use crate::Error;
use crate::cli::ScoreOptions;

/// The number of ids of a file that a message shows.
const SHOWN_IDS: usize = 3;

/// `distilburn score`
pub(crate) fn print(options: &ScoreOptions) -> Result<(), Error> {
    let questions = labelled_questions(&options.dataset, "--dataset")?;
    let predictions = predictions(&options.predictions)?;
    let ids: Vec<String> = questions.iter().map(|question| question.id.clone()).collect();
    check_ids(&ids, &options.dataset, &predictions, &options.predictions)?;
    let ground_truths: Vec<(&str, Vec<&str>)> = questions
        .iter()
        .map(|question| {
            let texts = question.answers.iter().map(|answer| answer.text.as_str());
            (question.id.as_str(), texts.collect())
        })
        .collect();
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

/// Refuses predictions if none is for a question of the data set.
pub(crate) fn check_ids(
    ids: &[String],
    dataset: &Path,
    predictions: &HashMap<String, String>,
    path: &Path,
) -> Result<(), Error> {
    if predictions.is_empty() || ids.iter().any(|id| predictions.contains_key(id)) {
        return Ok(());
    }
    let mut predicted: Vec<&str> = predictions.keys().map(String::as_str).collect();
    predicted.sort_unstable();
    Err(Error::NoIdInCommon {
        dataset: dataset.to_owned(),
        predictions: path.to_owned(),
        questions: examples(ids.iter().map(String::as_str)),
        predicted: examples(predicted.into_iter()),
    })
}

/// Answer texts by question id, each id once.
pub(crate) fn predictions(path: &Path) -> Result<HashMap<String, String>, Error> {
    let mut predictions = HashMap::new();
    let (name, asked_by) = (path.display().to_string(), "--predictions");
    let file = QuestionFile { path: path.to_owned(), name, asked_by };
    for (id, text) in question_files::predictions(&file)? {
        if predictions.contains_key(&id) {
            return Err(Error::DuplicatePrediction { path: path.to_owned(), id });
        }
        predictions.insert(id, text);
    }
    Ok(predictions)
}

fn examples<'a>(ids: impl ExactSizeIterator<Item = &'a str>) -> String {
    let more = if ids.len() > SHOWN_IDS { ", …" } else { "" };
    let shown: Vec<String> = ids.take(SHOWN_IDS).map(|id| format!("{id:?}")).collect();
    shown.join(", ") + more
}
