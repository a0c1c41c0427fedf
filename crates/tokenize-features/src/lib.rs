//! The tokenize-features stage: questions and contexts in, windows of tokens out.
//!
//! What a window is, is the squad crate's business; this one runs it over both splits on all cores and
//! writes the features as they come.

mod blocks;
mod error;
mod ordered;
mod split;
mod statistics;

use std::thread;

use artifact::{Assets, Contexts, Examples, FeatureRow, FeaturesWriter, file_name};
use squad::{FeatureTokenizer, WindowSettings};
use stage::Job;

use crate::split::{ExampleWindows, Split};
use crate::statistics::{Answered, Statistics};

pub use crate::error::{Error, Result};

/// Runs the stage.
pub fn run(job: &mut Job) -> Result<()> {
    let ingest = job.input("ingest").clone();
    let threads = match job.settings.run.threads {
        0 => thread::available_parallelism().map_or(1, usize::from),
        threads => threads,
    };
    job.run_info("threads", threads);

    let assets_path = ingest.file(file_name::ASSETS)?;
    let assets = Assets::open(&assets_path)?;
    let tokenizer_json =
        assets.get("tokenizer.json").ok_or(Error::NoTokenizer { path: assets_path.clone() })?;
    let settings = WindowSettings {
        max_length: job.settings.tokenize_features.max_length,
        doc_stride: job.settings.tokenize_features.doc_stride,
    };
    let tokenizer = FeatureTokenizer::new(tokenizer_json, settings).map_err(Error::Tokenizer)?;

    for (name, contexts, examples, features) in [
        ("train", file_name::CONTEXTS_TRAIN, file_name::EXAMPLES_TRAIN, file_name::FEATURES_TRAIN),
        (
            "validation",
            file_name::CONTEXTS_VALIDATION,
            file_name::EXAMPLES_VALIDATION,
            file_name::FEATURES_VALIDATION,
        ),
    ] {
        let split = Split {
            name,
            contexts: Contexts::open(&ingest.file(contexts)?)?,
            examples: Examples::open(&ingest.file(examples)?)?,
        };
        split.examples.check_contexts(&split.contexts)?;
        let mut features = FeaturesWriter::create(&job.output().join(features), job.fingerprint())?;
        let mut statistics = Statistics::new(settings.max_length);
        let progress = job.progress(name, split.examples.len() as u64);
        split.tokenize(&tokenizer, threads, |ExampleWindows { example_index, example, windows }| {
            if job.interrupted() {
                return Err(Error::Interrupted);
            }
            let answered = if example.answers.is_empty() { Answered::No } else { Answered::Yes };
            statistics.count(&windows, answered);
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
        let metrics = statistics.metrics();
        tracing::info!(split = name, features = %metrics["features"], tokens = %metrics["tokens"], "wrote the features");
        job.metric(name, metrics);
    }
    Ok(())
}
