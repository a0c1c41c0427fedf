//! What can be wrong with a model, a question, or the tables of a split.

use std::path::PathBuf;

use miette::Diagnostic;
use stage::ExitKind;
use thiserror::Error;

/// Errors of opening a model or a split, and of asking questions.
#[derive(Debug, Error, Diagnostic)]
pub enum Error {
    /// Weights, or the device.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Model(Box<distilbert::Error>),
    /// The model's folder.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Folder(Box<pretrained::Error>),
    /// Settings, the store, or a model that is not found.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Stage(Box<stage::Error>),
    /// A table.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Artifact(Box<artifact::Error>),
    #[error(transparent)]
    #[diagnostic(transparent)]
    Tokenize(Box<squad::Error>),
    /// A feature that the model cannot embed.
    #[error("feature {index} {reason}")]
    #[diagnostic(help(
        "re-run the `tokenize-features` stage; if a feature is too long, lower `tokenize-features.max_length`"
    ))]
    Feature {
        /// Its row.
        index: usize,
        /// Its length or token id, and the model's limit.
        reason: String,
    },
    /// A model that was not trained to answer questions.
    #[error("{} has no tensor qa_outputs.weight: this is a base model", path.display())]
    #[diagnostic(help(
        "fine-tune it first: `distilburn run --set ingest.base_model=FOLDER`, then ask the exported model"
    ))]
    NoHead {
        /// Its weights.
        path: PathBuf,
    },
    /// A question that leaves no room for the context.
    #[error(
        "the question has {tokens} tokens, but a window of this model holds only {room} besides the special tokens"
    )]
    #[diagnostic(help("shorten the question: the context needs room too"))]
    LongQuestion {
        /// The number of tokens of the question.
        tokens: usize,
        /// The room that the special tokens leave.
        room: usize,
    },
    /// The tokenizer gives an id for which the model has no embedding.
    #[error("the tokenizer gives token id {id}, but the model has only {vocab_size} embeddings")]
    #[diagnostic(help(
        "tokenizer.json and the weights belong to different models: export or fetch the model again"
    ))]
    TokenId {
        id: i32,
        /// The value in `config.json`.
        vocab_size: usize,
    },
}

impl Error {
    /// Whether the device or its library is at fault, not the data.
    #[must_use]
    pub fn is_device(&self) -> bool {
        matches!(self, Self::Model(error) if error.is_device())
    }
}

impl ExitKind for Error {
    fn exit_code(&self) -> u8 {
        match self {
            Self::Stage(error) => error.exit_code(),
            Self::Artifact(error) => error.exit_code(),
            _ if self.is_device() => 4,
            _ => 3,
        }
    }
}

impl From<stage::Error> for Error {
    fn from(error: stage::Error) -> Self {
        Self::Stage(Box::new(error))
    }
}

impl From<distilbert::Error> for Error {
    fn from(error: distilbert::Error) -> Self {
        Self::Model(Box::new(error))
    }
}

impl From<pretrained::Error> for Error {
    fn from(error: pretrained::Error) -> Self {
        Self::Folder(Box::new(error))
    }
}

impl From<artifact::Error> for Error {
    fn from(error: artifact::Error) -> Self {
        Self::Artifact(Box::new(error))
    }
}

impl From<squad::Error> for Error {
    fn from(error: squad::Error) -> Self {
        Self::Tokenize(Box::new(error))
    }
}
