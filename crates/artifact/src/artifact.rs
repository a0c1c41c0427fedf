//! A finished artifact: a folder of files sealed by a manifest.

use std::path::{Path, PathBuf};
use std::{fs, io};

use crate::manifest::{FileEntry, Manifest};
use crate::regular_file::describe;
use crate::{Error, Result, file_name, fingerprint, open_regular};

/// Marks an artifact in which a reader found damage.
const SUSPECT: &str = ".suspect";

/// Prefixes of the names of files about one machine's work (timing, live metrics), not about the results.
const MACHINE_FACTS: [&str; 5] = ["metrics.jsonl", "profile", "report.", "tensorboard/", "timing"];

/// A finished artifact.
#[derive(Debug, Clone, PartialEq)]
pub struct Artifact {
    pub dir: PathBuf,
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

    /// The path of a file that the manifest lists, after a check that the file exists with its full size.
    pub fn file(&self, name: &str) -> Result<PathBuf> {
        let entry = self.manifest.files.iter().find(|entry| entry.name == name);
        let entry = entry.ok_or_else(|| Error::NotListed {
            dir: self.dir.clone(),
            name: name.to_owned(),
            stage: self.manifest.stage.clone(),
        })?;
        self.check_size(entry)
    }

    /// Whether the manifest lists a file of this name.
    #[must_use]
    pub fn lists(&self, name: &str) -> bool {
        self.manifest.files.iter().any(|entry| entry.name == name)
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

    /// A hash of the files that results depend on. The same training on other threads has the same fingerprint but
    /// other weights, so later stages compare this hash. Files about one machine (timing, live metrics, profiles,
    /// reports) do not count.
    #[must_use]
    pub fn content(&self) -> String {
        let counts = |entry: &&FileEntry| !MACHINE_FACTS.iter().any(|fact| entry.name.starts_with(fact));
        let files = self.manifest.files.iter().filter(counts);
        let files: serde_json::Map<_, _> =
            files.map(|entry| (entry.name.clone(), entry.blake3.clone().into())).collect();
        fingerprint(&files.into())
    }

    /// Records that a reader found damage that file sizes do not show. From then on, every file is read before the
    /// artifact is used.
    pub fn mark_suspect(&self) {
        if let Err(error) = fs_err::write(self.dir.join(SUSPECT), "") {
            tracing::debug!(%error, "the damage could not be recorded");
        }
    }

    /// Checks the sizes of the files, and all of their bytes if a reader found damage.
    pub(crate) fn check(&self) -> Result<()> {
        let mark = self.dir.join(SUSPECT);
        if !mark.exists() {
            return self.check_files();
        }
        self.verify()?;
        // Repaired in the meantime. If the mark cannot be removed, the next reader reads the files again.
        drop(fs_err::remove_file(mark));
        Ok(())
    }

    /// Removes files that were needed only until the artifact was finished. They are still there if the process was
    /// killed before it removed them; they do no harm.
    pub fn remove_working_files(&self) {
        match fs_err::remove_dir_all(self.dir.join(file_name::CHECKPOINTS)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                tracing::warn!(%error, "files that are no longer needed could not be deleted");
            }
            _ => {}
        }
    }

    fn check_size(&self, entry: &FileEntry) -> Result<PathBuf> {
        // A link would let a file from elsewhere pass for a file of the artifact.
        let mut path = self.dir.clone();
        let folders = entry.name.rsplit_once('/').map_or("", |(folders, _)| folders);
        for folder in folders.split('/').filter(|folder| !folder.is_empty()) {
            path.push(folder);
            if let Some(found) = found_instead(&path, fs::FileType::is_dir)? {
                return Err(self.changed(path, found, "a directory".to_owned()));
            }
        }
        let path = self.dir.join(&entry.name);
        let expected = format!("{} bytes", entry.bytes);
        if let Some(found) = found_instead(&path, fs::FileType::is_file)? {
            return Err(self.changed(path, found, expected));
        }
        match fs_err::symlink_metadata(&path)?.len() {
            found if found == entry.bytes => Ok(path),
            found => Err(self.changed(path, format!("has {found} bytes"), expected)),
        }
    }

    fn changed(&self, path: PathBuf, found: String, expected: String) -> Error {
        Error::FileChanged { path, found, expected, stage: self.manifest.stage.clone() }
    }
}

/// Describes what is at `path` instead of the expected file.
fn found_instead(path: &Path, is_wanted: fn(&fs::FileType) -> bool) -> io::Result<Option<String>> {
    match fs_err::symlink_metadata(path) {
        Ok(metadata) if is_wanted(&metadata.file_type()) => Ok(None),
        Ok(metadata) => Ok(Some(format!("is {}", describe(metadata.file_type())))),
        Err(e) if matches!(e.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
            Ok(Some("is missing".to_owned()))
        }
        Err(e) => Err(e),
    }
}

/// The BLAKE3 of a file, 64 hex digits.
pub fn hash_file(path: &Path) -> Result<String> {
    let mut hasher = blake3::Hasher::new();
    hasher.update_reader(open_regular(path)?)?;
    Ok(hasher.finalize().to_hex().to_string())
}
