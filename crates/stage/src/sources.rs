//! The outside files that ingest reads, as they count in its fingerprint: a local file by its contents, a URL by
//! the SHA-256 recorded at its download, a file of the Hub by id and commit.

use std::collections::BTreeMap;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use fetch::{RepoKind, model_files, weights_file};

use crate::settings::{BaseModel, HubId, Loaded, Location, Source};
use crate::{Error, Fetcher};

const BASE_MODEL: &str = "ingest.base_model";

/// The `inputs` part of ingest's fingerprint.
pub(crate) fn inputs(loaded: &Loaded, store: &Path, fetcher: &mut Fetcher) -> Result<Value, Error> {
    let mut hashes = Hashes::open(store);
    let ingest = &loaded.settings.ingest;
    let mut inputs = Map::new();
    for (key, setting, source) in
        [("train", "ingest.train", &ingest.train), ("validation", "ingest.validation", &ingest.validation)]
    {
        let value = match source {
            Source::Sample => json!("sample"),
            Source::At(locations) => {
                let mut values = Vec::new();
                for location in locations {
                    values.extend(location_values(location, setting, loaded, &mut hashes, fetcher)?);
                }
                // One file counts the same whether it was named, matched or listed.
                if let [value] = values.as_slice() { value.clone() } else { Value::Array(values) }
            }
        };
        inputs.insert(key.to_owned(), value);
    }
    for (key, setting, path) in [
        ("train_ids", "ingest.train_ids", &ingest.train_ids),
        ("validation_ids", "ingest.validation_ids", &ingest.validation_ids),
    ] {
        if let Some(path) = path {
            inputs.insert(key.to_owned(), json!(hashes.file(loaded, setting, path)?));
        }
    }
    let base_model = match &ingest.base_model {
        BaseModel::Folder(folder) => model(&mut hashes, loaded, folder)?,
        BaseModel::Hub(id) => of_hub(id, RepoKind::Model, BASE_MODEL, loaded, fetcher)?,
    };
    inputs.insert("base_model".to_owned(), base_model);
    hashes.save();
    Ok(Value::Object(inputs))
}

/// What the folder in `train.init_from` is: planning hashes what training reads.
#[derive(Debug)]
pub enum InitFrom {
    /// An artifact, of train if all is well.
    Artifact(artifact::Artifact),
    /// The folder of a model.
    Folder,
}

impl InitFrom {
    /// A folder with a manifest is an artifact, whatever else lies in it.
    pub fn of(folder: &Path) -> Result<Self, artifact::Error> {
        if folder.join(artifact::file_name::MANIFEST).is_file() {
            artifact::Artifact::open(folder).map(Self::Artifact)
        } else {
            Ok(Self::Folder)
        }
    }
}

/// What `train.init_from` counts as: a train artifact by its fingerprint, a model directory by its files.
pub(crate) fn init_from(loaded: &Loaded, store: &Path) -> Result<Option<Value>, Error> {
    const KEY: &str = "train.init_from";
    let Some(folder) = &loaded.settings.train.init_from else { return Ok(None) };
    if let InitFrom::Artifact(artifact) = InitFrom::of(folder)? {
        let manifest = artifact.manifest;
        if manifest.stage != "train" {
            let model = folder.join("model");
            let remedy = if model.is_dir() { "name its model/" } else { "name the artifact of a training" };
            return Err(Error::NoSource {
                origin: loaded.origin(KEY).to_owned(),
                key: KEY,
                path: folder.clone(),
                what: "artifact of train",
                remedy: format!("it is one of {}: {remedy}", manifest.stage),
            });
        }
        return Ok(Some(json!(manifest.fingerprint)));
    }
    if weights_file(folder).is_none() {
        return Err(Error::NoSource {
            origin: loaded.origin(KEY).to_owned(),
            key: KEY,
            path: folder.clone(),
            what: "trained model",
            remedy: "name the folder of a train artifact (`distilburn path train`) or of an exported model \
                     (its model/, with model.safetensors or pytorch_model.bin)"
                .to_owned(),
        });
    }
    let mut hashes = Hashes::open(store);
    let files = hashes.model(loaded, KEY, folder)?;
    hashes.save();
    Ok(Some(files))
}

/// What the files of a location count by.
fn location_values(
    location: &Location,
    setting: &'static str,
    loaded: &Loaded,
    hashes: &mut Hashes,
    fetcher: &mut Fetcher,
) -> Result<Vec<Value>, Error> {
    Ok(match location {
        Location::File(path) => vec![json!(hashes.file(loaded, setting, path)?)],
        Location::Glob(pattern) => {
            let paths = matches(pattern).map_err(|source| unreadable(loaded, setting, source))?;
            if paths.is_empty() {
                return Err(Error::NoSource {
                    origin: loaded.origin(setting).to_owned(),
                    key: setting,
                    path: pattern.into(),
                    what: "pattern of any file",
                    remedy: format!("look at what is there: ls '{pattern}'"),
                });
            }
            let mut values = Vec::new();
            for path in paths {
                values.push(json!(hashes.file(loaded, setting, &path)?));
            }
            values
        }
        Location::Url(url) => vec![json!(format!("sha256:{}", fetcher.pin_url(url)?.hex()))],
        Location::Hub(id) => vec![of_hub(id, RepoKind::Dataset, setting, loaded, fetcher)?],
    })
}

fn unreadable(loaded: &Loaded, key: &'static str, source: io::Error) -> Error {
    Error::ReadSource { origin: loaded.origin(key).to_owned(), key, source }
}

/// A repository of the Hub by id and commit; an error says that a path may be meant.
fn of_hub(
    id: &HubId,
    kind: RepoKind,
    setting: &'static str,
    loaded: &Loaded,
    fetcher: &mut Fetcher,
) -> Result<Value, Error> {
    let (here, there) = match kind {
        RepoKind::Model => ("folder", "model"),
        RepoKind::Dataset => ("file or folder", "dataset"),
    };
    let revision = fetcher.revision(&id.repo(kind), &id.revision).map_err(|error| match error {
        Error::Fetch(error) => {
            let (origin, id) = (loaded.origin(setting), &id.id);
            let advice = format!(
                "{origin}: {setting} = {id}: no such {here} is here, so that it was taken for a {there} of the Hub; \
                 if a {here} is meant, correct its path and begin it with ./"
            );
            error.advise(&advice).into()
        }
        other => other,
    })?;
    Ok(json!(format!("{}@{}", id.id, revision.commit)))
}

/// The files that fit a pattern, in the order of their names.
pub fn matches(pattern: &str) -> io::Result<Vec<PathBuf>> {
    let paths = glob::glob(pattern).map_err(|error| io::Error::new(io::ErrorKind::InvalidInput, error))?;
    let mut files = Vec::new();
    for path in paths {
        let path = path.map_err(|error| {
            io::Error::new(error.error().kind(), format!("{}: {}", error.path().display(), error.error()))
        })?;
        if !path.is_dir() {
            files.push(path);
        }
    }
    Ok(files)
}

fn model(hashes: &mut Hashes, loaded: &Loaded, folder: &Path) -> Result<Value, Error> {
    if !folder.is_dir() {
        let fetched_by_setup = folder.ends_with("models/all-MiniLM-L6-v2");
        return Err(Error::NoSource {
            origin: loaded.origin(BASE_MODEL).to_owned(),
            key: BASE_MODEL,
            path: folder.to_owned(),
            what: "folder",
            remedy: if fetched_by_setup {
                "fetch it with `scripts/setup`, or work in the folder where that was run".to_owned()
            } else {
                "name the folder of a model (config.json, model.safetensors, tokenizer.json), or its id on the Hub"
                    .to_owned()
            },
        });
    }
    hashes.model(loaded, BASE_MODEL, folder)
}

/// BLAKE3 of files, remembered in the store so that a plan does not read gigabytes.
struct Hashes {
    path: PathBuf,
    known: BTreeMap<String, Remembered>,
    changed: bool,
}

/// A file's hash, and what it looked like when it was taken.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Remembered {
    size_bytes: u64,
    modified_ns: i128,
    inode: u64,
    blake3: String,
}

impl Hashes {
    fn open(store: &Path) -> Self {
        let path = store.join(".hashes.json");
        // A lost or damaged memory only costs reading the files again.
        let known =
            fs_err::read(&path).ok().and_then(|json| serde_json::from_slice(&json).ok()).unwrap_or_default();
        Self { path, known, changed: false }
    }

    fn file(&mut self, loaded: &Loaded, key: &'static str, path: &Path) -> Result<String, Error> {
        if !path.is_file() {
            let (what, remedy) = if path.is_dir() {
                ("file but a folder", format!("name the files in it: --set '{key}={}/*'", path.display()))
            } else {
                let what = if path.exists() { "regular file" } else { "file" };
                (what, format!("write the path of a file there, or on the command line: --set {key}=FILE"))
            };
            let (origin, path) = (loaded.origin(key).to_owned(), path.to_owned());
            return Err(Error::NoSource { origin, key, path, what, remedy });
        }
        self.hash(path).map_err(|source| unreadable(loaded, key, source))
    }

    /// The files of a model's folder that are read.
    fn model(&mut self, loaded: &Loaded, key: &'static str, folder: &Path) -> Result<Value, Error> {
        let mut files = Map::new();
        for name in model_files(folder) {
            let hash = self.file(loaded, key, &folder.join(&name))?;
            files.insert(name, json!(hash));
        }
        Ok(Value::Object(files))
    }

    fn hash(&mut self, path: &Path) -> io::Result<String> {
        // Keyed by a hash: a store holds no path of the machine it was made on.
        let absolute = std::path::absolute(path)?;
        let place = blake3::hash(absolute.as_os_str().as_encoded_bytes()).to_hex().to_string();
        let metadata = fs_err::metadata(path)?;
        let modified_ns = i128::from(metadata.mtime()) * 1_000_000_000 + i128::from(metadata.mtime_nsec());
        if let Some(known) = self.known.get(&place)
            && (known.size_bytes, known.modified_ns, known.inode)
                == (metadata.len(), modified_ns, metadata.ino())
        {
            return Ok(known.blake3.clone());
        }
        let mut hasher = blake3::Hasher::new();
        hasher.update_reader(fs_err::File::open(path)?)?;
        let blake3 = hasher.finalize().to_hex().to_string();
        // A file changed just now may change again without its time stamp moving.
        let settled = metadata.modified()? + Duration::from_secs(2) < SystemTime::now();
        if settled {
            let remembered = Remembered {
                size_bytes: metadata.len(),
                modified_ns,
                inode: metadata.ino(),
                blake3: blake3.clone(),
            };
            self.known.insert(place, remembered);
            self.changed = true;
        }
        Ok(blake3)
    }

    /// A store that cannot be written to is no reason to stop a plan.
    fn save(&self) {
        if !self.changed {
            return;
        }
        let write = || -> io::Result<()> {
            let temporary = self.path.with_extension(format!("json.{}", std::process::id()));
            fs_err::create_dir_all(self.path.parent().unwrap_or(Path::new("")))?;
            fs_err::write(&temporary, serde_json::to_vec_pretty(&self.known)?)?;
            fs_err::rename(temporary, &self.path)
        };
        if let Err(error) = write() {
            tracing::debug!(%error, "hashes of the input files are not remembered");
        }
    }
}
