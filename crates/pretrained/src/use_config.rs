//! The part of an exported model's `training_config.json` that says how to use the model. Export writes it; all users
//! of the folder read it here.

use std::collections::BTreeMap;
use std::path::Path;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::error::{Error, Result};
use crate::files;

/// The file's name.
pub const TRAINING_CONFIG: &str = "training_config.json";

/// How to ask the model, and what its files should hash to.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct UseConfig {
    /// How contexts were cut into windows.
    pub windows: WindowConfig,
    /// How answers were chosen.
    pub spans: SpanConfig,
    /// Whether it was trained on questions without an answer, and so can say that there is none.
    pub no_answer: bool,
    /// The temperature: scores are divided by it before they become probabilities. evaluate fits it so that the
    /// probabilities are reliable.
    #[serde(default = "unfitted")]
    pub temperature: f64,
    /// BLAKE3 of weights, configuration and tokenizer, by name.
    #[serde(default)]
    pub files: BTreeMap<String, String>,
}

fn unfitted() -> f64 {
    1.0
}

/// The windows, in tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct WindowConfig {
    /// The most tokens in a window.
    pub max_length: usize,
    /// Tokens shared by neighbouring windows.
    pub doc_stride: usize,
}

/// The selection of spans, as in the settings of evaluate.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct SpanConfig {
    /// Starts and ends that are paired in each window.
    pub n_best: usize,
    /// Tokens of the longest answer.
    pub max_answer_length: usize,
    /// By how much the score of "no answer" must exceed the best answer's.
    pub null_threshold: f64,
}

impl UseConfig {
    /// What the folder says; `None` if it says nothing, as folders of other tools.
    pub(crate) fn read(folder: &Path) -> Result<Option<Self>> {
        let Some(json) = files::read(folder, TRAINING_CONFIG)? else { return Ok(None) };
        let invalid = |source| {
            let expected = "what `distilburn export` wrote; export the model again, or delete the file";
            Error::json(&folder.join(TRAINING_CONFIG), expected, &source)
        };
        let value: Value = serde_json::from_slice(&json).map_err(invalid)?;
        if value.get("windows").is_none() {
            return Ok(None);
        }
        if let Some(expected) = value.get(CHECKSUM).and_then(Value::as_str) {
            let found = checksum(&value);
            if found != expected {
                let (path, expected) = (folder.join(TRAINING_CONFIG), expected.to_owned());
                return Err(Error::Changed { path, found, expected });
            }
        }
        serde_json::from_slice(&json).map(Some).map_err(invalid)
    }

    /// Compares the files that are read from the folder with their hashes.
    pub(crate) fn verify(&self, folder: &Path) -> Result<()> {
        let hashes = hash_files(folder, &[])?;
        // One of two weight files is enough. If another file were missing, defaults would silently replace it.
        let is_weights = |name: &str| [".safetensors", ".bin"].iter().any(|ending| name.ends_with(ending));
        let is_read = |name: &str| name == TRAINING_CONFIG || hashes.contains_key(name) || is_weights(name);
        if let Some((name, expected)) = self.files.iter().find(|(name, _)| !is_read(name)) {
            let (path, found) = (folder.join(name), "missing, or no regular file".to_owned());
            return Err(Error::Changed { path, found, expected: expected.clone() });
        }
        for (name, found) in hashes {
            match self.files.get(&name) {
                Some(expected) if *expected != found => {
                    let expected = expected.clone();
                    return Err(Error::Changed { path: folder.join(name), found, expected });
                }
                _ => {}
            }
        }
        Ok(())
    }
}

/// The key of `training_config.json` that seals the others: they decide how the model answers.
pub const CHECKSUM: &str = "checksum";

/// BLAKE3 of the canonical JSON of all but the checksum.
#[must_use]
pub fn checksum(config: &Value) -> String {
    let mut config = config.clone();
    if let Some(keys) = config.as_object_mut() {
        keys.remove(CHECKSUM);
    }
    artifact::fingerprint(&config)
}

/// BLAKE3 of the files that are read from a model's folder, and of `more`.
pub fn hash_files(folder: &Path, more: &[&str]) -> Result<BTreeMap<String, String>> {
    let names = fetch::model_files(folder).into_iter().chain(more.iter().map(|name| (*name).to_owned()));
    let hashes = names.map(|name| {
        let mut hasher = blake3::Hasher::new();
        hasher.update_reader(fs_err::File::open(folder.join(&name))?)?;
        Ok((name, hasher.finalize().to_hex().to_string()))
    });
    hashes.collect()
}
