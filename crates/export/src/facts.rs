//! What the manifests of the upstream stages say about the model: the contents of `training_config.json`, and the
//! source of the model card.
//!
//! It excludes when and how fast a stage ran, so that the same weights give the same directory.

use std::collections::BTreeMap;

use artifact::{EvaluateMetrics, Manifest, Scores, Sources, SplitCounts, SplitName, TrainMetrics};
use pretrained::{SpanConfig, UseConfig, WindowConfig};
use serde::Serialize;
use serde_json::{Map, Value, json};

use crate::Error;

/// How a model was made, and its scores.
#[derive(Debug, Serialize)]
pub(crate) struct Facts {
    /// How to ask the model. The hashes of its files are added when they are written.
    #[serde(flatten)]
    pub usage: UseConfig,
    /// Every setting that training depended on, by `table.key`.
    pub recipe: Value,
    /// The same for evaluation.
    pub evaluation: Value,
    /// On the validation split.
    pub results: Scores,
    /// On the test split, if there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub test_results: Option<Scores>,
    /// What training measured: steps, the best one, its validation loss.
    pub training: TrainMetrics,
    /// The device, precision and threads that training ran with.
    pub ran_on: Map<String, Value>,
    /// Questions of each split; none if the model was trained from another ingest.
    pub data: BTreeMap<&'static str, SplitCounts>,
    /// Size and kind of the pretrained model.
    pub base_model: Value,
    /// The sources of ingest; `None` if its manifest does not say, or the model was trained from another one.
    pub sources: Option<Sources>,
    /// Versions of distilburn and of the libraries of the training.
    pub versions: Value,
    /// Stage → fingerprint of its artifact.
    pub lineage: Map<String, Value>,
}

impl Facts {
    /// Gathers what the manifests hold; `fingerprint` is the export's own.
    pub(crate) fn new([ingest, train, evaluate]: [&Manifest; 3], fingerprint: &str) -> Result<Self, Error> {
        let training = TrainMetrics::of(train).map_err(|error| other_version(train, &error))?;
        let evaluation = EvaluateMetrics::of(evaluate).map_err(|error| other_version(evaluate, &error))?;
        let of = |map: &Map<String, Value>, keys: &[&str]| -> Map<String, Value> {
            keys.iter().filter_map(|&key| Some((key.to_owned(), map.get(key)?.clone()))).collect()
        };
        // Another ingest says nothing about what this model learned from.
        let trained_from_it = train
            .inputs
            .iter()
            .all(|input| input.stage != ingest.stage || input.fingerprint == ingest.fingerprint);
        let mut recipe = train.parts["settings"].clone();
        let also = [Some(&training.windows), trained_from_it.then(|| &ingest.parts["settings"])];
        for settings in also.into_iter().flatten().filter_map(Value::as_object) {
            if let Some(recipe) = recipe.as_object_mut() {
                recipe.extend(settings.clone());
            }
        }
        Ok(Self {
            usage: usage(&training, evaluate, &evaluation.validation)?,
            recipe,
            evaluation: evaluate.parts["settings"].clone(),
            results: evaluation.validation,
            test_results: evaluation.test,
            training,
            ran_on: of(&train.run, &["device", "precision", "threads"]),
            data: SplitName::ALL
                .into_iter()
                .filter(|_| trained_from_it)
                .filter_map(|split| Some((split.as_str(), SplitCounts::of(ingest, split)?)))
                .collect(),
            base_model: ingest.metrics.get("base_model").cloned().unwrap_or_default(),
            sources: Sources::of(ingest).filter(|_| trained_from_it),
            versions: train.run.get("versions").cloned().unwrap_or_default(),
            lineage: lineage([ingest, evaluate, train], fingerprint),
        })
    }

    /// `training_config.json`.
    pub(crate) fn to_json(&self) -> String {
        let mut config = json!(self);
        let checksum = pretrained::checksum(&config);
        config[pretrained::CHECKSUM] = checksum.into();
        format!("{config:#}\n")
    }
}

/// The windows that it was trained on, and how its answers were scored.
fn usage(training: &TrainMetrics, evaluate: &Manifest, scores: &Scores) -> Result<UseConfig, Error> {
    let spans = &evaluate.parts["settings"];
    let missing = |name: &str| other_version(evaluate, &format!("no setting `{name}`"));
    let size = |settings: &Value, name: &str| {
        settings[name].as_u64().map(|size| size as usize).ok_or_else(|| missing(name))
    };
    Ok(UseConfig {
        windows: WindowConfig {
            max_length: size(&training.windows, "tokenize-features.max_length")?,
            doc_stride: size(&training.windows, "tokenize-features.doc_stride")?,
        },
        spans: SpanConfig {
            n_best: size(spans, "evaluate.n_best")?,
            max_answer_length: size(spans, "evaluate.max_answer_length")?,
            // If all validation questions have an answer, "auto" could not choose a threshold.
            null_threshold: match scores.null_threshold {
                Some(thresholds) => thresholds.used,
                None => spans["evaluate.null_threshold"].as_f64().unwrap_or(0.0),
            },
        },
        no_answer: training.no_answer,
        temperature: scores.calibration.map_or(1.0, |calibration| calibration.temperature),
        files: BTreeMap::new(),
    })
}

fn other_version(manifest: &Manifest, reason: &impl ToString) -> Error {
    let (stage, fingerprint) = (manifest.stage.clone(), manifest.fingerprint.clone());
    Error::OtherVersion { stage, fingerprint, reason: reason.to_string() }
}

/// All stages in the order in which they run; tokenize-features is known only as an input. A model may be evaluated on
/// other data, so what it was trained from comes last and wins.
fn lineage(manifests: [&Manifest; 3], export: &str) -> Map<String, Value> {
    let mut known: BTreeMap<&str, &str> = BTreeMap::from([(stage::EXPORT.name, export)]);
    for manifest in manifests {
        known.extend(manifest.inputs.iter().map(|input| (input.stage.as_str(), input.fingerprint.as_str())));
        known.insert(&manifest.stage, &manifest.fingerprint);
    }
    let of = |name: &str| Some((name.to_owned(), json!(known.get(name)?)));
    stage::STAGES.iter().filter_map(|declaration| of(declaration.name)).collect()
}

#[cfg(test)]
pub(crate) mod tests;
