//! BLAKE3 hashes of files, cached in the store so that a plan does not read gigabytes.

use std::collections::BTreeMap;
use std::fs::Metadata;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use artifact::{SMALL_FILE_BYTES, open_regular, read_small};
use serde::{Deserialize, Serialize};

use super::{did_you_mean, unreadable};
use crate::Error;
use crate::settings::Loaded;

/// Hashes by path, and which files were requested.
pub(super) struct Hashes {
    path: PathBuf,
    known: BTreeMap<String, Remembered>,
    is_changed: bool,
    seen: Vec<SeenFile>,
}

/// The contents of `.hashes.json`. A wrong hash would name an artifact after data that it was not made from. So if the
/// checksum fails, the cache is dropped, and the files are read again.
#[derive(Serialize, Deserialize)]
struct Memory {
    files: BTreeMap<String, Remembered>,
    /// The checksum of `files`.
    checksum: String,
}

/// A file's hash, and the file's size, times and inode at that moment.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Remembered {
    #[serde(flatten)]
    stamp: Stamp,
    blake3: String,
}

/// What distinguishes a file from another one in its place. `cp -p` can keep size and modification time; only the
/// system sets the change time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
struct Stamp {
    size_bytes: u64,
    /// Seconds and nanoseconds.
    modified: (i64, i64),
    changed: (i64, i64),
    inode: u64,
}

impl Stamp {
    fn of(metadata: &Metadata) -> Self {
        Self {
            size_bytes: metadata.len(),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
            changed: (metadata.ctime(), metadata.ctime_nsec()),
            inode: metadata.ino(),
        }
    }

    /// A file that has just changed may change again within the resolution of its times.
    fn is_settled(&self) -> bool {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        let newest = self.modified.0.max(self.changed.0);
        i64::try_from(now).is_ok_and(|now| newest.saturating_add(2) < now)
    }
}

/// A file that counts in a fingerprint.
#[derive(Debug, Clone)]
pub(crate) struct SeenFile {
    pub(crate) path: PathBuf,
    stamp: Stamp,
    was_settled: bool,
    blake3: String,
}

impl SeenFile {
    /// Whether it is still the file that was hashed.
    pub(crate) fn is_unchanged(&self) -> io::Result<bool> {
        Ok(Stamp::of(&fs_err::metadata(&self.path)?) == self.stamp
            && (self.was_settled || hash(&self.path)? == self.blake3))
    }
}

impl Hashes {
    pub(super) fn open(store: &Path) -> Self {
        let path = store.join(".hashes.json");
        let memory: Option<Memory> =
            read_small(&path, SMALL_FILE_BYTES).ok().and_then(|json| serde_json::from_slice(&json).ok());
        let known = memory.filter(|memory| memory.checksum == checksum(&memory.files));
        let known = known.map(|memory| memory.files).unwrap_or_default();
        Self { path, known, is_changed: false, seen: Vec::new() }
    }

    /// The hash of a file that a setting names.
    pub(super) fn file(&mut self, loaded: &Loaded, key: &'static str, path: &Path) -> Result<String, Error> {
        if !path.is_file() {
            let (problem, remedy) = if path.is_dir() {
                let remedy = format!("name the files in it: --set '{key}={}/*'", path.display());
                ("expected a file, found a folder", remedy)
            } else {
                let problem = if path.exists() { "not a regular file" } else { "no such file" };
                let share = path.to_str().filter(|_| key == "ingest.validation");
                let share = share.and_then(|text| text.rsplit('/').next()?.parse::<f64>().ok());
                let share = share.map(|number| {
                    let percent = if number < 1.0 { 100.0 * number } else { number };
                    format!("for a share of the training contexts, write it with the % sign: \"{percent}%\"")
                });
                let remedy = share.or_else(|| did_you_mean(path)).unwrap_or_else(|| {
                    format!("write the path of a file there or on the command line: --set {key}=FILE")
                });
                (problem, remedy)
            };
            let (origin, path) = (loaded.origin(key).to_owned(), path.to_owned());
            return Err(Error::NoSource { origin, key, path, problem, remedy });
        }
        self.hash(path).map_err(|source| unreadable(loaded, key, source))
    }

    fn hash(&mut self, path: &Path) -> io::Result<String> {
        // Keyed by a hash, because a store holds no paths of the machine that it was made on.
        let absolute = std::path::absolute(path)?;
        let place = blake3::hash(absolute.as_os_str().as_encoded_bytes()).to_hex().to_string();
        let stamp = Stamp::of(&fs_err::metadata(path)?);
        let was_settled = stamp.is_settled();
        let blake3 = match self.known.get(&place) {
            Some(known) if known.stamp == stamp => known.blake3.clone(),
            _ => {
                let blake3 = hash(path)?;
                if was_settled {
                    self.known.insert(place, Remembered { stamp, blake3: blake3.clone() });
                    self.is_changed = true;
                }
                blake3
            }
        };
        self.seen.push(SeenFile { path: path.to_owned(), stamp, was_settled, blake3: blake3.clone() });
        Ok(blake3)
    }

    /// Writes the cache, and returns the requested files. A store that cannot be written to does not stop a plan.
    pub(super) fn close(self) -> Vec<SeenFile> {
        if self.is_changed {
            let memory = Memory { checksum: checksum(&self.known), files: self.known };
            let write = || -> io::Result<()> {
                fs_err::create_dir_all(self.path.parent().unwrap_or(Path::new("")))?;
                artifact::replace_cache_file(&self.path, &serde_json::to_vec_pretty(&memory)?)
            };
            if let Err(error) = write() {
                tracing::debug!(%error, "the hashes of the input files could not be cached");
            }
        }
        self.seen
    }
}

fn checksum(files: &BTreeMap<String, Remembered>) -> String {
    artifact::fingerprint(&serde_json::to_value(files).expect("its keys are strings"))
}

fn hash(path: &Path) -> io::Result<String> {
    let mut hasher = blake3::Hasher::new();
    hasher.update_reader(open_regular(path)?)?;
    Ok(hasher.finalize().to_hex().to_string())
}
