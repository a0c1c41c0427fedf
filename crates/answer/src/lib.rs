//! Using a fine-tuned model: `ask` answers questions about texts.
//!
//! Reads a model's folder, so it answers as transformers would with the same files.

mod ask;
mod error;

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use stage::{CommonOptions, OutputOptions};

pub use ask::AskOptions;
pub use error::Error;

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
}

impl Options {
    /// How it logs.
    #[must_use]
    pub fn output(&self) -> &OutputOptions {
        let Command::Ask(AskOptions { common: CommonOptions { output, .. }, .. }) = &self.command;
        output
    }
}

/// Runs the command.
///
/// # Errors
/// [`Error`], each with its remedy.
pub fn run(options: Options) -> Result<ExitCode, Error> {
    let Command::Ask(options) = options.command;
    ask::run(&options)?;
    Ok(ExitCode::SUCCESS)
}
