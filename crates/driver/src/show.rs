//! `show`: an artifact or a table in words.

mod audit;
mod windows;

use std::fmt::Write;
use std::path::Path;

use artifact::{Artifact, Sources, file_name};
use serde_json::{Map, Value, json};
use stage::{Declaration, Workspace};

use crate::cli::ShowOptions;
use crate::table::{align, size};
use crate::{Error, prefix};

/// `distilburn show PATH`
pub(crate) fn print(options: &ShowOptions) -> Result<(), Error> {
    let shown = find(options)?;
    let text = match (&shown, options.json) {
        (Shown::Artifact(artifact), false) => artifact_text(artifact, options.rows)?,
        (Shown::Artifact(artifact), true) => format!("{:#}\n", artifact_json(artifact, options.rows)?),
        (Shown::Table, json) if is_audit(&options.path) => {
            let beside = options.path.parent().and_then(|folder| Artifact::open(folder).ok());
            let summary = beside.as_ref().and_then(|artifact| artifact.manifest.metrics.get(AUDIT_METRIC));
            if json {
                format!("{:#}\n", audit::json(&options.path, summary, options.rows)?)
            } else {
                audit::text(&options.path, summary, options.rows)?
            }
        }
        (Shown::Table, false) => table_text(&options.path, options.rows)?,
        (Shown::Table, true) => format!("{:#}\n", table_json(&options.path, options.rows)?),
    };
    Ok(stage::print(&text)?)
}

/// The key of the audit's summary among ingest's metrics.
const AUDIT_METRIC: &str = "audit";

enum Shown {
    Artifact(Box<Artifact>),
    Table,
}

fn find(options: &ShowOptions) -> Result<Shown, Error> {
    let path = &options.path;
    if path.is_file() && path.ends_with(file_name::MANIFEST) {
        return Ok(Shown::Artifact(Box::new(Artifact::open(path.parent().unwrap_or(Path::new("")))?)));
    }
    if path.is_file() && path.extension().is_some_and(|extension| extension == "arrow") {
        return Ok(Shown::Table);
    }
    if path.is_dir() {
        return Ok(Shown::Artifact(Box::new(Artifact::open(path)?)));
    }
    let name = path.to_str().unwrap_or_default();
    let workspace = Workspace::open(&options.common.settings, &[])?;
    if let Some(declaration) = Declaration::of(name) {
        return Ok(Shown::Artifact(Box::new(workspace.artifact(declaration, "show")?)));
    }
    let (stage, fingerprint) =
        prefix::find(&workspace.store, name)?.ok_or_else(|| Error::NothingToShow { path: path.clone() })?;
    Ok(Shown::Artifact(Box::new(Artifact::open(&workspace.store.dir(stage, &fingerprint))?)))
}

fn artifact_text(artifact: &Artifact, rows: usize) -> Result<String, Error> {
    let manifest = &artifact.manifest;
    let mut metrics = manifest.metrics.clone();
    let summary = metrics.shift_remove(AUDIT_METRIC);
    if let Some(sources) = Sources::of(manifest) {
        metrics.shift_remove(sources.metric().0);
    }
    let windows = windows::take(manifest, &mut metrics);
    let mut text = format!("{} {}\n{}\n", manifest.stage, manifest.fingerprint, artifact.dir.display());
    for (title, values) in [
        ("settings", manifest.parts["settings"].as_object()),
        ("metrics", Some(&metrics)),
        ("run", Some(&manifest.run)),
    ] {
        let values = values.filter(|values| !values.is_empty());
        if let Some(values) = values {
            let rows: Vec<[String; 2]> =
                values.iter().flat_map(|(key, value)| value_rows(&format!("  {key}"), value)).collect();
            let _ = write!(text, "\n{title}:\n{}", align(&rows));
        }
    }
    text.push_str(&windows);
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
        let path = artifact.file(table)?;
        if is_audit(&path) {
            text.push_str(&audit::text(&path, summary.as_ref(), rows)?);
        } else {
            text.push_str(&table_text(&path, rows)?);
        }
    }
    Ok(text)
}

/// Direct inputs, and their own inputs if these are still in the same store.
fn lineage(artifact: &Artifact) -> Vec<[String; 2]> {
    let manifest = &artifact.manifest;
    if manifest.inputs.is_empty() {
        let mut sources = manifest.parts["inputs"].as_object().cloned().unwrap_or_default();
        if let Some(named) = Sources::of(manifest) {
            let parts = [
                ("train", named.train),
                ("validation", named.validation),
                ("test", named.test),
                ("base_model", named.base_model),
            ];
            let rows = parts.iter().flat_map(|(name, of)| {
                of.iter().map(move |origin| [format!("  {name}"), origin.with_hash()])
            });
            sources.retain(|name, _| !parts.iter().any(|(named, _)| named == name));
            let others = sources.iter().flat_map(|(name, value)| source_rows(name, value));
            return rows.chain(others).collect();
        }
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

/// Flattens a nested value into rows, with names like those of settings.
fn value_rows(name: &str, value: &Value) -> Vec<[String; 2]> {
    match value {
        Value::Object(values) => {
            values.iter().flat_map(|(key, value)| value_rows(&format!("{name}.{key}"), value)).collect()
        }
        value => vec![[name.to_owned(), plain(value)]],
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
        let path = artifact.file(table)?;
        let summary = artifact.manifest.metrics.get(AUDIT_METRIC);
        let shown =
            if is_audit(&path) { audit::json(&path, summary, rows)? } else { table_json(&path, rows)? };
        described.insert(table.to_owned(), shown);
    }
    Ok(json!({ "path": artifact.dir, "manifest": artifact.manifest, "tables": described }))
}

fn table_json(path: &Path, rows: usize) -> Result<Value, Error> {
    Ok(json!({ "description": artifact::describe(path)?, "first_rows": artifact::first_rows(path, rows)? }))
}

/// Whether it is an audit. A damaged file is not; its error comes when it is shown.
fn is_audit(path: &Path) -> bool {
    artifact::describe(path).is_ok_and(|description| description.kind == artifact::AUDIT.name)
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

/// A row on one readable line: long texts and lists are shortened.
fn shortened(value: &Value) -> Value {
    const CHARACTERS: usize = 80;
    const ITEMS: usize = 8;
    match value {
        Value::String(text) => shorten(text, CHARACTERS).into(),
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

/// The beginning of a long text.
fn shorten(text: &str, characters: usize) -> String {
    match text.char_indices().nth(characters) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}
