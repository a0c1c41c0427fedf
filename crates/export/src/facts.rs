//! What the manifests of the upstream stages say about the model: `training_config.json`, and the model card's
//! source.
//!
//! Nothing that depends on when or how fast a stage ran, so that one checkpoint gives one directory.

use std::collections::BTreeMap;

use artifact::{Manifest, Sources};
use pretrained::{SpanConfig, UseConfig, WindowConfig};
use serde::Serialize;
use serde_json::{Map, Value, json};

use crate::Error;

/// How a model came about and what it scores.
#[derive(Debug, Serialize)]
pub(crate) struct Facts {
    /// How to ask the model; the hashes of its files come in when those are written.
    #[serde(flatten)]
    pub usage: UseConfig,
    /// Every setting that training depended on, by `table.key`.
    pub recipe: Value,
    /// The same for evaluation.
    pub evaluation: Value,
    /// On the validation split.
    pub results: Results,
    /// What training measured: steps, the best one, its validation loss.
    pub training: Map<String, Value>,
    /// The device, precision and threads that training ran with.
    pub ran_on: Map<String, Value>,
    /// Questions of each split.
    pub data: Map<String, Value>,
    /// Size and kind of the pretrained model.
    pub base_model: Value,
    /// What ingest read; `None` where its manifest does not say, or the model was trained from another one.
    pub sources: Option<Sources>,
    /// distilburn and the libraries that training ran on.
    pub versions: Value,
    /// Stage → fingerprint of its artifact.
    pub lineage: Map<String, Value>,
}

/// Per cent.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub(crate) struct Results {
    pub exact_match: f64,
    pub f1: f64,
    /// Before fine-tuning.
    pub base_exact_match: f64,
    /// Before fine-tuning.
    pub base_f1: f64,
    /// Of questions with an answer and without, where there are both.
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    pub parts: Option<PartResults>,
}

/// Per cent.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub(crate) struct PartResults {
    pub has_answer_exact_match: f64,
    pub has_answer_f1: f64,
    pub no_answer_exact_match: f64,
    pub no_answer_f1: f64,
}

impl Facts {
    /// Gathers what the manifests hold; `fingerprint` is the export's own.
    pub(crate) fn new([ingest, train, evaluate]: [&Manifest; 3], fingerprint: &str) -> Result<Self, Error> {
        let score = |name| metric(evaluate, name);
        let of = |map: &Map<String, Value>, keys: &[&str]| -> Map<String, Value> {
            keys.iter().filter_map(|&key| Some((key.to_owned(), map.get(key)?.clone()))).collect()
        };
        // Another ingest says nothing about what this model learned from.
        let trained_from_it = train
            .inputs
            .iter()
            .all(|input| input.stage != ingest.stage || input.fingerprint == ingest.fingerprint);
        let mut recipe = train.parts["settings"].clone();
        let also = [train.metrics.get("windows"), trained_from_it.then(|| &ingest.parts["settings"])];
        for settings in also.into_iter().flatten().filter_map(Value::as_object) {
            if let Some(recipe) = recipe.as_object_mut() {
                recipe.extend(settings.clone());
            }
        }
        Ok(Self {
            usage: usage(train, evaluate)?,
            recipe,
            evaluation: evaluate.parts["settings"].clone(),
            results: Results {
                exact_match: score("exact_match")?,
                f1: score("f1")?,
                base_exact_match: score("base_exact_match")?,
                base_f1: score("base_f1")?,
                parts: parts(evaluate),
            },
            training: train.metrics.clone(),
            ran_on: of(&train.run, &["device", "precision", "threads"]),
            data: if trained_from_it { of(&ingest.metrics, &["train", "validation"]) } else { Map::new() },
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

/// The scores of questions with an answer and without, where evaluate told them apart.
fn parts(evaluate: &Manifest) -> Option<PartResults> {
    let score = |name| metric(evaluate, name).ok();
    Some(PartResults {
        has_answer_exact_match: score("has_answer_exact_match")?,
        has_answer_f1: score("has_answer_f1")?,
        no_answer_exact_match: score("no_answer_exact_match")?,
        no_answer_f1: score("no_answer_f1")?,
    })
}

/// The windows that it was trained on, and the way in which its scores came about.
fn usage(train: &Manifest, evaluate: &Manifest) -> Result<UseConfig, Error> {
    let null = Value::Null;
    let windows = train.metrics.get("windows").unwrap_or(&null);
    let spans = &evaluate.parts["settings"];
    let missing = |manifest: &Manifest, name| Error::NoMetric {
        stage: manifest.stage.clone(),
        fingerprint: manifest.fingerprint.clone(),
        name,
    };
    let size = |manifest: &Manifest, value: &Value, name: &'static str| {
        value[name].as_u64().map(|size| size as usize).ok_or_else(|| missing(manifest, name))
    };
    let null_threshold = "evaluate.null_threshold";
    Ok(UseConfig {
        windows: WindowConfig {
            max_length: size(train, windows, "tokenize-features.max_length")?,
            doc_stride: size(train, windows, "tokenize-features.doc_stride")?,
        },
        spans: SpanConfig {
            n_best: size(evaluate, spans, "evaluate.n_best")?,
            max_answer_length: size(evaluate, spans, "evaluate.max_answer_length")?,
            null_threshold: spans[null_threshold]
                .as_f64()
                .ok_or_else(|| missing(evaluate, null_threshold))?,
        },
        no_answer: train.metrics.get("no_answer").and_then(Value::as_bool).unwrap_or(false),
        files: BTreeMap::new(),
    })
}

fn metric(manifest: &Manifest, name: &'static str) -> Result<f64, Error> {
    manifest.metrics.get(name).and_then(Value::as_f64).ok_or_else(|| Error::NoMetric {
        stage: manifest.stage.clone(),
        fingerprint: manifest.fingerprint.clone(),
        name,
    })
}

/// All stages in the order in which they run; tokenize-features is known as an input. A model may be evaluated
/// on other data: what it was trained from comes last and wins.
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
