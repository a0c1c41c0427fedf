//! DistilBERT's `config.json`, under its own key names.

use serde::{Deserialize, Serialize};

use crate::Error;

/// Hyperparameters of the architecture, as Hugging Face's `DistilBertConfig` has them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Config {
    /// Number of rows of the word embedding.
    pub vocab_size: usize,
    /// Number of rows of the position embedding: the longest feature, in tokens.
    pub max_position_embeddings: usize,
    /// Number of encoder layers.
    pub n_layers: usize,
    /// Number of attention heads; divides `dim`.
    pub n_heads: usize,
    /// Width of the hidden states.
    pub dim: usize,
    /// Width of the feed-forward layers.
    pub hidden_dim: usize,
    /// Dropout of embeddings and feed-forward layers.
    #[serde(default = "tenth")]
    pub dropout: f64,
    /// Dropout of the attention probabilities.
    #[serde(default = "tenth")]
    pub attention_dropout: f64,
    /// Dropout before the question answering head.
    #[serde(default = "tenth")]
    pub qa_dropout: f64,
    /// The feed-forward layers' activation: "gelu" alone is supported.
    #[serde(default = "gelu")]
    pub activation: String,
}

fn tenth() -> f64 {
    0.1
}

fn gelu() -> String {
    "gelu".to_owned()
}

impl Config {
    /// Layer normalisation's epsilon, a constant of DistilBERT.
    pub const LAYER_NORM_EPSILON: f64 = 1e-12;

    /// Reads `config.json`; keys that do not shape the model are passed over.
    ///
    /// # Errors
    /// [`Error::Config`] for JSON of another shape and for values that this crate cannot run.
    pub fn from_json(json: &[u8]) -> Result<Self, Error> {
        let config: Self =
            serde_json::from_slice(json).map_err(|error| Error::Config { reason: error.to_string() })?;
        config.check()?;
        Ok(config)
    }

    /// Reads `config.json` of an ingest artifact's assets.
    ///
    /// # Errors
    /// As [`Self::from_json`].
    pub fn from_assets(assets: &artifact::Assets) -> Result<Self, Error> {
        let json = assets.get("config.json");
        Self::from_json(json.ok_or_else(|| Error::Config { reason: "is not among the assets".to_owned() })?)
    }

    fn check(&self) -> Result<(), Error> {
        let refuse = |reason: String| Err(Error::Config { reason });
        if self.activation != "gelu" {
            return refuse(format!("activation is \"{}\", expected \"gelu\"", self.activation));
        }
        if self.n_heads == 0 || !self.dim.is_multiple_of(self.n_heads) {
            return refuse(format!("dim {} is not a multiple of n_heads {}", self.dim, self.n_heads));
        }
        if [self.vocab_size, self.max_position_embeddings, self.n_layers, self.dim, self.hidden_dim]
            .contains(&0)
        {
            return refuse("a size is 0".to_owned());
        }
        for (name, p) in [
            ("dropout", self.dropout),
            ("attention_dropout", self.attention_dropout),
            ("qa_dropout", self.qa_dropout),
        ] {
            if !(0.0..1.0).contains(&p) {
                return refuse(format!("{name} is {p}, expected a number in [0, 1)"));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BASE: &str = r#"{"vocab_size": 30522, "max_position_embeddings": 512, "n_layers": 6, "n_heads": 12,
        "dim": 768, "hidden_dim": 3072, "activation": "gelu", "model_type": "distilbert"}"#;

    #[test]
    fn unknown_keys_are_passed_over_and_dropouts_default_to_a_tenth() {
        let config = Config::from_json(BASE.as_bytes()).unwrap();
        assert_eq!((config.dim, config.n_layers, config.qa_dropout), (768, 6, 0.1));
    }

    #[test]
    fn values_that_cannot_run_are_refused_by_name() {
        for (from, to, said) in [
            ("\"gelu\"", "\"relu\"", "activation is \"relu\""),
            ("\"n_heads\": 12", "\"n_heads\": 7", "dim 768 is not a multiple of n_heads 7"),
            ("\"dim\": 768", "\"dim\": \"wide\"", "invalid type"),
            ("\"n_layers\": 6", "\"n_layers\": 0", "a size is 0"),
        ] {
            let error = Config::from_json(BASE.replace(from, to).as_bytes()).unwrap_err().to_string();
            assert!(error.contains(said), "{error}");
        }
    }
}
