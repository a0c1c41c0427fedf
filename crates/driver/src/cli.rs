//! What can be typed after `distilburn`.

mod other;
mod values;

use std::path::PathBuf;

use analysis::categories::Category;
use artifact::SplitName;
use clap::builder::RangedU64ValueParser;
use clap::{Args, Parser, Subcommand, ValueEnum};
use squad::F1Units;
use stage::{CommonOptions, Input, OutputOptions, STAGES};

pub(crate) use self::other::{Other, TOOLS};
use self::values::{category, f1_units, margin, side, split, stage_names, stage_or_fingerprint};
use crate::gate::Gate;

const EXAMPLES: &str = "\
Examples:
  distilburn run                          run everything, with generated data and a small model
  distilburn run --profile squad          SQuAD v1.1 and distilbert-base-uncased
  distilburn run --set train.epochs=1     re-run what depends on the number of epochs
  distilburn watch                        follow the newest training
  distilburn plan                         what `run` would do, and why
  distilburn train --help                 what a stage reads and writes, and its settings

Exit codes:
  0 done; 2 usage or settings; 3 bad input data or artifact; 4 device or library;
  5 --require or --fail-if-worse not met; 130 interrupted; 1 anything else";

const ABOUT: &str = "Fine-tunes DistilBERT for extractive question answering";

const LONG_ABOUT: &str = "Fine-tunes DistilBERT for extractive question answering.

Each stage writes an artifact of Arrow tables into a store. The name of an artifact is a fingerprint of its settings, inputs and code. So nothing is made twice, and a changed setting re-runs only what depends on it.";

fn after_help() -> String {
    let stages = STAGES.map(|stage| stage.name).join(" → ");
    format!("The pipeline:\n  {stages} → ask, predict, serve\n\n{EXAMPLES}")
}

/// The command line.
#[derive(Debug, Parser)]
#[command(name = "distilburn", version, about = ABOUT, long_about = LONG_ABOUT, after_help = after_help())]
#[command(subcommand_required = true, arg_required_else_help = true)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run the stages that are out of date
    Run(RunOptions),
    /// Show what `run` would do, and why
    Plan(PlanOptions),
    /// List the artifacts in the store
    Status(StatusOptions),
    /// Delete what the store no longer needs, after asking
    Clean(CleanOptions),
    /// Print the directory of a stage's artifact for these settings, even if it does not exist yet
    Path(PathOptions),
    /// Print an artifact or a table: schema, lineage, first rows
    Show(ShowOptions),
    /// Follow a training live: loss, learning rate and F1
    Watch(WatchOptions),
    /// Score a SQuAD predictions file: exact match and F1
    Score(ScoreOptions),
    /// List what a model gets wrong, most confident first
    Errors(ErrorsOptions),
    /// Compare models on the same questions: what differs, by how much, and how certain that is
    Compare(CompareOptions),
    /// Write a page about the evaluation, and print its path
    ///
    /// The page is one file that needs no network. It shows scores, slices, errors, calibration, data, cost and recipe.
    /// For its settings, see `distilburn-report --help`.
    Report(ReportOptions),
    /// Print a completion script for a shell
    Completions(CompletionsOptions),
    /// A command of another binary: a stage alone, or the use of a model.
    #[command(flatten)]
    Other(Other),
}

#[derive(Debug, Args)]
pub(crate) struct RunOptions {
    #[command(flatten)]
    pub(crate) plan: PlanOptions,

    /// Only show what would run, and why
    #[arg(long, help_heading = "Run")]
    pub(crate) dry_run: bool,

    /// Exit with code 5 unless the model scores at least this, in per cent: `f1=80`, `exact_match=70`, or for a slice
    /// `f1[question_word=why]=60`; repeatable. Uses the test split if there is one, otherwise validation
    #[arg(long, value_name = "SCORE", help_heading = "Run")]
    pub(crate) require: Vec<Gate>,
}

#[derive(Debug, Args)]
pub(crate) struct PlanOptions {
    #[command(flatten)]
    pub(crate) common: CommonOptions,

    /// Start with this stage; its inputs must exist
    #[arg(long, value_name = "STAGE", value_parser = stage_names(), help_heading = "Run")]
    pub(crate) from: Option<String>,

    /// End with this stage
    #[arg(long, value_name = "STAGE", value_parser = stage_names(), help_heading = "Run")]
    pub(crate) to: Option<String>,

    /// Run stages again even if their artifacts are finished; a training starts over
    #[arg(long, help_heading = "Run")]
    pub(crate) force: bool,

    /// Use this artifact directory for a stage instead of the one for these settings; repeatable
    #[arg(long = "input", value_name = "STAGE=DIR", help_heading = "Run")]
    pub(crate) inputs: Vec<Input>,

    /// Print one JSON object
    #[arg(long, help_heading = "Answer")]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct StatusOptions {
    #[command(flatten)]
    pub(crate) common: CommonOptions,

    /// Read every file and compare it with the hash in its manifest
    #[arg(long, help_heading = "Answer")]
    pub(crate) verify: bool,

    /// Print one JSON object
    #[arg(long, help_heading = "Answer")]
    pub(crate) json: bool,
}

/// Delete what the store no longer needs, after asking
///
/// Lists every folder of the store with its size and whether it can be deleted. Without --keep, only leftovers can be
/// deleted: unfinished runs that nobody resumed, and damaged artifacts that were replaced.
///
/// These are never deleted: what the settings use, with any profile of the settings file; an input of anything that
/// stays; the newest artifact of each stage; an artifact that a process is writing; an artifact with a file named
/// `.keep` in it; and files that distilburn did not make.
#[derive(Debug, Args)]
pub(crate) struct CleanOptions {
    #[command(flatten)]
    pub(crate) common: CommonOptions,

    /// Also delete finished artifacts, except the newest N of each stage and their inputs
    #[arg(
        long,
        value_name = "N",
        value_parser = RangedU64ValueParser::<usize>::new().range(1..),
        help_heading = "Clean"
    )]
    pub(crate) keep: Option<usize>,

    /// Delete unfinished and damaged folders only if they have not changed for this many days
    #[arg(long, value_name = "DAYS", default_value_t = 7, help_heading = "Clean")]
    pub(crate) older_than: u32,

    /// Delete without asking
    #[arg(long, help_heading = "Clean")]
    pub(crate) yes: bool,

    /// Only list
    #[arg(long, conflicts_with = "yes", help_heading = "Clean")]
    pub(crate) dry_run: bool,

    /// Print one JSON object
    #[arg(long, help_heading = "Answer")]
    pub(crate) json: bool,
}

/// Print a completion script for a shell
///
/// bash:  distilburn completions bash > ~/.local/share/bash-completion/completions/distilburn
/// zsh:   distilburn completions zsh > ~/.zfunc/_distilburn, with ~/.zfunc in $fpath
/// fish:  distilburn completions fish > ~/.config/fish/completions/distilburn.fish
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct CompletionsOptions {
    #[arg(value_enum, value_name = "SHELL")]
    pub(crate) shell: Shell,

    #[command(flatten)]
    pub(crate) output: OutputOptions,
}

/// A shell that completes commands.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum Shell {
    Bash,
    Zsh,
    Fish,
}

#[derive(Debug, Args)]
pub(crate) struct PathOptions {
    #[command(flatten)]
    pub(crate) common: CommonOptions,

    /// A stage, or the beginning of an artifact's fingerprint (4 digits or more)
    #[arg(value_name = "STAGE|FINGERPRINT", value_parser = stage_or_fingerprint)]
    pub(crate) stage: String,

    /// Print one JSON object
    #[arg(long, help_heading = "Answer")]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct ShowOptions {
    #[command(flatten)]
    pub(crate) common: CommonOptions,

    /// An artifact's directory, one of its .arrow files, the beginning of a fingerprint (4 digits or more), or a stage
    /// (its artifact for these settings)
    #[arg(value_name = "PATH|STAGE|FINGERPRINT")]
    pub(crate) path: PathBuf,

    /// Rows to print of each table, or examples of each finding of an audit
    #[arg(long, value_name = "N", default_value_t = 3, help_heading = "Answer")]
    pub(crate) rows: usize,

    /// Print one JSON object
    #[arg(long, help_heading = "Answer")]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct WatchOptions {
    #[command(flatten)]
    pub(crate) common: CommonOptions,

    /// A train artifact's directory, finished or in progress, or a store [default: the newest training of the store]
    ///
    /// Keys: q quits, + and - smooth the loss more or less. This command only reads files, so you can watch a training
    /// on another machine through a shared folder. If stdout is not a terminal, it prints a summary instead.
    pub(crate) path: Option<PathBuf>,

    /// Print a summary and exit
    #[arg(long, help_heading = "Answer")]
    pub(crate) once: bool,

    /// Print the summary as one JSON object
    #[arg(long, help_heading = "Answer")]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct ScoreOptions {
    /// Questions and their answers, in any form that ingest reads: SQuAD JSON, JSON Lines, CSV, Parquet
    #[arg(long, value_name = "FILE")]
    pub(crate) dataset: PathBuf,

    /// JSON object of question id → answer text, or `id` and `prediction_text` as JSON Lines, list, CSV or Parquet
    #[arg(long, value_name = "FILE")]
    pub(crate) predictions: PathBuf,

    /// What F1 counts: words, or each character of Chinese, Japanese, Korean, Thai, Lao, Khmer and Burmese
    #[arg(long, value_name = "UNITS", default_value = "words", value_parser = f1_units())]
    pub(crate) f1_units: F1Units,

    /// Print one JSON object, with unrounded numbers
    #[arg(long)]
    pub(crate) json: bool,

    #[command(flatten)]
    pub(crate) output: OutputOptions,
}

#[derive(Debug, Args)]
pub(crate) struct ErrorsOptions {
    #[command(flatten)]
    pub(crate) common: CommonOptions,

    /// An artifact of evaluate, train or export (its directory, or the beginning of its fingerprint), or an exported model
    /// [default: the evaluation of these settings]
    #[arg(value_name = "MODEL")]
    pub(crate) model: Option<PathBuf>,

    /// Only questions of this slice, such as `question_word=why`; repeatable
    #[arg(long, value_name = "SLICE", help_heading = "Answer")]
    pub(crate) slice: Vec<String>,

    /// Only errors of this category; repeatable
    #[arg(long, value_name = "CATEGORY", value_parser = category(), help_heading = "Answer")]
    pub(crate) category: Vec<Category>,

    /// Questions of this split [default: test if there is one, otherwise validation]
    #[arg(long, value_name = "SPLIT", value_parser = split(), help_heading = "Answer")]
    pub(crate) split: Option<SplitName>,

    /// How many errors to list
    #[arg(long, value_name = "N", default_value_t = 10, help_heading = "Answer")]
    pub(crate) top: usize,

    /// Print one JSON object
    #[arg(long, help_heading = "Answer")]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct CompareOptions {
    #[command(flatten)]
    pub(crate) common: CommonOptions,

    /// Two or more models; each is compared with the first. A model is an artifact of evaluate, train or export (its
    /// directory, or the beginning of its fingerprint) or an exported model. With --dataset, it can also be a file of
    /// predictions, or any model that `distilburn predict` accepts. Join runs of one recipe with several seeds by
    /// commas: A1,A2,A3 B1,B2,B3
    #[arg(value_name = "MODEL", num_args = 2.., required = true, value_parser = side)]
    pub(crate) sides: Vec<String>,

    /// The questions for files of predictions and for models without an evaluation, in any format that ingest reads
    #[arg(long, value_name = "FILE", help_heading = "Answer")]
    pub(crate) dataset: Option<PathBuf>,

    /// What F1 counts: words or characters [default: as in the first evaluation, otherwise words]
    #[arg(long, value_name = "UNITS", value_parser = f1_units(), help_heading = "Answer")]
    pub(crate) f1_units: Option<F1Units>,

    /// Questions of this split [default: test if there is one, otherwise validation]
    #[arg(long, value_name = "SPLIT", value_parser = split(), help_heading = "Answer")]
    pub(crate) split: Option<SplitName>,

    /// Exit with code 5 if a model's F1 is more than this many points below that of the first
    #[arg(long, value_name = "POINTS", value_parser = margin, help_heading = "Answer")]
    pub(crate) fail_if_worse: Option<f64>,

    /// Also write the comparison as a page, with a chart for each kind of question
    #[arg(long, value_name = "FILE", help_heading = "Answer")]
    pub(crate) html: Option<PathBuf>,

    /// Print one JSON object
    #[arg(long, help_heading = "Answer")]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct ReportOptions {
    #[command(flatten)]
    pub(crate) common: CommonOptions,

    /// Open the page in a browser
    #[arg(long, help_heading = "Answer")]
    pub(crate) open: bool,

    /// Write it again even if it is up to date
    #[arg(long, help_heading = "Artifacts")]
    pub(crate) force: bool,

    /// Use this artifact directory as an input instead of the one for these settings; repeatable
    #[arg(long = "input", value_name = "STAGE=DIR", help_heading = "Artifacts")]
    pub(crate) inputs: Vec<Input>,

    /// Write the artifact into DIR (absent or empty) instead of the store
    #[arg(long, value_name = "DIR", help_heading = "Artifacts")]
    pub(crate) output: Option<PathBuf>,
}

impl Cli {
    pub(crate) fn output(&self) -> &OutputOptions {
        match &self.command {
            Command::Run(options) => &options.plan.common.output,
            Command::Plan(options) => &options.common.output,
            Command::Status(options) => &options.common.output,
            Command::Clean(options) => &options.common.output,
            Command::Path(options) => &options.common.output,
            Command::Show(options) => &options.common.output,
            Command::Watch(options) => &options.common.output,
            Command::Score(options) => &options.output,
            Command::Errors(options) => &options.common.output,
            Command::Compare(options) => &options.common.output,
            Command::Report(options) => &options.common.output,
            Command::Completions(options) => &options.output,
            Command::Other(other) => &other.output,
        }
    }
}
