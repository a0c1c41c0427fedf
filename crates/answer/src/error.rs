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
    /// A file of questions or texts, or stdin.
    #[error(transparent)]
    #[diagnostic(help("check the path and its permissions"))]
    Io(#[from] std::io::Error),
    /// A question or a text without a letter in it.
    #[error("the {what} is empty")]
    #[diagnostic(help("give it text: distilburn ask \"Who …?\" article.txt"))]
    Empty {
        /// "question", "text" or "list of questions".
        what: &'static str,
    },
    /// Nothing to find an answer in.
    #[error("there is no text to find an answer in")]
    #[diagnostic(help(
        "name a file or folder, pipe the text in, or type it: \
                       distilburn ask \"Who …?\" article.txt"
    ))]
    NoText,
    /// A folder without texts.
    #[error("{} holds no .txt or .md file", folder.display())]
    #[diagnostic(help("name the files, or convert them to text: for PDF, `pdftotext FILE.pdf`"))]
    NoTexts { folder: PathBuf },
    /// Questions and the text from the same stdin.
    #[error("stdin cannot give both the text and the questions")]
    #[diagnostic(help("type the question: distilburn ask \"Who …?\" -"))]
    StdinTwice,
    /// The labelled questions.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Questions(#[from] question_files::Error),
    /// A question of the data set that this model cannot be asked.
    #[error("question {id:?}")]
    #[diagnostic(help(
        "take it out of the file, or ask with larger windows: --set tokenize-features.max_length=512"
    ))]
    Question { id: String, source: Box<answerer::Error> },
    /// Logits that are NaN or infinite.
    #[error("the model in {} has no finite score for any answer: its weights are damaged", path.display())]
    #[diagnostic(help("write it again with `distilburn export --force`, or fetch it again"))]
    NotFinite {
        /// The model's folder.
        path: PathBuf,
    },
    /// A file or stdin that is not text.
    #[error("{} is not UTF-8 text", path.display())]
    #[diagnostic(help("convert it, for example with `iconv -t UTF-8`"))]
    NotText { path: PathBuf },
}

impl ExitKind for Error {
    fn exit_code(&self) -> u8 {
        match self {
            Self::Stage(error) => error.exit_code(),
            Self::Answerer(error) => error.exit_code(),
            Self::Io(_)
            | Self::NotText { .. }
            | Self::NoTexts { .. }
            | Self::NotFinite { .. }
            | Self::Questions(_)
            | Self::Question { .. } => 3,
            Self::Empty { .. } | Self::NoText | Self::StdinTwice => 2,
        }
    }
}
