//! What can go wrong between examples and features.

use std::path::PathBuf;

use miette::Diagnostic;

/// Shorthand of this crate's functions.
pub type Result<T> = std::result::Result<T, Error>;

/// What is wrong, where, and what to type next.
#[derive(Debug, thiserror::Error, Diagnostic)]
#[non_exhaustive]
pub enum Error {
    /// A table could not be read or written.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Artifact(#[from] artifact::Error),

    /// The tokenizer cannot be used with these settings.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Tokenizer(squad::Error),

    /// ingest's artifact lacks a file of the base model, or the file lacks a required value.
    #[error("{} holds no usable {name}", path.display())]
    #[diagnostic(help("re-run the `ingest` stage with `--force` to rewrite it"))]
    Asset {
        /// The assets.
        path: PathBuf,
        /// The file.
        name: &'static str,
    },

    /// The windows would be longer than the model can read.
    #[error("tokenize-features.max_length is {max_length}, the base model has {positions} positions")]
    #[diagnostic(help(
        "use `--set tokenize-features.max_length={positions}` or less, or another base model"
    ))]
    MaxLength {
        /// The setting.
        max_length: usize,
        /// The model's `max_position_embeddings`.
        positions: usize,
    },

    /// A question that cannot be cut into windows.
    #[error("question {id:?} of the {split} split cannot be cut into windows")]
    Question {
        id: String,
        /// `train` or `validation`.
        split: &'static str,
        /// Why.
        source: squad::Error,
        /// The help text of the cause.
        #[help]
        help: Option<String>,
    },

    /// The user stopped it.
    #[error("interrupted")]
    #[diagnostic(help("run `tokenize-features` again: it starts from the beginning"))]
    Interrupted,
}

impl stage::ExitKind for Error {
    fn exit_code(&self) -> u8 {
        match self {
            Self::Artifact(error) => error.exit_code(),
            Self::MaxLength { .. } | Self::Tokenizer(squad::Error::WindowSettings { .. }) => 2,
            Self::Tokenizer(_) | Self::Asset { .. } | Self::Question { .. } => 3,
            Self::Interrupted => 130,
        }
    }
}

impl Error {
    pub(crate) fn question(id: &str, split: &'static str, source: squad::Error) -> Self {
        let help = source.help().map(|help| help.to_string());
        Self::Question { id: id.to_owned(), split, source, help }
    }
}
