//! What can stop a training.

use std::io;
use std::path::PathBuf;

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
    /// The tables of a split.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Split(#[from] answerer::Error),
    #[error(transparent)]
    #[diagnostic(transparent)]
    Artifact(#[from] artifact::Error),
    /// Writing `metrics.jsonl` or a checkpoint.
    #[error(transparent)]
    #[diagnostic(help(
        "check the space and the permissions of the artifacts folder, and run the stage again"
    ))]
    Io(#[from] io::Error),
    /// No feature to learn from or to validate on.
    #[error("the {split} split has no features")]
    #[diagnostic(help("check `ingest.{split}` and the limits on its examples, and run the pipeline again"))]
    Empty {
        /// "train" or "validation".
        split: &'static str,
    },
    /// The warm-up is as long as the training: it would hardly learn.
    #[error(
        "the learning rate would never reach its peak: train.warmup_steps is {warmup_steps}, and the training has \
         {total_steps} steps"
    )]
    #[diagnostic(help("for so few steps set `train.warmup_ratio = 0.1`, or lower `train.warmup_steps`"))]
    NeverAtPeak {
        /// Steps in which the rate climbs.
        warmup_steps: u64,
        total_steps: u64,
    },
    /// The loss or its gradient is NaN or infinite: the weights are of no use any more.
    #[error("the loss is {loss} and the gradient norm {grad_norm} at step {global_step}; {good}")]
    #[diagnostic(help(
        "lower `train.learning_rate`, or set `run.precision` to \"fp32\"; examples of the batch: {examples}"
    ))]
    NotFinite {
        loss: f64,
        /// Global norm of the gradients.
        grad_norm: f64,
        /// The step it was met at.
        global_step: u64,
        /// Ids of the questions in the step.
        examples: String,
        /// What is left of before.
        good: String,
    },
    /// The loss on the validation split is NaN or infinite.
    #[error("the validation loss is {loss} after step {global_step}; {good}")]
    #[diagnostic(help(
        "lower `train.learning_rate`, or set `run.precision` to \"fp32\"; the first such questions: {examples}"
    ))]
    ValidationNotFinite {
        loss: f64,
        /// Steps done.
        global_step: u64,
        /// Ids of the first questions with such a loss.
        examples: String,
        /// What is left of before.
        good: String,
    },
    /// float16 gradients that no scale of the loss saves.
    #[error(
        "gradients were not finite in {skipped} steps in a row, up to step {global_step} at a loss scale of \
         {loss_scale}: first in {parameter}"
    )]
    #[diagnostic(help("set `run.precision` to \"bf16\" or \"fp32\", or lower `train.learning_rate`"))]
    Overflow {
        /// Steps without an update.
        skipped: u64,
        /// The last of them.
        global_step: u64,
        /// What its loss was multiplied by.
        loss_scale: f64,
        /// Name in weight files of the first parameter whose gradient is not finite.
        parameter: String,
    },
    /// A checkpoint that is damaged.
    #[error("{}: {reason}", path.display())]
    #[diagnostic(help("start over with `--force`"))]
    Checkpoint { path: PathBuf, reason: String },
    /// The artifact that `train.init_from` names is damaged.
    #[error("train.init_from: {damage}")]
    #[diagnostic(help("name an intact model, or make this one again with the settings of its own training"))]
    InitFromDamaged {
        /// The file, what was found, and what was expected.
        damage: String,
    },
    /// The folder that `train.init_from` names.
    #[error(transparent)]
    #[diagnostic(transparent)]
    InitFrom(#[from] pretrained::Error),
    /// There are checkpoints, and all of them are damaged.
    #[error("none of the {count} checkpoints in {} is intact: {reason}", dir.display())]
    #[diagnostic(help(
        "restore the damaged file from a copy, or start the training over with `--force`: without it nothing is deleted"
    ))]
    NoWholeCheckpoint {
        /// Their folder.
        dir: PathBuf,
        count: usize,
        /// What is wrong with the newest.
        reason: String,
    },
    /// `train.init_from` holds the weights of a model that was not trained to answer questions.
    #[error("train.init_from: {} is of a base model, it has no tensor {tensor}", path.display())]
    #[diagnostic(help(
        "name the folder of a base model in `ingest.base_model` and leave `train.init_from` out: it takes a train \
         artifact or an exported model"
    ))]
    InitFromBaseModel {
        path: PathBuf,
        /// What a trained DistilBERT would have.
        tensor: &'static str,
    },
    /// SIGINT or SIGTERM.
    #[error("training was interrupted at step {global_step} of {total_steps}; progress saved")]
    #[diagnostic(help("the same command resumes from there, unless it says `--force`"))]
    Interrupted {
        /// Steps done.
        global_step: u64,
        /// Steps planned.
        total_steps: u64,
    },
    /// `train.max_minutes` have passed, or are about to.
    #[error(
        "training stopped at step {global_step} of {total_steps}, before train.max_minutes = {max_minutes} ran out; \
         progress saved"
    )]
    #[diagnostic(help("the same command resumes from there, unless it says `--force`"))]
    TimeIsUp {
        /// Steps done.
        global_step: u64,
        /// Steps planned.
        total_steps: u64,
        /// The setting.
        max_minutes: f64,
    },
    /// `train.max_minutes` were over before anything was done that could be kept.
    #[error("train.max_minutes = {max_minutes} ran out before the training came beyond step {global_step}")]
    #[diagnostic(help(
        "raise `train.max_minutes`: a start, a validation and what it takes to save must fit into it"
    ))]
    TooLittleTime {
        /// Steps done, all before this start.
        global_step: u64,
        /// The setting.
        max_minutes: f64,
    },
}

impl Error {
    /// Whether the system did not let a file be read.
    pub(crate) fn is_refused(&self) -> bool {
        let kind = self.io().map(io::Error::kind);
        matches!(kind, Some(io::ErrorKind::PermissionDenied | io::ErrorKind::OutOfMemory))
    }

    /// Whether a file that is there could not be read; something else than a file in its place is damage.
    pub(crate) fn is_io(&self) -> bool {
        self.io().is_some_and(|error| {
            !matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::InvalidData)
        })
    }

    fn io(&self) -> Option<&io::Error> {
        match self {
            Self::Io(error) | Self::Artifact(artifact::Error::Io(error)) => Some(error),
            _ => None,
        }
    }
}

impl ExitKind for Error {
    fn exit_code(&self) -> u8 {
        match self {
            Self::Model(error) if error.is_device() => 4,
            Self::Model(error) if error.is_setting() => 2,
            Self::NeverAtPeak { .. } => 2,
            Self::Artifact(error) => error.exit_code(),
            Self::Model(_)
            | Self::Split(_)
            | Self::Empty { .. }
            | Self::Checkpoint { .. }
            | Self::InitFrom(_)
            | Self::InitFromDamaged { .. }
            | Self::NoWholeCheckpoint { .. }
            | Self::InitFromBaseModel { .. } => 3,
            Self::Interrupted { .. } | Self::TimeIsUp { .. } | Self::TooLittleTime { .. } => 130,
            Self::Io(_)
            | Self::NotFinite { .. }
            | Self::ValidationNotFinite { .. }
            | Self::Overflow { .. } => 1,
        }
    }
}
