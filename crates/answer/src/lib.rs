//! Using a fine-tuned model: `ask` answers questions about texts, `evaluate` scores it on labelled ones.
//!
//! Reads a model's folder, so it answers as transformers would with the same files.

mod ask;
mod error;
mod evaluate;

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use stage::OutputOptions;

pub use ask::AskOptions;
pub use error::Error;
pub use evaluate::EvaluateOptions;

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
    /// Answer questions about a text, or about all texts of a folder
    Ask(AskOptions),
    /// Score a finished model on labelled questions, without training
    Evaluate(EvaluateOptions),
}

impl Options {
    /// How it logs.
    #[must_use]
    pub fn output(&self) -> &OutputOptions {
        match &self.command {
            Command::Ask(options) => &options.common.output,
            Command::Evaluate(options) => &options.common.output,
        }
    }
}

/// Runs the command.
///
/// # Errors
/// [`Error`], each with its remedy.
pub fn run(options: Options) -> Result<ExitCode, Error> {
    match options.command {
        Command::Ask(options) => ask::run(&options)?,
        Command::Evaluate(options) => evaluate::run(&options)?,
    }
    Ok(ExitCode::SUCCESS)
}
