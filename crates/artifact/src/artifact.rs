//! A finished artifact: a folder of files sealed by a manifest.

use std::io;
use std::path::{Path, PathBuf};

use crate::manifest::{FileEntry, Manifest};
use crate::{Error, Result, file_name};

/// Stands in an artifact in which a reader found damage.
const SUSPECT: &str = ".suspect";

/// A finished artifact.
#[derive(Debug, Clone, PartialEq)]
pub struct Artifact {
    /// Where it is.
    pub dir: PathBuf,
    /// What it is.
    pub manifest: Manifest,
}

impl Artifact {
    /// Opens the artifact in this folder: reads and checks its manifest, not its files.
    pub fn open(dir: &Path) -> Result<Self> {
        let path = dir.join(file_name::MANIFEST);
        match Manifest::read(&path) {
            Ok(manifest) => Ok(Self { dir: dir.to_owned(), manifest }),
            Err(Error::Io(e)) if e.kind() == io::ErrorKind::NotFound => Err(if dir.exists() {
                Error::NoManifest { dir: dir.to_owned() }
            } else {
                Error::NoFolder { dir: dir.to_owned() }
            }),
            Err(Error::Io(e)) if e.kind() == io::ErrorKind::NotADirectory => Err(Error::not_a_folder(dir)),
            Err(e) => Err(e),
        }
    }

    /// The path of a file that the manifest lists, having checked that it is there in its full size.
    pub fn file(&self, name: &str) -> Result<PathBuf> {
        let entry = self.manifest.files.iter().find(|entry| entry.name == name);
        let entry = entry.ok_or_else(|| Error::NotListed {
            dir: self.dir.clone(),
            name: name.to_owned(),
            stage: self.manifest.stage.clone(),
        })?;
        self.check_size(entry)
    }

    /// Checks presence and size of every file.
    pub fn check_files(&self) -> Result<()> {
        self.manifest.files.iter().try_for_each(|entry| self.check_size(entry).map(drop))
    }

    /// Reads every file and checks its BLAKE3.
    pub fn verify(&self) -> Result<()> {
        for entry in &self.manifest.files {
            let path = self.check_size(entry)?;
            let found = hash_file(&path)?;
            if found != entry.blake3 {
                return Err(self.changed(path, format!("has the BLAKE3 {found}"), entry.blake3.clone()));
            }
        }
        Ok(())
    }

    /// Notes that a reader found damage that sizes do not show, so that whoever finds the artifact reads every file first.
    pub fn mark_suspect(&self) {
        if let Err(error) = fs_err::write(self.dir.join(SUSPECT), "") {
            tracing::debug!(%error, "the damage is not noted");
        }
    }

    /// Checks the files: their sizes, and all of their bytes where a reader found damage.
    pub(crate) fn check(&self) -> Result<()> {
        let mark = self.dir.join(SUSPECT);
        if !mark.exists() {
            return self.check_files();
        }
        self.verify()?;
        // Mended meanwhile. Where it cannot be removed, the next one reads the files again.
        drop(fs_err::remove_file(mark));
        Ok(())
    }

    /// Removes what was of use until the artifact was finished, and is there where its process was killed before it did.
    /// The artifact is whole with it too.
    pub fn remove_working_files(&self) {
        match fs_err::remove_dir_all(self.dir.join(file_name::CHECKPOINTS)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                tracing::warn!(%error, "files that are of no use any more stay behind");
            }
            _ => {}
        }
    }

    fn check_size(&self, entry: &FileEntry) -> Result<PathBuf> {
        let path = self.dir.join(&entry.name);
        let found = match fs_err::metadata(&path) {
            Ok(metadata) if metadata.len() == entry.bytes => return Ok(path),
            Ok(metadata) => format!("has {} bytes", metadata.len()),
            Err(e) if e.kind() == io::ErrorKind::NotFound => "is missing".to_owned(),
            Err(e) => return Err(e.into()),
        };
        Err(self.changed(path, found, format!("{} bytes", entry.bytes)))
    }

    fn changed(&self, path: PathBuf, found: String, expected: String) -> Error {
        Error::FileChanged { path, found, expected, stage: self.manifest.stage.clone() }
    }
}

/// The BLAKE3 of a file, 64 hex digits.
pub fn hash_file(path: &Path) -> Result<String> {
    let mut hasher = blake3::Hasher::new();
    hasher.update_reader(fs_err::File::open(path)?)?;
    Ok(hasher.finalize().to_hex().to_string())
}
