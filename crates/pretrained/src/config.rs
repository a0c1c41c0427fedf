//! Reads a base model's `config.json` as a DistilBERT configuration.
//!
//! BERT's names become DistilBERT's here; what DistilBERT cannot compute (another activation, relative positions) is
//! refused here. Not here: weights ([`crate::weights`]).

use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};

/// Families of models that become a DistilBERT.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Family {
    /// `model_type` `"distilbert"`: used unchanged.
    DistilBert,
    /// `model_type` `"bert"` (BERT, MiniLM, TinyBERT, …): converted.
    Bert,
}

impl Family {
    /// The `model_type` of the family's `config.json`, which is also its tensors' optional prefix.
    #[must_use]
    pub fn model_type(self) -> &'static str {
        match self {
            Self::DistilBert => "distilbert",
            Self::Bert => "bert",
        }
    }
}

/// The `config.json` of a `DistilBertForQuestionAnswering`, with transformers' names and order.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct DistilBertConfig {
    activation: &'static str,
    architectures: [&'static str; 1],
    attention_dropout: f64,
    /// Width of the hidden states.
    pub dim: usize,
    dropout: f64,
    /// Width of the feed-forward layer.
    pub hidden_dim: usize,
    initializer_range: f64,
    /// Longest sequence, in tokens.
    pub max_position_embeddings: usize,
    model_type: &'static str,
    /// Attention heads; divides `dim`.
    pub n_heads: usize,
    /// Transformer layers.
    pub n_layers: usize,
    pub pad_token_id: u32,
    qa_dropout: f64,
    seq_classif_dropout: f64,
    sinusoidal_pos_embds: bool,
    tie_weights_: bool,
    /// Rows of the word embeddings.
    pub vocab_size: usize,
}

impl DistilBertConfig {
    /// Reads `config.json`; `path` is for messages.
    pub fn from_json(json: &[u8], path: &Path) -> Result<(Family, Self)> {
        let header: Header = parse(json, path)?;
        let (family, config) = match header.model_type.as_deref() {
            Some("distilbert") => (Family::DistilBert, parse::<DistilBert>(json, path)?.into_config(path)?),
            Some("bert") => (Family::Bert, parse::<Bert>(json, path)?.into_config(path)?),
            Some(found) => {
                return Err(Error::ModelType { path: path.to_owned(), found: found.to_owned() });
            }
            None => {
                let likely = if header.dim.is_some() { Family::DistilBert } else { Family::Bert };
                return Err(Error::NoModelType { path: path.to_owned(), likely: likely.model_type() });
            }
        };
        let sizes = [
            ("hidden size", config.dim),
            ("feed-forward size", config.hidden_dim),
            ("number of heads", config.n_heads),
            ("number of layers", config.n_layers),
            ("max_position_embeddings", config.max_position_embeddings),
            ("vocab_size", config.vocab_size),
        ];
        for (what, size) in sizes {
            if size == 0 {
                return Err(unsupported(path, what, "0", "at least 1"));
            }
        }
        for (what, share) in [
            ("dropout", config.dropout),
            ("attention dropout", config.attention_dropout),
            ("qa_dropout", config.qa_dropout),
        ] {
            if !(0.0..1.0).contains(&share) {
                return Err(unsupported(path, what, &share.to_string(), "a number from 0 up, below 1"));
            }
        }
        if !config.dim.is_multiple_of(config.n_heads) {
            return Err(unsupported(
                path,
                "hidden size",
                &config.dim.to_string(),
                &format!("a multiple of the {} heads", config.n_heads),
            ));
        }
        Ok((family, config))
    }
}

#[derive(Deserialize)]
struct Header {
    model_type: Option<String>,
    /// DistilBERT's name for BERT's `hidden_size`.
    dim: Option<serde::de::IgnoredAny>,
}

/// The keys of a DistilBERT `config.json` that matter, with transformers' defaults.
#[derive(Deserialize)]
struct DistilBert {
    activation: Option<String>,
    #[serde(default = "default_dropout")]
    attention_dropout: f64,
    dim: usize,
    #[serde(default = "default_dropout")]
    dropout: f64,
    hidden_dim: usize,
    #[serde(default = "default_initializer_range")]
    initializer_range: f64,
    max_position_embeddings: usize,
    n_heads: usize,
    n_layers: usize,
    pad_token_id: Option<u32>,
    #[serde(default = "default_dropout")]
    qa_dropout: f64,
    #[serde(default = "default_seq_classif_dropout")]
    seq_classif_dropout: f64,
    vocab_size: usize,
}

impl DistilBert {
    fn into_config(self, path: &Path) -> Result<DistilBertConfig> {
        require(path, "activation", self.activation.as_deref(), "gelu")?;
        Ok(DistilBertConfig {
            attention_dropout: self.attention_dropout,
            dim: self.dim,
            dropout: self.dropout,
            hidden_dim: self.hidden_dim,
            initializer_range: self.initializer_range,
            max_position_embeddings: self.max_position_embeddings,
            n_heads: self.n_heads,
            n_layers: self.n_layers,
            pad_token_id: self.pad_token_id.unwrap_or(0),
            qa_dropout: self.qa_dropout,
            seq_classif_dropout: self.seq_classif_dropout,
            vocab_size: self.vocab_size,
            ..CONSTANTS
        })
    }
}

/// The keys of a BERT `config.json` that matter, with transformers' defaults.
#[derive(Deserialize)]
struct Bert {
    hidden_act: Option<String>,
    position_embedding_type: Option<String>,
    layer_norm_eps: Option<f64>,
    #[serde(default = "default_dropout")]
    attention_probs_dropout_prob: f64,
    #[serde(default = "default_dropout")]
    hidden_dropout_prob: f64,
    hidden_size: usize,
    #[serde(default = "default_initializer_range")]
    initializer_range: f64,
    intermediate_size: usize,
    max_position_embeddings: usize,
    num_attention_heads: usize,
    num_hidden_layers: usize,
    pad_token_id: Option<u32>,
    vocab_size: usize,
}

impl Bert {
    fn into_config(self, path: &Path) -> Result<DistilBertConfig> {
        require(path, "hidden_act", self.hidden_act.as_deref(), "gelu")?;
        require(path, "position_embedding_type", self.position_embedding_type.as_deref(), "absolute")?;
        // DistilBERT has no such key: its LayerNorms are built with 1e-12.
        let epsilon = self.layer_norm_eps.unwrap_or(1e-12);
        if (epsilon - 1e-12).abs() > 1e-15 {
            return Err(unsupported(path, "layer_norm_eps", &format!("{epsilon:e}"), "1e-12"));
        }
        Ok(DistilBertConfig {
            attention_dropout: self.attention_probs_dropout_prob,
            dim: self.hidden_size,
            dropout: self.hidden_dropout_prob,
            hidden_dim: self.intermediate_size,
            initializer_range: self.initializer_range,
            max_position_embeddings: self.max_position_embeddings,
            n_heads: self.num_attention_heads,
            n_layers: self.num_hidden_layers,
            pad_token_id: self.pad_token_id.unwrap_or(0),
            vocab_size: self.vocab_size,
            ..CONSTANTS
        })
    }
}

/// The defaults that are the same for every written model; the sizes are always given.
const CONSTANTS: DistilBertConfig = DistilBertConfig {
    activation: "gelu",
    architectures: ["DistilBertForQuestionAnswering"],
    attention_dropout: 0.1,
    dim: 0,
    dropout: 0.1,
    hidden_dim: 0,
    initializer_range: 0.02,
    max_position_embeddings: 0,
    model_type: "distilbert",
    n_heads: 0,
    n_layers: 0,
    pad_token_id: 0,
    qa_dropout: 0.1,
    seq_classif_dropout: 0.2,
    // Tells transformers how to initialise; the positions are in the weight files either way.
    sinusoidal_pos_embds: false,
    tie_weights_: true,
    vocab_size: 0,
};

fn default_dropout() -> f64 {
    CONSTANTS.dropout
}

fn default_initializer_range() -> f64 {
    CONSTANTS.initializer_range
}

fn default_seq_classif_dropout() -> f64 {
    CONSTANTS.seq_classif_dropout
}

fn parse<'a, T: Deserialize<'a>>(json: &'a [u8], path: &Path) -> Result<T> {
    serde_json::from_slice(json).map_err(|source| Error::json(path, "the configuration of a model", &source))
}

/// `key` must read `expected`, which is also its default.
fn require(path: &Path, key: &'static str, found: Option<&str>, expected: &str) -> Result<()> {
    match found {
        Some(found) if found != expected => {
            Err(unsupported(path, key, &format!("{found:?}"), &format!("{expected:?}")))
        }
        _ => Ok(()),
    }
}

fn unsupported(path: &Path, what: &'static str, found: &str, expected: &str) -> Error {
    Error::ModelConfig { path: path.to_owned(), what, found: found.to_owned(), expected: expected.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::message;

    const BERT: &str = r#"{"model_type": "bert", "hidden_act": "gelu", "hidden_size": 384, "intermediate_size": 1536,
        "num_attention_heads": 12, "num_hidden_layers": 6, "max_position_embeddings": 512, "vocab_size": 30522}"#;
    const DISTILBERT: &str = r#"{"model_type": "distilbert", "activation": "gelu", "dim": 768, "hidden_dim": 3072,
        "n_heads": 12, "n_layers": 6, "max_position_embeddings": 512, "vocab_size": 30522, "qa_dropout": 0.3}"#;

    fn refused(json: &str) -> String {
        message(
            &DistilBertConfig::from_json(json.as_bytes(), Path::new("config.json")).unwrap_err(),
            Path::new("/nowhere"),
        )
    }

    #[test]
    fn bert_becomes_distilbert() {
        let (family, config) =
            DistilBertConfig::from_json(BERT.as_bytes(), Path::new("config.json")).unwrap();
        assert_eq!(family, Family::Bert);
        insta::assert_snapshot!(serde_json::to_string_pretty(&config).unwrap(), @r#"
          {
            "activation": "gelu",
            "architectures": [
              "DistilBertForQuestionAnswering"
            ],
            "attention_dropout": 0.1,
            "dim": 384,
            "dropout": 0.1,
            "hidden_dim": 1536,
            "initializer_range": 0.02,
            "max_position_embeddings": 512,
            "model_type": "distilbert",
            "n_heads": 12,
            "n_layers": 6,
            "pad_token_id": 0,
            "qa_dropout": 0.1,
            "seq_classif_dropout": 0.2,
            "sinusoidal_pos_embds": false,
            "tie_weights_": true,
            "vocab_size": 30522
          }
        "#);
    }

    #[test]
    fn distilbert_keeps_its_values() {
        let (family, config) =
            DistilBertConfig::from_json(DISTILBERT.as_bytes(), Path::new("config.json")).unwrap();
        assert_eq!(family, Family::DistilBert);
        assert_eq!((config.dim, config.hidden_dim, config.qa_dropout), (768, 3072, 0.3));
    }

    #[test]
    fn what_distilbert_cannot_compute_is_refused() {
        insta::assert_snapshot!(refused(&BERT.replace("\"bert\"", "\"roberta\"")), @r#"
          config.json: model_type is "roberta", expected "distilbert" or "bert"
          help: choose a DistilBERT, BERT or MiniLM model
        "#);
        insta::assert_snapshot!(refused(&BERT.replace(r#""model_type": "bert","#, "")), @r#"
          config.json has no model_type, expected "distilbert" or "bert"
          help: for a BERT or MiniLM model, add the line "model_type": "bert",
        "#);
        insta::assert_snapshot!(refused(&DISTILBERT.replace(r#""model_type": "distilbert","#, "")), @r#"
          config.json has no model_type, expected "distilbert" or "bert"
          help: for a DistilBERT model, add the line "model_type": "distilbert",
        "#);
        insta::assert_snapshot!(refused(&BERT.replace("\"gelu\"", "\"gelu_new\"")), @r#"
          config.json: hidden_act is "gelu_new", expected "gelu"
          help: DistilBERT does not support this: choose another model
        "#);
        insta::assert_snapshot!(refused(&BERT.replace('{', "{\"position_embedding_type\": \"relative_key\",")), @r#"
          config.json: position_embedding_type is "relative_key", expected "absolute"
          help: DistilBERT does not support this: choose another model
        "#);
        insta::assert_snapshot!(refused(&BERT.replace('{', "{\"layer_norm_eps\": 1e-5,")), @r"
          config.json: layer_norm_eps is 1e-5, expected 1e-12
          help: DistilBERT does not support this: choose another model
        ");
        insta::assert_snapshot!(refused(&BERT.replace("12,", "7,")), @r"
          config.json: hidden size is 384, expected a multiple of the 7 heads
          help: DistilBERT does not support this: choose another model
        ");
        insta::assert_snapshot!(refused(&BERT.replace("hidden_size", "width")), @r"
          config.json, line 2, column 111: missing field `hidden_size`
          help: expected the configuration of a model
        ");
    }
}
