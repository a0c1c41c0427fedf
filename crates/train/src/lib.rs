//! The train stage: features and a base model in, the best weights and the history out.
//!
//! Not here: the model (`distilbert`), the arithmetic of an update (`torch-kernels`), predictions kept for
//! reading (`evaluate`).

mod batches;
mod checkpoint;
mod checkpoints;
mod data;
mod error;
mod init;
mod optimizer;
mod recipe;
mod records;
mod scaler;
mod schedule;
mod step;
mod stop;
mod trackers;
mod trainer;

use answerer::Split;
use artifact::{Assets, SplitName, Tensors, file_name};
use distilbert::Config;
use pretrained::Identity;
use serde_json::json;
use stage::Job;

pub use data::{FeatureDataset, TrainFeature, epoch_order};
pub use error::Error;
pub use optimizer::{AdamW, OptimizerSettings, ParameterState};
pub use recipe::Recipe;
pub use scaler::{GradScaler, StepOutcome};
pub use schedule::{Decay, Schedule};
pub use step::{MicroBatch, Step, train_step};

use crate::init::InitialWeights;
use crate::trainer::{Subject, Trainer};

pub fn run(job: &mut Job) -> Result<(), Error> {
    let runtime = answerer::runtime(&job.settings.run)?;
    job.run_info("device", runtime.device_name());
    job.run_info("precision", runtime.precision_name());
    job.run_info("threads", runtime.threads());
    job.run_info("libtorch", torch_kernels::libtorch_version());

    let (ingest, features) = (job.input("ingest").clone(), job.input("tokenize-features").clone());
    let assets = Assets::open(&ingest.file(file_name::ASSETS)?)?;
    let config = Config::from_assets(&assets)?;
    let pretrained = Tensors::open(&ingest.file(file_name::PRETRAINED)?, &artifact::TENSORS)?;
    let train = Split::open(SplitName::Train, &ingest, &features)?;
    let validation = Split::open(SplitName::Validation, &ingest, &features)?;
    for (name, split) in [("train", &train), ("validation", &validation)] {
        if split.features.is_empty() {
            return Err(Error::Empty { split: name });
        }
        split.check_fits(&config)?;
    }

    let identity = Identity::of(
        assets.get("config.json").unwrap_or_default(),
        assets.get("tokenizer.json").unwrap_or_default(),
    );
    let weights = InitialWeights::open(job.settings.train.init_from.as_deref(), &pretrained, &identity)?;
    // What another training compares before it starts from these weights.
    job.run_info(init::IDENTITY, json!(identity));
    let device = runtime.device().clone().autodiff();
    let model = weights.model(&config, job.settings.run.seed, &device)?.freeze(&job.settings.train.freeze)?;
    let recipe = Recipe::new(&job.settings, train.features.len())?;
    let subject = Subject { model: &model, runtime: &runtime, train: &train, validation: &validation };
    Trainer::new(subject, recipe, job)?.fit(job)?;
    if let Some(bytes) = stage::peak_memory() {
        job.run_info("peak_rss_bytes", bytes);
    }
    Ok(())
}
