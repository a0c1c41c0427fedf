//! The tokenize-features stage: turns questions and contexts into windows of tokens.
//!
//! It processes every split on all cores and writes the features as they come. Not here: what a window is (`squad`).

mod blocks;
mod error;
mod ordered;
mod question;
mod split;
mod statistics;
mod unknown;
#[cfg(test)]
#[path = "../../../tests/word_piece.rs"]
mod word_piece;

use std::path::Path;
use std::thread;

use artifact::{Assets, Contexts, Examples, FeatureRow, FeaturesWriter, SplitName, file_name};
use serde_json::Value;
use squad::{FeatureTokenizer, LabelledAnswer, WindowSettings};
use stage::Job;

use crate::split::{ExampleWindows, Split};
use crate::statistics::Statistics;
use crate::unknown::UnknownTokens;

pub use crate::error::{Error, Result};

pub fn run(job: &mut Job) -> Result<()> {
    let settings = WindowSettings {
        max_length: job.settings.tokenize_features.max_length,
        doc_stride: job.settings.tokenize_features.doc_stride,
    };
    let (tokenizer, positions) = open_tokenizer(&job.input("ingest").file(file_name::ASSETS)?, settings)?;
    job.run_info("threads", threads(job));
    let ingest = job.input("ingest").clone();
    for split in SplitName::ALL.into_iter().filter(|split| ingest.lists(split.examples())) {
        let (statistics, unknown) =
            write_features(job, split, &tokenizer, Statistics::new(settings, positions))?;
        unknown.warn(split.as_str());
        let mut metrics = statistics.metrics();
        metrics["unknown_tokens"] = unknown.metrics();
        tracing::info!(
            split = split.as_str(),
            features = %metrics["features"],
            tokens = %metrics["tokens"],
            answers_lost = %percent(&metrics["answers_lost_share"]),
            "wrote the features"
        );
        job.metric(split.as_str(), metrics);
    }
    Ok(())
}

/// Writes the features of a split, and counts them in `statistics`.
fn write_features(
    job: &Job,
    name: SplitName,
    tokenizer: &FeatureTokenizer,
    mut statistics: Statistics,
) -> Result<(Statistics, UnknownTokens)> {
    let ingest = job.input("ingest");
    let split = Split {
        name: name.as_str(),
        contexts: Contexts::open(&ingest.file(name.contexts())?)?,
        examples: Examples::open(&ingest.file(name.examples())?)?,
    };
    split.examples.check_contexts(&split.contexts)?;
    let mut features = FeaturesWriter::create(&job.output().join(name.features()), job.fingerprint())?;
    let progress = job.progress(name.as_str(), split.examples.len() as u64);
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

/// A share, formatted for people.
fn percent(share: &Value) -> String {
    format!("{:.2} %", 100.0 * share.as_f64().unwrap_or_default())
}

/// The base model's tokenizer, for windows that fit the model, and the model's number of positions.
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
