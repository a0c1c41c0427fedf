//! What can keep a question from being answered.

use std::path::PathBuf;

use miette::Diagnostic;
use stage::ExitKind;
use thiserror::Error;

/// Errors of `distilburn-answer`.
#[derive(Debug, Error, Diagnostic)]
pub enum Error {
    /// Settings or the store.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Stage(#[from] stage::Error),
    /// An artifact.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Artifact(#[from] artifact::Error),
    /// The model or the device.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Model(#[from] distilbert::Error),
    /// The model's folder.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Folder(#[from] pretrained::Error),
    /// A model that was not trained to answer questions.
    #[error("{} has no tensor qa_outputs.weight: it is of a base model", path.display())]
    #[diagnostic(help(
        "fine-tune it first: `distilburn run --set ingest.base_model=FOLDER`, then ask the model that is exported"
    ))]
    NoHead {
        /// Its weights.
        path: PathBuf,
    },
    /// `--model` names an artifact of another stage.
    #[error("{} is an artifact of {stage}, expected a model directory", path.display())]
    #[diagnostic(help("export it first: `distilburn run` prints the model directory at the end"))]
    NotExported {
        /// As typed.
        path: PathBuf,
        /// Its stage.
        stage: String,
    },
    /// A question that leaves no room for the context.
    #[error(
        "the question has {tokens} tokens, and a window of this model holds {room} beside the special tokens"
    )]
    #[diagnostic(help("shorten the question: the context needs room too"))]
    LongQuestion {
        /// Of the question.
        tokens: usize,
        /// What the special tokens leave.
        room: usize,
    },
    /// The tokenizer gives an id that the model has no embedding for.
    #[error("the tokenizer gives the token id {id}, the model has {vocab_size} embeddings")]
    #[diagnostic(help("tokenizer.json and the weights must be of the same model: export or fetch it again"))]
    TokenId {
        /// The id.
        id: i32,
        /// Of `config.json`.
        vocab_size: usize,
    },
    /// The tokenizer, or a question that leaves no room for the context.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Tokenize(#[from] squad::Error),
    /// A file of the model or the context, or stdout.
    #[error(transparent)]
    #[diagnostic(help("check the path and its permissions"))]
    Io(#[from] std::io::Error),
    /// A question or a context without text.
    #[error("the {what} is empty")]
    #[diagnostic(help("give it text: distilburn ask --question \"Who …?\" --context-file article.txt"))]
    Empty {
        /// "question" or "context".
        what: &'static str,
    },
    /// Logits that are NaN or infinite.
    #[error("the model in {} has no finite score for any answer: its weights are damaged", path.display())]
    #[diagnostic(help("write it again with `distilburn export --force`, or fetch it again"))]
    NotFinite {
        /// The model's folder.
        path: PathBuf,
    },
    /// A context that is not text.
    #[error("{} is not UTF-8 text", path.display())]
    #[diagnostic(help("convert it, for example with `iconv -t UTF-8`"))]
    NotText {
        /// The file.
        path: PathBuf,
    },
}

impl ExitKind for Error {
    fn exit_code(&self) -> u8 {
        match self {
            Self::Stage(error) => error.exit_code(),
            Self::Artifact(error) => error.exit_code(),
            Self::Model(error) if error.is_device() => 4,
            Self::Model(_)
            | Self::NotExported { .. }
            | Self::LongQuestion { .. }
            | Self::Folder(_)
            | Self::NoHead { .. }
            | Self::TokenId { .. }
            | Self::Tokenize(_)
            | Self::Io(_)
            | Self::NotText { .. }
            | Self::NotFinite { .. } => 3,
            Self::Empty { .. } => 2,
        }
    }
}
