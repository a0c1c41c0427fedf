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
    /// The model, or what it was asked.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Answerer(#[from] answerer::Error),
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
    NotText { path: PathBuf },
}

impl ExitKind for Error {
    fn exit_code(&self) -> u8 {
        match self {
            Self::Stage(error) => error.exit_code(),
            Self::Answerer(error) => error.exit_code(),
            Self::Io(_) | Self::NotText { .. } | Self::NotFinite { .. } => 3,
            Self::Empty { .. } => 2,
        }
    }
}
