//! `manifest.json`: what an artifact is, what it was made from, and which files it has.

use std::io;
use std::path::Path;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::{Error, Result, SMALL_FILE_BYTES, json, read_small};

/// The format that this build writes and reads.
pub const MANIFEST_VERSION: u32 = 1;

/// The contents of `manifest.json`. No absolute path, no host name.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Manifest {
    /// [`MANIFEST_VERSION`].
    pub format_version: u32,
    /// The stage that made the artifact.
    pub stage: String,
    /// Its name in the store.
    pub fingerprint: String,
    /// What the fingerprint was made from: `{stage, code, settings, inputs}`.
    pub parts: Value,
    /// The artifacts that it was made from.
    pub inputs: Vec<Input>,
    /// Every file but this one, sorted by name.
    pub files: Vec<FileEntry>,
    /// What the stage measured.
    pub metrics: Map<String, Value>,
    /// When, where and how fast it ran: this may differ between two runs that give the same files.
    pub run: Map<String, Value>,
    /// BLAKE3 of the canonical JSON of all the above.
    pub checksum: String,
}

/// An artifact that another was made from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Input {
    pub stage: String,
    pub fingerprint: String,
    /// [`Artifact::content`](crate::Artifact::content) of the artifact that was read, because equal fingerprints do not
    /// mean equal bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content: Option<String>,
}

/// A file of an artifact.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileEntry {
    /// Its path inside the artifact, with `/`.
    pub name: String,
    /// Its size.
    pub bytes: u64,
    /// The number of rows of a table.
    pub rows: Option<u64>,
    /// 64 hex digits.
    pub blake3: String,
}

/// The part of the manifest that a stage provides; [`crate::Partial::commit`] adds the rest.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ManifestDraft {
    /// See [`Manifest::parts`].
    pub parts: Value,
    /// See [`Manifest::inputs`].
    pub inputs: Vec<Input>,
    /// See [`Manifest::metrics`].
    pub metrics: Map<String, Value>,
    /// See [`Manifest::run`].
    pub run: Map<String, Value>,
}

impl Manifest {
    /// Puts a manifest together and seals it with its checksum.
    pub(crate) fn seal(stage: &str, fingerprint: &str, draft: ManifestDraft, files: Vec<FileEntry>) -> Self {
        let ManifestDraft { parts, inputs, metrics, run } = draft;
        let mut manifest = Self {
            format_version: MANIFEST_VERSION,
            stage: stage.to_owned(),
            fingerprint: fingerprint.to_owned(),
            parts,
            inputs,
            files,
            metrics,
            run,
            checksum: String::new(),
        };
        manifest.checksum = checksum(manifest.to_value());
        manifest
    }

    /// Reads and checks a manifest.
    pub(crate) fn read(path: &Path) -> Result<Self> {
        let invalid = |source| Error::ManifestJson { path: path.to_owned(), source };
        let bytes = match read_small(path, SMALL_FILE_BYTES) {
            Err(error) if error.kind() == io::ErrorKind::InvalidData => {
                return Err(Error::NotAManifest { why: error.to_string() });
            }
            read => read?,
        };
        let value: Value = serde_json::from_slice(&bytes).map_err(invalid)?;
        let version = value.get("format_version").unwrap_or(&Value::Null);
        if *version != MANIFEST_VERSION {
            let (path, found) = (path.to_owned(), version.to_string());
            return Err(Error::ManifestVersion { path, found, expected: MANIFEST_VERSION });
        }
        let manifest = Self::deserialize(&value).map_err(invalid)?;
        let expected = checksum(value);
        if manifest.checksum != expected {
            return Err(Error::ManifestChecksum {
                path: path.to_owned(),
                found: manifest.checksum,
                expected,
            });
        }
        if let Some(file) = manifest.files.iter().find(|file| !stays_inside(&file.name)) {
            return Err(Error::FileOutside { path: path.to_owned(), name: file.name.clone() });
        }
        Ok(manifest)
    }

    /// The text of the file: indented, for people and diffs.
    pub(crate) fn to_text(&self) -> String {
        format!("{:#}\n", self.to_value())
    }

    fn to_value(&self) -> Value {
        serde_json::to_value(self).expect("a manifest is made of strings, numbers and maps with string keys")
    }
}

/// Whether a name, joined to a folder, stays in the folder.
fn stays_inside(name: &str) -> bool {
    name.split('/').all(is_plain_name)
}

/// Whether a name is that of one file or folder, and leads nowhere else.
pub(crate) fn is_plain_name(name: &str) -> bool {
    !["", ".", ".."].contains(&name) && !name.contains(['/', '\0'])
}

/// The checksum of a manifest without its own checksum. Keys that this build does not know count too.
fn checksum(mut manifest: Value) -> String {
    if let Some(fields) = manifest.as_object_mut() {
        fields.shift_remove("checksum");
    }
    json::blake3(&manifest)
}
