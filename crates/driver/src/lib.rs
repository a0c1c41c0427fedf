//! The `distilburn` command: plans the pipeline, starts the stage binaries beside it, and answers questions
//! about settings, store and scores.
//!
//! It does not do the work of a stage, and does not link LibTorch, because loading it would take longer than planning.

mod clean;
mod cli;
mod compare;
mod completions;
mod error;
mod errors;
mod evaluations;
mod gate;
mod origins;
mod plan;
mod prefix;
mod report;
mod run;
mod running;
mod score;
mod show;
mod sibling;
mod status;
mod table;
mod watch;

use std::process::ExitCode;

use cli::{Cli, Command};
use error::Error;

/// Parses the command line and runs the command.
#[must_use]
pub fn main() -> ExitCode {
    stage::tool_main(Cli::output, execute)
}

fn execute(cli: Cli) -> Result<ExitCode, Error> {
    match cli.command {
        Command::Run(options) => return run::run(&options),
        Command::Watch(options) => return watch::watch(&options),
        Command::Report(options) => return report::print(&options),
        Command::Plan(options) => plan::print(&options)?,
        Command::Status(options) => status::print(&options)?,
        Command::Clean(options) => clean::clean(&options)?,
        Command::Path(options) => plan::print_path(&options)?,
        Command::Show(options) => show::print(&options)?,
        Command::Score(options) => score::print(&options)?,
        Command::Errors(options) => errors::print(&options)?,
        Command::Compare(options) => compare::print(&options)?,
        Command::Completions(options) => completions::print(&options)?,
        Command::Other(other) => return Err(sibling::replace(other.binary, &other.args)),
    }
    Ok(ExitCode::SUCCESS)
}
