//! The tokenize-features stage: questions and contexts in, windows of tokens out.
//!
//! What a window is, is the squad crate's business; this one runs it over both splits on all cores and
//! writes the features as they come.

mod blocks;
mod error;
mod ordered;
mod question;
mod split;
mod statistics;
mod unknown;

use std::path::Path;
use std::thread;

use artifact::{Assets, Contexts, Examples, FeatureRow, FeaturesWriter, file_name};
use serde_json::Value;
use squad::{FeatureTokenizer, LabelledAnswer, WindowSettings};
use stage::Job;

use crate::split::{ExampleWindows, Split};
use crate::statistics::Statistics;
use crate::unknown::UnknownTokens;

pub use crate::error::{Error, Result};

/// A split's name and its files.
struct SplitFiles {
    name: &'static str,
    contexts: &'static str,
    examples: &'static str,
    features: &'static str,
}

const SPLITS: [SplitFiles; 2] = [
    SplitFiles {
        name: "train",
        contexts: file_name::CONTEXTS_TRAIN,
        examples: file_name::EXAMPLES_TRAIN,
        features: file_name::FEATURES_TRAIN,
    },
    SplitFiles {
        name: "validation",
        contexts: file_name::CONTEXTS_VALIDATION,
        examples: file_name::EXAMPLES_VALIDATION,
        features: file_name::FEATURES_VALIDATION,
    },
];

/// Runs the stage.
pub fn run(job: &mut Job) -> Result<()> {
    let settings = WindowSettings {
        max_length: job.settings.tokenize_features.max_length,
        doc_stride: job.settings.tokenize_features.doc_stride,
    };
    let (tokenizer, positions) = open_tokenizer(&job.input("ingest").file(file_name::ASSETS)?, settings)?;
    job.run_info("threads", threads(job));
    for files in &SPLITS {
        let (statistics, unknown) =
            write_features(job, files, &tokenizer, Statistics::new(settings, positions))?;
        unknown.warn(files.name);
        let mut metrics = statistics.metrics();
        metrics["unknown_tokens"] = unknown.metrics();
        tracing::info!(
            split = files.name,
            features = %metrics["features"],
            tokens = %metrics["tokens"],
            answers_lost = %percent(&metrics["answers_lost_share"]),
            "wrote the features"
        );
        job.metric(files.name, metrics);
    }
    Ok(())
}

/// Writes the features of a split, and counts them in `statistics`.
fn write_features(
    job: &Job,
    files: &SplitFiles,
    tokenizer: &FeatureTokenizer,
    mut statistics: Statistics,
) -> Result<(Statistics, UnknownTokens)> {
    let ingest = job.input("ingest");
    let split = Split {
        name: files.name,
        contexts: Contexts::open(&ingest.file(files.contexts)?)?,
        examples: Examples::open(&ingest.file(files.examples)?)?,
    };
    split.examples.check_contexts(&split.contexts)?;
    let mut features = FeaturesWriter::create(&job.output().join(files.features), job.fingerprint())?;
    let progress = job.progress(files.name, split.examples.len() as u64);
    let mut unknown_tokens = UnknownTokens::default();
    let interrupt = job.interrupt();
    split.tokenize(tokenizer, threads(job), &|| interrupt.seen(), |answered| {
        let ExampleWindows { example_index, example, windows, unknown } = answered;
        if job.interrupted() {
            return Err(Error::Interrupted);
        }
        let answer = example.answers.first();
        statistics
            .count(&windows, answer.map(|answer| LabelledAnswer { start: answer.start, text: answer.text }));
        unknown_tokens.count(example.context_id, &windows[0], unknown, tokenizer.unknown_id());
        for window in &windows {
            features.push(&FeatureRow {
                example_index,
                input_ids: &window.input_ids,
                offset_mapping: &window.offset_mapping,
                start_position: window.start_position,
                end_position: window.end_position,
            })?;
        }
        progress.inc(1);
        Ok(())
    })?;
    features.finish()?;
    progress.finish();
    Ok((statistics, unknown_tokens))
}

/// How many threads the settings ask for.
fn threads(job: &Job) -> usize {
    match job.settings.run.threads {
        0 => thread::available_parallelism().map_or(1, usize::from),
        threads => threads,
    }
}

/// A share for people.
fn percent(share: &Value) -> String {
    format!("{:.2} %", 100.0 * share.as_f64().unwrap_or_default())
}

/// The base model's tokenizer for windows that the model can read, and how many positions the model has.
fn open_tokenizer(path: &Path, settings: WindowSettings) -> Result<(FeatureTokenizer, usize)> {
    let assets = Assets::open(path)?;
    let asset = |name| assets.get(name).ok_or_else(|| Error::Asset { path: path.to_owned(), name });
    let config: Value = serde_json::from_slice(asset("config.json")?).unwrap_or_default();
    let positions = config["max_position_embeddings"]
        .as_u64()
        .ok_or_else(|| Error::Asset { path: path.to_owned(), name: "config.json" })?
        as usize;
    if settings.max_length > positions {
        return Err(Error::MaxLength { max_length: settings.max_length, positions });
    }
    let tokenizer = FeatureTokenizer::new(asset("tokenizer.json")?, settings).map_err(Error::Tokenizer)?;
    Ok((tokenizer, positions))
}
