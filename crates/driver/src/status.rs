//! `status`: what the store holds.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::io;
use std::path::Path;

use artifact::{Artifact, DAMAGED_PREFIX, EvaluateMetrics, Manifest, PARTIAL_PREFIX, TrainMetrics};
use serde_json::{Value, json};
use stage::{STAGES, Workspace};

use crate::cli::StatusOptions;
use crate::running::Running;
use crate::table::{align, duration, size};
use crate::{Error, origins};

/// One folder of the store.
struct Entry {
    stage: &'static str,
    fingerprint: String,
    /// None if it is unfinished, damaged or unreadable.
    artifact: Option<Artifact>,
    /// `current`, `latest`, `unfinished`, the process that is writing it, or what is wrong with it.
    notes: Vec<String>,
    condition: Condition,
    running: Option<Running>,
    /// For a training: its name, or else the settings in which it differs from the others.
    name: Option<String>,
}

/// What reading an artifact has shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Condition {
    Sound,
    Damaged,
    /// Damaged, and another has taken its place.
    Replaced,
    /// The file permissions do not allow reading it.
    Unreadable,
}

impl Condition {
    /// The condition, with the reason.
    fn of(error: &artifact::Error) -> (Self, String) {
        match error {
            artifact::Error::Io(error) => (Self::Unreadable, format!("cannot be read: {error}")),
            error => (Self::Damaged, error.to_string()),
        }
    }
}

/// `distilburn status`
pub(crate) fn print(options: &StatusOptions) -> Result<(), Error> {
    let workspace = Workspace::open(&options.common.settings, &[])?;
    // The plan is optional here: the data of the settings may be elsewhere.
    let plan = workspace.plan();
    if let Err(error) = &plan {
        tracing::debug!(%error, "no plan, so nothing is marked as current");
    }
    let current: HashSet<String> = plan.into_iter().flatten().map(|planned| planned.fingerprint).collect();
    let mut entries = Vec::new();
    for declaration in STAGES {
        entries.extend(of_stage(&workspace, declaration.name, &current)?);
    }
    name_trainings(&mut entries);
    if options.verify {
        entries.iter_mut().for_each(verify);
    }
    let root = workspace.store.root();
    let text =
        if options.json { format!("{:#}\n", to_json(root, &entries)) } else { to_text(root, &entries) };
    stage::print(&text)?;
    let any = |condition| options.verify && entries.iter().any(|entry| entry.condition == condition);
    if any(Condition::Damaged) {
        return Err(Error::DamagedStore {
            root: root.to_owned(),
            remedy: remedy(&workspace, &entries, &current),
        });
    }
    if any(Condition::Unreadable) {
        return Err(Error::UnreadableStore { root: root.to_owned() });
    }
    Ok(())
}

/// How to make damaged artifacts again, or delete them: `run` makes those that the settings use.
fn remedy(workspace: &Workspace, entries: &[Entry], current: &HashSet<String>) -> String {
    let damaged = entries.iter().filter(|entry| entry.condition == Condition::Damaged);
    let (current, others): (Vec<_>, Vec<_>) = damaged.partition(|entry| current.contains(&entry.fingerprint));
    let mut advice = Vec::new();
    if !current.is_empty() {
        let command = workspace.options.command("distilburn run");
        advice.push(format!("make those marked as current again with `{command}`"));
    }
    if !others.is_empty() {
        let dirs = others.iter().map(|entry| {
            let dir = workspace.store.dir(entry.stage, &entry.fingerprint);
            format!("'{}'", dir.display())
        });
        let dirs = dirs.collect::<Vec<_>>().join(" ");
        advice.push(format!(
            "delete the others with `rm -r {dirs}`; to make them again, run `distilburn run` with the settings they were \
             made with"
        ));
    }
    advice.join("; ")
}

fn of_stage(
    workspace: &Workspace,
    stage: &'static str,
    current: &HashSet<String>,
) -> Result<Vec<Entry>, Error> {
    let folder = workspace.store.root().join(stage);
    let names = match fs_err::read_dir(&folder) {
        Ok(entries) => entries
            .map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned()))
            .collect::<io::Result<Vec<_>>>()?,
        Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
        Err(error) => return Err(error.into()),
    };
    let latest = workspace.store.latest_fingerprint(stage)?.unwrap_or_default();
    let entry = |name: &String| {
        if !folder.join(name).is_dir() {
            None
        } else if let Some(fingerprint) = name.strip_prefix(PARTIAL_PREFIX) {
            Some(unfinished(stage, fingerprint, Running::at(&folder.join(name))))
        } else if let Some(fingerprint) = name.strip_prefix(DAMAGED_PREFIX) {
            let note = format!("damaged and replaced: you can delete {name}");
            let replaced = unfinished(stage, fingerprint, None);
            Some(Entry { notes: vec![note], condition: Condition::Replaced, ..replaced })
        } else {
            (!name.starts_with('.')).then(|| finished(workspace, stage, name))
        }
    };
    // A large store takes as long as reading and checking its manifests.
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let mut entries: Vec<Entry> = std::thread::scope(|scope| {
        let chunks = names.chunks(names.len().div_ceil(threads).max(1));
        let read = |chunk: &[String]| chunk.iter().filter_map(entry).collect::<Vec<_>>();
        let handles: Vec<_> = chunks.map(|chunk| scope.spawn(move || read(chunk))).collect();
        handles
            .into_iter()
            .flat_map(|handle| handle.join().expect("reading manifests does not panic"))
            .collect()
    });
    for entry in entries.iter_mut().filter(|entry| entry.condition != Condition::Replaced) {
        let marks =
            [("current", current.contains(&entry.fingerprint)), ("latest", latest == entry.fingerprint)];
        entry
            .notes
            .extend(marks.into_iter().filter(|(_, applies)| *applies).map(|(mark, _)| mark.to_owned()));
    }
    entries.sort_by_cached_key(|entry| (started(entry), entry.fingerprint.clone()));
    Ok(entries)
}

fn unfinished(stage: &'static str, fingerprint: &str, running: Option<Running>) -> Entry {
    let note = running.as_ref().map_or("unfinished".to_owned(), |running| format!("running: {running}"));
    let (fingerprint, condition) = (fingerprint.to_owned(), Condition::Sound);
    Entry { stage, fingerprint, artifact: None, notes: vec![note], condition, running, name: None }
}

fn finished(workspace: &Workspace, stage: &'static str, fingerprint: &str) -> Entry {
    let (artifact, condition, notes) = match workspace.store.find(stage, fingerprint) {
        Ok(artifact) => (artifact, Condition::Sound, Vec::new()),
        Err(error) => {
            let (condition, note) = Condition::of(&error);
            (None, condition, vec![note])
        }
    };
    Entry {
        stage,
        fingerprint: fingerprint.to_owned(),
        artifact,
        notes,
        condition,
        running: None,
        name: None,
    }
}

/// Marks what is damaged, and unmarks what is not.
fn verify(entry: &mut Entry) {
    match entry.artifact.as_ref().map(Artifact::verify) {
        Some(Ok(())) => entry.notes.push("verified".to_owned()),
        Some(Err(error)) => {
            let (condition, note) = Condition::of(&error);
            entry.notes.push(note);
            entry.condition = condition;
            if let (Condition::Damaged, Some(artifact)) = (condition, &entry.artifact) {
                // So that `run` makes it again.
                artifact.mark_suspect();
            }
        }
        None => {}
    }
}

fn started(entry: &Entry) -> String {
    let started = entry.artifact.as_ref().and_then(|artifact| artifact.manifest.run.get("started")?.as_str());
    started.unwrap_or_default().to_owned()
}

fn elapsed_ms(entry: &Entry) -> Option<u64> {
    entry.artifact.as_ref()?.manifest.run.get("elapsed_ms")?.as_u64()
}

fn size_bytes(entry: &Entry) -> Option<u64> {
    Some(entry.artifact.as_ref()?.manifest.files.iter().map(|file| file.bytes).sum())
}

fn to_text(root: &Path, entries: &[Entry]) -> String {
    if entries.is_empty() {
        return format!("{} holds no artifacts; `distilburn run` makes them\n", root.display());
    }
    let header = ["stage", "fingerprint", "made (UTC)", "took", "size", ""].map(str::to_owned);
    let rows = entries.iter().map(|entry| {
        let made = started(entry).replace('T', " ");
        [
            entry.stage.to_owned(),
            entry.fingerprint.clone(),
            made.get(..19).unwrap_or(&made).to_owned(),
            elapsed_ms(entry).map(duration).unwrap_or_default(),
            size_bytes(entry).map(size).unwrap_or_default(),
            notes(entry),
        ]
    });
    let rows: Vec<[String; 6]> = std::iter::once(header).chain(rows).collect();
    format!("{}:\n{}", root.display(), align(&rows))
}

/// The remarks, the sources of an ingest artifact, the name of a training, and scores.
fn notes(entry: &Entry) -> String {
    let manifest = entry.artifact.as_ref().map(|artifact| &artifact.manifest);
    let data = manifest.and_then(origins::in_short);
    let notes =
        entry.notes.iter().cloned().chain(data).chain(entry.name.clone()).chain(manifest.and_then(scores));
    notes.collect::<Vec<_>>().join(", ")
}

/// F1 and exact match, of the test split if there is one.
fn scores(manifest: &Manifest) -> Option<String> {
    let (f1, exact_match, split) = if manifest.stage == stage::TRAIN.name {
        let TrainMetrics { f1, exact_match, .. } = TrainMetrics::of(manifest).ok()?;
        (f1, exact_match, "validation")
    } else if manifest.stage == stage::EVALUATE.name {
        let EvaluateMetrics { validation, test } = EvaluateMetrics::of(manifest).ok()?;
        let split = if test.is_some() { "test" } else { "validation" };
        let scores = test.unwrap_or(validation);
        (scores.f1, scores.exact_match, split)
    } else {
        return None;
    };
    Some(format!("{split} F1 {f1:.2}, exact match {exact_match:.2}"))
}

/// Names the trainings after `run.name`, or else after the settings (their own and those of their inputs) in which they
/// differ.
fn name_trainings(entries: &mut [Entry]) {
    let manifests: HashMap<(&str, &str), &Manifest> = entries
        .iter()
        .filter_map(|entry| Some(&entry.artifact.as_ref()?.manifest))
        .map(|manifest| ((manifest.stage.as_str(), manifest.fingerprint.as_str()), manifest))
        .collect();
    let trainings = entries.iter().enumerate().filter(|(_, entry)| entry.stage == stage::TRAIN.name);
    let trainings: Vec<(usize, &Manifest, BTreeMap<String, String>)> = trainings
        .filter_map(|(index, entry)| {
            let manifest = &entry.artifact.as_ref()?.manifest;
            Some((index, manifest, settings_behind(manifest, &manifests)))
        })
        .collect();
    let keys: BTreeSet<&String> = trainings.iter().flat_map(|(_, _, settings)| settings.keys()).collect();
    let differs = |key: &&String| {
        trainings.iter().any(|(_, _, settings)| settings.get(*key) != trainings[0].2.get(*key))
    };
    let keys: Vec<&String> = keys.into_iter().filter(differs).collect();
    let name = |manifest: &Manifest, settings: &BTreeMap<String, String>| {
        let differences =
            keys.iter().filter_map(|key| Some(format!("{}={}", short(key, &keys), settings.get(*key)?)));
        match manifest.run.get("name").and_then(Value::as_str) {
            Some(name) => name.to_owned(),
            None => differences.collect::<Vec<_>>().join(" "),
        }
    };
    let names: Vec<(usize, String)> =
        trainings.iter().map(|(index, manifest, settings)| (*index, name(manifest, settings))).collect();
    for (index, name) in names {
        entries[index].name = Some(name).filter(|name| !name.is_empty());
    }
}

/// The settings that an artifact and its inputs depend on, by `table.key`, and its data.
fn settings_behind(
    manifest: &Manifest,
    manifests: &HashMap<(&str, &str), &Manifest>,
) -> BTreeMap<String, String> {
    let inputs = manifest
        .inputs
        .iter()
        .filter_map(|input| manifests.get(&(input.stage.as_str(), input.fingerprint.as_str())));
    let mut settings = BTreeMap::new();
    for manifest in inputs.copied().chain([manifest]) {
        if let Some(data) = origins::in_short(manifest) {
            settings.insert("data".to_owned(), data);
        }
        let of_manifest = manifest.parts["settings"].as_object().into_iter().flatten();
        settings.extend(of_manifest.map(|(key, value)| (key.clone(), value.to_string())));
    }
    settings
}

/// The key without its table, if no other key of the list has this name.
fn short<'a>(key: &'a str, keys: &[&String]) -> &'a str {
    let Some((_, name)) = key.split_once('.') else { return key };
    let named_so = keys.iter().filter(|other| other.split_once('.').is_some_and(|(_, other)| other == name));
    if named_so.count() == 1 { name } else { key }
}

fn to_json(root: &Path, entries: &[Entry]) -> Value {
    let artifacts: Vec<Value> = entries
        .iter()
        .map(|entry| {
            json!({
                "stage": entry.stage,
                "fingerprint": entry.fingerprint,
                "finished": entry.artifact.is_some(),
                "damaged": entry.condition == Condition::Damaged,
                "unreadable": entry.condition == Condition::Unreadable,
                "running": entry.running.as_ref().map(Running::to_json),
                "started": entry.artifact.as_ref().map(|_| started(entry)),
                "elapsed_ms": elapsed_ms(entry),
                "size_bytes": size_bytes(entry),
                "metrics": entry.artifact.as_ref().map(|artifact| artifact.manifest.metrics.clone()),
                "name": entry.name,
                "notes": entry.notes,
            })
        })
        .collect();
    json!({ "store": root, "artifacts": artifacts })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_not_be_read_is_not_called_damaged() {
        let error = io::Error::new(io::ErrorKind::PermissionDenied, "weights.arrow: permission denied");
        let expected = "cannot be read: weights.arrow: permission denied".to_owned();
        assert_eq!(Condition::of(&error.into()), (Condition::Unreadable, expected));
        let error = artifact::Error::NoManifest { dir: "train".into() };
        assert_eq!(Condition::of(&error).0, Condition::Damaged);
    }
}
