//! What can go wrong in the driver itself.

use std::path::PathBuf;

use miette::Diagnostic;
use stage::ExitKind;
use thiserror::Error;

/// An error of the `distilburn` command.
#[derive(Debug, Error, Diagnostic)]
#[non_exhaustive]
pub(crate) enum Error {
    #[error(transparent)]
    #[diagnostic(transparent)]
    Stage(Box<stage::Error>),

    #[error(transparent)]
    #[diagnostic(transparent)]
    Artifact(Box<artifact::Error>),

    #[error("{} does not exist", path.display())]
    #[diagnostic(help(
        "build all binaries into one folder: `cargo build --release`, then `target/release/distilburn`"
    ))]
    NoSibling { path: PathBuf },

    #[error("{} cannot be started", path.display())]
    #[diagnostic(help("build it again: `cargo build --release`"))]
    Start { path: PathBuf, source: std::io::Error },

    #[error("{stage} reported success, but {} holds no artifact", dir.display())]
    #[diagnostic(help("the stage and distilburn disagree: build both again with `cargo build --release`"))]
    NotMade { stage: &'static str, dir: PathBuf },

    #[error("{stage} read other files than the plan: an input changed in between")]
    #[diagnostic(help("run again, once nothing writes to its inputs"))]
    InputsChanged { stage: &'static str },

    #[error("several artifacts begin with {prefix}: {candidates}")]
    #[diagnostic(help("write more digits of the one that you mean"))]
    Ambiguous { prefix: String, candidates: String },

    #[error("{} holds no artifact whose fingerprint begins with {prefix}", root.display())]
    #[diagnostic(help("list the store with `distilburn status`"))]
    NoArtifact { prefix: String, root: PathBuf },

    #[error("--from {from} comes after --to {to}")]
    #[diagnostic(help("the order is ingest, tokenize-features, train, evaluate, export"))]
    Range { from: String, to: String },

    #[error("{} is neither an artifact's directory, nor an .arrow file, a stage or the beginning of a fingerprint", path.display())]
    #[diagnostic(help(
        "list the store with `distilburn status`; the stages are ingest, tokenize-features, train, evaluate, export"
    ))]
    NothingToShow { path: PathBuf },

    #[error("{} holds damaged artifacts", root.display())]
    #[diagnostic(help("{remedy}"))]
    DamagedStore { root: PathBuf, remedy: String },

    #[error("{} holds artifacts that cannot be read, so their integrity could not be checked", root.display())]
    #[diagnostic(help("let yourself read them, `chmod -R u+rX {}`, or ask as the user who made them", root.display()))]
    UnreadableStore { root: PathBuf },

    #[error("{} {}", path.display(), if path.exists() { "holds no training" } else { "does not exist" })]
    #[diagnostic(help("start one with `distilburn run`, or name its folder: `distilburn watch DIR`"))]
    NoTraining { path: PathBuf },

    #[error("{} is no training", path.display())]
    #[diagnostic(help(
        "name a train artifact's directory, finished or in the making: `distilburn status` lists them"
    ))]
    NothingToWatch { path: PathBuf },

    #[error(transparent)]
    #[diagnostic(help("check the path, and that you may read there"))]
    Io(#[from] std::io::Error),

    #[error(transparent)]
    #[diagnostic(transparent)]
    Questions(Box<question_files::Error>),

    #[error(
        "no id of {} is one of {}: {predicted} against {questions}",
        predictions.display(),
        dataset.display()
    )]
    #[diagnostic(help(
        "predictions are one object of question id → answer text, or objects with `id` and `prediction_text`, and stand \
         for the questions of the data set that they were made for"
    ))]
    NoIdInCommon { dataset: PathBuf, predictions: PathBuf, questions: String, predicted: String },

    #[error("{}: question {id:?} has no answers, so it cannot be scored", path.display())]
    #[diagnostic(help(
        "name a file with answers; where the context holds none, write an empty list: \"answers\": []"
    ))]
    Unlabelled { path: PathBuf, id: String },

    #[error("{} holds more than one {what} with the id {id:?}", path.display())]
    #[diagnostic(help("an id stands for one {what}: keep only the one that counts"))]
    DuplicateId { path: PathBuf, what: &'static str, id: String },

    #[error("{} holds no questions", path.display())]
    #[diagnostic(help("name a file with at least one question"))]
    NoQuestions { path: PathBuf },
}

impl From<stage::Error> for Error {
    fn from(error: stage::Error) -> Self {
        Self::Stage(Box::new(error))
    }
}

impl From<artifact::Error> for Error {
    fn from(error: artifact::Error) -> Self {
        Self::Artifact(Box::new(error))
    }
}

impl From<question_files::Error> for Error {
    fn from(error: question_files::Error) -> Self {
        Self::Questions(Box::new(error))
    }
}

impl ExitKind for Error {
    fn exit_code(&self) -> u8 {
        match self {
            Self::Stage(error) => error.exit_code(),
            Self::Artifact(error) => error.exit_code(),
            Self::Range { .. } | Self::Ambiguous { .. } => 2,
            Self::NothingToShow { .. }
            | Self::InputsChanged { .. }
            | Self::NoArtifact { .. }
            | Self::NoTraining { .. }
            | Self::DamagedStore { .. }
            | Self::NothingToWatch { .. }
            | Self::Questions(_)
            | Self::NoIdInCommon { .. }
            | Self::Unlabelled { .. }
            | Self::DuplicateId { .. }
            | Self::NoQuestions { .. }
            | Self::Io(_) => 3,
            Self::UnreadableStore { .. }
            | Self::NoSibling { .. }
            | Self::Start { .. }
            | Self::NotMade { .. } => 1,
        }
    }
}
