//! An unfinished artifact: a folder that only one process writes to. It is kept if that process is interrupted.

use std::io;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::artifact::{Artifact, hash_file};
use crate::lock::Lock;
use crate::manifest::{FileEntry, Manifest, ManifestDraft};
use crate::regular_file::{TEMPORARY_EXTENSION, describe, replace_cache_file, replace_file};
use crate::table::Table;
use crate::tables::KINDS;
use crate::{Error, Result, file_name};

/// Prefix of the folder of a damaged artifact that was replaced.
pub const DAMAGED_PREFIX: &str = ".damaged-";

/// Prefix of the folders of unfinished artifacts. The fingerprint follows; outside of a store, the name of the output
/// and the fingerprint follow.
pub const PARTIAL_PREFIX: &str = ".partial-";

/// Prefix of an artifact that is being replaced by another with the same fingerprint.
pub(crate) const OLD_PREFIX: &str = ".old-";

/// The locked folder of an unfinished artifact. Dropping it keeps the files, so that the next run can resume from them.
#[derive(Debug)]
pub struct Partial {
    stage: String,
    fingerprint: String,
    dir: PathBuf,
    /// The place to which `commit` moves it.
    target: PathBuf,
    /// The file that names the newest artifact of the stage; none outside a store.
    latest: Option<PathBuf>,
    /// Held until this is dropped.
    _lock: Lock,
}

impl Partial {
    /// Begins an artifact outside the store, for `--output`: `output` must be absent or empty. The artifact is made
    /// beside `output`, in `.partial-<name>-<fingerprint>`.
    pub fn at(output: &Path, stage: &str, fingerprint: &str) -> Result<Self> {
        let target = std::path::absolute(output)?;
        if !is_vacant(&target)? {
            return Err(Error::OutputNotEmpty { path: output.to_owned() });
        }
        let name = target.file_name().map(|name| name.to_string_lossy().into_owned());
        let (Some(parent), Some(name)) = (target.parent(), name) else {
            return Err(Error::OutputNotEmpty { path: output.to_owned() });
        };
        let dir = parent.join(format!("{PARTIAL_PREFIX}{name}-{fingerprint}"));
        Self::lock(dir, target.clone(), None, stage, fingerprint)
    }

    /// Begins an artifact of a store; `stage_dir` is its stage's folder.
    pub(crate) fn in_store(stage_dir: &Path, stage: &str, fingerprint: &str) -> Result<Self> {
        let dir = Self::dir_in_store(stage_dir, fingerprint);
        let latest = stage_dir.join(crate::store::LATEST);
        Self::lock(dir, stage_dir.join(fingerprint), Some(latest), stage, fingerprint)
    }

    pub(crate) fn dir_in_store(stage_dir: &Path, fingerprint: &str) -> PathBuf {
        stage_dir.join(format!("{PARTIAL_PREFIX}{fingerprint}"))
    }

    fn lock(
        dir: PathBuf,
        target: PathBuf,
        latest: Option<PathBuf>,
        stage: &str,
        fingerprint: &str,
    ) -> Result<Self> {
        if let Some(parent) = dir.parent() {
            fs_err::create_dir_all(parent)?;
        }
        // Beside the folder, not in it, because the folder is renamed while the lock is held.
        let lock = Lock::acquire(&dir.with_added_extension("lock"), &dir)?;
        fs_err::create_dir_all(&dir)?;
        refuse_foreign(&dir)?;
        let (stage, fingerprint) = (stage.to_owned(), fingerprint.to_owned());
        Ok(Self { stage, fingerprint, dir, target, latest, _lock: lock })
    }

    /// The folder to write files into; it may hold files of an interrupted run.
    #[must_use]
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Whether the stage has written no file.
    pub fn is_empty(&self) -> Result<bool> {
        let mut entries = fs_err::read_dir(&self.dir)?;
        Ok(entries.all(|entry| entry.is_ok_and(|entry| entry.file_name() == file_name::PARTS)))
    }

    /// Records the parts of its fingerprint, so that its inputs are known before it has a manifest.
    pub fn note_parts(&self, parts: &Value) -> Result<()> {
        Ok(replace_cache_file(&self.dir.join(file_name::PARTS), parts.to_string().as_bytes())?)
    }

    /// Removes what an interrupted run left.
    pub fn clear(&self) -> Result<()> {
        fs_err::remove_dir_all(&self.dir)?;
        fs_err::create_dir(&self.dir)?;
        Ok(())
    }

    /// Finishes the artifact: checks its tables, hashes its files, writes the manifest, syncs everything to disk and
    /// only then renames the folder. A finished artifact of the same name is replaced; a damaged one is kept beside it
    /// as `.damaged-<fingerprint>`. The folder [`file_name::CHECKPOINTS`] is removed last, because it is needed until
    /// then.
    pub fn commit(self, draft: ManifestDraft) -> Result<Artifact> {
        remove_unfinished(&self.dir)?;
        match fs_err::remove_file(self.dir.join(file_name::PARTS)) {
            Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(e.into()),
            _ => {}
        }
        let mut files = Vec::new();
        list_files(&self.dir, "", &mut files)?;
        files.sort_by(|a, b| a.name.cmp(&b.name));
        let manifest = Manifest::seal(&self.stage, &self.fingerprint, draft, files);
        let path = self.dir.join(file_name::MANIFEST);
        fs_err::write(&path, manifest.to_text())?;
        sync(&path)?;
        sync(&self.dir)?;
        self.publish()?;
        let artifact = Artifact { dir: self.target, manifest };
        artifact.remove_working_files();
        Ok(artifact)
    }

    /// Whether the target is the same artifact, finished before and undamaged.
    fn is_replaceable(&self) -> bool {
        Artifact::open(&self.target).is_ok_and(|artifact| {
            artifact.manifest.fingerprint == self.fingerprint && artifact.verify().is_ok()
        })
    }

    /// Puts the folder in its place.
    fn publish(&self) -> Result<()> {
        let parent = self.target.parent().unwrap_or(Path::new("."));
        if is_vacant(&self.target)? {
            fs_err::create_dir_all(parent)?;
            fs_err::rename(&self.dir, &self.target)?;
        } else if self.latest.is_none() {
            // Filled by someone else while this was made.
            return Err(Error::OutputFilled { path: self.target.clone(), made: self.dir.clone() });
        } else if self.is_replaceable() {
            // The old folder is moved aside first, because a folder cannot be renamed onto one with files in it. Maps
            // of the old files stay valid until they are closed.
            let old = parent.join(format!("{OLD_PREFIX}{}", self.fingerprint));
            remove_dir_if_there(&old)?;
            fs_err::rename(&self.target, &old)?;
            fs_err::rename(&self.dir, &self.target)?;
            fs_err::remove_dir_all(&old)?;
        } else {
            // Not removed: its intact files may be the only copy of something, such as a model.
            let damaged = free_name(parent, &format!("{DAMAGED_PREFIX}{}", self.fingerprint))?;
            fs_err::rename(&self.target, &damaged)?;
            fs_err::rename(&self.dir, &self.target)?;
            tracing::warn!(folder = %damaged.display(), "the previous artifact was damaged: it was moved aside");
        }
        sync(parent)?;
        if let Some(latest) = &self.latest {
            replace_file(latest, format!("{}\n", self.fingerprint).as_bytes())?;
        }
        Ok(())
    }
}

/// Removes tables whose writer did not finish.
fn remove_unfinished(dir: &Path) -> Result<()> {
    for entry in fs_err::read_dir(dir)? {
        let path = entry?.path();
        if path.is_dir() {
            remove_unfinished(&path)?;
        } else if path.extension().is_some_and(|extension| extension == TEMPORARY_EXTENSION) {
            fs_err::remove_file(&path)?;
        }
    }
    Ok(())
}

/// Lists a folder's files with size, rows and hash, and syncs them to disk.
fn list_files(dir: &Path, prefix: &str, files: &mut Vec<FileEntry>) -> Result<()> {
    for entry in fs_err::read_dir(dir)? {
        let entry = entry?;
        let path = entry.path();
        let name = format!("{prefix}{}", entry.file_name().to_string_lossy());
        if name == file_name::CHECKPOINTS {
            continue;
        }
        if path.is_dir() {
            list_files(&path, &format!("{name}/"), files)?;
            sync(&path)?;
        } else if name != file_name::MANIFEST {
            let is_table = path.extension().is_some_and(|extension| extension == "arrow");
            let rows = if is_table { Some(Table::open(&path, &KINDS)?.len() as u64) } else { None };
            let bytes = fs_err::metadata(&path)?.len();
            files.push(FileEntry { name, bytes, rows, blake3: hash_file(&path)? });
            sync(&path)?;
        }
    }
    Ok(())
}

/// Waits until a file, or a folder's list of names, is on the disk.
fn sync(path: &Path) -> Result<()> {
    Ok(fs_err::File::open(path)?.sync_all()?)
}

/// Whether there is nothing at `path`, or an empty folder.
fn is_vacant(path: &Path) -> Result<bool> {
    match fs_err::read_dir(path) {
        Ok(mut entries) => Ok(entries.next().is_none()),
        // A dangling link counts as something, although it cannot be read.
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(!path.is_symlink()),
        Err(e) if e.kind() == io::ErrorKind::NotADirectory => Ok(false),
        Err(e) => Err(e.into()),
    }
}

/// `name` in `parent`, or `name.2` and so on if that is taken.
fn free_name(parent: &Path, name: &str) -> Result<PathBuf> {
    let mut path = parent.join(name);
    let mut number = 2;
    while fs_err::exists(&path)? {
        path = parent.join(format!("{name}.{number}"));
        number += 1;
    }
    Ok(path)
}

pub(crate) fn remove_dir_if_there(path: &Path) -> Result<()> {
    match fs_err::remove_dir_all(path) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => Err(e.into()),
        _ => Ok(()),
    }
}
/// Refuses links, pipes and devices among the files of an earlier run: a resumed stage would write elsewhere, or wait
/// forever.
fn refuse_foreign(dir: &Path) -> Result<()> {
    for entry in fs_err::read_dir(dir)? {
        let entry = entry?;
        let kind = entry.file_type()?;
        if kind.is_dir() {
            refuse_foreign(&entry.path())?;
        } else if !kind.is_file() {
            return Err(Error::NotAWorkingFile { path: entry.path(), found: describe(kind).to_owned() });
        }
    }
    Ok(())
}
