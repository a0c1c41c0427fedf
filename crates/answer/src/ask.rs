//! `ask`: one question, one context, the best answers.

use std::io::{IsTerminal, Read};
use std::path::{Path, PathBuf};

use clap::{ArgGroup, Args};
use distilbert::{ModelFolder, Predictor, Runtime, RuntimeOptions};
use serde_json::json;
use squad::{FeatureLogits, FeatureTokenizer, SpanPrediction, SpanSettings, WindowSettings, select_spans};
use stage::{CommonOptions, Settings, Workspace};

use crate::Error;

/// Answer one question from one context
///
/// The answer, always a piece of the context, goes to stdout. Without --model, the model that the settings lead to answers: the newest export
/// of `distilburn run` with the same options.
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

    /// An exported model directory, instead of the one the settings lead to
    #[arg(long, value_name = "DIR")]
    model: Option<PathBuf>,

    /// How many answers to show
    #[arg(long, default_value_t = 1, value_name = "N")]
    top: usize,

    /// One JSON object on stdout
    #[arg(long)]
    json: bool,

    #[command(flatten)]
    pub(crate) common: CommonOptions,
}

pub(crate) fn run(options: &AskOptions) -> Result<(), Error> {
    let workspace = Workspace::open(&options.common.settings, &[])?;
    let settings = workspace.settings();
    let context = read_context(options)?;
    for (what, text) in [("question", options.question.as_str()), ("context", context.as_str())] {
        if text.trim().is_empty() {
            return Err(Error::Empty { what });
        }
    }
    let folder = match &options.model {
        Some(folder) => folder.clone(),
        None => workspace.artifact(&stage::EXPORT, "ask")?.dir.join(artifact::file_name::MODEL),
    };
    let runtime = Runtime::new(RuntimeOptions {
        device: &settings.run.device,
        precision: settings.run.precision.as_str(),
        threads: settings.run.threads,
        allow_slow_precision: settings.run.allow_slow_precision,
    })?;
    let prediction = answer(&folder, &runtime, settings, (&options.question, &context))?;
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

fn answer(
    folder: &Path,
    runtime: &Runtime,
    settings: &Settings,
    (question, context): (&str, &str),
) -> Result<SpanPrediction, Error> {
    let folder = ModelFolder::open(folder)?;
    let model = folder.model(runtime.device())?;
    let windows = WindowSettings {
        max_length: settings.tokenize_features.max_length.min(model.config().max_position_embeddings),
        doc_stride: settings.tokenize_features.doc_stride,
    };
    let tokenizer = FeatureTokenizer::new(folder.tokenizer_json(), windows)?;
    let windows = tokenizer.windows(question, &tokenizer.tokenize_context(context)?, None)?;

    let predictor = Predictor::new(&model, runtime);
    let input_ids: Vec<&[i32]> = windows.iter().map(|window| window.input_ids.as_slice()).collect();
    let logits: Vec<_> =
        input_ids.chunks(settings.train.eval_batch_size).flat_map(|ids| predictor.logits(ids)).collect();
    let features: Vec<FeatureLogits<'_>> = windows
        .iter()
        .zip(&logits)
        .map(|(window, logits)| FeatureLogits {
            offset_mapping: &window.offset_mapping,
            start_logits: &logits.start_logits,
            end_logits: &logits.end_logits,
        })
        .collect();
    let spans = SpanSettings {
        n_best: settings.evaluate.n_best,
        max_answer_length: settings.evaluate.max_answer_length,
        null_threshold: settings.evaluate.null_threshold,
    };
    Ok(select_spans(context, &features, &spans, false))
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
        "score": prediction.score, "n_best": n_best.collect::<Vec<_>>(),
    });
    format!("{object}\n")
}

/// The answer alone for a program; its probability and surroundings too for a person.
fn as_text(prediction: &SpanPrediction, context: &str, top: usize) -> String {
    if !std::io::stdout().is_terminal() && top == 1 {
        return format!("{}\n", prediction.text);
    }
    let lines = prediction.n_best.iter().take(top).map(|candidate| {
        let around = surroundings(context, candidate.start_char, candidate.end_char);
        format!("{:>5.1} %  {}{around}\n", 100.0 * candidate.probability, candidate.text)
    });
    lines.collect()
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
