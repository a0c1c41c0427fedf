//! The store: `<root>/<stage>/<fingerprint>/`, with `<root>/<stage>/latest` naming the newest.

mod folders;

use std::io;
use std::path::{Path, PathBuf};

use crate::manifest::is_plain_name;
use crate::{Artifact, Error, Partial, Result, read_small_text};

pub use folders::{Folder, FolderKind, References, Usage};

/// The text file that names the newest artifact of a stage.
pub(crate) const LATEST: &str = "latest";
/// The most that it holds: a fingerprint.
const LATEST_BYTES: u64 = 256;

/// A folder of artifacts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Store {
    root: PathBuf,
}

impl Store {
    /// The store in this folder, which need not exist yet.
    #[must_use]
    pub fn new(root: PathBuf) -> Self {
        Self { root }
    }

    /// Its folder.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Where the artifact is, or would be.
    #[must_use]
    pub fn dir(&self, stage: &str, fingerprint: &str) -> PathBuf {
        self.root.join(stage).join(fingerprint)
    }

    /// The artifact if it is finished. Checks the manifest, and that every file exists with its full size. A damaged
    /// artifact is an error ([`Error::is_damage`]), not `None`.
    pub fn find(&self, stage: &str, fingerprint: &str) -> Result<Option<Artifact>> {
        if !is_plain_name(fingerprint) {
            return Ok(None);
        }
        let dir = self.dir(stage, fingerprint);
        let artifact = match Artifact::open(&dir) {
            Err(Error::NoFolder { .. }) => return Ok(None),
            opened => opened?,
        };
        let manifest = &artifact.manifest;
        if (manifest.stage.as_str(), manifest.fingerprint.as_str()) != (stage, fingerprint) {
            let found = format!("{} {}", manifest.stage, manifest.fingerprint);
            return Err(Error::Misplaced { dir, found, expected: format!("{stage} {fingerprint}") });
        }
        artifact.check()?;
        Ok(Some(artifact))
    }

    /// The newest finished artifact of a stage; `None` if there is none or it was deleted.
    pub fn latest(&self, stage: &str) -> Result<Option<Artifact>> {
        match self.latest_fingerprint(stage)? {
            Some(fingerprint) => self.find(stage, &fingerprint),
            None => Ok(None),
        }
    }

    /// What `latest` of a stage names; `None` if there is no such file, or something else in its place. The next
    /// artifact then becomes the newest.
    pub fn latest_fingerprint(&self, stage: &str) -> Result<Option<String>> {
        use io::ErrorKind::{InvalidData, NotADirectory, NotFound};
        match read_small_text(&self.root.join(stage).join(LATEST), LATEST_BYTES) {
            Ok(text) => Ok(Some(text.trim().to_owned()).filter(|name| is_plain_name(name))),
            Err(e) if matches!(e.kind(), InvalidData | NotADirectory | NotFound) => Ok(None),
            Err(e) => Err(e.into()),
        }
    }

    /// The folder of the artifact while it is unfinished.
    #[must_use]
    pub fn unfinished_dir(&self, stage: &str, fingerprint: &str) -> PathBuf {
        Partial::dir_in_store(&self.root.join(stage), fingerprint)
    }

    /// Begins an artifact, or resumes an interrupted one. Refuses if another process is writing it.
    pub fn begin(&self, stage: &str, fingerprint: &str) -> Result<Partial> {
        Partial::in_store(&self.root.join(stage), stage, fingerprint)
    }
}

#[cfg(test)]
mod tests;
