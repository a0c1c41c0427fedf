//! Lays the layers over each other: built-in tables, the settings file, its profile, `--set`.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use toml::{Table, Value};

use super::layers::{Entry, Origin, Text};
use super::{Settings, SettingsError, check};

/// The `pipeline.toml` of the repository: the defaults of every key.
pub(super) const BUILT_IN: &str = include_str!("../../../../pipeline.toml");

/// The file that is read when none is named.
const DEFAULT_FILE: &str = "pipeline.toml";

/// Settings whose value is a path: relative ones count from where they are written.
const PATHS: [&str; 5] =
    ["ingest.train", "ingest.validation", "ingest.base_model", "ingest.train_ids", "ingest.validation_ids"];

/// A table of the built-in settings as it is written, comments included: the settings part of `--help`.
pub(crate) fn section(table: &str) -> String {
    let header = format!("[{table}]");
    let lines = BUILT_IN.lines().skip_while(|line| *line != header);
    let mut lines: Vec<&str> = lines
        .enumerate()
        .take_while(|(n, line)| *n == 0 || !line.starts_with('['))
        .map(|(_, line)| line)
        .collect();
    // What stands above the next table belongs to that one.
    while lines.last().is_some_and(|line| line.starts_with('#') || line.is_empty()) {
        lines.pop();
    }
    lines.iter().flat_map(|line| ["  ", line, "\n"]).collect()
}

/// What the command line says about settings.
#[derive(Debug, Clone, Default)]
pub struct Request {
    /// `--config`
    pub config: Option<PathBuf>,
    /// `--profile`
    pub profile: Option<String>,
    /// `--set`, in order.
    pub set: Vec<String>,
}

/// Settings and where they came from.
#[derive(Debug, Clone)]
pub struct Loaded {
    /// Every setting, paths resolved.
    pub settings: Settings,
    /// The file that was read; none = the built-in settings alone.
    pub file: Option<PathBuf>,
    /// Where each `table.key` stands, as `file:line`.
    pub(crate) origins: BTreeMap<String, String>,
}

impl Loaded {
    /// The folder that the default store lies in: that of the settings file.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.file.as_deref().and_then(Path::parent).unwrap_or(Path::new(""))
    }

    /// Where a setting stands, for messages.
    #[must_use]
    pub fn origin(&self, key: &str) -> &str {
        self.origins.get(key).map_or("settings", String::as_str)
    }
}

/// The value in force of every `table.key`, with its origin.
pub(super) type Values = BTreeMap<String, (Value, Origin)>;

impl Request {
    /// Reads, merges and checks.
    pub fn load(&self) -> Result<Loaded, SettingsError> {
        let file = self.file()?;
        let defaults: Values = base(Text { path: None, text: BUILT_IN }.entries()?);
        let known = Known { defaults: &defaults };

        let entries = match &file {
            Some(path) => {
                let text = fs_err::read_to_string(path).map_err(SettingsError::Read)?;
                Text { path: Some(path.clone()), text: &text }.entries()?
            }
            None => Text { path: None, text: BUILT_IN }.entries()?,
        };
        for entry in &entries {
            known.check(entry)?;
        }

        let mut values = defaults.clone();
        values.extend(base(entries.clone()));
        if let Some(profile) = &self.profile {
            values.extend(of_profile(&entries, profile, file.as_deref())?);
        }
        for argument in &self.set {
            let entry = known.set(argument)?;
            known.check(&entry)?;
            values.insert(path_of(&entry), (entry.value, entry.origin));
        }

        for key in PATHS {
            if let Some((Value::String(path), origin)) = values.get_mut(key) {
                *path = resolve(path, origin);
            }
        }
        let settings = deserialize(&values)?;
        check::check(&settings, &values)?;
        let origins = values.into_iter().map(|(key, (_, origin))| (key, origin.to_string())).collect();
        Ok(Loaded { settings, file, origins })
    }

    fn file(&self) -> Result<Option<PathBuf>, SettingsError> {
        match &self.config {
            Some(path) if path.is_file() => Ok(Some(path.clone())),
            Some(path) => Err(SettingsError::NoFile { path: path.clone() }),
            None => Ok(Some(PathBuf::from(DEFAULT_FILE)).filter(|path| path.is_file())),
        }
    }
}

fn path_of(entry: &Entry) -> String {
    format!("{}.{}", entry.table, entry.key)
}

fn base(entries: Vec<Entry>) -> Values {
    let base = entries.into_iter().filter(|entry| entry.profile.is_none());
    base.map(|entry| (path_of(&entry), (entry.value, entry.origin))).collect()
}

fn of_profile(entries: &[Entry], name: &str, file: Option<&Path>) -> Result<Values, SettingsError> {
    let values: Values = entries
        .iter()
        .filter(|entry| entry.profile.as_deref() == Some(name))
        .map(|entry| (path_of(entry), (entry.value.clone(), entry.origin.clone())))
        .collect();
    if !values.is_empty() {
        return Ok(values);
    }
    let there: BTreeSet<&str> = entries.iter().filter_map(|entry| entry.profile.as_deref()).collect();
    let there = there.into_iter().collect::<Vec<_>>().join(", ");
    Err(SettingsError::Profile {
        file: file.map_or("the built-in settings".to_owned(), |path| path.display().to_string()),
        name: name.to_owned(),
        remedy: match there.as_str() {
            _ if BUILT_IN.contains(&format!("\n[profile.{name}.")) => {
                format!("the built-in pipeline.toml has it: copy its [profile.{name}.…] tables into the file")
            }
            "" => format!("write its tables into the file, for example [profile.{name}.train]"),
            there => format!("there is: {there}"),
        },
    })
}

/// Relative paths count from the file they stand in; those on the command line, and the built-in ones,
/// from the working directory.
fn resolve(path: &str, origin: &Origin) -> String {
    match origin {
        Origin::File { path: file, .. } if !path.is_empty() && path != "sample" => {
            let folder = file.parent().unwrap_or(Path::new(""));
            folder.join(path).display().to_string()
        }
        _ => path.to_owned(),
    }
}

fn deserialize(values: &Values) -> Result<Settings, SettingsError> {
    let mut tables = Table::new();
    for (key, (value, _)) in values {
        let (table, key) = key.split_once('.').expect("every key is table.key");
        let table = tables.entry(table).or_insert_with(|| Value::Table(Table::new()));
        table.as_table_mut().expect("made as a table above").insert(key.to_owned(), value.clone());
    }
    check::refuse_unsupported(values)?;
    serde_path_to_error::deserialize(Value::Table(tables)).map_err(|error| {
        // `train.betas[0]` belongs to `train.betas`.
        let path = error.path().to_string();
        let key = path.split('[').next().unwrap_or_default();
        let (value, origin) = &values[key];
        SettingsError::Value {
            origin: origin.clone(),
            message: format!("{key} = {value}: {}", error.inner().message()),
            remedy: format!("`distilburn {} --help` says what each of its keys takes", help_of(key)),
        }
    })
}

/// The stage whose `--help` has the key: those of [run] stand with train's.
fn help_of(key: &str) -> &str {
    match key.split_once('.') {
        Some(("run", _)) | None => "train",
        Some((table, _)) => table,
    }
}

/// The keys that exist, with their built-in values.
struct Known<'a> {
    defaults: &'a Values,
}

impl Known<'_> {
    fn check(&self, entry: &Entry) -> Result<(), SettingsError> {
        let Some((default, _)) = self.defaults.get(&path_of(entry)) else {
            return Err(self.unknown(entry));
        };
        let same_type = match (default, &entry.value) {
            (Value::Float(_), Value::Integer(_)) => true,
            // Every whole-numbered setting counts something.
            (Value::Integer(_), Value::Integer(value)) => *value >= 0,
            (Value::Array(of), Value::Array(found)) => match of.first() {
                Some(Value::Float(_)) => found.iter().all(|value| value.is_float() || value.is_integer()),
                Some(first) => found.iter().all(|value| value.same_type(first)),
                None => true,
            },
            (default, found) => default.same_type(found),
        };
        if same_type {
            return Ok(());
        }
        Err(SettingsError::Value {
            origin: entry.origin.clone(),
            message: format!("{} = {}, expected {}", path_of(entry), entry.value, in_words(default)),
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
                origin: entry.origin.clone(),
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
        SettingsError::Unknown { origin: entry.origin.clone(), what: "setting", name: path_of(entry), remedy }
    }

    /// `--set table.key=value`: the value is TOML, or else a string.
    fn set(&self, argument: &str) -> Result<Entry, SettingsError> {
        let malformed = || SettingsError::Set { argument: argument.to_owned() };
        let (path, text) = argument.split_once('=').ok_or_else(malformed)?;
        let (table, key) = path.trim().split_once('.').ok_or_else(malformed)?;
        if table.is_empty() || key.is_empty() {
            return Err(malformed());
        }
        let parsed =
            toml::from_str::<Table>(&format!("value = {text}")).ok().filter(|table| table.len() == 1);
        let value = parsed.and_then(|mut table| table.remove("value"));
        // A folder may be called 2024: where a string is due, what was typed is one.
        let wants_string = self.defaults.get(path.trim()).is_some_and(|(default, _)| default.is_str());
        let value = match value {
            Some(value) if value.is_str() || !wants_string => value,
            _ => Value::String(text.to_owned()),
        };
        let origin = Origin::Set { argument: argument.to_owned() };
        Ok(Entry { profile: None, table: table.to_owned(), key: key.to_owned(), value, origin })
    }
}

fn nearest<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let distance = |other: &str| strsim::damerau_levenshtein(name, other);
    // A third of the letters may differ; `name` as a part of a longer key counts as near, too.
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
        _ => "a string in quotes",
    }
}
