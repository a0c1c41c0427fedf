//! Which folder is meant: the training under a path, or the newest of a store.

use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use artifact::{PARTIAL_PREFIX, file_name};

use crate::Error;
use crate::running::last_line;

/// What the command line asks for.
#[derive(Debug)]
pub(super) enum Wanted {
    /// The training that was worked on last in the store of this root.
    NewestOf(PathBuf),
    /// An artifact, finished or in progress, its `metrics.jsonl`, or a store.
    At(PathBuf),
}

impl Wanted {
    /// The folder, or none if no training has begun yet.
    pub(super) fn find(&self) -> Result<Option<PathBuf>, Error> {
        let path = match self {
            Self::NewestOf(root) => return newest(&root.join("train"), |_| true),
            Self::At(path) if path.ends_with(file_name::METRICS) => path.parent().unwrap_or(Path::new("")),
            Self::At(path) => path,
        };
        if is_training(path) {
            return Ok(Some(path.to_owned()));
        }
        if path.join("train").is_dir() {
            return newest(&path.join("train"), |_| true);
        }
        if path.is_file() || path.join(file_name::MANIFEST).exists() {
            return Err(Error::NothingToWatch { path: path.to_owned() });
        }
        let (Some(parent), Some(name)) = (path.parent(), path.file_name().and_then(|name| name.to_str()))
        else {
            return Ok(None);
        };
        let parent = if parent.as_os_str().is_empty() { Path::new(".") } else { parent };
        match name.strip_prefix(PARTIAL_PREFIX) {
            // Finished meanwhile: `.partial-<fingerprint>` of a store, `.partial-<name>-<fingerprint>` elsewhere.
            Some(target) => {
                let output = target.rsplit_once('-').map_or(target, |(output, _)| output);
                Ok([target, output].map(|name| parent.join(name)).into_iter().find(|dir| is_training(dir)))
            }
            // Not finished yet.
            None => newest(parent, |folder| {
                let rest = folder.strip_prefix(PARTIAL_PREFIX).and_then(|folder| folder.strip_prefix(name));
                rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('-'))
            }),
        }
    }

    /// The message if there is no training.
    pub(super) fn nothing(&self) -> Error {
        let (Self::NewestOf(path) | Self::At(path)) = self;
        Error::NoTraining { path: path.clone() }
    }

    /// The folder in which a training is expected.
    pub(super) fn path(&self) -> &Path {
        let (Self::NewestOf(path) | Self::At(path)) = self;
        path
    }
}

/// The training folder in `folder` with the newest lines, among those with a matching name.
fn newest(folder: &Path, asked_for: impl Fn(&str) -> bool) -> Result<Option<PathBuf>, Error> {
    let entries = match fs_err::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    let mut found: Option<(SystemTime, PathBuf)> = None;
    for entry in entries {
        let entry = entry?;
        let name = entry.file_name();
        let name = name.to_string_lossy();
        // The store has other hidden folders for short times.
        if name.starts_with('.') && !name.starts_with(PARTIAL_PREFIX) || !asked_for(&name) {
            continue;
        }
        // It may be renamed at this moment; the next look will find it.
        let Some(time) = last_line(&entry.path()) else { continue };
        if found.as_ref().is_none_or(|(newest, _)| time > *newest) {
            found = Some((time, entry.path()));
        }
    }
    Ok(found.map(|(_, dir)| dir))
}

fn is_training(dir: &Path) -> bool {
    dir.join(file_name::METRICS).is_file()
}
