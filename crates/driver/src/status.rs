//! `status`: what the store holds.

use std::collections::HashSet;
use std::io;
use std::path::Path;

use artifact::{Artifact, DAMAGED_PREFIX};
use serde_json::{Value, json};
use stage::{STAGES, Workspace};

use crate::Error;
use crate::cli::StatusOptions;
use crate::running::Running;
use crate::table::{align, duration, size};

/// One folder of the store.
struct Entry {
    stage: &'static str,
    fingerprint: String,
    /// None for one that is in the making, damaged, or not to be read.
    artifact: Option<Artifact>,
    /// `current`, `latest`, `unfinished`, the process that is at it, or what is wrong with it.
    notes: Vec<String>,
    condition: Condition,
    running: Option<Running>,
}

/// What reading an artifact has shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Condition {
    Sound,
    Damaged,
    /// Damaged, and another has taken its place.
    Replaced,
    /// The system does not let it be read.
    Unreadable,
}

impl Condition {
    /// With what to say of it.
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
    // What the settings lead to is a help here, no condition: their data may be elsewhere.
    let plan = workspace.plan();
    if let Err(error) = &plan {
        tracing::debug!(%error, "no plan: nothing is marked as current");
    }
    let current: HashSet<String> = plan.into_iter().flatten().map(|planned| planned.fingerprint).collect();
    let mut entries = Vec::new();
    for declaration in STAGES {
        entries.extend(of_stage(&workspace, declaration.name, &current)?);
    }
    if options.verify {
        entries.iter_mut().for_each(verify);
    }
    let root = workspace.store.root();
    let text =
        if options.json { format!("{:#}\n", to_json(root, &entries)) } else { to_text(root, &entries) };
    stage::print(&text)?;
    let any = |condition| options.verify && entries.iter().any(|entry| entry.condition == condition);
    if any(Condition::Damaged) {
        return Err(Error::DamagedStore { root: root.to_owned() });
    }
    if any(Condition::Unreadable) {
        return Err(Error::UnreadableStore { root: root.to_owned() });
    }
    Ok(())
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
    let mut entries: Vec<Entry> = names
        .iter()
        .filter(|name| folder.join(name).is_dir())
        .filter_map(|name| {
            if let Some(fingerprint) = name.strip_prefix(".partial-") {
                Some(unfinished(stage, fingerprint, Running::at(&folder.join(name))))
            } else if let Some(fingerprint) = name.strip_prefix(DAMAGED_PREFIX) {
                let note = format!("damaged, replaced since: {name} may be deleted");
                let replaced = unfinished(stage, fingerprint, None);
                Some(Entry { notes: vec![note], condition: Condition::Replaced, ..replaced })
            } else {
                (!name.starts_with('.')).then(|| finished(workspace, stage, name))
            }
        })
        .collect();
    for entry in entries.iter_mut().filter(|entry| entry.condition != Condition::Replaced) {
        let marks =
            [("current", current.contains(&entry.fingerprint)), ("latest", latest == entry.fingerprint)];
        entry
            .notes
            .extend(marks.into_iter().filter(|(_, applies)| *applies).map(|(mark, _)| mark.to_owned()));
    }
    entries.sort_by_key(|entry| (started(entry), entry.fingerprint.clone()));
    Ok(entries)
}

fn unfinished(stage: &'static str, fingerprint: &str, running: Option<Running>) -> Entry {
    let note = running.as_ref().map_or("unfinished".to_owned(), |running| format!("running: {running}"));
    let (fingerprint, condition) = (fingerprint.to_owned(), Condition::Sound);
    Entry { stage, fingerprint, artifact: None, notes: vec![note], condition, running }
}

fn finished(workspace: &Workspace, stage: &'static str, fingerprint: &str) -> Entry {
    let (artifact, condition, notes) = match workspace.store.find(stage, fingerprint) {
        Ok(artifact) => (artifact, Condition::Sound, Vec::new()),
        Err(error) => {
            let (condition, note) = Condition::of(&error);
            (None, condition, vec![note])
        }
    };
    Entry { stage, fingerprint: fingerprint.to_owned(), artifact, notes, condition, running: None }
}

/// Notes what is damaged, and what is not.
fn verify(entry: &mut Entry) {
    match entry.artifact.as_ref().map(Artifact::verify) {
        Some(Ok(())) => entry.notes.push("verified".to_owned()),
        Some(Err(error)) => {
            let (condition, note) = Condition::of(&error);
            entry.notes.push(note);
            entry.condition = condition;
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
            entry.notes.join(", "),
        ]
    });
    let rows: Vec<[String; 6]> = std::iter::once(header).chain(rows).collect();
    format!("{}:\n{}", root.display(), align(&rows))
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
        let error = io::Error::new(io::ErrorKind::PermissionDenied, "checkpoint.arrow: permission denied");
        let expected = "cannot be read: checkpoint.arrow: permission denied".to_owned();
        assert_eq!(Condition::of(&error.into()), (Condition::Unreadable, expected));
        let error = artifact::Error::NoManifest { dir: "train".into() };
        assert_eq!(Condition::of(&error).0, Condition::Damaged);
    }
}
