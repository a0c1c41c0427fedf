//! What can be wrong with a model or a device.

use miette::Diagnostic;
use thiserror::Error;

/// Errors of loading and running a model.
#[derive(Debug, Error, Diagnostic)]
pub enum Error {
    /// `config.json` is not a DistilBERT configuration that this crate can run.
    #[error("config.json: {reason}")]
    #[diagnostic(help("use a DistilBERT or BERT-family model folder, and re-run the `ingest` stage"))]
    Config {
        /// What is wrong, with the value found.
        reason: String,
    },
    #[error("the weights have no tensor {name}")]
    #[diagnostic(help("re-run the stage that wrote it: `distilburn ingest` or `distilburn train`"))]
    MissingTensor { name: String },
    /// A tensor does not fit the configuration.
    #[error("tensor {name} has shape {found:?}, the configuration says {expected:?}")]
    #[diagnostic(help("config.json and the weights are of different models: check `ingest.base_model`"))]
    Shape {
        name: String,
        /// Of the weights.
        found: Vec<usize>,
        /// What the configuration implies.
        expected: Vec<usize>,
    },
    /// A prefix of `train.freeze` that is the beginning of no parameter's name.
    #[error("no parameter's name begins with \"{prefix}\"")]
    #[diagnostic(help(
        "write names such as \"embeddings\", \"transformer.layer.0\" or \"qa_outputs\" into `train.freeze`"
    ))]
    FreezesNothing {
        /// As it stands in the settings.
        prefix: String,
    },
    /// `train.freeze` leaves nothing to train.
    #[error("every parameter is frozen")]
    #[diagnostic(help("take something off the list in `train.freeze`"))]
    FreezesAll,
    /// The file with the weights.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Artifact(#[from] artifact::Error),
    /// A device that this machine or this build does not have.
    #[error("device {device} is not available: {reason}")]
    #[diagnostic(help("set `run.device` to \"cpu\" or \"auto\"{}", .hint))]
    Device {
        /// As it stands in the settings.
        device: String,
        reason: String,
        hint: &'static str,
    },
    /// A precision that the device cannot run, or only very slowly.
    #[error("precision {precision} is not available on {device}: {reason}")]
    #[diagnostic(help("set `run.precision` to {instead}"))]
    Precision {
        /// As it stands in the settings.
        precision: String,
        /// The device it was asked of.
        device: String,
        reason: &'static str,
        /// What to set.
        instead: &'static str,
    },
}

impl Error {
    /// Whether a setting asks for what the model does not have.
    #[must_use]
    pub fn is_setting(&self) -> bool {
        matches!(self, Self::FreezesNothing { .. } | Self::FreezesAll)
    }

    /// Whether the device or its library is at fault, not the data.
    #[must_use]
    pub fn is_device(&self) -> bool {
        matches!(self, Self::Device { .. } | Self::Precision { .. })
    }
}
