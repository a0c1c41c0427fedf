//! Everything that can be wrong with an artifact, each with what to do about it.

use std::path::{Path, PathBuf};

use arrow::error::ArrowError;

/// Shorthand of this crate's functions.
pub type Result<T> = std::result::Result<T, Error>;

/// What is wrong, where, and what to type next.
#[derive(Debug, thiserror::Error, miette::Diagnostic)]
#[non_exhaustive]
pub enum Error {
    /// The operating system refused; the message names the file.
    #[error(transparent)]
    #[diagnostic(help(
        "check that the path is right, that you may write there, and that the disk is not full"
    ))]
    Io(#[from] std::io::Error),

    /// A table could not be written.
    #[error("{} cannot be written", path.display())]
    #[diagnostic(help("check that you may write there and that the disk is not full"))]
    Write {
        /// The table.
        path: PathBuf,
        /// What Arrow said.
        source: ArrowError,
    },

    /// A row does not fit its table.
    #[error("row {row} does not fit {}: {why}", path.display())]
    #[diagnostic(help(
        "the input of this stage is inconsistent: re-run the stages before it with `--force`"
    ))]
    Row {
        /// The table being written, or read.
        path: PathBuf,
        /// Counted from 0.
        row: usize,
        /// What does not fit, with both values.
        why: String,
    },

    /// The file is something else.
    #[error("{} is not a distilburn table: {why}", path.display())]
    #[diagnostic(help("{remedy}"))]
    Foreign {
        path: PathBuf,
        /// What was found instead.
        why: String,
        remedy: String,
    },

    /// The file was a table, but it is incomplete or altered.
    #[error("{} is damaged: {why}", path.display())]
    #[diagnostic(help("{remedy}"))]
    Damaged {
        path: PathBuf,
        /// What was found, and expected.
        why: String,
        remedy: String,
    },

    /// A valid table of another kind.
    #[error("{} holds {found}, expected {expected}", path.display())]
    #[diagnostic(help("{remedy}"))]
    Kind {
        path: PathBuf,
        /// Its kind.
        found: String,
        /// The kind, or kinds, that fit.
        expected: String,
        remedy: String,
    },

    /// A table of a version that this build does not read; there are no migrations.
    #[error("{} holds {kind} v{found}, this build reads v{expected}", path.display())]
    #[diagnostic(help("{remedy}"))]
    Version {
        path: PathBuf,
        kind: &'static str,
        /// Its version, as written in the file.
        found: String,
        /// This build's version.
        expected: u32,
        remedy: String,
    },

    /// The right kind and version with other columns.
    #[error("{} ({kind} v{version}) has the column {found} where this build reads {expected}", path.display())]
    #[diagnostic(help("{remedy}"))]
    Columns {
        path: PathBuf,
        kind: &'static str,
        version: u32,
        /// The first column that differs.
        found: String,
        /// What it should be.
        expected: String,
        remedy: String,
    },

    /// No tensor of this name.
    #[error("{} has no tensor `{name}`; it has {count} others", path.display())]
    #[diagnostic(help("list its tensors with `distilburn show {}`", path.display()))]
    NoTensor {
        path: PathBuf,
        /// The name that was asked for.
        name: String,
        /// How many tensors there are.
        count: usize,
    },

    /// The data of a tensor is not as long as its shape says, or its dtype is unknown.
    #[error("tensor `{name}` ({dtype} {shape:?}) has {found} bytes, {expected}")]
    #[diagnostic(help(
        "the weights are inconsistent: fetch the base model again, then re-run `ingest --force`"
    ))]
    TensorSize {
        /// The tensor.
        name: String,
        /// The type, by its name in safetensors.
        dtype: String,
        /// Rows first.
        shape: Vec<i64>,
        /// Bytes given.
        found: usize,
        /// How many bytes shape and dtype need, in words.
        expected: String,
    },

    /// A tensor that holds no floating-point numbers.
    #[error("tensor `{name}` is {dtype}, expected F32, F16 or BF16")]
    #[diagnostic(help("use a model whose weights are F32, F16 or BF16, then re-run `ingest`"))]
    TensorDtype {
        /// The tensor.
        name: String,
        dtype: String,
    },

    /// There is no such folder.
    #[error("{} does not exist", dir.display())]
    #[diagnostic(help("`distilburn status` lists the artifacts of a store"))]
    NoFolder {
        /// The folder, as typed.
        dir: PathBuf,
    },

    /// A file where an artifact's folder should be.
    #[error("{} is a file, expected the folder of an artifact", path.display())]
    #[diagnostic(help(
        "name a folder that holds a manifest.json: `distilburn status` lists them. If the file is inside the store itself, \
         distilburn did not put it there: move it elsewhere"
    ))]
    NotAFolder { path: PathBuf },

    /// The folder holds no finished artifact.
    #[error("{} has no manifest.json: it is not a finished artifact", dir.display())]
    #[diagnostic(help(
        "name a folder that holds a manifest.json: `distilburn status` lists them. If the stage was interrupted, run it \
         again to finish the artifact"
    ))]
    NoManifest { dir: PathBuf },

    /// Something other than a text file in the place of a manifest.
    #[error("{why}")]
    #[diagnostic(help("re-run the stage that wrote it with `--force`"))]
    NotAManifest {
        /// Names it, and says what it is.
        why: String,
    },

    /// The manifest names a file outside its folder. distilburn never writes such a manifest.
    #[error("{} names the file {name:?}, which is outside its folder", path.display())]
    #[diagnostic(help(
        "do not use this artifact: somebody altered it; re-run the stage that wrote it with `--force`"
    ))]
    FileOutside {
        /// The manifest.
        path: PathBuf,
        /// The name, as written there.
        name: String,
    },

    /// The manifest is not JSON, or has another structure.
    #[error("{} cannot be read as a manifest", path.display())]
    #[diagnostic(help("re-run the stage that wrote it with `--force`"))]
    ManifestJson {
        /// The manifest.
        path: PathBuf,
        /// Line, column and reason.
        source: serde_json::Error,
    },

    /// The manifest was written by another generation of distilburn.
    #[error("{} has manifest format {found}, this build reads {expected}", path.display())]
    #[diagnostic(help("re-run the stage that wrote it with `--force`"))]
    ManifestVersion {
        /// The manifest.
        path: PathBuf,
        /// Its format.
        found: String,
        /// This build's.
        expected: u32,
    },

    /// The manifest was altered after it was written.
    #[error("{} was altered: its checksum is {found}, its contents give {expected}", path.display())]
    #[diagnostic(help("re-run the stage that wrote it with `--force`"))]
    ManifestChecksum {
        /// The manifest.
        path: PathBuf,
        /// What it says.
        found: String,
        /// What its contents give.
        expected: String,
    },

    /// An artifact in the place of another.
    #[error("{} is {found}, expected {expected}", dir.display())]
    #[diagnostic(help("the folder was moved or renamed by hand: delete it, then re-run the stage"))]
    Misplaced {
        dir: PathBuf,
        /// Its stage and fingerprint.
        found: String,
        /// The stage and fingerprint of its place.
        expected: String,
    },

    /// Among the files of an unfinished artifact is something that no stage put there.
    #[error("{} is {found}, expected a file that the stage wrote", path.display())]
    #[diagnostic(help("delete it and run the stage again: it resumes from the other files"))]
    NotAWorkingFile {
        /// What stands there.
        path: PathBuf,
        /// A link, a pipe, a device.
        found: String,
    },

    /// The artifact's manifest does not list the file.
    #[error("{} has no file `{name}`: another version of distilburn made it", dir.display())]
    #[diagnostic(help("re-run the stage with this version and the same settings: `distilburn {stage}`"))]
    NotListed {
        dir: PathBuf,
        /// The file asked for.
        name: String,
        /// The artifact's stage.
        stage: String,
    },

    /// A file of an artifact is missing or altered.
    #[error("{} {found}, the manifest says {expected}", path.display())]
    #[diagnostic(help("re-run `{stage}` with `--force`"))]
    FileChanged {
        path: PathBuf,
        found: String,
        /// What the manifest says.
        expected: String,
        /// The stage that writes it.
        stage: String,
    },

    /// Something other than a lock file in its place, such as a link to another file.
    #[error("{why}")]
    #[diagnostic(help("delete it: distilburn writes a new lock file when it needs one"))]
    NotALock {
        /// Names it, and says what it is.
        why: String,
    },

    /// Another process is making this artifact.
    #[error("{} is being written by process {pid}", dir.display())]
    #[diagnostic(help("wait for it to finish, or stop it, then try again"))]
    Locked {
        /// The partial folder.
        dir: PathBuf,
        /// The process id in the lock file.
        pid: String,
    },

    /// `--output` names a folder with something in it.
    #[error("{} is not empty", path.display())]
    #[diagnostic(help(
        "give `--output` a folder that is empty or does not exist: existing files are never replaced, even with `--force`"
    ))]
    OutputNotEmpty { path: PathBuf },

    /// The folder of `--output` was filled while the artifact was made.
    #[error("{} was filled by another process; the finished artifact is in {}", path.display(), made.display())]
    #[diagnostic(help("move it where you want it: `mv {} DIR`", made.display()))]
    OutputFilled {
        path: PathBuf,
        /// The finished artifact.
        made: PathBuf,
    },
}

impl Error {
    /// The error for a path that leads through a file.
    pub(crate) fn not_a_folder(dir: &Path) -> Self {
        Self::NotAFolder { path: dir.ancestors().find(|path| path.is_file()).unwrap_or(dir).to_owned() }
    }

    /// Whether the files of a finished artifact are missing or differ from its manifest.
    #[must_use]
    pub fn is_damage(&self) -> bool {
        matches!(
            self,
            Self::NoManifest { .. }
                | Self::NotAManifest { .. }
                | Self::FileOutside { .. }
                | Self::ManifestVersion { .. }
                | Self::Misplaced { .. }
                | Self::ManifestJson { .. }
                | Self::ManifestChecksum { .. }
                | Self::FileChanged { .. }
        )
    }
}

/// The help text for a table that must be rewritten.
pub(crate) fn rewrite(producer: Option<&str>) -> String {
    match producer {
        Some(stage) => format!("re-run the `{stage}` stage with `--force` to rewrite it"),
        None => "re-run the stage that writes it with `--force`, or name one of distilburn's .arrow files"
            .to_owned(),
    }
}
