//! The Hub's cache on disk, as `huggingface_hub` lays it out and other programs share it:
//!
//! ```text
//! datasets--rajpurkar--squad/
//!   refs/main                      the commit
//!   blobs/<hash>                   contents, named by their hash
//!   snapshots/<commit>/<path>      links to them
//! ```

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use crate::digest::{Digest, small_text};
use crate::error::Result;
use crate::repo::{Repo, RepoFile, Revision, has_size, is_commit};

/// A repository's folder in the cache.
pub(crate) struct RepoFolder(PathBuf);

impl RepoFolder {
    pub(crate) fn new(cache: &Path, repo: &Repo) -> Self {
        Self(cache.join(format!("{}--{}", repo.kind.plural(), repo.id.replace('/', "--"))))
    }

    pub(crate) fn snapshot(&self, commit: &str) -> PathBuf {
        self.0.join("snapshots").join(commit)
    }

    pub(crate) fn blob(&self, digest: &Digest) -> PathBuf {
        self.0.join("blobs").join(digest.hex())
    }

    /// The file of a snapshot, if it exists and is complete.
    pub(crate) fn find(&self, revision: &Revision, name: &str, wanted: &RepoFile) -> Option<PathBuf> {
        let path = self.snapshot(&revision.commit).join(name);
        has_size(&path, wanted.size_bytes).then_some(path)
    }

    /// Puts a blob into its snapshot.
    pub(crate) fn link(&self, revision: &Revision, name: &str, digest: &Digest) -> Result<PathBuf> {
        let path = self.snapshot(&revision.commit).join(name);
        if let Some(folder) = path.parent() {
            fs_err::create_dir_all(folder)?;
        }
        // Up from snapshots/<commit>/ and the folders of the name.
        let up = "../".repeat(2 + name.matches('/').count());
        match fs_err::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error.into()),
            _ => {}
        }
        match std::os::unix::fs::symlink(format!("{up}blobs/{}", digest.hex()), &path) {
            Ok(()) => {}
            // Another process was faster.
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            // A file system without links.
            Err(_) => {
                fs_err::copy(self.blob(digest), &path)?;
            }
        }
        Ok(path)
    }

    /// Records the commit of a branch or tag.
    pub(crate) fn remember(&self, revision: &str, commit: &str) -> Result<()> {
        if revision == commit || !is_file_name(revision) {
            return Ok(());
        }
        let path = self.0.join("refs").join(revision);
        if let Some(folder) = path.parent() {
            fs_err::create_dir_all(folder)?;
        }
        Ok(fs_err::write(path, commit)?)
    }

    /// What the cache has of a revision, whichever program put it there; `None` if nothing.
    pub(crate) fn revision(&self, revision: &str) -> Result<Option<Revision>> {
        let commit = if is_commit(revision) {
            revision.to_owned()
        } else if is_file_name(revision) {
            match small_text(&self.0.join("refs").join(revision)) {
                Some(commit) if is_commit(commit.trim()) => commit.trim().to_owned(),
                _ => return Ok(None),
            }
        } else {
            return Ok(None);
        };
        let snapshot = self.snapshot(&commit);
        if !snapshot.is_dir() {
            return Ok(None);
        }
        let mut files = BTreeMap::new();
        collect(&snapshot, "", &mut files)?;
        Ok(Some(Revision { commit, files }))
    }
}

/// The files below `folder`, with the hashes that their links name.
fn collect(folder: &Path, prefix: &str, files: &mut BTreeMap<String, RepoFile>) -> Result<()> {
    for entry in fs_err::read_dir(folder)? {
        let entry = entry?;
        let Ok(name) = entry.file_name().into_string() else { continue };
        let (name, path) = (format!("{prefix}{name}"), entry.path());
        if path.is_dir() {
            collect(&path, &format!("{name}/"), files)?;
        } else if let Some(metadata) = std::fs::metadata(&path).ok().filter(std::fs::Metadata::is_file) {
            let target = std::fs::read_link(&path).ok();
            let blob = target.as_deref().and_then(Path::file_name).and_then(|name| name.to_str());
            let digest = match blob.and_then(Digest::parse) {
                Some(digest) => digest,
                None => Digest::sha256(&path)?,
            };
            files.insert(name, RepoFile { size_bytes: metadata.len(), digest });
        }
    }
    Ok(())
}

/// A relative path that stays in its folder.
pub(crate) fn is_file_name(name: &str) -> bool {
    let sound = |part: &str| !["", ".", ".."].contains(&part);
    name.split('/').all(sound) && !name.contains(['\\', '\0'])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_stay_in_their_folder() {
        for name in ["config.json", "plain_text/train-00000-of-00001.parquet", "refs/pr/1", "..a"] {
            assert!(is_file_name(name), "{name}");
        }
        for name in ["", "/etc/passwd", "../x", "a/../b", "a//b", "a/", ".", "a\\b", "a\0"] {
            assert!(!is_file_name(name), "{name:?}");
        }
    }
}
