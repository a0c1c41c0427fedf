//! What can go wrong around a stage, before and after its own work.

use std::path::PathBuf;

use miette::Diagnostic;
use thiserror::Error;

use crate::ExitKind;
use crate::settings::SettingsError;

/// An error of planning a stage, finding its inputs or sealing its output.
#[derive(Debug, Error, Diagnostic)]
#[non_exhaustive]
pub enum Error {
    /// The settings cannot be used.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Settings(#[from] SettingsError),

    /// An artifact or the store cannot be used.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Artifact(Box<artifact::Error>),

    /// A download failed.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Fetch(Box<fetch::Error>),

    /// A file or folder that the settings name is not there.
    #[error("{origin}: {key} = {}: {problem}", path.display())]
    #[diagnostic(help("{remedy}"))]
    NoSource {
        /// Where the setting is.
        origin: String,
        key: &'static str,
        /// Its value.
        path: PathBuf,
        /// What is there instead.
        problem: &'static str,
        remedy: String,
    },

    /// A file that the settings name cannot be read.
    #[error("{origin}: {key} cannot be read")]
    #[diagnostic(help("check that the path is right and that you may read it"))]
    ReadSource {
        /// Where the setting is.
        origin: String,
        key: &'static str,
        /// Names the file.
        source: std::io::Error,
    },

    /// A file that counts in the fingerprint has changed since it was hashed.
    #[error("{} changed while it was read", path.display())]
    #[diagnostic(help("run again when nothing else is writing to it"))]
    Changed { path: PathBuf },

    /// Settings that a stage would refuse later.
    #[error("{origin}: {message}")]
    #[diagnostic(help("{remedy}"))]
    Unworkable {
        /// Where the setting is.
        origin: String,
        /// Key, value and rule.
        message: String,
        remedy: String,
    },

    /// A `--set` for a stage that is already finished because of `--input`.
    #[error("--set {set} has no effect: with --input {input}, {stage} is already finished")]
    #[diagnostic(help("remove one of the two"))]
    Overruled {
        set: String,
        input: String,
        /// The stage that reads the setting.
        stage: &'static str,
    },

    /// An upstream stage has not been run with these settings.
    #[error("{stage} needs {input}, which has not been made: {} does not exist", dir.display())]
    #[diagnostic(help("{remedy}"))]
    MissingInput {
        /// The stage that needs it.
        stage: String,
        /// The stage that makes it.
        input: String,
        /// Where it would be.
        dir: PathBuf,
        /// The stage's own command, and the driver's.
        remedy: String,
    },

    /// A command needs an artifact, and the store holds none of this stage.
    #[error("{command} needs {what}, and {} holds none yet", root.display())]
    #[diagnostic(help("{remedy}"))]
    NothingYet {
        command: String,
        /// "a model", "an artifact of evaluate".
        what: String,
        /// The store.
        root: PathBuf,
        remedy: String,
    },

    /// The artifact of an upstream stage is damaged.
    #[error("{stage} needs {input}, whose artifact is damaged: {damage}")]
    #[diagnostic(help("{remedy}"))]
    DamagedInput {
        /// The stage that needs it.
        stage: String,
        /// The stage that makes it.
        input: String,
        /// The file, what was found, and what was expected.
        damage: String,
        /// The driver's command.
        remedy: String,
    },

    /// A file where the store's folder should be.
    #[error("the artifact store {} is a file, expected a folder", path.display())]
    #[diagnostic(help("name a folder (new or existing) with `--artifacts DIR`, or move the file elsewhere"))]
    StoreIsFile { path: PathBuf },

    /// An artifact given by `--input` was made from one that is not in the store.
    #[error("{} was made from {input} {fingerprint}, which is not in the store", given.display())]
    #[diagnostic(help("name its folder with --input {input}=DIR"))]
    MissingLineage {
        /// The given artifact.
        given: PathBuf,
        /// The stage it was made from.
        input: String,
        fingerprint: String,
    },

    /// Two inputs that do not belong together.
    #[error("{} was made from {input} {expected}, but {input} is {found}", given.display())]
    #[diagnostic(help("use inputs of one run; `distilburn show DIR` prints what an artifact was made from"))]
    Lineage {
        /// The given artifact.
        given: PathBuf,
        /// The stage in question.
        input: String,
        /// What it was made from.
        expected: String,
        /// What is there instead, and the folder that says so.
        found: String,
    },

    /// `--input STAGE=DIR` for a stage that does not exist or is not upstream.
    #[error("--input {name}=…: {stage} has no such input")]
    #[diagnostic(help("{remedy}"))]
    NotUpstream {
        name: String,
        /// The stage that runs.
        stage: String,
        /// Which inputs there are.
        remedy: String,
    },

    /// `--input STAGE=DIR` where DIR was made by another stage.
    #[error("--input {stage}={} is an artifact of {found}", dir.display())]
    #[diagnostic(help("name the folder of a {stage} artifact, with its manifest.json"))]
    OtherStage { stage: String, dir: PathBuf, found: String },

    /// The driver was built from other sources than this binary.
    #[error("{binary} and distilburn were built from different sources: code {found}, expected {expected}")]
    #[diagnostic(help("build all of them again: `cargo build --release`"))]
    OtherBuild {
        binary: String,
        /// Hash of its code.
        found: String,
        /// What the driver expected.
        expected: String,
    },

    /// `--model` names nothing that exists.
    #[error("--model {model} is neither an existing folder nor a Hub id")]
    #[diagnostic(help("name a model's folder, an artifact, or a Hub id: owner/name"))]
    NoSuchModel { model: String },

    /// `--model` names an artifact of another stage.
    #[error("{} is an artifact of {stage}, and no model was exported from it", path.display())]
    #[diagnostic(help("export it first: `distilburn run` prints the model directory at the end"))]
    NotExported { path: PathBuf, stage: String },

    /// The beginning of several fingerprints.
    #[error("--model {prefix} matches several exports: {candidates}")]
    #[diagnostic(help("type more digits"))]
    AmbiguousModel { prefix: String, candidates: String },

    /// SIGINT and SIGTERM cannot be caught.
    #[error("signals cannot be caught")]
    Signals(#[source] std::io::Error),

    /// The output of a command cannot be written.
    #[error("stdout cannot be written")]
    #[diagnostic(help("if it goes to a file, check that the disk is not full"))]
    Stdout(#[source] std::io::Error),

    /// LibTorch found no memory for a step, on a device or on the host.
    #[error("{stage} ran out of memory: {message}")]
    #[diagnostic(help(
        "lower `train.batch_size` and raise `train.gradient_accumulation_steps` by the same factor, or set \
         `train.gradient_checkpointing = true`; to answer questions in less memory, lower `train.eval_batch_size`, or \
         `--max-batch-tokens` of `serve`. A training keeps its newest checkpoint"
    ))]
    OutOfMemory {
        stage: String,
        /// LibTorch's words.
        message: String,
    },

    /// A device that stopped working, or cannot run this build.
    #[error("{stage} lost its device: {message}")]
    #[diagnostic(help(
        "check `nvidia-smi` and the system log, or use the CPU with `run.device = \"cpu\"`. A training keeps its newest \
         checkpoint: the same command resumes it"
    ))]
    DeviceLost {
        stage: String,
        /// LibTorch's words.
        message: String,
    },

    /// The stage panicked.
    #[error("{stage} stopped because of a bug: {message}")]
    #[diagnostic(help("please report it with the settings and the lines above"))]
    Panicked {
        stage: String,
        /// What the panic said.
        message: String,
    },
}

impl From<artifact::Error> for Error {
    fn from(error: artifact::Error) -> Self {
        Self::Artifact(Box::new(error))
    }
}

impl From<fetch::Error> for Error {
    fn from(error: fetch::Error) -> Self {
        Self::Fetch(Box::new(error))
    }
}

impl ExitKind for Error {
    fn exit_code(&self) -> u8 {
        match self {
            Self::Settings(_)
            | Self::NotUpstream { .. }
            | Self::Unworkable { .. }
            | Self::Overruled { .. }
            | Self::AmbiguousModel { .. } => 2,
            Self::Artifact(error) => error.exit_code(),
            Self::Fetch(error) => error.exit_code(),
            Self::NoSource { .. }
            | Self::ReadSource { .. }
            | Self::Changed { .. }
            | Self::MissingInput { .. }
            | Self::NothingYet { .. }
            | Self::DamagedInput { .. }
            | Self::StoreIsFile { .. }
            | Self::MissingLineage { .. }
            | Self::Lineage { .. }
            | Self::OtherStage { .. }
            | Self::NoSuchModel { .. }
            | Self::NotExported { .. } => 3,
            Self::OutOfMemory { .. } | Self::DeviceLost { .. } => 4,
            Self::OtherBuild { .. } | Self::Signals(_) | Self::Stdout(_) | Self::Panicked { .. } => 1,
        }
    }
}
