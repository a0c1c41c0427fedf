//! What can stop an evaluation.

use miette::Diagnostic;
use stage::ExitKind;
use thiserror::Error;

/// Errors of the evaluate stage.
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
    /// Writing `predictions.json`.
    #[error(transparent)]
    #[diagnostic(help(
        "check the space and the permissions of the artifacts folder, and run the stage again"
    ))]
    Io(#[from] std::io::Error),
    /// The train artifact does not say which head it began with.
    #[error("the manifest of the train artifact has no settings.run.seed")]
    #[diagnostic(help("re-run the `train` stage to rewrite it"))]
    NoSeed,
    /// The features artifact does not say how long its windows are.
    #[error("the manifest of the tokenize-features artifact has no settings.{key}")]
    #[diagnostic(help("re-run the `tokenize-features` stage to rewrite it"))]
    NoWindows { key: &'static str },
    /// The base model came without its tokenizer.
    #[error("the assets of the ingest artifact have no tokenizer.json")]
    #[diagnostic(help("re-run the `ingest` stage to rewrite it"))]
    NoTokenizer,
    /// SIGINT or SIGTERM.
    #[error("evaluation was interrupted")]
    #[diagnostic(help("run the same command to start again"))]
    Interrupted,
}

impl ExitKind for Error {
    fn exit_code(&self) -> u8 {
        match self {
            Self::Model(error) if error.is_device() => 4,
            Self::Artifact(error) => error.exit_code(),
            Self::Split(error) if error.is_device() => 4,
            Self::Model(_) | Self::Split(_) | Self::NoSeed | Self::NoWindows { .. } | Self::NoTokenizer => 3,
            Self::Interrupted => 130,
            Self::Io(_) => 1,
        }
    }
}
