//! Finds the evaluation that the user names, with the artifacts that it was made from.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use analysis::{EvaluatedQuestion, Inputs, OwnSlices};
use artifact::{Artifact, Contexts, PARTIAL_PREFIX, SplitName, Store, file_name};
use serde::Deserialize as _;
use serde_json::Value;
use squad::F1Units;
use stage::{SettingsOptions, Workspace};

use crate::running::Running;
use crate::{Error, prefix};

/// An artifact of evaluate and what it read.
pub(crate) struct Evaluation {
    pub(crate) artifact: Artifact,
    ingest: Artifact,
    features: Artifact,
    own_slices: OwnSlices,
}

impl Evaluation {
    /// The evaluation that `named` stands for: an artifact of evaluate, of train or of export, by folder or by the
    /// beginning of its fingerprint, or an exported model's folder; without a name, that of the present settings.
    pub(crate) fn find(workspace: &Workspace, named: Option<&Path>, command: &str) -> Result<Self, Error> {
        let artifact = match named {
            None => workspace.artifact(&stage::EVALUATE, command)?,
            Some(path) => evaluation_of(&workspace.store, path)?,
        };
        let stores: Vec<Store> =
            store_of(&artifact.dir).into_iter().chain([workspace.store.clone()]).collect();
        let input = |stage: &'static str| {
            let input = artifact.manifest.inputs.iter().find(|input| input.stage == stage);
            let fingerprint = input.map(|input| input.fingerprint.clone()).unwrap_or_default();
            for store in &stores {
                if let Some(found) = store.find(stage, &fingerprint)? {
                    return Ok(found);
                }
            }
            Err(Error::NoLineage { evaluation: artifact.dir.clone(), stage, fingerprint })
        };
        let (ingest, features) = (input(stage::INGEST.name)?, input(stage::TOKENIZE_FEATURES.name)?);
        // Few and small, and their texts would be wrong without a word.
        artifact.verify()?;
        let own_slices = OwnSlices::read(&workspace.settings().report.slices)?;
        Ok(Self { artifact, ingest, features, own_slices })
    }

    /// Whether this folder is that of the evaluation itself.
    pub(crate) fn is_at(&self, path: &Path) -> bool {
        path.canonicalize().is_ok_and(|path| self.artifact.dir.canonicalize().is_ok_and(|dir| dir == path))
    }

    /// The split that counts: test if there is one, otherwise validation.
    pub(crate) fn split(&self) -> SplitName {
        let has_test = self.artifact.lists(SplitName::Test.predictions());
        if has_test { SplitName::Test } else { SplitName::Validation }
    }

    /// What its F1 counts.
    pub(crate) fn f1_units(&self) -> F1Units {
        let units = &self.artifact.manifest.parts["settings"]["evaluate.f1_units"];
        F1Units::deserialize(units).unwrap_or_default()
    }

    /// The questions of a split with their answers, and their contexts.
    pub(crate) fn questions(&self, split: SplitName) -> Result<(Vec<EvaluatedQuestion>, Contexts), Error> {
        if !self.artifact.lists(split.predictions()) {
            return Err(Error::NoSplit { evaluation: self.artifact.dir.clone(), split });
        }
        let inputs = Inputs { evaluate: &self.artifact, ingest: &self.ingest, features: &self.features };
        Ok(analysis::evaluated(inputs, split, &self.own_slices)?)
    }

    /// The temperature that calibrates the confidences of these questions.
    pub(crate) fn temperature(&self, split: SplitName) -> Option<f64> {
        analysis::temperature(&self.artifact.manifest, split)
    }

    /// Stage → the parts of its fingerprint, for the evaluation and all its inputs that still exist.
    pub(crate) fn made_from(&self, workspace: &Workspace) -> BTreeMap<String, Value> {
        let of = |artifact: &Artifact| (artifact.manifest.stage.clone(), artifact.manifest.parts.clone());
        let mut made_from: BTreeMap<String, Value> =
            [&self.artifact, &self.ingest, &self.features].map(of).into_iter().collect();
        let stores = store_of(&self.artifact.dir).into_iter().chain([workspace.store.clone()]);
        let train = self.artifact.manifest.inputs.iter().find(|input| input.stage == stage::TRAIN.name);
        let train = train.and_then(|input| {
            stores.into_iter().find_map(|store| store.find(&input.stage, &input.fingerprint).ok().flatten())
        });
        made_from.extend(train.as_ref().map(of));
        made_from
    }

    /// Its name for people: stage and the first digits of its fingerprint.
    pub(crate) fn name(&self) -> String {
        format!("evaluate {:.8}", self.artifact.manifest.fingerprint)
    }
}

fn evaluation_of(store: &Store, path: &Path) -> Result<Artifact, Error> {
    let exported = path.join(TRAINING_CONFIG);
    if exported.is_file() && !path.join(file_name::MANIFEST).exists() {
        let config: Value =
            serde_json::from_slice(&artifact::read_small(&exported, artifact::SMALL_FILE_BYTES)?)
                .unwrap_or_default();
        let fingerprint = config["lineage"]["evaluate"].as_str().unwrap_or_default();
        // The model directory is inside the artifact of export, in a store.
        let own = path.canonicalize().ok().and_then(|model| store_of(model.parent()?));
        return in_stores(own.iter().chain([store]), fingerprint, path);
    }
    let artifact = if path.is_dir() {
        if let Some(unfinished) = unfinished(path) {
            return Err(unfinished);
        }
        if !path.join(file_name::MANIFEST).exists() {
            return Err(Error::NoEvaluation { path: path.to_owned() });
        }
        Artifact::open(path)?
    } else {
        let name = path.to_str().unwrap_or_default();
        match prefix::find(store, name)? {
            Some((stage, fingerprint)) => Artifact::open(&store.dir(stage, &fingerprint))?,
            None => {
                return Err(
                    unfinished_of(store, name)?.unwrap_or(Error::NoEvaluation { path: path.to_owned() })
                );
            }
        }
    };
    let own = store_of(&artifact.dir);
    let stage = artifact.manifest.stage.as_str();
    if stage == stage::EVALUATE.name {
        return Ok(artifact);
    }
    if stage == stage::EXPORT.name {
        let input = artifact.manifest.inputs.iter().find(|input| input.stage == stage::EVALUATE.name);
        let fingerprint = input.map_or("", |input| input.fingerprint.as_str());
        return in_stores(own.iter().chain([store]), fingerprint, path);
    }
    if stage == stage::TRAIN.name {
        let fingerprint = &artifact.manifest.fingerprint;
        let is_of_it = |evaluation: &Artifact| {
            evaluation.manifest.inputs.iter().any(|input| input.fingerprint == *fingerprint)
        };
        let mut evaluations = Vec::new();
        for store in own.iter().chain([store]) {
            evaluations.extend(finished(store)?.into_iter().filter(is_of_it));
        }
        let started = |evaluation: &Artifact| {
            evaluation.manifest.run.get("started").and_then(Value::as_str).map(str::to_owned)
        };
        let newest = evaluations.into_iter().max_by_key(started);
        return newest.ok_or_else(|| {
            // Its inputs are those that it was made from, whatever today's settings say.
            let mut options = SettingsOptions::default();
            let root = store_of(&artifact.dir).unwrap_or_else(|| store.clone()).root().to_owned();
            options.artifacts = Some(root);
            let command =
                options.command(&format!("distilburn evaluate --input train={}", artifact.dir.display()));
            Error::NotEvaluated { path: path.to_owned(), command }
        });
    }
    Err(Error::OtherArtifact { path: path.to_owned(), stage: stage.to_owned() })
}

/// The error for a training that is in progress or unfinished; none for any other folder.
fn unfinished(dir: &Path) -> Option<Error> {
    let name = dir.file_name()?.to_string_lossy();
    if !name.starts_with(PARTIAL_PREFIX) || !dir.join(file_name::METRICS).is_file() {
        return None;
    }
    let watch = format!("`distilburn watch {}`", dir.display());
    let (state, remedy) = match Running::at(dir) {
        Some(running) => (
            format!("{running} is still training it"),
            format!("`distilburn run` evaluates it at the end; {watch} follows it"),
        ),
        None => (
            "it is unfinished, and no process is training it".to_owned(),
            format!(
                "resume it with the command that started it; `distilburn run` also evaluates it; {watch} shows how far it is"
            ),
        ),
    };
    Some(Error::NotTrained { path: dir.to_owned(), state, remedy })
}

/// The same, by the beginning of its fingerprint.
fn unfinished_of(store: &Store, prefix: &str) -> Result<Option<Error>, Error> {
    if !prefix::is_prefix(prefix) {
        return Ok(None);
    }
    let folders = store.folders()?.into_iter();
    let mut trainings =
        folders.filter(|folder| folder.stage == stage::TRAIN.name && folder.fingerprint.starts_with(prefix));
    Ok(trainings.find_map(|folder| unfinished(&folder.dir)))
}

/// What export writes beside the model.
const TRAINING_CONFIG: &str = "training_config.json";

fn in_stores<'a>(
    stores: impl Iterator<Item = &'a Store>,
    fingerprint: &str,
    named: &Path,
) -> Result<Artifact, Error> {
    for store in stores {
        if let Some(found) = store.find(stage::EVALUATE.name, fingerprint)? {
            return Ok(found);
        }
    }
    Err(Error::NoEvaluation { path: named.to_owned() })
}

/// The store that an artifact's folder is in, if any.
fn store_of(artifact: &Path) -> Option<Store> {
    let root: PathBuf = artifact.canonicalize().ok()?.parent()?.parent()?.to_owned();
    Some(Store::new(root))
}

/// Every undamaged evaluation of a store.
fn finished(store: &Store) -> Result<Vec<Artifact>, Error> {
    let entries = match fs_err::read_dir(store.root().join(stage::EVALUATE.name)) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error.into()),
    };
    let mut found = Vec::new();
    for entry in entries {
        let name = entry?.file_name().to_string_lossy().into_owned();
        if !name.starts_with('.') {
            found.extend(store.find(stage::EVALUATE.name, &name).ok().flatten());
        }
    }
    Ok(found)
}
