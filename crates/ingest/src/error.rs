//! Everything that can be wrong with the input, each with a remedy.

use std::path::PathBuf;

/// Shorthand of this crate's functions.
pub type Result<T> = std::result::Result<T, Error>;

/// What is wrong, where, and what to type next.
#[derive(Debug, thiserror::Error, miette::Diagnostic)]
#[non_exhaustive]
pub enum Error {
    /// The operating system refused; the message names the file.
    #[error(transparent)]
    #[diagnostic(help("check that the path is right and that you may read it"))]
    Io(#[from] std::io::Error),

    /// A table could not be written.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Artifact(#[from] artifact::Error),

    /// A file of questions cannot be read.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Questions(Box<question_files::Error>),

    /// A source in the settings cannot be found or fetched.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Stage(Box<stage::Error>),

    /// Questions that break the rules, under `on_invalid = "error"`.
    #[error("{origin}: {count} of {questions} questions cannot be used ({reasons})\n{listing}")]
    #[diagnostic(help("{remedy}"))]
    InvalidQuestions {
        /// The file, or the generated corpus.
        origin: String,
        count: usize,
        questions: usize,
        reasons: String,
        /// The first of them, one per line.
        listing: String,
        /// What can be done about these reasons.
        remedy: &'static str,
    },

    /// Nothing is left to train on or to evaluate.
    #[error("{origin}: none of its {questions} questions is left for {split}")]
    #[diagnostic(help(
        "all were skipped, or ingest.{split}_ids is an empty list: `--set ingest.on_invalid=error` lists what was \
         skipped; `--set ingest.{split}=PATH` names another file"
    ))]
    NoneLeft {
        /// The file, or the generated corpus.
        origin: String,
        /// `train` or `validation`.
        split: &'static str,
        /// The number of questions in the file.
        questions: usize,
    },

    /// A file without questions, or settings that choose none of them.
    #[error("{origin}: there are no questions for {split}")]
    #[diagnostic(help("name a file with questions: `--set ingest.{split}=PATH`"))]
    NoQuestions {
        /// The file, or the generated corpus.
        origin: String,
        /// `train` or `validation`.
        split: &'static str,
    },

    /// Too few contexts to set a share aside.
    #[error("{origin}: its questions have {contexts} context, too few to set a share aside for validation")]
    #[diagnostic(help("name a file of validation questions: `--set ingest.validation=PATH`"))]
    NoShare {
        /// The file, or the generated corpus.
        origin: String,
        contexts: usize,
    },

    /// A list of ids names questions that the split does not have.
    #[error("{}: {count} of its {ids} ids are not among the usable questions of {origin}\n{listing}", path.display())]
    #[diagnostic(help("remove them from the list, or name the file that holds them in ingest.{split}"))]
    UnknownIds {
        /// The list.
        path: PathBuf,
        /// The file, or the generated corpus.
        origin: String,
        /// `train` or `validation`.
        split: &'static str,
        count: usize,
        ids: usize,
        /// The first of them, one per line.
        listing: String,
    },

    /// The base model cannot be used.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Pretrained(#[from] pretrained::Error),

    /// A dataset of the Hub without a file for a split, or with several sets of them.
    #[error("{name} has {found} for the split {split}")]
    #[diagnostic(help("name the files by URL: {example}"))]
    HubSplit {
        /// The dataset.
        name: String,
        /// `train` or `validation`.
        split: &'static str,
        /// None, or which.
        found: String,
        /// A URL, for example.
        example: String,
    },

    /// The user stopped it.
    #[error("interrupted")]
    #[diagnostic(help("run `ingest` again: it starts from the beginning"))]
    Interrupted,
}

impl From<question_files::Error> for Error {
    fn from(error: question_files::Error) -> Self {
        Self::Questions(Box::new(error))
    }
}

impl From<stage::Error> for Error {
    fn from(error: stage::Error) -> Self {
        Self::Stage(Box::new(error))
    }
}

impl stage::ExitKind for Error {
    fn exit_code(&self) -> u8 {
        match self {
            Self::Artifact(error) => error.exit_code(),
            Self::Stage(error) => error.exit_code(),
            Self::Interrupted => 130,
            _ => 3,
        }
    }
}
