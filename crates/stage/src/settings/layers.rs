//! Parses one settings text into a flat list of keys with their places.
//!
//! It knows TOML and places. Not here: what a value means.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::Range;
use std::path::PathBuf;

use toml::de::{DeTable, DeValue};
use toml::{Spanned, Table, Value};

use super::SettingsError;

/// The `pipeline.toml` of the repository: the defaults of every key.
pub(crate) const BUILT_IN: &str = include_str!("../../../../pipeline.toml");

/// Settings that name a [`Source`](super::Source): a path among other things.
pub(super) const SOURCES: [&str; 3] = ["ingest.train", "ingest.validation", "ingest.test"];

/// Settings that are a number, or "auto" to let distilburn choose.
pub(super) const NUMBERS_OR_AUTO: [&str; 1] = ["evaluate.null_threshold"];

/// The effective value of every `table.key`, with its origin.
pub(super) type Values = BTreeMap<String, (Value, Origin)>;

/// Where a value was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Origin {
    /// In the built-in `pipeline.toml`.
    BuiltIn { line: usize },
    /// In a settings file.
    File { path: PathBuf, line: usize },
    /// On the command line.
    Set { argument: String },
}

impl fmt::Display for Origin {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::BuiltIn { line } => write!(formatter, "built-in pipeline.toml:{line}"),
            Self::File { path, line } => write!(formatter, "{}:{line}", path.display()),
            Self::Set { argument } => write!(formatter, "--set {argument}"),
        }
    }
}

/// One `key = value` of one table.
#[derive(Debug, Clone)]
pub(super) struct Entry {
    pub(super) profile: Option<String>,
    pub(super) table: String,
    /// Where the table begins.
    pub(super) table_origin: Origin,
    pub(super) key: String,
    pub(super) value: Value,
    pub(super) origin: Origin,
}

impl Entry {
    /// `table.key`
    pub(super) fn path(&self) -> String {
        format!("{}.{}", self.table, self.key)
    }
}

/// The text of a settings file, or the built-in text if `path` is none.
pub(super) struct Text<'a> {
    pub(super) path: Option<PathBuf>,
    pub(super) text: &'a str,
}

type Located<'t, 'i> = (&'t Spanned<std::borrow::Cow<'i, str>>, &'t Spanned<DeValue<'i>>);

impl Text<'_> {
    /// All keys of the base tables and of every profile.
    pub(super) fn entries(&self) -> Result<Vec<Entry>, SettingsError> {
        let syntax = |error: toml::de::Error| SettingsError::Syntax {
            origin: self.at(error.span().unwrap_or_default()),
            message: error.message().lines().collect::<Vec<_>>().join(", "),
        };
        let located = DeTable::parse(self.text).map_err(syntax)?;
        let values: Table = toml::from_str(self.text).map_err(syntax)?;

        let mut entries = Vec::new();
        for (name, content) in located.get_ref() {
            let values = &values[name.get_ref().as_ref()];
            if name.get_ref() == "profile" {
                for (profile, tables) in self.table("profile", (name, content))? {
                    let values = &values[profile.get_ref().as_ref()];
                    for (name, content) in
                        self.table(&format!("profile.{}", profile.get_ref()), (profile, tables))?
                    {
                        let values = &values[name.get_ref().as_ref()];
                        self.collect(Some(profile.get_ref()), (name, content), values, &mut entries)?;
                    }
                }
            } else {
                self.collect(None, (name, content), values, &mut entries)?;
            }
        }
        Ok(entries)
    }

    fn collect(
        &self,
        profile: Option<&str>,
        (name, content): Located<'_, '_>,
        values: &Value,
        entries: &mut Vec<Entry>,
    ) -> Result<(), SettingsError> {
        for (key, value) in self.table(name.get_ref(), (name, content))? {
            entries.push(Entry {
                profile: profile.map(str::to_owned),
                table: name.get_ref().to_string(),
                table_origin: self.at(name.span()),
                key: key.get_ref().to_string(),
                value: values[key.get_ref().as_ref()].clone(),
                origin: self.at(key.span().start..value.span().end),
            });
        }
        Ok(())
    }

    fn table<'t, 'i>(
        &self,
        name: &str,
        (key, value): Located<'t, 'i>,
    ) -> Result<&'t DeTable<'i>, SettingsError> {
        if let DeValue::Table(table) = value.get_ref() {
            return Ok(table);
        }
        let is_table = |line: &&str| line.starts_with('[') && !line.starts_with("[profile.");
        let tables = BUILT_IN.lines().filter(is_table).collect::<Vec<_>>().join(", ");
        Err(SettingsError::NotATable { origin: self.at(key.span()), name: name.to_owned(), tables })
    }

    fn at(&self, span: Range<usize>) -> Origin {
        let line = 1 + self.text[..span.start.min(self.text.len())].matches('\n').count();
        match &self.path {
            Some(path) => Origin::File { path: path.clone(), line },
            None => Origin::BuiltIn { line },
        }
    }
}
