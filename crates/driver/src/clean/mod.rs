//! `clean`: lists what the store holds and what can be deleted, and deletes it.
//!
//! What may be deleted is decided in `verdict`; how a folder is deleted, in `artifact::Store`.

#[cfg(test)]
mod tests;
mod verdict;

use std::collections::HashSet;
use std::io::{self, IsTerminal, Write};
use std::path::Path;
use std::time::{Duration, SystemTime};

use artifact::{Artifact, Folder, FolderKind, Holder, References, Store};
use serde_json::{Value, json};
use stage::Workspace;

use self::verdict::{Entry, Fault, Rules, Verdict, Wanted, decide};
use crate::Error;
use crate::cli::CleanOptions;
use crate::running::Running;
use crate::table::{align, size};

/// The state of another machine's lock is unknown: for this long after the last change, a process may hold it.
const FOREIGN: Duration = Duration::from_hours(24);

const DAY: Duration = Duration::from_hours(24);

/// The store, and what happens to each of its folders.
struct Survey {
    store: Store,
    entries: Vec<Entry>,
    verdicts: Vec<Verdict>,
    /// What `--keep 1` would delete in addition, if `--keep` was not typed: folders and bytes.
    with_keep: Option<(usize, u64)>,
}

/// `distilburn clean`
pub(crate) fn clean(options: &CleanOptions) -> Result<(), Error> {
    let survey = Survey::of(options)?;
    if !options.json {
        stage::print(&survey.to_text())?;
    }
    let nothing_goes = survey.going().next().is_none();
    let deleted = if nothing_goes || options.dry_run || !(options.yes || survey.is_agreed(options)?) {
        HashSet::new()
    } else {
        // The store and the settings may have changed while the user was asked.
        let again = Survey::of(options)?;
        let shown: HashSet<&Folder> = survey.going().map(|entry| &entry.folder).collect();
        delete(
            &survey.store,
            again.going().map(|entry| &entry.folder).filter(|folder| shown.contains(folder)),
        )?
    };
    if options.json {
        stage::print(&format!("{:#}\n", survey.to_json(&deleted)))?;
    } else if !deleted.is_empty() {
        let bytes = survey.entries.iter().filter(|entry| deleted.contains(&entry.folder));
        let bytes = bytes.map(|entry| entry.usage.bytes).sum();
        stage::print(&format!("deleted {}, {}\n", folders(deleted.len()), size(bytes)))?;
    }
    Ok(())
}

/// Deletes results before what they were made from, so that a kill leaves nothing without its inputs.
fn delete<'a>(store: &Store, going: impl Iterator<Item = &'a Folder>) -> Result<HashSet<Folder>, Error> {
    let mut deleted = HashSet::new();
    for folder in going.collect::<Vec<_>>().into_iter().rev() {
        match store.remove(folder) {
            Ok(()) => drop(deleted.insert(folder.clone())),
            Err(artifact::Error::Locked { pid, .. }) => {
                tracing::warn!(folder = %folder.dir.display(), process = pid, "in use: it stays");
            }
            Err(error) => return Err(error.into()),
        }
    }
    Ok(deleted)
}

impl Survey {
    fn of(options: &CleanOptions) -> Result<Self, Error> {
        let workspace = Workspace::open(&options.common.settings, &[])?;
        let wanted = wanted(&workspace)?;
        let store = workspace.store;
        let mut entries =
            store.folders()?.into_iter().map(|folder| look(&store, folder)).collect::<Result<Vec<_>, _>>()?;
        let place = |stage: &str| stage::STAGES.iter().position(|declaration| declaration.name == stage);
        entries.sort_by(|a, b| {
            let key = |entry: &Entry| {
                (place(&entry.folder.stage), entry.started().0.to_owned(), entry.usage.changed)
            };
            key(a).cmp(&key(b))
        });
        let older_than = DAY.saturating_mul(options.older_than);
        let rules = Rules { keep: options.keep, older_than, now: SystemTime::now() };
        let verdicts = decide(&entries, &wanted, rules);
        let with_keep = options.keep.is_none().then(|| {
            let strict = decide(&entries, &wanted, Rules { keep: Some(1), ..rules });
            let more = entries.iter().zip(strict.iter().zip(&verdicts)).filter(|(_, (strict, verdict))| {
                matches!((strict, verdict), (Verdict::Goes(_), Verdict::Stays(_)))
            });
            more.fold((0, 0), |(folders, bytes), (entry, _)| (folders + 1, bytes + entry.usage.bytes))
        });
        Ok(Self { store, entries, verdicts, with_keep })
    }

    fn rows(&self) -> impl Iterator<Item = (&Entry, &Verdict)> {
        self.entries.iter().zip(&self.verdicts)
    }

    fn going(&self) -> impl Iterator<Item = &Entry> {
        self.rows().filter(|(_, verdict)| matches!(verdict, Verdict::Goes(_))).map(|(entry, _)| entry)
    }

    fn to_text(&self) -> String {
        let root = self.store.root().display();
        if self.entries.is_empty() {
            return format!("{root} holds no artifacts\n");
        }
        let header = ["stage", "fingerprint", "made (UTC)", "size", ""].map(str::to_owned);
        let rows = self.rows().map(|(entry, verdict)| {
            let started = entry.started().0.replace('T', " ");
            let mut words = match verdict {
                Verdict::Stays(why) => vec!["stays", why],
                Verdict::Goes(why) => vec!["goes", why],
            };
            words.retain(|word| !word.is_empty());
            [
                entry.folder.stage.clone(),
                entry.folder.fingerprint[..12].to_owned(),
                started.get(..16).unwrap_or(&started).to_owned(),
                size(entry.usage.bytes),
                words.join(": "),
            ]
        });
        let rows: Vec<[String; 5]> = std::iter::once(header).chain(rows).collect();
        let sum =
            |entries: &mut dyn Iterator<Item = &Entry>| entries.map(|entry| entry.usage.bytes).sum::<u64>();
        let hint = match self.with_keep {
            Some((more, bytes)) if more > 0 => {
                format!("; with `--keep 1`, {} more ({})", folders(more), size(bytes))
            }
            _ => String::new(),
        };
        format!(
            "{root}:\n{}{} hold {}; {} can go ({}){hint}\n",
            align(&rows),
            folders(self.entries.len()),
            size(sum(&mut self.entries.iter())),
            folders(self.going().count()),
            size(sum(&mut self.going())),
        )
    }

    fn to_json(&self, deleted: &HashSet<Folder>) -> Value {
        let sum =
            |entries: &mut dyn Iterator<Item = &Entry>| entries.map(|entry| entry.usage.bytes).sum::<u64>();
        let folders: Vec<Value> = self
            .rows()
            .map(|(entry, verdict)| {
                let (goes, why) = match verdict {
                    Verdict::Stays(why) => (false, why),
                    Verdict::Goes(why) => (true, why),
                };
                json!({
                    "stage": entry.folder.stage,
                    "fingerprint": entry.folder.fingerprint,
                    "path": entry.folder.dir,
                    "finished": matches!(entry.folder.kind, FolderKind::Finished | FolderKind::Linked),
                    "size_bytes": entry.usage.bytes,
                    "can_go": goes,
                    "why": why,
                    "deleted": deleted.contains(&entry.folder),
                })
            })
            .collect();
        let freed = &mut self.entries.iter().filter(|entry| deleted.contains(&entry.folder));
        json!({
            "store": self.store.root(),
            "size_bytes": sum(&mut self.entries.iter()),
            "can_go_bytes": sum(&mut self.going()),
            "deleted_bytes": sum(freed),
            "folders": folders,
        })
    }

    /// Asks on the terminal.
    fn is_agreed(&self, options: &CleanOptions) -> Result<bool, Error> {
        let going = folders(self.going().count());
        if !io::stdin().is_terminal() {
            let keep = options.keep.map(|keep| format!(" --keep {keep}")).unwrap_or_default();
            let remedy = options.common.settings.command(&format!("distilburn clean --yes{keep}"));
            return Err(Error::NobodyToAsk { going, remedy });
        }
        eprint!("Delete {going} ({})? [y/N] ", size(self.going().map(|entry| entry.usage.bytes).sum()));
        io::stderr().flush()?;
        let mut answer = String::new();
        io::stdin().read_line(&mut answer)?;
        Ok(["y", "yes"].contains(&answer.trim().to_lowercase().as_str()))
    }
}

fn folders(count: usize) -> String {
    if count == 1 { "1 folder".to_owned() } else { format!("{count} folders") }
}

/// What is known of a folder.
fn look(store: &Store, folder: Folder) -> Result<Entry, Error> {
    let (stage, fingerprint) = (&folder.stage, &folder.fingerprint);
    let (mut manifest, mut fault) = (None, None);
    if matches!(folder.kind, FolderKind::Finished | FolderKind::Linked) {
        manifest = Artifact::open(&folder.dir).ok().map(|artifact| artifact.manifest);
        fault = match store.find(stage, fingerprint) {
            Err(error @ artifact::Error::ManifestVersion { .. }) => {
                Some(Fault::Unreadable(error.to_string()))
            }
            Err(error) if error.is_damage() => Some(Fault::Damaged(error.to_string())),
            Err(error) => Some(Fault::Unreadable(error.to_string())),
            Ok(_) => None,
        };
    }
    let usage = folder.usage()?;
    let mut running = None;
    if folder.kind == FolderKind::Unfinished {
        running = Running::at(&folder.dir);
        let is_foreign = Holder::of(&folder.dir).is_some_and(|holder| holder.is_held.is_none());
        if running.is_none() && is_foreign && usage.changed.elapsed().unwrap_or_default() < FOREIGN {
            running = Some(Running::elsewhere(&folder.dir));
        }
    }
    let is_pinned = folder.is_pinned();
    let is_latest = store.latest_fingerprint(stage)?.as_ref() == Some(fingerprint);
    Ok(Entry { folder, usage, manifest, fault, running, is_pinned, is_latest })
}

/// What these settings use, and what each profile of their file uses, as far as that is known without the network.
fn wanted(workspace: &Workspace) -> Result<Wanted, Error> {
    let mut wanted = Wanted::default();
    add(&mut wanted, workspace, &workspace.plan()?);
    for profile in &workspace.loaded.profiles {
        let mut options = workspace.options.clone();
        options.profile = Some(profile.clone());
        let planned = Workspace::open(&options, &[]).and_then(|mut workspace| {
            workspace.offline = true;
            Ok((workspace.plan()?, workspace))
        });
        match planned {
            Ok((planned, workspace)) => add(&mut wanted, &workspace, &planned),
            Err(error) => {
                tracing::debug!(profile, %error, "no plan for this profile: its inputs are not here");
            }
        }
    }
    Ok(wanted)
}

fn add(wanted: &mut Wanted, workspace: &Workspace, planned: &[stage::Planned]) {
    wanted.fingerprints.extend(planned.iter().map(|planned| planned.fingerprint.clone()));
    wanted.references.extend(planned.iter().map(|planned| References::of(&planned.parts)));
    let settings = serde_json::to_value(workspace.settings()).unwrap_or_default();
    name_artifacts(&settings, &workspace.store, &mut wanted.named);
}

/// Artifacts that a setting names, such as `train.init_from` with an exported model of the same store.
fn name_artifacts(settings: &Value, store: &Store, named: &mut HashSet<(String, String)>) {
    match settings {
        Value::String(text) => named.extend(store.artifact_around(Path::new(text))),
        Value::Array(values) => values.iter().for_each(|value| name_artifacts(value, store, named)),
        Value::Object(values) => values.values().for_each(|value| name_artifacts(value, store, named)),
        _ => {}
    }
}
