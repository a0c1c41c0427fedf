//! The train stage: features and a base model in, a checkpoint and its history out.
//!
//! Not here: the model (`distilbert`), the arithmetic of an update (`torch-kernels`), predictions kept for
//! reading (`evaluate`).

mod data;
mod error;
mod optimizer;
mod records;
mod schedule;
mod trainer;

use artifact::{Assets, Tensors, file_name};
use distilbert::{BaseWeights, Config, DistilBertForQuestionAnswering, Runtime, Split};
use stage::Job;

pub use data::{FeatureDataset, TrainFeature, epoch_order};
pub use error::Error;
pub use optimizer::{AdamW, OptimizerSettings};
pub use schedule::LinearSchedule;
pub use trainer::{Recipe, Step, train_step};

use crate::trainer::Trainer;

/// Runs the stage.
///
/// # Errors
/// [`Error`], each with its remedy.
pub fn run(job: &mut Job) -> Result<(), Error> {
    let run = job.settings.run.clone();
    let runtime = Runtime::new(&run.device, run.precision.as_str(), run.threads)?;
    job.run_info("device", runtime.device_name());
    job.run_info("precision", runtime.precision_name());
    job.run_info("threads", runtime.threads());
    job.run_info("libtorch", torch_kernels::libtorch_version());

    let (ingest, features) = (job.input("ingest").clone(), job.input("tokenize-features").clone());
    job.metric("windows", features.manifest.parts["settings"].clone());
    let assets = Assets::open(&ingest.file(file_name::ASSETS)?)?;
    let config = Config::from_assets(&assets)?;
    let pretrained = Tensors::open(&ingest.file(file_name::PRETRAINED)?)?;
    let train = Split::train(&ingest, &features)?;
    let validation = Split::validation(&ingest, &features)?;
    for (name, split) in [("train", &train), ("validation", &validation)] {
        if split.features.is_empty() {
            return Err(Error::Empty { split: name });
        }
        split.check_fits(&config)?;
    }

    let weights = BaseWeights::new(&pretrained, config.dim, run.seed);
    let device = runtime.device().clone().autodiff();
    let model = DistilBertForQuestionAnswering::new(&config, &weights, &device)?;
    let recipe = Recipe::new(&job.settings, train.features.len());
    Trainer::new(&model, &runtime, recipe, [&train, &validation]).fit(job)
}
