//! DistilBERT for extractive question answering on Burn: the model, its weights, device and precision,
//! and batched inference.
//!
//! Everything runs on packed batches: all tokens of a batch back to back, no padding. The mathematics is
//! that of Hugging Face's `DistilBertForQuestionAnswering` (transformers,
//! `models/distilbert/modeling_distilbert.py`) run on each feature at its own length.
//!
//! Not here: optimizers and schedules (`train`), spans and scores (`squad`).

mod autocast;
mod backward;
mod batch;
mod config;
mod copies;
mod error;
mod head;
mod layers;
mod loss;
mod model;
mod parameters;
mod predictor;
mod runtime;
#[cfg(test)]
mod tests;

pub use autocast::Autocast;
pub use backward::{Activations, LossInput};
pub use batch::PackedBatch;
pub use config::Config;
pub use copies::ModelCopies;
pub use error::Error;
pub use head::{BaseWeights, QA_HEAD_BIAS, QA_HEAD_WEIGHT, fresh_qa_head};
pub use loss::QaTargets;
pub use model::{DistilBertForQuestionAnswering, DropoutSeed, Mode};
pub use parameters::{Parameter, Weights};
pub use predictor::{Predictor, QaLogits};
pub use runtime::{Precision, Runtime, RuntimeOptions, load_cuda};
