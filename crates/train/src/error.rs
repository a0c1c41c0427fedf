//! What can stop a training.

use miette::Diagnostic;
use stage::ExitKind;
use thiserror::Error;

/// Errors of the train stage.
#[derive(Debug, Error, Diagnostic)]
pub enum Error {
    /// The model, a device, or a table of features.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Model(#[from] distilbert::Error),
    /// An artifact.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Artifact(#[from] artifact::Error),
    /// Writing `metrics.jsonl`.
    #[error(transparent)]
    #[diagnostic(help(
        "check the space and the permissions of the artifacts folder, and run the stage again"
    ))]
    Io(#[from] std::io::Error),
    /// No feature to learn from or to validate on.
    #[error("the {split} split has no features")]
    #[diagnostic(help("check `ingest.{split}` and the limits on its examples, and run the pipeline again"))]
    Empty {
        /// "train" or "validation".
        split: &'static str,
    },
    /// The loss or its gradient is NaN or infinite: the weights are of no use any more.
    #[error("the loss is {loss} and the gradient norm {grad_norm} at step {global_step}")]
    #[diagnostic(help(
        "lower `train.learning_rate`, or set `run.precision` to \"fp32\"; examples of the batch: {examples}"
    ))]
    NotFinite {
        /// The loss.
        loss: f64,
        /// Global norm of the gradients.
        grad_norm: f64,
        /// The step it was met at.
        global_step: u64,
        /// Ids of the questions in the step.
        examples: String,
    },
    /// SIGINT or SIGTERM.
    #[error("training was interrupted at step {global_step} of {total_steps}")]
    #[diagnostic(help("run the same command to start it again"))]
    Interrupted {
        /// Steps done.
        global_step: u64,
        /// Steps planned.
        total_steps: u64,
    },
}

impl ExitKind for Error {
    fn exit_code(&self) -> u8 {
        match self {
            Self::Model(error) if error.is_device() => 4,
            Self::Artifact(error) => error.exit_code(),
            Self::Model(_) | Self::Empty { .. } => 3,
            Self::Interrupted { .. } => 130,
            Self::Io(_) | Self::NotFinite { .. } => 1,
        }
    }
}
