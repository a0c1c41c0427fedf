//! What can go wrong in the driver itself.

use std::path::PathBuf;

use artifact::SplitName;

use miette::Diagnostic;
use stage::ExitKind;
use thiserror::Error;

/// An error of the `distilburn` command.
#[derive(Debug, Error, Diagnostic)]
#[non_exhaustive]
pub(crate) enum Error {
    #[error(transparent)]
    #[diagnostic(transparent)]
    Stage(Box<stage::Error>),

    #[error(transparent)]
    #[diagnostic(transparent)]
    Artifact(Box<artifact::Error>),

    #[error("{} does not exist", path.display())]
    #[diagnostic(help(
        "build all binaries into one folder: `cargo build --release`, then `target/release/distilburn`"
    ))]
    NoSibling { path: PathBuf },

    #[error("{} cannot be started", path.display())]
    #[diagnostic(help("build it again: `cargo build --release`"))]
    Start { path: PathBuf, source: std::io::Error },

    #[error("{stage} reported success, but {} holds no artifact", dir.display())]
    #[diagnostic(help(
        "the stage and distilburn may be from different builds: build both again with `cargo build --release`"
    ))]
    NotMade { stage: &'static str, dir: PathBuf },

    #[error("an input of {stage} changed after the run was planned")]
    #[diagnostic(help("run again when nothing else is writing to its inputs"))]
    InputsChanged { stage: &'static str },

    #[error("several artifacts begin with {prefix}: {candidates}")]
    #[diagnostic(help("type more digits"))]
    Ambiguous { prefix: String, candidates: String },

    #[error("{} holds no artifact whose fingerprint begins with {prefix}", root.display())]
    #[diagnostic(help("list the store with `distilburn status`"))]
    NoArtifact { prefix: String, root: PathBuf },

    #[error("--from {from} comes after --to {to}")]
    #[diagnostic(help("the order is {}", stages()))]
    Range { from: String, to: String },

    #[error("a run --to {to} does not include {from}, so it cannot start there")]
    #[diagnostic(help("remove one of the two"))]
    NotNeeded { from: String, to: String },

    #[error("{} is not an artifact's directory, an .arrow file, a stage or the beginning of a fingerprint", path.display())]
    #[diagnostic(help("list the store with `distilburn status`; the stages are {}", stages()))]
    NothingToShow { path: PathBuf },

    #[error("{} holds damaged artifacts", root.display())]
    #[diagnostic(help("{remedy}"))]
    DamagedStore { root: PathBuf, remedy: String },

    #[error("{} holds artifacts that cannot be read, so their integrity could not be checked", root.display())]
    #[diagnostic(help("make them readable with `chmod -R u+rX {}`, or run this as the user who made them", root.display()))]
    UnreadableStore { root: PathBuf },

    #[error("{} {}", path.display(), if path.exists() { "holds no training" } else { "does not exist" })]
    #[diagnostic(help("start one with `distilburn run`, or name its folder: `distilburn watch DIR`"))]
    NoTraining { path: PathBuf },

    #[error("{} is not a training", path.display())]
    #[diagnostic(help(
        "name the directory of a train artifact, finished or in progress: `distilburn status` lists them"
    ))]
    NothingToWatch { path: PathBuf },

    #[error(transparent)]
    #[diagnostic(help("check the path, and that you may read there"))]
    Io(#[from] std::io::Error),

    #[error(transparent)]
    #[diagnostic(transparent)]
    Questions(Box<question_files::Error>),

    #[error(
        "no id of {} is one of {}: {predicted} against {questions}",
        predictions.display(),
        dataset.display()
    )]
    #[diagnostic(help(
        "predictions are one object of question id → answer text, or objects with `id` and `prediction_text`; name the data \
         set that they were made for"
    ))]
    NoIdInCommon { dataset: PathBuf, predictions: PathBuf, questions: String, predicted: String },

    #[error("{} holds more than one prediction with the id {id:?}", path.display())]
    #[diagnostic(help("keep only one prediction per id"))]
    DuplicatePrediction { path: PathBuf, id: String },

    #[error("{} is not an evaluation", path.display())]
    #[diagnostic(help(
        "name an artifact of evaluate, train or export (its folder, or the first digits of its fingerprint) or an exported \
         model; `distilburn status` lists the store. `compare --dataset FILE` asks any model"
    ))]
    NoEvaluation { path: PathBuf },

    #[error("training {} has no evaluation yet: {state}", path.display())]
    #[diagnostic(help("{remedy}"))]
    NotTrained { path: PathBuf, state: String, remedy: String },

    #[error("training {} has not been evaluated", path.display())]
    #[diagnostic(help("evaluate it with `{command}`"))]
    NotEvaluated { path: PathBuf, command: String },

    #[error("{} is an artifact of {stage}, expected one of evaluate, train or export", path.display())]
    #[diagnostic(help("`distilburn status` lists the store"))]
    OtherArtifact { path: PathBuf, stage: String },

    #[error("{} was made from {stage} {fingerprint}, which is neither in its store nor in this one", evaluation.display())]
    #[diagnostic(help("name the store that holds both: --artifacts DIR"))]
    NoLineage { evaluation: PathBuf, stage: &'static str, fingerprint: String },

    #[error("{} has no {split} predictions", evaluation.display())]
    #[diagnostic(help(
        "name the test questions in `ingest.test` and run `distilburn run`, or leave --split out"
    ))]
    NoSplit { evaluation: PathBuf, split: SplitName },

    #[error(transparent)]
    #[diagnostic(transparent)]
    Analysis(Box<analysis::Error>),

    #[error("the slice {slice} has no {split} questions")]
    #[diagnostic(help("`distilburn errors --json` lists the slices of each question"))]
    EmptySlice { slice: String, split: SplitName },

    #[error("cannot ask whether to delete {going}: stdin is not a terminal")]
    #[diagnostic(help("delete them with `{remedy}`, or only list them with --dry-run"))]
    NobodyToAsk { going: String, remedy: String },

    #[error("--require needs scores, but --to ends the run before evaluate")]
    #[diagnostic(help("leave --to out, or end with `--to evaluate`"))]
    NothingToRequire,

    #[error("{what} is {found}, {missing} below the {least} that --require asks for{interval}")]
    #[diagnostic(help("`distilburn errors` lists what the model gets wrong"))]
    NotReached { what: String, found: String, least: String, missing: String, interval: String },

    #[error("{} holds predictions, but the questions to score them with are missing", path.display())]
    #[diagnostic(help("name the file of questions: --dataset FILE"))]
    NeedsDataset { path: PathBuf },

    #[error("{} does not end in .html", path.display())]
    #[diagnostic(help("name a page: --html comparison.html"))]
    NotHtml { path: PathBuf },

    #[error("{model} has not answered the questions of {}: the reason is above", dataset.display())]
    #[diagnostic(help("try it alone: `distilburn evaluate --model {model} --dataset {}`", dataset.display()))]
    NotPredicted { model: String, dataset: PathBuf, code: u8 },

    #[error("{a} and {b} cannot be compared: {reason}")]
    #[diagnostic(help(
        "compare evaluations of the same questions: the same data, or score both with the same file"
    ))]
    NotComparable { a: String, b: String, reason: String },

    #[error(
        "F1 is {lost} points worse than that of {before}, more than the {margin} that --fail-if-worse allows{interval}"
    )]
    #[diagnostic(help("`distilburn errors` lists what the model gets wrong"))]
    Worse { before: String, lost: String, margin: String, interval: String },

    #[error("{opener} could not open {}", page.display())]
    #[diagnostic(help("open the page in a browser yourself"))]
    NoBrowser { opener: &'static str, page: PathBuf },
}

impl From<stage::Error> for Error {
    fn from(error: stage::Error) -> Self {
        Self::Stage(Box::new(error))
    }
}

impl From<artifact::Error> for Error {
    fn from(error: artifact::Error) -> Self {
        Self::Artifact(Box::new(error))
    }
}

impl From<analysis::Error> for Error {
    fn from(error: analysis::Error) -> Self {
        Self::Analysis(Box::new(error))
    }
}

impl From<question_files::Error> for Error {
    fn from(error: question_files::Error) -> Self {
        Self::Questions(Box::new(error))
    }
}

impl ExitKind for Error {
    fn exit_code(&self) -> u8 {
        match self {
            Self::Stage(error) => error.exit_code(),
            Self::Artifact(error) => error.exit_code(),
            Self::Analysis(error) => match error.as_ref() {
                analysis::Error::NotASlice { .. }
                | analysis::Error::UnknownSlicing { .. }
                | analysis::Error::UnknownValue { .. } => 2,
                analysis::Error::Artifact(error) => error.exit_code(),
                _ => 3,
            },
            Self::Range { .. }
            | Self::NotNeeded { .. }
            | Self::Ambiguous { .. }
            | Self::NeedsDataset { .. }
            | Self::NotHtml { .. }
            | Self::NobodyToAsk { .. }
            | Self::NothingToRequire
            | Self::EmptySlice { .. } => 2,
            Self::NotPredicted { code, .. } => *code,
            Self::NotReached { .. } | Self::Worse { .. } => 5,
            Self::NothingToShow { .. }
            | Self::InputsChanged { .. }
            | Self::NoArtifact { .. }
            | Self::NoTraining { .. }
            | Self::DamagedStore { .. }
            | Self::NothingToWatch { .. }
            | Self::Questions(_)
            | Self::NoIdInCommon { .. }
            | Self::DuplicatePrediction { .. }
            | Self::NoEvaluation { .. }
            | Self::NotTrained { .. }
            | Self::NotEvaluated { .. }
            | Self::OtherArtifact { .. }
            | Self::NoLineage { .. }
            | Self::NoSplit { .. }
            | Self::NotComparable { .. }
            | Self::Io(_) => 3,
            Self::UnreadableStore { .. }
            | Self::NoSibling { .. }
            | Self::NoBrowser { .. }
            | Self::Start { .. }
            | Self::NotMade { .. } => 1,
        }
    }
}

/// The stages in the order in which they run.
fn stages() -> String {
    stage::STAGES.map(|stage| stage.name).join(", ")
}
