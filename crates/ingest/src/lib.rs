//! The ingest stage: the one door to the outside world.
//!
//! Data (a SQuAD file, or the corpus that distilburn generates) becomes contexts and examples, and a
//! pretrained model's folder becomes tensors and assets. Whatever breaks a rule is named before a table is
//! written. Tokens are the next stage's business.

mod base_model;
mod check;
mod error;
pub mod sample;
mod selection;
mod source;
mod split;
mod tables;

use serde_json::json;
use stage::Job;

use crate::split::Split;
use crate::tables::write_split;

pub use crate::error::{Error, Result};

/// Runs the stage.
pub fn run(job: &mut Job) -> Result<()> {
    let settings = job.settings.ingest.clone();
    let [train, validation] = Split::both(&settings);
    let train_data = train.read(settings.seed)?;
    let train_questions = train.choose(&train_data, &settings)?;
    stop_if_interrupted(job)?;
    let validation_data = validation.read(settings.seed)?;
    let validation_questions = validation.choose(&validation_data, &settings)?;
    stop_if_interrupted(job)?;

    let base_model = base_model::ingest(&settings.base_model, job.output(), job.fingerprint())?;
    job.metric("base_model", base_model);
    for (split, chosen) in [(train, train_questions), (validation, validation_questions)] {
        stop_if_interrupted(job)?;
        let (contexts, examples) = split.paths(job.output());
        let counts = write_split(&chosen.questions, &contexts, &examples, job.fingerprint())?;
        job.metric(
            split.name,
            json!({
                "articles": counts.articles,
                "contexts": counts.contexts,
                "questions": counts.questions,
                "available_questions": chosen.available,
                "skipped": chosen.skipped,
            }),
        );
    }
    Ok(())
}

fn stop_if_interrupted(job: &Job) -> Result<()> {
    if job.interrupted() { Err(Error::Interrupted) } else { Ok(()) }
}
