//! The folders of a store (finished, unfinished or left over), and how one is deleted.

use std::collections::HashSet;
use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use serde_json::Value;

use super::Store;
use crate::lock::Lock;
use crate::partial::{OLD_PREFIX, Partial, remove_dir_if_there};
use crate::{DAMAGED_PREFIX, PARTIAL_PREFIX, Result, SMALL_FILE_BYTES, file_name, read_small};

/// Prefix of folders that are being deleted, so that the remains after a kill are not taken for an artifact.
const REMOVED_PREFIX: &str = ".removed-";

/// A file of this name in an artifact's folder protects the artifact from deletion.
const KEEP: &str = ".keep";

/// One folder of the store.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Folder {
    /// The stage whose folder it is in, known to this build or not.
    pub stage: String,
    pub fingerprint: String,
    pub kind: FolderKind,
    pub dir: PathBuf,
}

/// What a folder is, by its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FolderKind {
    /// An artifact that was finished.
    Finished,
    /// The same, through a symbolic link: its files are elsewhere.
    Linked,
    /// In progress, or left by an interrupted run.
    Unfinished,
    /// A damaged artifact that another has replaced.
    Damaged,
    /// Moved aside while its successor took its place; it stays only if the process was killed at that moment.
    Old,
    /// The remains of an interrupted deletion.
    Removed,
}

/// Size and age of a folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Usage {
    pub bytes: u64,
    /// The time of the last change of a file in it, or of its name.
    pub changed: SystemTime,
}

impl Store {
    /// All folders of all stages, including stages that this build does not know. Folders with other names than
    /// distilburn's are left out.
    pub fn folders(&self) -> Result<Vec<Folder>> {
        let mut folders = Vec::new();
        for stage in names(self.root())?.into_iter().filter(|name| !name.starts_with('.')) {
            let stage_dir = self.root().join(&stage);
            if !stage_dir.is_dir() {
                continue;
            }
            for name in names(&stage_dir)? {
                let dir = stage_dir.join(&name);
                let file_type = fs_err::symlink_metadata(&dir)?.file_type();
                let Some((kind, fingerprint)) = parse(&name) else { continue };
                let kind = match kind {
                    FolderKind::Finished if file_type.is_symlink() => FolderKind::Linked,
                    kind if file_type.is_dir() => kind,
                    _ => continue,
                };
                folders.push(Folder { stage: stage.clone(), fingerprint: fingerprint.to_owned(), kind, dir });
            }
        }
        Ok(folders)
    }

    /// The artifact that a path leads into, as stage and fingerprint; `None` if it leads elsewhere.
    #[must_use]
    pub fn artifact_around(&self, path: &Path) -> Option<(String, String)> {
        let root = self.root().canonicalize().ok()?;
        let path = path.ancestors().find_map(|path| path.canonicalize().ok())?;
        let mut inside = path.strip_prefix(root).ok()?.components();
        let mut name = || Some(inside.next()?.as_os_str().to_str()?.to_owned());
        let (stage, folder) = (name()?, name()?);
        Some((stage, parse(&folder)?.1.to_owned()))
    }

    /// Deletes a folder, unless a process is writing the artifact. The folder is renamed first, so that another process
    /// finds all of it or nothing.
    ///
    /// # Errors
    /// [`crate::Error::Locked`] if a process is writing it.
    pub fn remove(&self, folder: &Folder) -> Result<()> {
        let stage_dir = self.root().join(&folder.stage);
        let partial = Partial::dir_in_store(&stage_dir, &folder.fingerprint);
        let _lock = Lock::acquire(&partial.with_added_extension("lock"), &partial)?;
        let aside = stage_dir.join(format!("{REMOVED_PREFIX}{}", folder.fingerprint));
        remove_dir_if_there(&aside)?;
        if folder.kind != FolderKind::Removed {
            fs_err::rename(&folder.dir, &aside)?;
            remove_dir_if_there(&aside)?;
        }
        Ok(())
    }
}

impl Folder {
    /// Its size and age. Links count as themselves.
    pub fn usage(&self) -> Result<Usage> {
        let metadata = fs_err::symlink_metadata(&self.dir)?;
        let mut usage = Usage { bytes: 0, changed: metadata.modified()? };
        if self.kind == FolderKind::Damaged {
            usage.changed = usage.changed.max(renamed(&metadata));
        }
        if metadata.is_dir() {
            add(&self.dir, &mut usage)?;
        }
        Ok(usage)
    }

    /// Whether someone has put a file `.keep` into it.
    #[must_use]
    pub fn is_pinned(&self) -> bool {
        self.dir.join(KEEP).exists()
    }

    /// The parts of the fingerprint of an unfinished artifact: what it is made from. `None` if unknown.
    #[must_use]
    pub fn parts(&self) -> Option<Value> {
        let bytes = read_small(&self.dir.join(file_name::PARTS), SMALL_FILE_BYTES).ok()?;
        serde_json::from_slice(&bytes).ok()
    }
}

/// The meaning of a name in a stage's folder, and the fingerprint in it.
fn parse(name: &str) -> Option<(FolderKind, &str)> {
    let prefixes = [
        (PARTIAL_PREFIX, FolderKind::Unfinished),
        (DAMAGED_PREFIX, FolderKind::Damaged),
        (OLD_PREFIX, FolderKind::Old),
        (REMOVED_PREFIX, FolderKind::Removed),
    ];
    let (kind, rest) = prefixes
        .into_iter()
        .find_map(|(prefix, kind)| Some((kind, name.strip_prefix(prefix)?)))
        .unwrap_or((FolderKind::Finished, name));
    let fingerprint = match rest.split_once('.') {
        // A second damaged one is `.damaged-<fingerprint>.2`.
        Some((fingerprint, number)) if kind == FolderKind::Damaged && number.parse::<u32>().is_ok() => {
            fingerprint
        }
        _ => rest,
    };
    let is_fingerprint =
        fingerprint.len() == 32 && fingerprint.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    is_fingerprint.then_some((kind, fingerprint))
}

/// The names in a folder, sorted; empty if there is no folder.
fn names(dir: &Path) -> Result<Vec<String>> {
    let mut names = match fs_err::read_dir(dir) {
        Ok(entries) => entries
            .map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned()))
            .collect::<io::Result<Vec<_>>>()?,
        Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
        Err(error) => return Err(error.into()),
    };
    names.sort();
    Ok(names)
}

/// Adds up a folder's files. Files that disappear meanwhile, as those of a training do, do not count.
fn add(dir: &Path, usage: &mut Usage) -> Result<()> {
    let gone = |error: &io::Error| error.kind() == io::ErrorKind::NotFound;
    let entries = match fs_err::read_dir(dir) {
        Err(error) if gone(&error) => return Ok(()),
        entries => entries?,
    };
    for entry in entries {
        let path = entry?.path();
        let metadata = match fs_err::symlink_metadata(&path) {
            Err(error) if gone(&error) => continue,
            metadata => metadata?,
        };
        usage.changed = usage.changed.max(metadata.modified()?);
        if metadata.is_dir() {
            add(&path, usage)?;
        } else {
            usage.bytes += metadata.len();
        }
    }
    Ok(())
}

/// When a folder got its name; its files are older.
fn renamed(metadata: &std::fs::Metadata) -> SystemTime {
    use std::os::unix::fs::MetadataExt;
    let seconds = u64::try_from(metadata.ctime()).unwrap_or_default();
    SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(seconds)
}

/// What an artifact was made from, according to the parts of its fingerprint.
#[derive(Debug, Default)]
pub struct References {
    /// Fingerprints of artifacts, and hashes of single files.
    single: HashSet<String>,
    /// Hashes of the files of folders, such as a model's.
    folders: Vec<Vec<String>>,
}

impl References {
    /// Reads `{stage, code, settings, inputs}`.
    #[must_use]
    pub fn of(parts: &Value) -> Self {
        let mut references = Self::default();
        references.add(&parts["inputs"]);
        references
    }

    fn add(&mut self, value: &Value) {
        match value {
            Value::String(text) => drop(self.single.insert(text.clone())),
            Value::Array(values) => values.iter().for_each(|value| self.add(value)),
            Value::Object(values) => {
                let hash = |value: &Value| value.as_str().filter(|text| text.len() == 64).map(str::to_owned);
                match values.values().map(hash).collect::<Option<Vec<_>>>() {
                    Some(files) if !files.is_empty() => self.folders.push(files),
                    _ => values.values().for_each(|value| self.add(value)),
                }
            }
            _ => {}
        }
    }

    /// Whether an artifact is among these inputs: by its fingerprint, or because it holds all files that were read.
    #[must_use]
    pub fn include(&self, fingerprint: &str, manifest: Option<&crate::Manifest>) -> bool {
        let hashes: HashSet<&str> = manifest
            .into_iter()
            .flat_map(|manifest| &manifest.files)
            .map(|file| file.blake3.as_str())
            .collect();
        self.single.contains(fingerprint)
            || hashes.iter().any(|hash| self.single.contains(*hash))
            || self.folders.iter().any(|files| files.iter().all(|file| hashes.contains(file.as_str())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_that_distilburn_gives_are_folders_of_its_own() {
        const FINGERPRINT: &str = "0123456789abcdef0123456789abcdef";
        let kind = |name: &str| parse(name).map(|(kind, fingerprint)| (kind, fingerprint == FINGERPRINT));
        for (name, expected) in [
            ("F", FolderKind::Finished),
            (".partial-F", FolderKind::Unfinished),
            (".damaged-F", FolderKind::Damaged),
            (".damaged-F.2", FolderKind::Damaged),
            (".old-F", FolderKind::Old),
            (".removed-F", FolderKind::Removed),
        ] {
            assert_eq!(kind(&name.replace('F', FINGERPRINT)), Some((expected, true)), "{name}");
        }
        for name in
            ["my-model", "F.2", ".partial-F.2", ".partial-out-F", ".damaged-F.mine", ".F", "FF", "latest", ""]
        {
            assert_eq!(kind(&name.replace('F', FINGERPRINT)), None, "{name}");
        }
    }

    #[test]
    fn a_model_folder_is_referred_to_by_all_of_its_files() {
        let hash = |digit: &str| digit.repeat(64);
        let manifest = |hashes: &[&str]| {
            let files = hashes.iter().map(|digit| crate::FileEntry {
                name: format!("model/{digit}"),
                bytes: 1,
                rows: None,
                blake3: hash(digit),
            });
            crate::Manifest::seal("export", "f", crate::ManifestDraft::default(), files.collect())
        };
        let parts = serde_json::json!({"inputs": {
            "ingest": "aa",
            "base_model": {"config.json": hash("1"), "model.safetensors": hash("2")},
            "train": [hash("3"), "sha256:x"],
        }});
        let references = References::of(&parts);
        assert!(references.include("aa", None), "by its fingerprint");
        assert!(!references.include("bb", None));
        assert!(references.include("bb", Some(&manifest(&["1", "2", "9"]))), "the model is in it");
        assert!(!references.include("bb", Some(&manifest(&["1"]))), "one file of a model may be in many");
        assert!(references.include("bb", Some(&manifest(&["3"]))), "a file of data");
    }
}
