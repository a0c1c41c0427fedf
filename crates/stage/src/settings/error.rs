//! What can be wrong with settings, and what to type instead.

use std::path::PathBuf;

use miette::Diagnostic;
use thiserror::Error;

use super::layers::Origin;

/// A settings file or `--set` that cannot be used. Always exit code 2.
#[derive(Debug, Error, Diagnostic)]
#[non_exhaustive]
pub enum SettingsError {
    /// `--config` names no file.
    #[error("--config {} {}", path.display(), if path.is_dir() { "is a folder, expected a settings file" } else { "does not exist" })]
    #[diagnostic(help(
        "name an existing file with --config. Without it, distilburn uses ./pipeline.toml if it exists, or else the \
         built-in settings"
    ))]
    NoFile { path: PathBuf },

    /// The settings file cannot be read.
    #[error("the settings file cannot be read")]
    Read(#[source] std::io::Error),

    /// Not TOML.
    #[error("{origin}: {message}")]
    #[diagnostic(help(
        "a settings file is TOML: tables in [brackets], then lines of `key = value`, strings in quotes"
    ))]
    #[expect(private_interfaces, reason = "callers only print it")]
    Syntax {
        origin: Origin,
        /// The parser's message.
        message: String,
    },

    /// Something other than a table in the place of a table.
    #[error("{origin}: `{name}` is outside of a table")]
    #[diagnostic(help("settings belong in tables: {tables}, or the same tables under [profile.NAME.…]"))]
    #[expect(private_interfaces, reason = "callers only print it")]
    NotATable {
        origin: Origin,
        /// What stands there.
        name: String,
        /// The existing tables.
        tables: String,
    },

    /// No such table or key.
    #[error("{origin}: unknown {what} `{name}`")]
    #[diagnostic(help("{remedy}"))]
    #[expect(private_interfaces, reason = "callers only print it")]
    Unknown {
        origin: Origin,
        /// "table" or "setting".
        what: &'static str,
        name: String,
        /// The nearest known name, or all of them.
        remedy: String,
    },

    /// A value of the wrong type or out of range, or values that contradict each other.
    #[error("{origin}: {message}")]
    #[diagnostic(help("{remedy}"))]
    #[expect(private_interfaces, reason = "callers only print it")]
    Value {
        origin: Origin,
        /// Key, value and rule.
        message: String,
        remedy: String,
    },

    /// `--profile` names none of the file's profiles.
    #[error("{file} has no profile `{name}`")]
    #[diagnostic(help("{remedy}"))]
    Profile {
        /// The settings file, or "the built-in settings".
        file: String,
        name: String,
        /// Which profiles there are.
        remedy: String,
    },

    /// `--set` without a table, key or value.
    #[error("--set {argument}: expected table.key=value")]
    #[diagnostic(help("{remedy}"))]
    Set { argument: String, remedy: String },
}
