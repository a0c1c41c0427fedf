//! What can be wrong with a file of questions as a file: its place, its compression, its form.

use std::io;

/// What is wrong with a file, where, and what to do about it.
#[derive(Debug, thiserror::Error, miette::Diagnostic)]
#[non_exhaustive]
pub enum SourceError {
    /// Not there, a folder, a pipe.
    #[error("{name} ({setting}) is {found}, expected a file")]
    #[diagnostic(help("correct it in the settings file, or give `--set {setting}=PATH`"))]
    NoFile {
        /// The setting.
        setting: &'static str,
        /// Its value.
        name: String,
        /// What was found instead.
        found: &'static str,
    },

    /// The operating system refused.
    #[error("{name} cannot be read")]
    #[diagnostic(help("check that you may read it"))]
    Read {
        /// The file.
        name: String,
        /// What it said.
        source: io::Error,
    },

    /// A compressed file is damaged.
    #[error("{name} is not sound {format}")]
    #[diagnostic(help("it is damaged or was not copied whole: fetch it again"))]
    Damaged {
        /// The file.
        name: String,
        /// `gzip` or `zstd`.
        format: &'static str,
        /// What the decoder said.
        source: io::Error,
    },

    /// A compressed file that is mostly air.
    #[error(
        "{name} expands more than {ratio} to 1, which no text does: {compressed_bytes} bytes became {bytes} and go on"
    )]
    #[diagnostic(help(
        "it is made to fill memory or disk; if you trust it, decompress it yourself and name the result"
    ))]
    Bomb {
        /// The file.
        name: String,
        /// The limit.
        ratio: u64,
        /// Read of the file so far.
        compressed_bytes: u64,
        /// What they became.
        bytes: u64,
    },

    /// A piece that has to be held in memory whole, and is too large for that.
    #[error("{name}: {what} is larger than {limit_mib} MiB")]
    #[diagnostic(help("split it: {help}"))]
    TooLarge {
        /// The file.
        name: String,
        /// An article, or a line.
        what: String,
        /// The limit.
        limit_mib: u64,
        /// How to split it.
        help: &'static str,
    },

    /// JSON that is malformed, or of another form.
    #[error("{name}, line {line}, column {column}: {message}")]
    #[diagnostic(help("expected {expected}"))]
    Json {
        /// The file.
        name: String,
        /// Counted from 1; of the decompressed text.
        line: usize,
        /// Counted from 1.
        column: usize,
        /// What was found there.
        message: String,
        /// What the file should hold.
        expected: &'static str,
    },

    /// A Parquet file that its reader does not understand.
    #[error("{name} is not sound Parquet")]
    #[diagnostic(help("it is damaged or was not copied whole: fetch it again"))]
    Parquet {
        /// The file.
        name: String,
        /// What the reader said.
        source: Box<dyn std::error::Error + Send + Sync>,
    },

    /// A column that is missing or of another type.
    #[error("{name}: column {column} is {found}, expected {expected}")]
    #[diagnostic(help(
        "expected the columns that `datasets` gives SQuAD: id, title, context, question, answers{{text, answer_start}}"
    ))]
    Column {
        /// The file.
        name: String,
        /// Its path in the schema.
        column: &'static str,
        /// Its type, or that it is missing.
        found: String,
        /// The type that is possible.
        expected: &'static str,
    },

    /// A row that says nothing where something is due, or contradicts itself.
    #[error("{name}, row {row}: {message}")]
    #[diagnostic(help(
        "every row needs id, context, question, and as many answers.text as answers.answer_start"
    ))]
    Row {
        /// The file.
        name: String,
        /// Counted from 1: of JSON Lines the line.
        row: usize,
        /// What is wrong.
        message: String,
    },

    /// U+0000 in a text.
    #[error("{name}: {place} holds a NUL character (U+0000)")]
    #[diagnostic(help("no text has one: the file was damaged or converted wrongly"))]
    Nul {
        /// The file.
        name: String,
        /// Which text, of which question.
        place: String,
    },

    /// A dataset of the Hub without a file for a split, or with several sets of them.
    #[error("{name} has {found} for the split {split}")]
    #[diagnostic(help("name the files by their addresses: {example}"))]
    Split {
        /// The dataset.
        name: String,
        /// `train` or `validation`.
        split: &'static str,
        /// None, or which.
        found: String,
        /// An address, for example.
        example: String,
    },
}

/// What a reader reports through [`io::Error`], without the file's name.
#[derive(Debug, thiserror::Error)]
pub(super) enum ReadError {
    #[error("not sound {format}")]
    Damaged { format: &'static str, source: io::Error },
    #[error("expands too much")]
    Bomb { ratio: u64, compressed_bytes: u64, bytes: u64 },
    #[error("too large")]
    TooLarge { limit_mib: u64 },
}

impl SourceError {
    /// An error of reading `name`.
    pub(super) fn io(name: &str, source: io::Error) -> Self {
        let name = name.to_owned();
        let read_error = match source.downcast::<ReadError>() {
            Ok(read_error) => read_error,
            Err(source) => return Self::Read { name, source },
        };
        match read_error {
            ReadError::Damaged { format, source } => Self::Damaged { name, format, source },
            ReadError::Bomb { ratio, compressed_bytes, bytes } => {
                Self::Bomb { name, ratio, compressed_bytes, bytes }
            }
            ReadError::TooLarge { limit_mib } => Self::TooLarge {
                name,
                what: "one article".to_owned(),
                limit_mib,
                help: "put its paragraphs into several articles",
            },
        }
    }

    /// An error of parsing `name`, of which `lines_before` lines came before what was parsed.
    pub(super) fn json(
        name: &str,
        expected: &'static str,
        lines_before: usize,
        source: serde_json::Error,
    ) -> Self {
        if source.is_io() {
            return Self::io(name, source.into());
        }
        let text = source.to_string();
        let message = text.rfind(" at line ").map_or(text.as_str(), |end| &text[..end]).to_owned();
        let (line, column) = (lines_before + source.line(), source.column());
        Self::Json { name: name.to_owned(), line, column, message, expected }
    }
}
