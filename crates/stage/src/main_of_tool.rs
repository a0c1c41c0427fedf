//! `main` of the binaries that are not stages, such as `distilburn` and `distilburn-answer`.

use std::io::{self, Write};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::ExitCode;

use clap::Parser;
use miette::Diagnostic;

use crate::panics::error_of_panic;
use crate::{Error, ExitKind, LogFormat, OutputOptions, logs, parse, report};

/// Parses the command line, sets up logs, runs, and reports the error if there is one, or what a panic stands for.
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
    let name = A::command().get_bin_name().unwrap_or("distilburn").to_owned();
    outcome(&name, format, || run(options)).unwrap_or_else(ExitCode::from)
}

/// What `run` returns, or the exit code of the error that was reported.
fn outcome<E: Diagnostic + ExitKind>(
    name: &str,
    format: LogFormat,
    run: impl FnOnce() -> Result<ExitCode, E>,
) -> Result<ExitCode, u8> {
    let report = |error: &dyn Diagnostic, code: u8| {
        report::report(error, code, format);
        code
    };
    match catch_unwind(AssertUnwindSafe(run)) {
        Ok(outcome) => outcome.map_err(|error| report(&error, error.exit_code())),
        Err(panic) => {
            let error = error_of_panic(name, &*panic);
            Err(report(&error, error.exit_code()))
        }
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_for_want_of_memory_has_the_exit_code_of_devices() {
        let code = |message: &'static str| {
            outcome("distilburn", LogFormat::Text, || -> Result<ExitCode, Error> { panic!("{message}") })
                .err()
        };
        assert_eq!(
            code("DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes."),
            Some(4)
        );
        assert_eq!(code("index out of bounds"), Some(1));
    }
}
