//! Reads, checks and converts the folder of a model. All weights from folders go through this crate.
//!
//! For every family, the result is a `DistilBertForQuestionAnswering` in f32 with DistilBERT's configuration and
//! tokenizer. The conversion of a BERT is exact if every token type is 0, as in DistilBERT.
//!
//! Not here: running models (`distilbert`), and downloads (`fetch`).

mod config;
mod error;
mod files;
mod identity;
#[cfg(test)]
#[path = "../../../tests/message.rs"]
mod message;
#[cfg(test)]
mod tests;
mod tokenizer;
mod use_config;
mod weight_files;
mod weights;
mod word_piece;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use artifact::{AssetsWriter, TensorsWriter, file_name};
use serde_json::{Value, json};
use squad::{FeatureTokenizer, WindowSettings};

use crate::config::{DistilBertConfig, Family};
use crate::tokenizer::{TokenizerAssets, TokenizerFiles};
use crate::weight_files::WeightFiles;
use crate::weights::Weights;

pub use crate::error::{Error, Result};
pub use crate::identity::Identity;
pub use crate::use_config::{
    CHECKSUM, SpanConfig, TRAINING_CONFIG, UseConfig, WindowConfig, checksum, hash_files,
};

/// Shape and values (row-major, f32) of tensors by name.
pub type NamedTensors = BTreeMap<String, (Vec<usize>, Vec<f32>)>;

/// A model whose files agree with one another.
#[derive(Debug)]
pub struct ModelFolder {
    path: PathBuf,
    family: Family,
    config: DistilBertConfig,
    tokenizer: TokenizerAssets,
    weights: Weights,
    use_config: Option<UseConfig>,
}

/// Reads the model in `folder`, checks that its files agree, and writes `pretrained.arrow` and `assets.arrow`
/// into `output`. Returns what the manifest says about it.
pub fn ingest(folder: &Path, output: &Path, fingerprint: &str) -> Result<Value> {
    let model = ModelFolder::open(folder)?;
    model.write_assets(output, fingerprint)?;
    model.write_weights(output, fingerprint)
}

/// The tensors of one weight file, with the names in the file.
pub fn tensors_of_file(path: &Path) -> Result<NamedTensors> {
    let weight_files = WeightFiles::open_file(path)?;
    let tensors = weight_files
        .tensors()
        .map(|(name, tensor)| Ok((name.to_owned(), (tensor.shape.clone(), weight_files.read_f32(name)?))));
    tensors.collect()
}

impl ModelFolder {
    /// Reads configuration and tokenizer in `folder`, and the headers of the weights.
    ///
    /// A folder that distilburn exported lists the hashes of its files; other contents are refused.
    pub fn open(folder: &Path) -> Result<Self> {
        if !folder.is_dir() {
            return Err(Error::NoModel { path: folder.to_owned() });
        }
        let use_config = UseConfig::read(folder)?;
        if let Some(use_config) = &use_config {
            use_config.verify(folder)?;
        }
        let config_json = files::required(folder, "config.json")?;
        let (family, mut config) = DistilBertConfig::from_json(&config_json, &folder.join("config.json"))?;
        // Sizes are checked against the files before anything is allocated.
        let weights = Weights::open(WeightFiles::open(folder)?, family, &config)?;
        let class: Value = serde_json::from_slice(&config_json).unwrap_or_default();
        let tokenizer = TokenizerFiles {
            tokenizer: files::read(folder, "tokenizer.json")?,
            config: files::read(folder, "tokenizer_config.json")?,
            added_tokens: files::read(folder, "added_tokens.json")?,
            vocab: files::read(folder, "vocab.txt")?,
            class: class["tokenizer_class"].as_str().map(str::to_owned),
        }
        .into_assets(&config, folder)?;
        config.pad_token_id = tokenizer.pad_token_id;
        loads(&tokenizer, &config, folder)?;
        if weights.head_needs_token_types()? {
            tracing::warn!(
                folder = %folder.display(),
                "its question-answering head was trained with token type 1 for the context. DistilBERT has no token types, \
                 so the converted model answers differently until it is fine-tuned: run `distilburn run` with this model \
                 as ingest.base_model, or ask the original model with transformers"
            );
        }
        Ok(Self { path: folder.to_owned(), family, config, tokenizer, weights, use_config })
    }

    /// `config.json` of the DistilBERT that it is, or becomes.
    #[must_use]
    pub fn config_json(&self) -> Vec<u8> {
        let mut json =
            serde_json::to_vec_pretty(&self.config).expect("the configuration has string keys only");
        json.push(b'\n');
        json
    }

    /// `tokenizer.json`, as the next stages will read it.
    #[must_use]
    pub fn tokenizer_json(&self) -> &[u8] {
        &self.tokenizer.tokenizer_json
    }

    /// What distinguishes its tokenizer and shape from others.
    #[must_use]
    pub fn identity(&self) -> Identity {
        Identity::of(&self.config_json(), &self.tokenizer.tokenizer_json)
    }

    /// Whether it can answer questions already.
    #[must_use]
    pub fn has_qa_head(&self) -> bool {
        self.weights.has_qa_head
    }

    /// The weight file, or the index of its shards.
    #[must_use]
    pub fn weights_path(&self) -> &Path {
        &self.weights.weight_files.path
    }

    /// How to use an exported model; `None` for a folder of another tool.
    #[must_use]
    pub fn use_config(&self) -> Option<&UseConfig> {
        self.use_config.as_ref()
    }

    /// All tensors, with DistilBERT's names.
    pub fn tensors(&self) -> Result<NamedTensors> {
        let tensors = self.weights.iter().map(|tensor| {
            let (name, shape, values) = tensor?;
            Ok((name.to_owned(), (shape.to_vec(), values)))
        });
        tensors.collect()
    }

    /// Writes `assets.arrow` into `output`.
    pub fn write_assets(&self, output: &Path, fingerprint: &str) -> Result<()> {
        let tokenizer = &self.tokenizer;
        let mut assets = AssetsWriter::create(&output.join(file_name::ASSETS), fingerprint)?;
        assets.push("config.json", &self.config_json())?;
        assets.push("special_tokens_map.json", &tokenizer.special_tokens_map_json)?;
        assets.push("tokenizer.json", &tokenizer.tokenizer_json)?;
        assets.push("tokenizer_config.json", &tokenizer.tokenizer_config_json)?;
        assets.push("vocab.txt", &tokenizer.vocab_txt)?;
        Ok(assets.finish()?)
    }

    /// Writes `pretrained.arrow` into `output`; returns what the manifest says about the model.
    pub fn write_weights(&self, output: &Path, fingerprint: &str) -> Result<Value> {
        let Self { path, family, config, weights, .. } = self;
        let mut tensors = TensorsWriter::create(&output.join(file_name::PRETRAINED), fingerprint)?;
        let mut parameters = 0;
        for tensor in weights.iter() {
            let (name, shape, values) = tensor?;
            let shape: Vec<i64> = shape.iter().map(|dim| *dim as i64).collect();
            tensors.push_f32(name, &shape, &values)?;
            parameters += values.len();
        }
        tensors.finish()?;

        let (model_type, qa_head) = (family.model_type(), weights.has_qa_head);
        let weight_files = &weights.weight_files;
        let form = weight_files.form();
        tracing::info!(
            model_type,
            form,
            parameters,
            qa_head,
            dropped = weights.dropped.len(),
            "read the base model"
        );
        if !weights.dropped.is_empty() {
            tracing::info!(
                tensors = weights.dropped.join(", "),
                "dropped: question answering does not use these"
            );
        }
        if qa_head {
            tracing::info!(folder = %path.display(), "kept: the base model already has a question-answering head");
        }
        let mut types: BTreeMap<&str, usize> = BTreeMap::new();
        for (_, tensor) in weight_files.tensors() {
            *types.entry(&tensor.dtype_name).or_default() += 1;
        }
        Ok(json!({
            "model_type": model_type,
            "form": form,
            "files": weight_files.files().collect::<Vec<_>>(),
            "tensor_types": types,
            "parameters": parameters,
            "vocab_size": config.vocab_size,
            "dim": config.dim,
            "n_layers": config.n_layers,
            "qa_head": qa_head,
            "dropped_tensors": weights.dropped,
        }))
    }
}

/// Loads the tokenizer as the next stage will, so that a bad one is refused here.
fn loads(tokenizer: &TokenizerAssets, config: &DistilBertConfig, folder: &Path) -> Result<()> {
    let path = folder.join("tokenizer.json");
    let settings = WindowSettings { max_length: config.max_position_embeddings, doc_stride: 0 };
    let refused = |source| Error::Tokenizer { path: path.clone(), source: Box::new(source) };
    let loaded = FeatureTokenizer::new(&tokenizer.tokenizer_json, settings).map_err(refused)?;
    let context = loaded.tokenize_context("").map_err(refused)?;
    let windows = loaded.windows("", &context, None).map_err(refused)?;
    let input_ids = &windows[0].input_ids;
    let (found, expected) = ([input_ids[0], input_ids[input_ids.len() - 1]], tokenizer.around_pair);
    if found.map(i64::from) == expected.map(i64::from) {
        Ok(())
    } else {
        Err(Error::AroundPair { path, found, expected })
    }
}
