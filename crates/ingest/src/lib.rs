//! The ingest stage: reads all outside data and models.
//!
//! Data comes from files in any format of `question-files` (on disk, from a URL or from the Hub), or from the corpus
//! that distilburn generates. It becomes contexts and examples, one question at a time, so a split may be larger than
//! memory. A pretrained model's folder becomes tensors and assets. Anything that breaks a rule is reported, and stops
//! the stage unless the settings allow it. Not here: tokens (the next stage).

mod audit;
mod check;
mod error;
mod hash;
mod local;
#[cfg(test)]
#[path = "../../../tests/message.rs"]
mod message;
mod realign;
pub mod sample;
mod selection;
mod share;
mod split;
mod tables;
mod tally;
mod verdict;

use std::panic::resume_unwind;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use pretrained::ModelFolder;
use serde_json::{Value, json};
use stage::Job;
use stage::settings::{BaseModel as Source, Ingest};

use crate::audit::Audit;
use crate::split::Split;

pub use crate::error::{Error, Result};

/// Runs the stage. It converts the base model's weights while it reads the questions.
pub fn run(job: &mut Job) -> Result<()> {
    let settings = job.settings.ingest.clone();
    let folder = job.fetcher.model_folder(&settings.base_model)?;
    let model = ModelFolder::open(&folder)?;
    let (output, fingerprint) = (job.output().to_owned(), job.fingerprint().to_owned());
    model.write_assets(&output, &fingerprint)?;
    let is_model_refused = AtomicBool::new(false);
    let (base_model, questions) = thread::scope(|scope| {
        let weights = scope.spawn(|| {
            let written = model.write_weights(&output, &fingerprint);
            is_model_refused.store(written.is_err(), Ordering::Relaxed);
            written
        });
        let questions = ingest_questions(&settings, &model, &is_model_refused, job);
        (weights.join().unwrap_or_else(|panic| resume_unwind(panic)), questions)
    });
    let mut base_model = base_model?;
    if let Source::Hub(id) = &settings.base_model {
        base_model["name"] = json!(id.id);
    }
    job.metric("base_model", base_model);
    for (name, metrics) in questions? {
        job.metric(name, metrics);
    }
    Ok(())
}

/// Writes the splits and the audit; returns their metrics for the manifest. `stop` ends it as a signal would.
fn ingest_questions(
    settings: &Ingest,
    model: &ModelFolder,
    stop: &AtomicBool,
    job: &mut Job,
) -> Result<Vec<(&'static str, Value)>> {
    let mut audit = Audit::create(job.output(), job.fingerprint(), model.tokenizer_json())?;
    let mut metrics = Vec::new();
    let share = Split::share(settings, stop, job)?;
    for split in Split::all(settings, share.as_ref()) {
        let counts = split.ingest(settings, &mut audit, stop, job)?;
        metrics.push((split.name.as_str(), json!(counts)));
    }
    metrics.push(("audit", audit.finish()?));
    Ok(metrics)
}
