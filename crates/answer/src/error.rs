//! What can keep a question from being answered.

use std::path::PathBuf;

use artifact::Listing;
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
    /// A question or a text that is empty.
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
    #[error("stdin cannot provide both the text and the questions")]
    #[diagnostic(help("type the question: distilburn ask \"Who …?\" -"))]
    StdinTwice,
    /// Questions that cannot be read.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Questions(Box<question_files::Error>),
    /// A question of the data set that this model cannot be asked.
    #[error("question {id:?}")]
    #[diagnostic(help(
        "remove it from the file, or use larger windows: --set tokenize-features.max_length=512"
    ))]
    Question { id: String, source: Box<answerer::Error> },
    /// Files without a question.
    #[error("the files hold no questions")]
    #[diagnostic(help("see crates/question-files/forms.md for the formats"))]
    NoQuestions,
    /// An id that two questions have.
    #[error("two questions have the id {id:?}")]
    #[diagnostic(help("give each question its own id, or leave out all ids: distilburn then makes them"))]
    DuplicateId { id: String },
    /// An output whose name says no form.
    #[error("{}: unknown output format", path.display())]
    #[diagnostic(help("name a .json, .jsonl, .parquet or .arrow file, or - for JSON Lines on stdout"))]
    Form { path: PathBuf },
    /// An output that is one of the inputs.
    #[error("{} is both input and output", path.display())]
    #[diagnostic(help("name another file: --output answers.jsonl"))]
    OutputIsInput { path: PathBuf },
    /// Another process that does the same work.
    #[error("another `distilburn predict` is writing to {}", folder.display())]
    #[diagnostic(help("wait for it, share the work with --shard I/N, or name another output"))]
    Busy { folder: PathBuf },
    /// What does not go together with an output on stdout.
    #[error("{what} cannot be used with --output -")]
    #[diagnostic(help("name a file: --output answers.parquet"))]
    OnStdout { what: &'static str },
    /// Parts of other questions, of another model, or of other settings.
    #[error("{} holds answers of another prediction:\n{differences}", folder.display())]
    #[diagnostic(help(
        "repeat the earlier command to finish it, name another output, or start over with --force"
    ))]
    OtherJob { folder: PathBuf, differences: Listing },
    /// `job.json` that is not what was written.
    #[error("{} is damaged", path.display())]
    #[diagnostic(help("start over with --force, or delete its folder"))]
    DamagedJob { path: PathBuf },
    /// A part that is not what was written.
    #[error("{} is damaged: its hash is missing or wrong", path.display())]
    #[diagnostic(help(
        "delete it, and repeat the command that made it: only its questions are answered again"
    ))]
    DamagedPart { path: PathBuf },
    /// `merge` without parts.
    #[error("{} holds no parts of a prediction", folder.display())]
    #[diagnostic(help(
        "name the --output of `distilburn predict --shard`, or the folders of parts beside several: \
         distilburn merge OUTPUT PARTS…"
    ))]
    NoParts { folder: PathBuf },
    /// `merge` before all jobs are done.
    #[error(
        "{questions} of {of} questions have no answer yet; of {parts} parts, these are missing:\n{missing}"
    )]
    #[diagnostic(help(
        "run the unfinished shards again (shard P mod N + 1 of N answers part P), or `distilburn predict` without --shard \
         for all that are missing"
    ))]
    PartsMissing { questions: u64, of: u64, parts: u64, missing: Listing },
    /// `merge` of a part that two folders have.
    #[error("{} and {} are the same part", first.display(), second.display())]
    #[diagnostic(help("name each shard's folder once"))]
    PartTwice { first: PathBuf, second: PathBuf },
    /// An input that was written to.
    #[error("{} changed while its questions were answered", path.display())]
    #[diagnostic(help("run again with --force when nothing else is writing to it"))]
    Changed { path: PathBuf },
    /// Parquet or Arrow that cannot be written.
    #[error("the output cannot be written")]
    #[diagnostic(help("check that the disk is not full"))]
    Table { source: Box<dyn std::error::Error + Send + Sync> },
    /// SIGINT or SIGTERM.
    #[error("interrupted{}", kept.as_ref().map_or_else(String::new, |kept| format!("; the answers so far are in {}", kept.display())))]
    #[diagnostic(help("run the same command to resume"))]
    Interrupted {
        /// The folder of parts.
        kept: Option<PathBuf>,
    },
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
            Self::Interrupted { .. } => 130,
            Self::Table { .. } | Self::Busy { .. } => 1,
            Self::Empty { .. }
            | Self::NoText
            | Self::StdinTwice
            | Self::Form { .. }
            | Self::OutputIsInput { .. }
            | Self::OnStdout { .. } => 2,
            _ => 3,
        }
    }
}

impl From<question_files::Error> for Error {
    fn from(error: question_files::Error) -> Self {
        Self::Questions(Box::new(error))
    }
}
