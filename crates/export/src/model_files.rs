//! `config.json` and the tokenizer's files.

use std::collections::BTreeMap;
use std::path::Path;

use artifact::Assets;
use serde_json::{Value, json};

use crate::Error;

/// The files that ingest adapted to DistilBERT's tokenizer; copied unchanged.
pub(crate) const TOKENIZER_FILES: [&str; 4] =
    ["special_tokens_map.json", "tokenizer.json", "tokenizer_config.json", "vocab.txt"];

/// Writes the five files; `assets_path` is for messages.
pub(crate) fn write(folder: &Path, assets: &Assets, assets_path: &Path) -> Result<(), Error> {
    let asset = |name| assets.get(name).ok_or_else(|| Error::NoAsset { path: assets_path.to_owned(), name });
    for name in TOKENIZER_FILES {
        fs_err::write(folder.join(name), asset(name)?)?;
    }
    let config =
        config_json(asset("config.json")?).ok_or(Error::ConfigJson { path: assets_path.to_owned() })?;
    Ok(fs_err::write(folder.join("config.json"), config)?)
}

/// The configuration of the exported model, from that of the base model; keys are sorted, as in transformers.
fn config_json(base: &[u8]) -> Option<Vec<u8>> {
    let mut config: BTreeMap<String, Value> = serde_json::from_slice(base).ok()?;
    config.insert("architectures".to_owned(), json!(["DistilBertForQuestionAnswering"]));
    config.insert("model_type".to_owned(), json!("distilbert"));
    // transformers 5 reads `dtype`; version 4 calls it `torch_dtype`, and loads f32 by default.
    config.remove("torch_dtype");
    config.insert("dtype".to_owned(), json!("float32"));
    let mut text = serde_json::to_vec_pretty(&config).ok()?;
    text.push(b'\n');
    Some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_configuration_says_what_is_exported() {
        let base =
            br#"{"vocab_size": 12, "dim": 8, "architectures": ["BertModel"], "torch_dtype": "float16"}"#;
        let text = String::from_utf8(config_json(base).unwrap()).unwrap();
        insta::assert_snapshot!(text, @r#"
        {
          "architectures": [
            "DistilBertForQuestionAnswering"
          ],
          "dim": 8,
          "dtype": "float32",
          "model_type": "distilbert",
          "vocab_size": 12
        }
        "#);
        assert_eq!(config_json(b"[]"), None);
    }
}
