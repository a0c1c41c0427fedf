//! Prints the error a process ends with: for people, or as one JSON line.

use std::io::{self, IsTerminal, Write};

use miette::{Diagnostic, GraphicalReportHandler, GraphicalTheme};
use serde_json::json;

use crate::LogFormat;

/// Terminal columns that a message is wrapped at; where there is no terminal it is not wrapped, so that
/// it can be searched for.
const WIDTH: usize = 100;

/// Writes `error` to stderr.
pub(crate) fn report(error: &dyn Diagnostic, exit_code: u8, format: LogFormat) {
    let text = match format {
        LogFormat::Json => as_json(error, exit_code),
        LogFormat::Text => as_text(error, io::stderr().is_terminal()),
    };
    // stderr may be closed; the exit code still tells.
    let _ = writeln!(io::stderr(), "{}", text.trim_end());
}

fn as_text(error: &dyn Diagnostic, terminal: bool) -> String {
    let colours = terminal && std::env::var_os("NO_COLOR").is_none();
    let theme = if colours { GraphicalTheme::unicode() } else { GraphicalTheme::unicode_nocolor() };
    let handler = GraphicalReportHandler::new_themed(theme)
        .with_width(WIDTH)
        .with_wrap_lines(terminal)
        .with_links(false);
    let mut text = String::new();
    match handler.render_report(&mut text, error) {
        Ok(()) => text,
        Err(_) => error.to_string(),
    }
}

fn as_json(error: &dyn Diagnostic, exit_code: u8) -> String {
    let mut causes = Vec::new();
    let mut source = error.source();
    while let Some(cause) = source {
        causes.push(cause.to_string());
        source = cause.source();
    }
    json!({
        "level": "ERROR",
        "message": error.to_string(),
        "causes": causes,
        "help": error.help().map(|help| help.to_string()),
        "exit_code": exit_code,
    })
    .to_string()
}
