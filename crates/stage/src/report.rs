//! Prints the error that ends a process: for people, or as one JSON line. It makes the text printable for terminals.

use std::borrow::Cow;
use std::fmt::{Display, Write as _};
use std::io::{self, IsTerminal, Write};

use miette::{Diagnostic, GraphicalReportHandler, GraphicalTheme};
use serde_json::json;

use crate::LogFormat;

/// Messages are wrapped at this many columns on a terminal. Elsewhere they are not wrapped, so that they can be
/// searched.
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
    let error = Shown::of(error);
    match handler.render_report(&mut text, &error) {
        Ok(()) => text,
        Err(_) => error.to_string(),
    }
}

/// `text` without control characters, except line breaks and tabs: data, names of tensors and messages of a server may
/// hold some that move a terminal's cursor or worse. They are escaped as in JSON, so that JSON keeps its meaning.
pub(crate) fn printable(text: &str) -> Cow<'_, str> {
    let is_control = |letter: char| letter.is_control() && !matches!(letter, '\n' | '\t');
    if !text.contains(is_control) {
        return text.into();
    }
    let mut printable = String::with_capacity(text.len() + 16);
    for letter in text.chars() {
        if is_control(letter) {
            let _ = write!(printable, "\\u{:04x}", u32::from(letter));
        } else {
            printable.push(letter);
        }
    }
    printable.into()
}

/// What is shown of an error, printable.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
struct Shown {
    message: String,
    help: Option<String>,
    source: Option<Box<Shown>>,
}

impl Shown {
    fn of(error: &dyn Diagnostic) -> Self {
        let help = error.help().map(|help| printable(&help.to_string()).into_owned());
        Self { help, ..Self::of_cause(error.to_string(), error.source()) }
    }

    fn of_cause(message: String, source: Option<&(dyn std::error::Error + 'static)>) -> Self {
        let source = source.map(|cause| Box::new(Self::of_cause(cause.to_string(), cause.source())));
        Self { message: printable(&message).into_owned(), help: None, source }
    }
}

impl Diagnostic for Shown {
    fn help(&self) -> Option<Box<dyn Display + '_>> {
        self.help.as_ref().map(|help| Box::new(help) as Box<dyn Display>)
    }
}

fn as_json(error: &dyn Diagnostic, exit_code: u8) -> String {
    let mut causes = Vec::new();
    let mut source = error.source();
    while let Some(cause) = source {
        causes.push(cause.to_string());
        source = cause.source();
    }
    let text = json!({
        "level": "ERROR",
        "message": error.to_string(),
        "causes": causes,
        "help": error.help().map(|help| help.to_string()),
        "exit_code": exit_code,
    })
    .to_string();
    printable(&text).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error, Diagnostic)]
    #[error("{0}")]
    #[diagnostic(help("{0}"))]
    struct Hostile(String, #[source] std::io::Error);

    #[test]
    fn control_characters_of_data_do_not_reach_the_terminal() {
        let hostile = "a\u{1b}[2Jb\u{9b}31mc\rd\u{7f}\n\te";
        assert_eq!(printable(hostile), "a\\u001b[2Jb\\u009b31mc\\u000dd\\u007f\n\te");
        assert!(matches!(printable("plain ✓ text\n"), Cow::Borrowed(_)));
        let json = serde_json::to_string(hostile).unwrap();
        assert_eq!(serde_json::from_str::<String>(&printable(&json)).unwrap(), hostile);

        let error = Hostile(hostile.to_owned(), std::io::Error::other(hostile));
        for text in [as_text(&error, false), as_json(&error, 3)] {
            assert!(text.contains("\\u001b[2Jb\\u009b31m"), "{text:?}");
            assert!(
                !text.contains(|letter: char| letter.is_control() && letter != '\n' && letter != '\t'),
                "{text:?}"
            );
        }
    }
}
