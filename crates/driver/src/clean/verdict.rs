//! Which folders of a store may be deleted, and why the others may not.

use std::collections::HashSet;
use std::time::{Duration, SystemTime};

use artifact::{Folder, FolderKind, Manifest, References, Usage};
use serde_json::Value;
use stage::STAGES;

use crate::running::Running;

/// A folder and what is known of it.
pub(super) struct Entry {
    pub(super) folder: Folder,
    pub(super) usage: Usage,
    /// The manifest of an artifact, if it can be read.
    pub(super) manifest: Option<Manifest>,
    /// Why a finished artifact cannot be used.
    pub(super) fault: Option<Fault>,
    pub(super) running: Option<Running>,
    pub(super) is_pinned: bool,
    pub(super) is_latest: bool,
}

/// Why a finished artifact is of no use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Fault {
    Damaged(String),
    /// It may be intact, but this build cannot tell.
    Unreadable(String),
}

/// What happens to a folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Verdict {
    Stays(String),
    Goes(String),
}

/// What the settings need.
#[derive(Default)]
pub(super) struct Wanted {
    /// Fingerprints of the artifacts that they use.
    pub(super) fingerprints: HashSet<String>,
    /// What these are made from.
    pub(super) references: Vec<References>,
    /// Artifacts, as stage and fingerprint, that a setting names a file of.
    pub(super) named: HashSet<(String, String)>,
}

/// What was typed.
#[derive(Debug, Clone, Copy)]
pub(super) struct Rules {
    /// Newest artifacts of each stage that stay; none = all of them.
    pub(super) keep: Option<usize>,
    /// Unfinished and damaged folders stay for this long.
    pub(super) older_than: Duration,
    pub(super) now: SystemTime,
}

impl Entry {
    fn age(&self, now: SystemTime) -> Duration {
        now.duration_since(self.usage.changed).unwrap_or_default()
    }

    /// When the run that made it began; artifacts of the same second are ordered by their last change.
    pub(super) fn started(&self) -> (&str, SystemTime) {
        let started = self.manifest.as_ref().and_then(|manifest| manifest.run.get("started")?.as_str());
        (started.unwrap_or_default(), self.usage.changed)
    }

    fn is_sound(&self) -> bool {
        matches!(self.folder.kind, FolderKind::Finished | FolderKind::Linked) && self.fault.is_none()
    }

    /// The inputs of an artifact that can be used or resumed. None if unknown.
    fn references(&self) -> Option<References> {
        let parts = match self.folder.kind {
            FolderKind::Finished | FolderKind::Linked => match (&self.manifest, &self.fault) {
                (Some(manifest), _) => manifest.parts.clone(),
                // It cannot be used, and is made again from what its settings name.
                (None, Some(Fault::Damaged(_))) => Value::Null,
                (None, _) => return None,
            },
            FolderKind::Unfinished => self.folder.parts()?,
            FolderKind::Damaged | FolderKind::Old | FolderKind::Removed => Value::Null,
        };
        Some(References::of(&parts))
    }

    fn name(&self) -> String {
        let fingerprint = self.folder.fingerprint.get(..8).unwrap_or(&self.folder.fingerprint);
        format!("{} {fingerprint}", self.folder.stage)
    }
}

/// One verdict for each entry. An input of anything that stays also stays.
pub(super) fn decide(entries: &[Entry], wanted: &Wanted, rules: Rules) -> Vec<Verdict> {
    let mut verdicts: Vec<Verdict> =
        entries.iter().map(|entry| alone(entry, entries, wanted, rules)).collect();
    for references in &wanted.references {
        protect(entries, &mut verdicts, |entry| {
            references
                .include(&entry.folder.fingerprint, entry.manifest.as_ref())
                .then(|| "an input of what the settings use".to_owned())
        });
    }
    // Inputs have inputs.
    let mut looked_at = HashSet::new();
    loop {
        let is_next =
            |index: &usize| matches!(verdicts[*index], Verdict::Stays(_)) && !looked_at.contains(index);
        let Some(next) = (0..entries.len()).find(is_next) else { return verdicts };
        looked_at.insert(next);
        let child = &entries[next];
        match child.references() {
            Some(references) => protect(entries, &mut verdicts, |entry| {
                references
                    .include(&entry.folder.fingerprint, entry.manifest.as_ref())
                    .then(|| format!("an input of {}", child.name()))
            }),
            None => protect(entries, &mut verdicts, |_| Some(format!("may be an input of {}", child.name()))),
        }
    }
}

/// Keeps finished artifacts for which there is a reason.
fn protect(entries: &[Entry], verdicts: &mut [Verdict], reason: impl Fn(&Entry) -> Option<String>) {
    for (entry, verdict) in entries.iter().zip(verdicts) {
        if entry.folder.kind == FolderKind::Finished
            && matches!(verdict, Verdict::Goes(_))
            && let Some(reason) = reason(entry)
        {
            *verdict = Verdict::Stays(reason);
        }
    }
}

/// The verdict on a folder by itself.
fn alone(entry: &Entry, entries: &[Entry], wanted: &Wanted, rules: Rules) -> Verdict {
    use FolderKind::{Damaged, Finished, Linked, Old, Removed, Unfinished};
    let Folder { stage, fingerprint, kind, .. } = &entry.folder;
    let stays = |why: &str| Verdict::Stays(why.to_owned());
    let age = entry.age(rules.now);
    let is_young = age < rules.older_than;
    let is_wanted = wanted.fingerprints.contains(fingerprint);
    if STAGES.iter().all(|declaration| declaration.name != stage) {
        return stays("made by another version of distilburn");
    }
    if let Some(running) = &entry.running {
        return Verdict::Stays(format!("running: {running}"));
    }
    if entry.is_pinned {
        return stays("has a file .keep");
    }
    if wanted.named.contains(&(stage.clone(), fingerprint.clone())) {
        return stays("a setting names a file in it");
    }
    match kind {
        Linked => stays("a symbolic link"),
        Finished | Unfinished if is_wanted => stays("the settings use it"),
        Finished => finished(entry, entries, rules),
        Removed => Verdict::Goes("left by an interrupted `distilburn clean`".to_owned()),
        Old if !has_successor(entry, entries) => stays("the only copy of an artifact"),
        Unfinished | Damaged | Old if is_young => {
            Verdict::Stays(format!("{}, {} old", what(*kind), words(age)))
        }
        Unfinished | Damaged | Old => Verdict::Goes(format!("{}, {} old", what(*kind), words(age))),
    }
}

fn finished(entry: &Entry, entries: &[Entry], rules: Rules) -> Verdict {
    let stays = |why: &str| Verdict::Stays(why.to_owned());
    let age = entry.age(rules.now);
    match (&entry.fault, rules.keep) {
        (Some(Fault::Unreadable(why)), _) => Verdict::Stays(format!("cannot be read: {why}")),
        (Some(Fault::Damaged(_)), None) => stays("damaged"),
        (Some(Fault::Damaged(_)), Some(_)) if age < rules.older_than => {
            Verdict::Stays(format!("damaged, {} old", words(age)))
        }
        (Some(Fault::Damaged(_)), Some(_)) => Verdict::Goes(format!("damaged, {} old", words(age))),
        (None, None) => stays(""),
        (None, Some(_)) if entry.is_latest => stays("the newest"),
        (None, Some(keep)) => {
            let is_newer = |other: &&Entry| {
                other.folder.stage == entry.folder.stage
                    && other.is_sound()
                    && other.started() > entry.started()
            };
            let newer = entries.iter().filter(is_newer).count();
            if newer < keep {
                stays(&format!("among the newest {keep}"))
            } else {
                Verdict::Goes(format!("{newer} newer"))
            }
        }
    }
}

fn has_successor(entry: &Entry, entries: &[Entry]) -> bool {
    let is_it = |other: &Entry| {
        other.is_sound()
            && (&other.folder.stage, &other.folder.fingerprint)
                == (&entry.folder.stage, &entry.folder.fingerprint)
    };
    entries.iter().any(is_it)
}

fn what(kind: FolderKind) -> &'static str {
    match kind {
        FolderKind::Unfinished => "unfinished",
        FolderKind::Damaged => "damaged and replaced",
        _ => "replaced",
    }
}

/// An age, to the precision that decides.
fn words(age: Duration) -> String {
    let minutes = age.as_secs() / 60;
    match minutes {
        0..120 => format!("{minutes} min"),
        120..2880 => format!("{} h", minutes / 60),
        _ => format!("{} days", minutes / 1440),
    }
}
