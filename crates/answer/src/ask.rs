//! `ask`: one question, one context, the best answers.

use std::io::{IsTerminal, Read};
use std::path::{Path, PathBuf};

use answerer::{Answerer, Usage};
use clap::builder::RangedU64ValueParser;
use clap::{ArgGroup, Args};
use distilbert::Config;
use serde_json::json;
use squad::{SpanCandidate, SpanPrediction};
use stage::settings::NullThreshold;
use stage::{CommonOptions, Settings, SettingsOptions, Workspace};

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

    /// An exported model directory or the export artifact that holds one [default: the export of these settings]
    #[arg(long, value_name = "DIR")]
    model: Option<PathBuf>,

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
    let workspace = Workspace::open(&settings_of(options), &[])?;
    let settings = workspace.settings();
    let context = read_context(options)?;
    for (what, text) in [("question", options.question.as_str()), ("context", context.as_str())] {
        if text.trim().is_empty() {
            return Err(Error::Empty { what });
        }
    }
    let folder = match &options.model {
        Some(folder) => model_in(folder)?,
        None => workspace.artifact(&stage::EXPORT, "ask")?.dir.join(artifact::file_name::MODEL),
    };
    let runtime = answerer::runtime(&settings.run)?;
    let typed = &options.common.settings.set;
    let adjust = |usage: &mut Usage, config: &Config| {
        override_with(usage, config.max_position_embeddings, settings, typed);
    };
    let prediction = Answerer::open(&folder, adjust, &runtime)?.answer(&options.question, &context)?;
    if !prediction.score.is_finite() {
        return Err(Error::NotFinite { path: folder });
    }
    let text = if options.json {
        as_json(&prediction, options.top)
    } else {
        as_text(&prediction, &context, options.top)
    };
    Ok(stage::print(&text)?)
}

/// The options for settings. A `max_length` that was typed alone must not be held against the built-in `doc_stride`: the
/// model's own counts.
fn settings_of(options: &AskOptions) -> SettingsOptions {
    let mut settings = options.common.settings.clone();
    let sets = |key: &str| settings.set.iter().any(|set| set.trim_start().starts_with(key));
    if sets("tokenize-features.max_length") && !sets("tokenize-features.doc_stride") {
        settings.set.push("tokenize-features.doc_stride=0".to_owned());
    }
    settings
}

/// The model's folder where an artifact of export is named.
fn model_in(folder: &Path) -> Result<PathBuf, Error> {
    let manifest = folder.join(artifact::file_name::MANIFEST);
    if folder.join("config.json").exists() || !manifest.exists() {
        return Ok(folder.to_owned());
    }
    let stage = artifact::Artifact::open(folder)?.manifest.stage;
    if stage == stage::EXPORT.name {
        Ok(folder.join(artifact::file_name::MODEL))
    } else {
        Err(Error::NotExported { path: folder.to_owned(), stage })
    }
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

/// Only what was typed goes before what the model says, not what stands in a settings file.
fn override_with(usage: &mut Usage, positions: usize, settings: &Settings, typed: &[String]) {
    let is_typed =
        |key: &str| typed.iter().any(|set| set.split_once('=').is_some_and(|(typed, _)| typed.trim() == key));
    let (tokenize, evaluate) = (&settings.tokenize_features, &settings.evaluate);
    if is_typed("tokenize-features.max_length") {
        usage.windows.max_length = tokenize.max_length;
    }
    if is_typed("tokenize-features.doc_stride") {
        usage.windows.doc_stride = tokenize.doc_stride;
    }
    if is_typed("evaluate.n_best") {
        usage.spans.n_best = evaluate.n_best;
    }
    if is_typed("evaluate.max_answer_length") {
        usage.spans.max_answer_length = evaluate.max_answer_length;
    }
    if is_typed("evaluate.null_threshold")
        && let NullThreshold::At(threshold) = evaluate.null_threshold
    {
        usage.spans.null_threshold = threshold;
    }
    usage.windows.max_length = usage.windows.max_length.min(positions);
    if !is_typed("tokenize-features.doc_stride") {
        usage.windows.doc_stride = usage.windows.doc_stride.min(usage.windows.max_length / 2);
    }
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
    use pretrained::{SpanConfig, UseConfig, WindowConfig};
    use squad::{SpanSettings, WindowSettings};

    use super::*;

    fn settings(set: &[String]) -> Settings {
        stage::settings::Request { set: set.to_vec(), ..Default::default() }.load().unwrap().settings
    }

    #[test]
    fn a_folder_says_how_it_is_asked_and_only_the_command_line_overrides_it() {
        let said = UseConfig {
            windows: WindowConfig { max_length: 64, doc_stride: 16 },
            spans: SpanConfig { n_best: 5, max_answer_length: 7, null_threshold: 1.5 },
            no_answer: true,
            temperature: 1.0,
            files: std::collections::BTreeMap::new(),
        };
        let asked = |said, positions, set: &[String]| {
            let mut usage = Usage::of(said, positions);
            override_with(&mut usage, positions, &settings(set), set);
            usage
        };
        let usage = asked(Some(&said), 512, &[]);
        assert_eq!(usage.windows, WindowSettings { max_length: 64, doc_stride: 16 });
        assert_eq!(usage.spans, SpanSettings { n_best: 5, max_answer_length: 7, null_threshold: 1.5 });
        assert!(usage.no_answer);

        let set = ["tokenize-features.max_length=256", "evaluate.null_threshold=3"].map(str::to_owned);
        let usage = asked(Some(&said), 512, &set);
        assert_eq!(usage.windows, WindowSettings { max_length: 256, doc_stride: 16 });
        assert_eq!((usage.spans.null_threshold, usage.spans.n_best), (3.0, 5));
    }

    /// transformers' question-answering pipeline (5.2): `max_seq_len` min(model, 384), `doc_stride` min(half of it, 128).
    #[test]
    fn a_folder_of_another_tool_is_asked_as_by_transformers() {
        let usage = Usage::of(None, 512);
        assert_eq!(usage.windows, WindowSettings { max_length: 384, doc_stride: 128 });
        assert_eq!((usage.spans.max_answer_length, usage.no_answer), (30, false));
        assert_eq!(Usage::of(None, 64).windows, WindowSettings { max_length: 64, doc_stride: 32 });
    }

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
