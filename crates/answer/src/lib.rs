//! Using a fine-tuned model: `ask` answers questions about texts, `predict` those of data sets, `merge` joins what several
//! of the latter have answered, and `evaluate` scores a model on labelled questions.
//!
//! Reads a model's folder, so it answers as transformers would with the same files.

mod ask;
mod error;
mod evaluate;
mod merge;
mod predict;
mod profile;

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use stage::OutputOptions;

pub use ask::AskOptions;
pub use error::Error;
pub use evaluate::EvaluateOptions;
pub use merge::MergeOptions;
pub use predict::PredictOptions;
pub use profile::ProfileOptions;

/// Answers questions with a fine-tuned model
#[derive(Debug, Parser)]
// Reached as `distilburn ask`, which its usage shows.
#[command(name = "distilburn-answer", bin_name = "distilburn", version)]
pub struct Options {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Answer questions about a text, or about all texts in a folder
    Ask(AskOptions),
    /// Answer all questions in files
    Predict(PredictOptions),
    /// Join the parts of `predict --shard`
    Merge(MergeOptions),
    /// Score a finished model on labelled questions, without training
    Evaluate(EvaluateOptions),
    /// Measure how fast a model answers on this machine
    Profile(ProfileOptions),
}

impl Options {
    /// How it logs.
    #[must_use]
    pub fn output(&self) -> &OutputOptions {
        let common = match &self.command {
            Command::Ask(options) => &options.common,
            Command::Predict(options) => &options.common,
            Command::Evaluate(options) => &options.common,
            Command::Profile(options) => &options.common,
            Command::Merge(options) => &options.common,
        };
        &common.output
    }
}

/// Runs the command.
///
/// # Errors
/// [`Error`], each with its remedy.
pub fn run(options: Options) -> Result<ExitCode, Error> {
    match options.command {
        Command::Ask(options) => ask::run(&options),
        Command::Predict(options) => predict::run(&options),
        Command::Evaluate(options) => evaluate::run(&options),
        Command::Profile(options) => profile::run(&options),
        Command::Merge(options) => merge::run(&options),
    }?;
    Ok(ExitCode::SUCCESS)
}
