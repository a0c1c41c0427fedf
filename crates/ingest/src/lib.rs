//! The ingest stage: the one door to the outside world.
//!
//! Data (files in SQuAD's JSON form or in the column form of `datasets`, from disk, from a URL or from the Hub; or
//! the corpus that distilburn generates) becomes contexts and examples, question by question, so that a split
//! may be larger than memory; and a pretrained model's folder becomes tensors and assets. Whatever breaks a rule
//! is named, and stops the stage where the settings do not let it pass. Tokens are the next stage's business.

mod audit;
mod base_model;
mod check;
mod error;
mod hash;
mod realign;
pub mod sample;
mod selection;
mod source;
mod split;
mod tables;
mod tally;

use artifact::{Assets, file_name};
use serde_json::json;
use stage::Job;
use stage::settings::BaseModel;

use crate::audit::Audit;
use crate::split::Split;

pub use crate::base_model::ingest as read_base_model;
pub use crate::error::{Error, Result};
pub use crate::source::{SourceError, SourceFile, Visit, each_article};

/// Runs the stage.
pub fn run(job: &mut Job) -> Result<()> {
    let settings = job.settings.ingest.clone();
    let folder = source::model_folder(&settings.base_model, &mut job.fetcher)?;
    let mut base_model = base_model::ingest(&folder, job.output(), job.fingerprint())?;
    if let BaseModel::Hub(id) = &settings.base_model {
        base_model["name"] = json!(id.id);
    }
    job.metric("base_model", base_model);
    stop_if_interrupted(job)?;

    let mut audit = begin_audit(job)?;
    for split in Split::both(&settings) {
        let metrics = split.ingest(&settings, &mut audit, job)?;
        job.metric(split.name, metrics);
    }
    job.metric("audit", audit.finish()?);
    Ok(())
}

/// The audit, with the tokenizer that the base model's folder became.
fn begin_audit(job: &Job) -> Result<Audit> {
    let assets = Assets::open(&job.output().join(file_name::ASSETS))?;
    let tokenizer_json =
        assets.get("tokenizer.json").expect("the base model was ingested with its tokenizer");
    Audit::create(job.output(), job.fingerprint(), tokenizer_json)
}

fn stop_if_interrupted(job: &Job) -> Result<()> {
    if job.interrupted() { Err(Error::Interrupted) } else { Ok(()) }
}
