//! `main` of the binaries that are not stages, such as `distilburn` and `distilburn-answer`.

use std::io::{self, Write};
use std::process::ExitCode;

use clap::Parser;
use miette::Diagnostic;

use crate::{Error, ExitKind, OutputOptions, logs, parse, report};

/// Parses the command line, sets up logs, runs, and reports the error if there is one.
pub fn tool_main<A, E>(output: fn(&A) -> &OutputOptions, run: fn(A) -> Result<ExitCode, E>) -> ExitCode
where
    A: Parser,
    E: Diagnostic + ExitKind,
{
    let options = A::from_arg_matches(&parse::matches(A::command())).unwrap_or_else(|error| error.exit());
    let format = output(&options).log_format;
    logs::init(output(&options));
    if let Err(error) = crate::interrupt::survive_file_size_limit() {
        tracing::debug!(%error, "a write past the limit of `ulimit -f` ends the process");
    }
    run(options).unwrap_or_else(|error| {
        report::report(&error, error.exit_code(), format);
        error.exit_code().into()
    })
}

/// Writes data to stdout, with control characters escaped. It is no error if the reader closes the pipe, as `head`
/// does.
pub fn print(text: &str) -> Result<(), Error> {
    let mut stdout = io::stdout().lock();
    match stdout.write_all(report::printable(text).as_bytes()).and_then(|()| stdout.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(Error::Stdout(error)),
        _ => Ok(()),
    }
}
