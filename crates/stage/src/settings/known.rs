//! The known keys, from the built-in settings. Unknown keys and wrong types are refused here.

use std::collections::BTreeSet;

use toml::{Table, Value};

use super::SettingsError;
use super::layers::{BUILT_IN, Entry, NUMBERS_OR_AUTO, Origin, SOURCES, Values};

/// The keys that exist, with their built-in values.
pub(super) struct Known<'a> {
    pub(super) defaults: &'a Values,
}

impl Known<'_> {
    /// Refuses a key that does not exist, and a value of another type than the built-in one.
    pub(super) fn check(&self, entry: &Entry) -> Result<(), SettingsError> {
        let Some((default, _)) = self.defaults.get(&entry.path()) else {
            return Err(self.unknown(entry));
        };
        let is_source = SOURCES.contains(&entry.path().as_str());
        let may_be_auto = NUMBERS_OR_AUTO.contains(&entry.path().as_str());
        let same_type = match (default, &entry.value) {
            (_, Value::String(word)) if may_be_auto => word == "auto",
            (_, Value::Array(found)) if is_source => !found.is_empty() && found.iter().all(Value::is_str),
            (Value::Float(_), Value::Integer(_)) => true,
            // Every integer setting is a count.
            (Value::Integer(_), Value::Integer(value)) => *value >= 0,
            (Value::Array(of), Value::Array(found)) => match of.first() {
                Some(Value::Float(_)) => found.iter().all(|value| value.is_float() || value.is_integer()),
                Some(first) => found.iter().all(|value| value.same_type(first)),
                None => true,
            },
            (Value::Table(_), Value::Table(found)) => found.values().all(Value::is_str),
            (default, found) => default.same_type(found),
        };
        if same_type {
            return Ok(());
        }
        Err(SettingsError::Value {
            origin: entry.origin.clone(),
            message: format!(
                "{} = {}, expected {}",
                entry.path(),
                entry.value,
                match default {
                    _ if is_source => "a string in quotes, or a list of them",
                    _ if may_be_auto => "a number or \"auto\"",
                    default => in_words(default),
                }
            ),
            remedy: format!("the built-in value is `{} = {default}`", entry.key),
        })
    }

    fn unknown(&self, entry: &Entry) -> SettingsError {
        let tables: BTreeSet<&str> =
            self.defaults.keys().filter_map(|key| Some(key.split_once('.')?.0)).collect();
        if !tables.contains(entry.table.as_str()) {
            let remedy = match nearest(&entry.table, tables.iter().copied()) {
                Some(table) => format!("did you mean [{table}]?"),
                None => format!("the tables are {}", tables.into_iter().collect::<Vec<_>>().join(", ")),
            };
            return SettingsError::Unknown {
                origin: entry.table_origin.clone(),
                what: "table",
                name: entry.table.clone(),
                remedy,
            };
        }
        let own: Vec<&str> = self
            .defaults
            .keys()
            .filter_map(|key| key.strip_prefix(&entry.table)?.strip_prefix('.'))
            .collect();
        let elsewhere =
            self.defaults.keys().find(|key| key.split_once('.').is_some_and(|(_, key)| key == entry.key));
        let remedy = match (nearest(&entry.key, own.iter().copied()), elsewhere) {
            (Some(key), _) => format!("did you mean `{}.{key}`?", entry.table),
            (None, Some(key)) => format!("did you mean `{key}`?"),
            (None, None) => format!("[{}] has {}", entry.table, own.join(", ")),
        };
        SettingsError::Unknown { origin: entry.origin.clone(), what: "setting", name: entry.path(), remedy }
    }

    /// `--set table.key=value`: the value is TOML, or else a string.
    pub(super) fn set(&self, argument: &str) -> Result<Entry, SettingsError> {
        let malformed = || {
            let keys = argument.split_once('=').map(|(name, _)| keys_named(name.trim()));
            let remedy = match keys.unwrap_or_default().first() {
                Some(key) => {
                    let value = argument.split_once('=').map_or("", |(_, value)| value);
                    format!("did you mean `--set {key}={value}`?")
                }
                None => "for example --set train.epochs=1".to_owned(),
            };
            SettingsError::Set { argument: argument.to_owned(), remedy }
        };
        let (path, text) = argument.split_once('=').ok_or_else(malformed)?;
        let (table, key) = path.trim().split_once('.').ok_or_else(malformed)?;
        if table.is_empty() || key.is_empty() {
            return Err(malformed());
        }
        let parsed =
            toml::from_str::<Table>(&format!("value = {text}")).ok().filter(|table| table.len() == 1);
        let value = parsed.and_then(|mut table| table.remove("value"));
        // A folder may be called 2024: if a string is expected, the typed text is one.
        let wants_string = self.defaults.get(path.trim()).is_some_and(|(default, _)| default.is_str());
        let value = match value {
            Some(value) if value.is_str() || !wants_string => value,
            Some(list @ Value::Array(_)) if SOURCES.contains(&path.trim()) => list,
            _ => Value::String(text.to_owned()),
        };
        let origin = Origin::Set { argument: argument.to_owned() };
        let (table, table_origin) = (table.to_owned(), origin.clone());
        Ok(Entry { profile: None, table, table_origin, key: key.to_owned(), value, origin })
    }
}

/// The settings of this name in any table, as `table.key`; hyphens count as underscores.
pub(crate) fn keys_named(name: &str) -> Vec<String> {
    let built_in: Table = toml::from_str(BUILT_IN).expect("the built-in settings are TOML");
    let tables = built_in.iter().filter_map(|(table, keys)| Some((table, keys.as_table()?)));
    let name = name.replace('-', "_");
    tables
        .filter(|(table, keys)| *table != "profile" && keys.contains_key(&name))
        .map(|(table, _)| format!("{table}.{name}"))
        .collect()
}

/// The known name that is most similar to `name`, if one is similar enough.
pub(crate) fn nearest<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let distance = |other: &str| strsim::damerau_levenshtein(name, other);
    // A third of the letters may differ; a longer key that contains `name` also counts as similar.
    let near =
        |other: &&str| distance(other) <= name.len().div_ceil(3) || (name.len() >= 4 && other.contains(name));
    known.filter(near).min_by_key(|other| distance(other))
}

fn in_words(default: &Value) -> &'static str {
    match default {
        Value::Integer(_) => "a whole number from 0 up",
        Value::Float(_) => "a number",
        Value::Boolean(_) => "true or false",
        Value::Array(of) if of.first().is_some_and(Value::is_float) => "a list of numbers",
        Value::Array(_) => "a list of strings",
        Value::Table(_) => "a table of names and files, such as { hard = \"hard.txt\" }",
        _ => "a string in quotes",
    }
}

/// The stage whose `--help` has the key; train's has those of [run].
pub(super) fn help_of(key: &str) -> &str {
    match key.split_once('.') {
        Some(("run", _)) | None => "train",
        Some((table, _)) => table,
    }
}
