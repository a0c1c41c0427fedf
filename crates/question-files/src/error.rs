//! What can be wrong with a file of questions: its place, its compression, its format.

use std::io;

/// Shorthand of this crate's functions.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Rewrites a Parquet file in small row groups.
const REWRITE: &str = "python3 -c 'import sys, pandas; pandas.read_parquet(sys.argv[1]).to_parquet(sys.argv[2], row_group_size=1000)'";

/// What is wrong with a file, where, and what to do about it.
#[derive(Debug, thiserror::Error, miette::Diagnostic)]
#[non_exhaustive]
pub enum Error {
    /// A missing file, a folder or a pipe.
    #[error("{name} ({asked_by}) is {found}, expected a file")]
    #[diagnostic(help("check the path that {asked_by} names"))]
    NoFile {
        /// The setting or option.
        asked_by: &'static str,
        /// Its value.
        name: String,
        /// What was found instead.
        found: &'static str,
    },

    /// A question to be scored without gold answers.
    #[error("{name}: question {id:?} has no answers, so it cannot be scored")]
    #[diagnostic(help(
        "name a file with answers; for a question without an answer, write an empty list: \"answers\": []"
    ))]
    Unlabelled { name: String, id: String },

    /// A question to be scored occurs twice.
    #[error("{name} holds more than one question with the id {id:?}")]
    #[diagnostic(help("keep only one question per id"))]
    DuplicateId { name: String, id: String },

    /// Nothing to score.
    #[error("{name} holds no questions")]
    #[diagnostic(help("name a file with at least one question"))]
    NoQuestions { name: String },

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
    #[error("{name} is not valid {format}")]
    #[diagnostic(help("it is damaged or incomplete: fetch it again"))]
    Damaged {
        /// The file.
        name: String,
        /// `gzip` or `zstd`.
        format: &'static str,
        /// What the decoder said.
        source: io::Error,
    },

    /// A compressed file that expands suspiciously.
    #[error(
        "{name} expands more than {ratio} to 1, which no text does: {compressed_bytes} bytes became more than {bytes}"
    )]
    #[diagnostic(help("it is made to fill memory or disk; if you trust it, {remedy}"))]
    Bomb {
        /// The file.
        name: String,
        /// The limit.
        ratio: u64,
        /// Bytes of the file read so far.
        compressed_bytes: u64,
        /// What they became.
        bytes: u64,
        /// How to read it anyway.
        remedy: &'static str,
    },

    /// A piece that must be in memory as a whole, and is too large for that.
    #[error("{name}: {what} is larger than {limit_mib} MiB")]
    #[diagnostic(help("split it: {help}"))]
    TooLarge {
        /// The file.
        name: String,
        /// An article, or a line.
        what: String,
        limit_mib: u64,
        /// How to split it.
        help: &'static str,
    },

    /// A piece of JSON that needs far more memory than it has bytes.
    #[error("{name}: the value at line {line} has {found}")]
    #[diagnostic(help("split it: put its paragraphs into several articles, or write one question per line"))]
    Crammed {
        /// The file.
        name: String,
        /// Where it begins, counted from 1.
        line: usize,
        /// Its parts, and the limit.
        found: String,
    },

    /// Nothing, or only white space.
    #[error("{name} is empty")]
    #[diagnostic(help("write or fetch it again: it should hold {what}"))]
    Empty {
        /// The file.
        name: String,
        /// Questions, or predictions.
        what: &'static str,
    },

    /// A git-lfs pointer instead of the file.
    #[error("{name} is a git-lfs pointer, not the file itself")]
    #[diagnostic(help("fetch the file: run `git lfs install` once, then `git lfs pull` in its repository"))]
    GitLfs {
        /// The file.
        name: String,
    },

    /// A format that another tool can convert to a supported one.
    #[error("{name} is {found}, expected {what} as JSON, JSON Lines, CSV, Parquet or Arrow")]
    #[diagnostic(help("{help}"))]
    Foreign {
        /// The file.
        name: String,
        found: &'static str,
        /// Questions, or predictions.
        what: &'static str,
        /// The command that converts it to a supported format.
        help: String,
    },

    /// An unknown format.
    #[error("{name} begins with \"{start}\", expected {what} as JSON, JSON Lines, CSV, Parquet or Arrow")]
    #[diagnostic(help(
        "JSON begins with `{{` or `[`, CSV with a line of column names, Parquet with PAR1; crates/question-files/forms.md \
         shows every form"
    ))]
    Form {
        /// The file.
        name: String,
        /// Its first bytes, escaped.
        start: String,
        /// Questions, or predictions.
        what: &'static str,
    },

    /// A text in another encoding.
    #[error("{name}, line {line}, column {column}: the byte {byte:#04x} is not UTF-8")]
    #[diagnostic(help("if it is {encoding}, convert it: `iconv -f {encoding} -t utf-8 FILE > NEW`"))]
    Utf8 {
        /// The file.
        name: String,
        /// Counted from 1; of the decompressed text.
        line: usize,
        /// Counted from 1, in bytes.
        column: usize,
        /// What stands there.
        byte: u8,
        /// The probable encoding, by its name in iconv.
        encoding: &'static str,
    },

    /// JSON that ends too early.
    #[error("{name} is cut off at line {line}, column {column}, inside {inside}")]
    #[diagnostic(help("the file is incomplete: fetch it again"))]
    Cut {
        /// The file.
        name: String,
        /// Counted from 1; of the decompressed text.
        line: usize,
        /// The column of its last byte, counted from 1.
        column: usize,
        /// A string, a list and so on.
        inside: String,
    },

    /// JSON that is malformed, or has another structure.
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

    /// A Parquet column with more values than questions have answers.
    #[error("{name}: column {column} has {values} values in {rows} rows, the limit is {limit}")]
    #[diagnostic(help(
        "the file is made to fill memory, or was written wrongly; if you trust it, write it with smaller row groups: \
         `{REWRITE} {name} NEW.parquet`"
    ))]
    Crowded {
        /// The file.
        name: String,
        /// Its path in the schema.
        column: String,
        /// The number of values that a row group announces.
        values: i64,
        /// The rows of that row group.
        rows: i64,
        /// The limit for these rows and columns.
        limit: i64,
    },

    /// Parquet pages that do not fit into memory together.
    #[error(
        "{name}: pages of {found_mib} MiB are needed at once at column {column}, the limit is {limit_mib} MiB"
    )]
    #[diagnostic(help(
        "the file is made to fill memory, or has very large row groups; if you trust it, write it with smaller ones: \
         `{REWRITE} {name} NEW.parquet`"
    ))]
    Pages {
        /// The file.
        name: String,
        /// The column at which the limit was exceeded.
        column: String,
        /// The size of the pages of all columns that are read.
        found_mib: u64,
        limit_mib: u64,
    },

    /// A Parquet footer that is larger than that of any table of questions.
    #[error("{name}: its Parquet footer has {found}, the limit is {limit}")]
    #[diagnostic(help(
        "the file is made to fill memory, or is not a table of questions; if you trust it, copy the columns that you need \
         to a new file"
    ))]
    Footer {
        /// The file.
        name: String,
        /// How much of what.
        found: String,
        limit: String,
    },

    /// A Parquet file that its reader does not understand.
    #[error("{name} is not valid Parquet")]
    #[diagnostic(help("it is damaged or incomplete: fetch it again"))]
    Parquet {
        /// The file.
        name: String,
        /// What the reader said.
        source: Box<dyn std::error::Error + Send + Sync>,
    },

    /// An Arrow file that its reader does not understand.
    #[error("{name} is not a valid Arrow file, or is compressed")]
    #[diagnostic(help(
        "if it is damaged, fetch it again; else write it as Parquet: `python3 -c 'import sys, pandas; \
         pandas.read_feather(sys.argv[1]).to_parquet(sys.argv[2])' {name} NEW.parquet`"
    ))]
    Arrow {
        /// The file.
        name: String,
        /// What the reader said.
        source: Box<dyn std::error::Error + Send + Sync>,
    },

    /// Columns that are missing, or may mean two things.
    #[error("{name}: {message}")]
    #[diagnostic(help("name the columns {columns}; crates/question-files/forms.md shows every form"))]
    Columns {
        /// The file.
        name: String,
        /// What is wrong with them.
        message: String,
        /// The expected columns.
        columns: &'static str,
    },

    /// A row that lacks a required value, or contradicts itself.
    #[error("{name}, row {row}: {message}")]
    #[diagnostic(help("fix the row; crates/question-files/forms.md shows every form"))]
    Row {
        /// The file.
        name: String,
        /// For Parquet, the row counted from 1; for CSV, the line.
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

    /// The reader's thread failed.
    #[error("the reader of questions stopped: {message}")]
    #[diagnostic(help("please report it with the file that was read"))]
    Reader {
        /// What is known of it.
        message: String,
    },

    /// The caller wants no more articles. Never leaves this crate.
    #[doc(hidden)]
    #[error("stopped")]
    Stopped,
}

/// What a reader reports through [`io::Error`], without the file's name.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ReadError {
    #[error("not valid {format}")]
    Damaged { format: &'static str, source: io::Error },
    #[error("expands too much")]
    Bomb { ratio: u64, compressed_bytes: u64, bytes: u64 },
}

impl Error {
    /// What a panic of the reader said.
    pub(crate) fn panicked(panic: &(dyn std::any::Any + Send)) -> Self {
        let text = panic.downcast_ref::<String>().map(String::as_str);
        let text = text.or_else(|| panic.downcast_ref::<&str>().copied());
        Self::Reader { message: text.unwrap_or("no message").to_owned() }
    }

    pub(crate) fn row(name: &str, row: usize, message: String) -> Self {
        Self::Row { name: name.to_owned(), row, message }
    }

    /// What is wrong with a row of a table.
    pub(crate) fn of_row(
        name: &str,
        row: usize,
        error: &serde_path_to_error::Error<serde_json::Error>,
    ) -> Self {
        let path = error.path().to_string();
        let message = in_words(error.inner());
        let message = if path == "." { message } else { format!("{path}: {message}") };
        Self::row(name, row, message)
    }

    /// An error of reading `name`.
    pub(crate) fn io(name: &str, source: io::Error) -> Self {
        let name = name.to_owned();
        let read_error = match source.downcast::<ReadError>() {
            Ok(read_error) => read_error,
            Err(source) => return Self::Read { name, source },
        };
        match read_error {
            ReadError::Damaged { format, source } => Self::Damaged { name, format, source },
            ReadError::Bomb { ratio, compressed_bytes, bytes } => {
                let remedy = "decompress it yourself and name the result";
                Self::Bomb { name, ratio, compressed_bytes, bytes, remedy }
            }
        }
    }
}

/// The message of `serde_json`, without the place, in JSON's terms instead of Rust's.
pub(crate) fn in_words(error: &serde_json::Error) -> String {
    const BEGINNINGS: [(&str, &str); 3] = [
        ("invalid type: sequence", "invalid type: list"),
        ("invalid type: map", "invalid type: object"),
        ("invalid type: floating point", "invalid type: number"),
    ];
    const ENDS: [(&str, &str); 3] = [
        ("expected a sequence", "expected a list"),
        ("expected a map", "expected an object"),
        ("expected i32", "expected a whole number of 32 bits"),
    ];
    let text = error.to_string();
    let mut text = text.rfind(" at line ").map_or(text.as_str(), |end| &text[..end]).to_owned();
    if let Some((found, word)) = BEGINNINGS.iter().find(|(found, _)| text.starts_with(found)) {
        text.replace_range(..found.len(), word);
    }
    if let Some((found, word)) = ENDS.iter().find(|(found, _)| text.ends_with(found)) {
        text.replace_range(text.len() - found.len().., word);
    }
    text
}
