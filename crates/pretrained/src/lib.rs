//! The folder of a pretrained model, checked and converted: the tables that training and export read.
//!
//! Whatever the family, what is written is a `DistilBertForQuestionAnswering` in f32 with DistilBERT's
//! configuration and tokenizer. A BERT becomes one exactly where every token type is 0, as in DistilBERT.

mod checkpoint;
mod config;
mod error;
#[cfg(test)]
#[path = "../../../tests/message.rs"]
mod message;
#[cfg(test)]
mod tests;
mod tokenizer;
mod weights;
mod word_piece;

use std::collections::BTreeMap;
use std::io;
use std::path::Path;

use artifact::{AssetsWriter, TensorsWriter, file_name};
use serde_json::{Value, json};
use squad::{FeatureTokenizer, WindowSettings};

use crate::checkpoint::Checkpoint;
use crate::config::{DistilBertConfig, Family};
use crate::tokenizer::{TokenizerAssets, TokenizerFiles};
use crate::weights::Weights;

pub use crate::error::{Error, Result};

/// A base model whose small files agree with one another, and whose weights are still to be read.
#[derive(Debug)]
pub struct BaseModel<'a> {
    folder: &'a Path,
    family: Family,
    config: DistilBertConfig,
    tokenizer: TokenizerAssets,
}

/// Reads the model in `folder`, checks that its files agree, and writes `pretrained.arrow` and `assets.arrow`
/// into `output`. Returns what the manifest says about it.
pub fn ingest(folder: &Path, output: &Path, fingerprint: &str) -> Result<Value> {
    let model = BaseModel::open(folder)?;
    model.write_assets(output, fingerprint)?;
    model.write_weights(output, fingerprint)
}

impl<'a> BaseModel<'a> {
    /// Reads the configuration and the tokenizer in `folder`.
    pub fn open(folder: &'a Path) -> Result<Self> {
        if !folder.is_dir() {
            return Err(Error::NoModel { path: folder.to_owned() });
        }
        let required =
            |name| read(folder, name)?.ok_or_else(|| Error::NoModelFile { folder: folder.to_owned(), name });
        let (family, mut config) =
            DistilBertConfig::from_json(&required("config.json")?, &folder.join("config.json"))?;
        let tokenizer = TokenizerFiles {
            tokenizer: read(folder, "tokenizer.json")?,
            config: read(folder, "tokenizer_config.json")?,
            special_tokens: read(folder, "special_tokens_map.json")?,
            vocab: read(folder, "vocab.txt")?,
        }
        .into_assets(&config, folder)?;
        config.pad_token_id = tokenizer.pad_token_id;
        loads(&tokenizer.tokenizer_json, &config, folder)?;
        Ok(Self { folder, family, config, tokenizer })
    }

    /// `tokenizer.json`, as the next stages will have it.
    #[must_use]
    pub fn tokenizer_json(&self) -> &[u8] {
        &self.tokenizer.tokenizer_json
    }

    /// Writes `assets.arrow` into `output`.
    pub fn write_assets(&self, output: &Path, fingerprint: &str) -> Result<()> {
        let Self { config, tokenizer, .. } = self;
        let mut config_json =
            serde_json::to_vec_pretty(config).expect("the configuration has string keys only");
        config_json.push(b'\n');
        let mut assets = AssetsWriter::create(&output.join(file_name::ASSETS), fingerprint)?;
        assets.push("config.json", &config_json)?;
        assets.push("special_tokens_map.json", &tokenizer.special_tokens_map_json)?;
        assets.push("tokenizer.json", &tokenizer.tokenizer_json)?;
        assets.push("tokenizer_config.json", &tokenizer.tokenizer_config_json)?;
        assets.push("vocab.txt", &tokenizer.vocab_txt)?;
        Ok(assets.finish()?)
    }

    /// Writes `pretrained.arrow` into `output`; returns what the manifest says about the model.
    pub fn write_weights(&self, output: &Path, fingerprint: &str) -> Result<Value> {
        let Self { family, config, .. } = self;
        let checkpoint = Checkpoint::open(self.folder)?;
        let weights = Weights::open(&checkpoint, *family, config)?;
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
        let form = checkpoint.form();
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
                "question answering has no use for these: dropped"
            );
        }
        if qa_head {
            tracing::info!("the base model has a question answering head already: kept");
        }
        let mut types: BTreeMap<&str, usize> = BTreeMap::new();
        for (_, tensor) in checkpoint.tensors() {
            *types.entry(&tensor.dtype_name).or_default() += 1;
        }
        Ok(json!({
            "model_type": model_type,
            "form": form,
            "files": checkpoint.files().collect::<Vec<_>>(),
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

/// The most that a vocabulary, tokenizer or configuration has.
const FILE_BYTES: u64 = 256 << 20;

/// A file of the folder, or `None` where there is none of that name.
fn read(folder: &Path, name: &str) -> Result<Option<Vec<u8>>> {
    match artifact::read_small(&folder.join(name), FILE_BYTES) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(source) if source.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(source.into()),
    }
}

/// Loads the tokenizer as the next stage will, so that a bad one is refused here.
fn loads(tokenizer_json: &[u8], config: &DistilBertConfig, folder: &Path) -> Result<()> {
    let settings = WindowSettings { max_length: config.max_position_embeddings, doc_stride: 0 };
    FeatureTokenizer::new(tokenizer_json, settings)
        .map(drop)
        .map_err(|source| Error::Tokenizer { path: folder.join("tokenizer.json"), source: Box::new(source) })
}
