//! `show`: an artifact or a table in words.

use std::fmt::Write;
use std::path::Path;

use artifact::{Artifact, file_name};
use serde_json::{Map, Value, json};
use stage::{Declaration, Workspace};

use crate::Error;
use crate::cli::ShowOptions;
use crate::table::{align, size};

/// `distilburn show PATH`
pub(crate) fn print(options: &ShowOptions) -> Result<(), Error> {
    let shown = find(options)?;
    let text = match (&shown, options.json) {
        (Shown::Artifact(artifact), false) => artifact_text(artifact, options.rows)?,
        (Shown::Artifact(artifact), true) => format!("{:#}\n", artifact_json(artifact, options.rows)?),
        (Shown::Table, false) => table_text(&options.path, options.rows)?,
        (Shown::Table, true) => format!("{:#}\n", table_json(&options.path, options.rows)?),
    };
    Ok(stage::print(&text)?)
}

enum Shown {
    Artifact(Box<Artifact>),
    Table,
}

fn find(options: &ShowOptions) -> Result<Shown, Error> {
    let path = &options.path;
    if path.is_file() && path.ends_with(file_name::MANIFEST) {
        return Ok(Shown::Artifact(Box::new(Artifact::open(path.parent().unwrap_or(Path::new("")))?)));
    }
    if path.is_file() {
        return Ok(Shown::Table);
    }
    if path.is_dir() {
        return Ok(Shown::Artifact(Box::new(Artifact::open(path)?)));
    }
    let stage = path.to_str().and_then(Declaration::of);
    let declaration = stage.ok_or_else(|| Error::NothingToShow { path: path.clone() })?;
    let workspace = Workspace::open(&options.common.settings, &[])?;
    Ok(Shown::Artifact(Box::new(workspace.artifact(declaration, "show")?)))
}

fn artifact_text(artifact: &Artifact, rows: usize) -> Result<String, Error> {
    let manifest = &artifact.manifest;
    let mut text = format!("{} {}\n{}\n", manifest.stage, manifest.fingerprint, artifact.dir.display());
    for (title, values) in [
        ("settings", manifest.parts["settings"].as_object()),
        ("metrics", Some(&manifest.metrics)),
        ("run", Some(&manifest.run)),
    ] {
        let values = values.filter(|values| !values.is_empty());
        if let Some(values) = values {
            let rows: Vec<[String; 2]> =
                values.iter().map(|(key, value)| [format!("  {key}"), plain(value)]).collect();
            let _ = write!(text, "\n{title}:\n{}", align(&rows));
        }
    }
    text.push_str("\nmade from:\n");
    text.push_str(&align(&lineage(artifact)));
    let files: Vec<[String; 3]> = manifest
        .files
        .iter()
        .map(|file| {
            let rows = file.rows.map_or(String::new(), |rows| format!("{rows} rows"));
            [format!("  {}", file.name), size(file.bytes), rows]
        })
        .collect();
    let _ = write!(text, "\nfiles:\n{}", align(&files));
    for table in tables(artifact) {
        text.push('\n');
        text.push_str(&table_text(&artifact.file(table)?, rows)?);
    }
    Ok(text)
}

/// Direct inputs, and what those were made from as far as they still stand in the same store.
fn lineage(artifact: &Artifact) -> Vec<[String; 2]> {
    let manifest = &artifact.manifest;
    if manifest.inputs.is_empty() {
        let sources = manifest.parts["inputs"].as_object().cloned().unwrap_or_default();
        return sources.iter().flat_map(|(name, value)| source_rows(name, value)).collect();
    }
    let store = artifact.dir.parent().and_then(Path::parent);
    let present = |stage: &str, fingerprint: &str| {
        store.is_some_and(|store| store.join(stage).join(fingerprint).join(file_name::MANIFEST).is_file())
    };
    let row = |input: &artifact::Input| {
        let gone = if present(&input.stage, &input.fingerprint) { "" } else { " (not in this store)" };
        [format!("  {}", input.stage), format!("{}{gone}", input.fingerprint)]
    };
    manifest.inputs.iter().map(row).collect()
}

fn source_rows(name: &str, value: &Value) -> Vec<[String; 2]> {
    match value {
        Value::Object(files) => {
            files.iter().flat_map(|(file, value)| source_rows(&format!("{name}/{file}"), value)).collect()
        }
        value => vec![[format!("  {name}"), plain(value)]],
    }
}

fn table_text(path: &Path, rows: usize) -> Result<String, Error> {
    let description = artifact::describe(path)?;
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let mut text =
        format!("{name}: {} v{}, {} rows\n", description.kind, description.version, description.rows);
    let described = description.columns.iter().chain(&description.metadata);
    let columns: Vec<[String; 2]> =
        described.map(|(name, value)| [format!("  {name}"), value.clone()]).collect();
    text.push_str(&align(&columns));
    for (index, row) in artifact::first_rows(path, rows)?.iter().enumerate() {
        let _ = writeln!(text, "  row {index}: {}", shortened(row));
    }
    Ok(text)
}

fn artifact_json(artifact: &Artifact, rows: usize) -> Result<Value, Error> {
    let mut described = Map::new();
    for table in tables(artifact) {
        described.insert(table.to_owned(), table_json(&artifact.file(table)?, rows)?);
    }
    Ok(json!({ "path": artifact.dir, "manifest": artifact.manifest, "tables": described }))
}

fn table_json(path: &Path, rows: usize) -> Result<Value, Error> {
    Ok(json!({ "description": artifact::describe(path)?, "first_rows": artifact::first_rows(path, rows)? }))
}

fn tables(artifact: &Artifact) -> impl Iterator<Item = &str> {
    let names = artifact.manifest.files.iter().map(|file| file.name.as_str());
    names.filter(|name| {
        Path::new(name).extension().is_some_and(|extension| extension == "arrow") && !name.contains('/')
    })
}

/// A string without its quotes.
fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// A row on a line that one can read: long texts and lists are cut.
fn shortened(value: &Value) -> Value {
    const CHARACTERS: usize = 80;
    const ITEMS: usize = 8;
    match value {
        Value::String(text) if text.chars().count() > CHARACTERS => {
            text.chars().take(CHARACTERS).chain(['…']).collect::<String>().into()
        }
        Value::Array(items) => {
            let kept = items.iter().take(ITEMS).map(shortened);
            let rest = (items.len() > ITEMS).then(|| format!("… {} in all", items.len()).into());
            kept.chain(rest).collect()
        }
        Value::Object(fields) => {
            Value::Object(fields.iter().map(|(key, value)| (key.clone(), shortened(value))).collect())
        }
        value => value.clone(),
    }
}
