//! What must be the same for weights to fit a tokenizer and a configuration.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::error::{Error, Result};

/// Sizes of a model and the rules of its tokenizer, by name; the vocabulary by its size and a hash.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Identity(Map<String, Value>);

/// Sizes that the shapes of tensors do not fully determine.
const SIZES: [&str; 6] =
    ["n_heads", "n_layers", "dim", "hidden_dim", "max_position_embeddings", "vocab_size"];

/// Parts of a `tokenizer.json` that decide which ids a text becomes.
const RULES: [&str; 3] = ["normalizer", "pre_tokenizer", "model"];

impl Identity {
    /// The identity of a DistilBERT's `config.json` and the `tokenizer.json` beside it, as ingest writes them.
    #[must_use]
    pub fn of(config_json: &[u8], tokenizer_json: &[u8]) -> Self {
        let parse = |json| serde_json::from_slice::<Value>(json).unwrap_or_default();
        let (config, mut tokenizer) = (parse(config_json), parse(tokenizer_json));
        let mut parts: Map<String, Value> =
            SIZES.iter().map(|key| ((*key).to_owned(), config[*key].clone())).collect();
        let vocab = tokenizer["model"].as_object_mut().and_then(|model| model.shift_remove("vocab"));
        let tokens = |count: Option<usize>, value: &Value| {
            format!("{} tokens, BLAKE3 {:.16}", count.unwrap_or(0), artifact::fingerprint(value))
        };
        let vocab = vocab.unwrap_or_default();
        parts.insert("vocabulary".to_owned(), tokens(vocab.as_object().map(Map::len), &vocab).into());
        let added = tokenizer["added_tokens"].take();
        parts.insert("added_tokens".to_owned(), tokens(added.as_array().map(Vec::len), &added).into());
        for rule in RULES {
            parts.insert(rule.to_owned(), tokenizer[rule].take());
        }
        Self(parts)
    }

    /// Refuses weights from `what`, with this identity, for a base model with another identity.
    pub fn check(&self, what: &str, base: &Self) -> Result<()> {
        let null = Value::Null;
        for (key, expected) in &base.0 {
            let found = self.0.get(key).unwrap_or(&null);
            if found != expected {
                let is_rule = RULES.contains(&key.as_str());
                return Err(Error::OtherModel {
                    what: what.to_owned(),
                    key: if is_rule { format!("the tokenizer's {key}") } else { key.clone() },
                    found: said(found),
                    expected: said(expected),
                });
            }
        }
        Ok(())
    }
}

/// Text without quotes.
fn said(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}
