//! What can stop the export stage.

use std::path::PathBuf;

use miette::Diagnostic;
use stage::ExitKind;
use thiserror::Error;

/// Errors of the export stage.
#[derive(Debug, Error, Diagnostic)]
#[non_exhaustive]
pub enum Error {
    /// The model, or a file that is read back.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Model(#[from] distilbert::Error),
    #[error(transparent)]
    #[diagnostic(transparent)]
    Artifact(#[from] artifact::Error),
    /// Writing or reading a file of the model directory.
    #[error(transparent)]
    #[diagnostic(help(
        "check the space and the permissions of the artifacts folder, and run the stage again"
    ))]
    Io(#[from] std::io::Error),
    /// The tokenizer, on a question of the validation split.
    #[error("the exported tokenizer does not load or does not encode a validation question")]
    #[diagnostic(help("re-run the `ingest` stage with `--force` to rewrite the tokenizer"))]
    Tokenizer(#[source] squad::Error),
    /// ingest's artifact lacks a file of the model directory.
    #[error("{} holds no {name}", path.display())]
    #[diagnostic(help("re-run the `ingest` stage with `--force` to rewrite it"))]
    NoAsset {
        /// The assets.
        path: PathBuf,
        /// The file.
        name: &'static str,
    },
    /// `config.json` among ingest's assets is not an object.
    #[error("config.json in {} is not a JSON object", path.display())]
    #[diagnostic(help("re-run the `ingest` stage with `--force` to rewrite it"))]
    ConfigJson {
        /// The assets.
        path: PathBuf,
    },
    /// A manifest lacks a result that the model card states.
    #[error("the manifest of {stage} {fingerprint} was written by another version: {reason}")]
    #[diagnostic(help("re-run the `{stage}` stage with `--force` to rewrite it"))]
    OtherVersion {
        stage: String,
        /// Which of its artifacts.
        fingerprint: String,
        /// What it lacks.
        reason: String,
    },
    /// A trained tensor that is not f32.
    #[error("tensor {name} of the trained weights is {dtype}, expected F32")]
    #[diagnostic(help("re-run the `train` stage with `--force` to rewrite it"))]
    Dtype { name: String, dtype: String },
    /// The safetensors library refused the tensors.
    #[error("{} cannot be written", path.display())]
    #[diagnostic(help(
        "check the space and the permissions of the artifacts folder, and run the stage again"
    ))]
    WriteSafetensors {
        path: PathBuf,
        /// Why.
        source: safetensors::SafeTensorError,
    },
    /// A weight file that cannot be read back.
    #[error("the exported model cannot be read back")]
    #[diagnostic(help("run `distilburn export` again; if the error comes back, check the disk"))]
    ReadBack(#[from] pretrained::Error),
    /// Something in the directory differs from the trained weights.
    #[error("{}: {what}", path.display())]
    #[diagnostic(help(
        "run `distilburn export` again; if the error comes back, check the machine's disk and memory"
    ))]
    Differs {
        path: PathBuf,
        /// What differs, with both values.
        what: String,
    },
    /// SIGINT or SIGTERM.
    #[error("export was interrupted")]
    #[diagnostic(help("run the same command to start again"))]
    Interrupted,
}

impl ExitKind for Error {
    fn exit_code(&self) -> u8 {
        match self {
            Self::Model(error) if error.is_device() => 4,
            Self::Artifact(error) => error.exit_code(),
            Self::Model(_)
            | Self::Tokenizer(_)
            | Self::NoAsset { .. }
            | Self::ConfigJson { .. }
            | Self::OtherVersion { .. }
            | Self::Dtype { .. } => 3,
            Self::Io(_) | Self::WriteSafetensors { .. } | Self::ReadBack(_) | Self::Differs { .. } => 1,
            Self::Interrupted => 130,
        }
    }
}
