//! Finds the folder of the model that a command should use: `--model`, or the export of the settings.
//!
//! Not here: the contents of the folder (`pretrained`).

use std::path::{Path, PathBuf};

use artifact::{Artifact, Store, file_name};
use fetch::{RepoKind, Revision};

use crate::settings::{BaseModel, HubId, expand_home_of};
use crate::{EXPORT, Error, Fetcher, Interrupt, Workspace};

/// The beginning of a fingerprint has at least this many digits.
const SHORTEST_PREFIX: usize = 4;

impl Workspace {
    /// The folder of the model that `model` names: a model's folder, an artifact that a model was exported from or that
    /// holds one (by folder, or by the beginning of its fingerprint), or a Hub id, whose files are downloaded. Without
    /// one, it is the export of the present settings. `command` is the command that needs the model, for messages.
    pub fn model_folder(&self, model: Option<&str>, command: &str) -> Result<PathBuf, Error> {
        let Some(model) = model else {
            let run = self.options.command("distilburn run");
            let remedy = format!(
                "train one with `{run}`, or name one with --model: a model's folder, an artifact, or a Hub id"
            );
            let export = self.artifact_or(&EXPORT, command, ("a model".to_owned(), remedy))?;
            return Ok(export.dir.join(file_name::MODEL));
        };
        let path = expand_home_of(Path::new(model));
        if path.exists() {
            return self.model_at(path);
        }
        if is_prefix(model)
            && let Some(found) = exported(&self.store, model)?
        {
            return Ok(found);
        }
        match HubId::parse(model) {
            Some(id) => self.fetcher(Interrupt::default()).model_folder(&BaseModel::Hub(id)),
            None => Err(Error::NoSuchModel { model: model.to_owned() }),
        }
    }

    fn model_at(&self, path: PathBuf) -> Result<PathBuf, Error> {
        if path.join("config.json").exists() || !path.join(file_name::MANIFEST).exists() {
            return Ok(path);
        }
        let manifest = Artifact::open(&path)?.manifest;
        if manifest.stage == EXPORT.name {
            return Ok(path.join(file_name::MODEL));
        }
        let own =
            path.canonicalize().ok().and_then(|path| Some(Store::new(path.parent()?.parent()?.to_owned())));
        for store in own.iter().chain([&self.store]) {
            if let Some(found) = exported(store, &manifest.fingerprint)? {
                return Ok(found);
            }
        }
        Err(Error::NotExported { path, stage: manifest.stage })
    }
}

impl Fetcher {
    /// The folder of a model; for a Hub id, the files that may be read are downloaded.
    pub fn model_folder(&mut self, model: &BaseModel) -> Result<PathBuf, Error> {
        let id = match model {
            BaseModel::Folder(folder) => return Ok(folder.clone()),
            BaseModel::Hub(id) => id,
        };
        let repo = id.repo(RepoKind::Model);
        let revision = self.revision(&repo, &id.revision)?;
        for name in of_model(&revision) {
            self.repo_file(&repo, &revision, name)?;
        }
        Ok(self.snapshot(&repo, &revision))
    }
}

fn is_prefix(text: &str) -> bool {
    (SHORTEST_PREFIX..=32).contains(&text.len())
        && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

/// The model of the export whose fingerprint begins with `prefix`, or else of the newest export that was made from such
/// an artifact.
fn exported(store: &Store, prefix: &str) -> Result<Option<PathBuf>, Error> {
    let Ok(entries) = std::fs::read_dir(store.root().join(EXPORT.name)) else { return Ok(None) };
    let names = entries.flatten().map(|entry| entry.file_name().to_string_lossy().into_owned());
    let (mut own, mut descended) = (Vec::new(), Vec::new());
    for name in names.filter(|name| !name.starts_with('.')) {
        // An unusable export is not a candidate.
        let Ok(Some(artifact)) = store.find(EXPORT.name, &name) else { continue };
        if name.starts_with(prefix) {
            own.push(artifact);
        } else if artifact.manifest.inputs.iter().any(|input| input.fingerprint.starts_with(prefix)) {
            descended.push(artifact);
        }
    }
    if own.len() > 1 {
        let mut names: Vec<_> = own.into_iter().map(|artifact| artifact.manifest.fingerprint).collect();
        names.sort();
        return Err(Error::AmbiguousModel { prefix: prefix.to_owned(), candidates: names.join(", ") });
    }
    let started = |artifact: &Artifact| {
        artifact.manifest.run.get("started").and_then(|started| started.as_str()).map(str::to_owned)
    };
    let found = own.pop().or_else(|| descended.into_iter().max_by_key(started));
    Ok(found.map(|artifact| artifact.dir.join(file_name::MODEL)))
}

/// The weights in the preferred format, and the small files beside them.
fn of_model(revision: &Revision) -> Vec<&str> {
    let has = |name: &str| revision.files.contains_key(name);
    let weights = |prefix: &str, ending: &str| {
        let whole = format!("{prefix}{ending}");
        let name = move |name: &str| {
            name == whole || name.starts_with(&format!("{prefix}-")) && name.ends_with(ending)
        };
        revision.files.keys().map(String::as_str).filter(|file| name(file)).collect::<Vec<_>>()
    };
    let mut names = if has("model.safetensors") {
        vec!["model.safetensors"]
    } else if has("model.safetensors.index.json") {
        weights("model", ".safetensors")
    } else if has("pytorch_model.bin") {
        vec!["pytorch_model.bin"]
    } else {
        weights("pytorch_model", ".bin")
    };
    let beside = |name: &&str| {
        let ending = name.rsplit_once('.').map(|(_, ending)| ending);
        !name.contains('/') && matches!(ending, Some("json" | "txt"))
    };
    names.extend(revision.files.keys().map(String::as_str).filter(beside));
    names
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use fetch::{Digest, RepoFile};

    use super::*;
    use crate::ExitKind as _;

    fn revision(names: &[&str]) -> Revision {
        let digest = Digest::parse(&"0".repeat(40)).unwrap();
        let file = RepoFile { size_bytes: 1, digest };
        let files: BTreeMap<_, _> = names.iter().map(|name| ((*name).to_owned(), file.clone())).collect();
        Revision { commit: "0".repeat(40), files }
    }

    #[test]
    fn what_is_neither_a_folder_nor_an_id_is_refused_and_a_folder_is_taken_as_it_is() {
        let folder = tempfile::tempdir().unwrap();
        let store = folder.path().join("artifacts");
        let options = crate::SettingsOptions { artifacts: Some(store), ..Default::default() };
        let workspace = Workspace::open(&options, &[]).unwrap();
        let named = |model: &str| workspace.model_folder(Some(model), "ask");
        let path = folder.path().display().to_string();
        assert_eq!(named(&path).unwrap(), folder.path());
        for missing in [format!("{path}/none"), "./none".to_owned(), "a/b/c".to_owned()] {
            assert!(matches!(named(&missing), Err(Error::NoSuchModel { .. })), "{missing}");
        }
    }

    #[test]
    fn without_any_model_it_says_so_whatever_else_is_missing() {
        let folder = tempfile::tempdir().unwrap();
        let options = crate::SettingsOptions {
            artifacts: Some(folder.path().join("artifacts")),
            set: vec!["ingest.base_model=./nowhere".to_owned()],
            ..Default::default()
        };
        let workspace = Workspace::open(&options, &[]).unwrap();
        let error = workspace.model_folder(None, "ask").unwrap_err();
        assert!(matches!(error, Error::NothingYet { .. }), "{error}");
        assert_eq!(error.exit_code(), 3);
        assert!(error.to_string().starts_with("ask needs a model, and "), "{error}");
        let help = miette::Diagnostic::help(&error).unwrap().to_string();
        assert!(help.contains("`distilburn run --set ") && help.contains("--model"), "{help}");
        // Once there is a model, the missing source explains why it is not found.
        std::fs::create_dir_all(folder.path().join("artifacts/export").join("0".repeat(32))).unwrap();
        let error = workspace.model_folder(None, "ask").unwrap_err();
        assert!(matches!(error, Error::NoSource { .. }), "{error}");
    }

    #[test]
    fn of_a_model_one_form_of_weights_is_fetched() {
        let names =
            ["config.json", "model.safetensors", "pytorch_model.bin", "onnx/config.json", "vocab.txt"];
        assert_eq!(of_model(&revision(&names)), ["model.safetensors", "config.json", "vocab.txt"]);
        let shards = [
            "model-00001-of-00002.safetensors",
            "model-00002-of-00002.safetensors",
            "model.safetensors.index.json",
        ];
        assert_eq!(of_model(&revision(&shards)).len(), 3);
        assert_eq!(of_model(&revision(&["pytorch_model.bin", "tf_model.h5"])), ["pytorch_model.bin"]);
    }
}
