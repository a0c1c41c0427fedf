//! What a user reads of an error: message, causes, help.

use std::fmt::Write as _;
use std::path::Path;

use miette::Diagnostic;

/// The text, without the temporary `folder`.
pub fn message(error: &dyn Diagnostic, folder: &Path) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let _ = write!(text, "\ncause: {error}");
        cause = error.source();
    }
    if let Some(help) = error.help() {
        let _ = write!(text, "\nhelp: {help}");
    }
    text.replace(&format!("{}/", folder.display()), "").replace(&folder.display().to_string(), "FOLDER")
}
