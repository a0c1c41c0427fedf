//! Prints the error that ends a process: for people, or as one JSON line. It makes the text printable for terminals.

use std::borrow::Cow;
use std::fmt::{Display, Write as _};
use std::io::{self, IsTerminal, Write};

use miette::{Diagnostic, GraphicalReportHandler, GraphicalTheme};
use rustix::io::Errno;
use serde_json::json;

use crate::LogFormat;

/// Messages are wrapped at this many columns on a terminal. Elsewhere they are not wrapped, so that they can be
/// searched.
const WIDTH: usize = 100;

/// The remedy where there is no space left.
const FULL: &str = "free some space there, or write elsewhere, and run the same command again";

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

/// A name or an id for a table or a list, which line breaks would break: they become `\n`.
#[must_use]
pub fn one_line(text: &str) -> Cow<'_, str> {
    if text.contains(['\n', '\t']) {
        text.replace('\n', "\\n").replace('\t', "\\t").into()
    } else {
        text.into()
    }
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
        let help = help(error).map(|help| printable(&help).into_owned());
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

/// What an error and its causes say.
fn messages(error: &dyn Diagnostic) -> impl Iterator<Item = String> {
    let causes = std::iter::successors(error.source(), |cause| cause.source());
    std::iter::once(error.to_string()).chain(causes.map(ToString::to_string))
}

/// The error's own remedy, unless a disk or its quota is full. Told by the text: crates wrap what the system says in
/// errors of their own.
fn help(error: &dyn Diagnostic) -> Option<String> {
    let full = [Errno::NOSPC, Errno::DQUOT].map(|errno| io::Error::from(errno).to_string());
    if messages(error).any(|message| full.iter().any(|full| message.contains(full))) {
        return Some(FULL.to_owned());
    }
    error.help().map(|help| help.to_string())
}

fn as_json(error: &dyn Diagnostic, exit_code: u8) -> String {
    let text = json!({
        "level": "ERROR",
        "message": error.to_string(),
        "causes": messages(error).skip(1).collect::<Vec<_>>(),
        "help": help(error),
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
    #[test]
    fn whoever_meets_a_full_disk_is_told_to_free_space() {
        let full = || std::io::Error::from_raw_os_error(28);
        let wrapped = Hostile("cannot write".to_owned(), full());
        let told = Hostile(full().to_string(), std::io::Error::other("while writing"));
        for error in [wrapped, told] {
            assert_eq!(help(&error).as_deref(), Some(FULL));
        }
        let absent = Hostile("cannot write".to_owned(), std::io::ErrorKind::NotFound.into());
        assert_eq!(help(&absent).as_deref(), Some("cannot write"));
    }
}
