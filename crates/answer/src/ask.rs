//! `ask`: one question, one context, the best answers.

use std::io::{IsTerminal, Read};
use std::path::{Path, PathBuf};

use clap::builder::RangedU64ValueParser;
use clap::{ArgGroup, Args};
use serde_json::json;
use squad::{SpanCandidate, SpanPrediction};
use stage::{CommonOptions, ModelOptions};

use crate::Error;

/// Answer one question from one context
///
/// The answer, a piece of the context, goes to stdout, or "(no answer)" from a model that was trained on questions without
/// one. Without --model, the model that the settings lead to answers: the newest export of `distilburn run` with the same
/// options. Windows and the choice of answers are the model's own, as its
/// `training_config.json` says; `--set` overrides them: `tokenize-features.max_length` and `doc_stride`, `evaluate.n_best`,
/// `max_answer_length` and `null_threshold`.
#[derive(Debug, Args)]
#[command(group(ArgGroup::new("text").required(true).args(["context", "context_file"])))]
pub struct AskOptions {
    /// The question
    #[arg(long, short = 'Q', value_name = "TEXT")]
    question: String,

    /// The text to find the answer in
    #[arg(long, short = 'C', value_name = "TEXT")]
    context: Option<String>,

    /// Read that text from FILE; - is stdin
    #[arg(long, value_name = "FILE")]
    context_file: Option<PathBuf>,

    #[command(flatten)]
    model: ModelOptions,

    /// How many answers to show
    #[arg(
        long,
        default_value_t = 1,
        value_name = "N",
        value_parser = RangedU64ValueParser::<usize>::new().range(1..)
    )]
    top: usize,

    /// One JSON object on stdout
    #[arg(long)]
    json: bool,

    #[command(flatten)]
    pub(crate) common: CommonOptions,
}

pub(crate) fn run(options: &AskOptions) -> Result<(), Error> {
    let context = read_context(options)?;
    for (what, text) in [("question", options.question.as_str()), ("context", context.as_str())] {
        if text.trim().is_empty() {
            return Err(Error::Empty { what });
        }
    }
    let answerer = answerer::open_model(options.model.model.as_deref(), &options.common, "ask")?;
    let prediction = answerer.answer(&options.question, &context)?;
    if !prediction.score.is_finite() {
        return Err(Error::NotFinite { path: answerer.folder().to_owned() });
    }
    let text = if options.json {
        as_json(&prediction, options.top)
    } else {
        as_text(&prediction, &context, options.top)
    };
    Ok(stage::print(&text)?)
}

fn read_context(options: &AskOptions) -> Result<String, Error> {
    let path: &Path = match (&options.context, &options.context_file) {
        (Some(context), _) => return Ok(context.clone()),
        (None, Some(path)) => path,
        (None, None) => return Err(Error::Empty { what: "context" }),
    };
    let mut bytes = Vec::new();
    if path.as_os_str() == "-" {
        std::io::stdin().lock().read_to_end(&mut bytes)?;
    } else {
        bytes = fs_err::read(path)?;
    }
    String::from_utf8(bytes).map_err(|_| Error::NotText { path: path.to_owned() })
}

fn as_json(prediction: &SpanPrediction, top: usize) -> String {
    let n_best = prediction.n_best.iter().take(top).map(|candidate| {
        json!({
            "text": candidate.text, "start_char": candidate.start_char, "end_char": candidate.end_char,
            "score": candidate.score, "probability": candidate.probability,
        })
    });
    let object = json!({
        "answer": prediction.text, "start_char": prediction.start_char, "end_char": prediction.end_char,
        "score": prediction.score, "null_score": prediction.null_score, "n_best": n_best.collect::<Vec<_>>(),
    });
    format!("{object}\n")
}

/// The answer alone for a program; its probability and surroundings too for a person.
fn as_text(prediction: &SpanPrediction, context: &str, top: usize) -> String {
    if !std::io::stdout().is_terminal() && top == 1 {
        return format!("{}\n", said(&prediction.text));
    }
    // With a threshold the answer may not be the most probable candidate: it goes first in any case.
    let is_chosen = |candidate: &&SpanCandidate| {
        candidate.start_char == prediction.start_char && candidate.end_char == prediction.end_char
    };
    let chosen = prediction.n_best.iter().filter(is_chosen);
    let others = prediction.n_best.iter().filter(|candidate| !is_chosen(candidate));
    let lines = chosen.chain(others).take(top).map(|candidate| {
        let around = surroundings(context, candidate.start_char, candidate.end_char);
        format!("{:>5.1} %  {}{around}\n", 100.0 * candidate.probability, said(&candidate.text))
    });
    lines.collect()
}

/// An answer for people.
fn said(text: &str) -> &str {
    if text.is_empty() { "(no answer)" } else { text }
}

/// Characters shown on each side of an answer.
const SHOWN: usize = 40;

fn surroundings(context: &str, start_char: i32, end_char: i32) -> String {
    let (Ok(start), Ok(end)) = (usize::try_from(start_char), usize::try_from(end_char)) else {
        return String::new();
    };
    let first = start.saturating_sub(SHOWN);
    let shown: String = context.chars().skip(first).take(end + SHOWN - first).collect();
    let more = context.chars().count() > end + SHOWN;
    let shown = shown.split_whitespace().collect::<Vec<_>>().join(" ");
    format!("    ({}{shown}{})", if first > 0 { "…" } else { "" }, if more { "…" } else { "" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_answer_is_said_in_words_and_is_empty_in_json_with_its_score() {
        let candidate = |text: &str, start_char, end_char, score| SpanCandidate {
            text: text.to_owned(),
            start_char,
            end_char,
            score,
            probability: 0.5,
        };
        let prediction = SpanPrediction {
            text: String::new(),
            start_char: -1,
            end_char: -1,
            score: 3.0,
            null_score: Some(3.0),
            n_best: vec![candidate("cat", 4, 7, 3.5), candidate("", -1, -1, 3.0)],
        };
        assert_eq!(as_text(&prediction, "the cat sat", 1), "(no answer)\n");
        assert!(as_text(&prediction, "the cat sat", 2).starts_with(" 50.0 %  (no answer)\n"));
        let json: serde_json::Value = serde_json::from_str(&as_json(&prediction, 1)).unwrap();
        assert_eq!((&json["answer"], &json["null_score"]), (&json!(""), &json!(3.0)));
    }
}
