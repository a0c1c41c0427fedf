//! The tokenizer's files of a base model, as DistilBERT's.
//!
//! `tokenizer.json` decides: it is what distilburn tokenises with. The other files are made to agree with it,
//! because transformers' DistilBERT tokenizer builds its normaliser from `tokenizer_config.json`.

use std::path::Path;

use serde_json::{Map, Value};

use crate::config::DistilBertConfig;
use crate::error::{Error, Result};
use crate::word_piece::word_piece;

/// What a base model's folder holds of its tokenizer; `None` where there is no such file.
#[derive(Debug, Default)]
pub struct TokenizerFiles {
    /// `tokenizer.json`.
    pub tokenizer: Option<Vec<u8>>,
    /// `tokenizer_config.json`.
    pub config: Option<Vec<u8>>,
    /// `special_tokens_map.json`.
    pub special_tokens: Option<Vec<u8>>,
    /// `vocab.txt`.
    pub vocab: Option<Vec<u8>>,
}

/// A tokenizer that agrees with its model, as the contents of the files that transformers reads.
#[derive(Debug)]
pub struct TokenizerAssets {
    /// Without truncation and padding.
    pub tokenizer_json: Vec<u8>,
    /// `tokenizer_class` is DistilBERT's.
    pub tokenizer_config_json: Vec<u8>,
    /// The names of the special tokens.
    pub special_tokens_map_json: Vec<u8>,
    /// One token per line, in the order of the ids.
    pub vocab_txt: Vec<u8>,
    /// Id of `[PAD]`.
    pub pad_token_id: u32,
}

/// Keys of a `tokenizer_config.json` that belong to where it came from, or to what a caller asked for once.
const FOREIGN_KEYS: [&str; 12] = [
    "name_or_path",
    "special_tokens_map_file",
    "tokenizer_file",
    "vocab_file",
    "auto_map",
    "processor_class",
    "max_length",
    "stride",
    "truncation_strategy",
    "pad_to_multiple_of",
    "pad_token_type_id",
    "extra_special_tokens",
];

/// Names of the special tokens in `special_tokens_map.json`, and BERT's tokens for them.
pub(crate) const SPECIAL_TOKENS: [(&str, &str); 5] = [
    ("cls_token", "[CLS]"),
    ("mask_token", "[MASK]"),
    ("pad_token", "[PAD]"),
    ("sep_token", "[SEP]"),
    ("unk_token", "[UNK]"),
];

impl TokenizerFiles {
    /// Makes the tokenizer of a model of `config`; `folder` is for messages.
    pub fn into_assets(self, config: &DistilBertConfig, folder: &Path) -> Result<TokenizerAssets> {
        let tokenizer_path = folder.join("tokenizer.json");
        let mut tokenizer_config = match &self.config {
            Some(json) => parse_object(json, &folder.join("tokenizer_config.json"))?,
            None => Map::new(),
        };
        let mut tokenizer = match (&self.tokenizer, &self.vocab) {
            (Some(json), _) => parse_object(json, &tokenizer_path)?,
            (None, Some(vocab)) => {
                word_piece(&vocab_lines(vocab, &folder.join("vocab.txt"))?, &tokenizer_config, folder)?
            }
            (None, None) => return Err(Error::NoTokenizer { folder: folder.to_owned() }),
        };
        tokenizer.insert("truncation".to_owned(), Value::Null);
        tokenizer.insert("padding".to_owned(), Value::Null);
        name_model_type(&mut tokenizer);

        let vocabulary = vocabulary(&tokenizer, &tokenizer_path)?;
        if vocabulary.len() != config.vocab_size {
            return Err(Error::VocabularySize {
                folder: folder.to_owned(),
                tokenizer: vocabulary.len(),
                model: config.vocab_size,
            });
        }
        if let Some(bytes) = &self.vocab {
            agrees(&vocab_lines(bytes, &folder.join("vocab.txt"))?, &vocabulary, folder)?;
        }
        let id_of = |token| {
            let id = vocabulary.iter().position(|known| known == token);
            id.ok_or_else(|| Error::SpecialToken { path: tokenizer_path.clone(), token })
        };
        for (_, token) in SPECIAL_TOKENS {
            id_of(token)?;
        }
        let pad_token_id = id_of("[PAD]")? as u32;

        let normalizer = tokenizer.get("normalizer").unwrap_or(&Value::Null);
        if normalizer["type"] != "BertNormalizer" {
            return Err(Error::TokenizerKind {
                path: tokenizer_path,
                part: "normalizer",
                found: normalizer["type"].as_str().unwrap_or("none").to_owned(),
                expected: "BertNormalizer",
            });
        }
        for (key, value) in [
            ("do_lower_case", &normalizer["lowercase"]),
            ("strip_accents", &normalizer["strip_accents"]),
            ("tokenize_chinese_chars", &normalizer["handle_chinese_chars"]),
        ] {
            if let Some(said) = tokenizer_config.insert(key.to_owned(), value.clone())
                && said != *value
            {
                tracing::warn!(key, tokenizer = %value, config = %said, "tokenizer.json and tokenizer_config.json differ: the former is used");
            }
        }
        for key in FOREIGN_KEYS {
            tokenizer_config.shift_remove(key);
        }
        let limit = tokenizer_config.get("model_max_length").and_then(Value::as_u64).unwrap_or(u64::MAX);
        tokenizer_config
            .insert("model_max_length".to_owned(), limit.min(config.max_position_embeddings as u64).into());
        tokenizer_config.insert("tokenizer_class".to_owned(), "DistilBertTokenizer".into());
        for (name, token) in SPECIAL_TOKENS {
            tokenizer_config.entry(name).or_insert_with(|| token.into());
        }

        let special_tokens = match &self.special_tokens {
            Some(json) => parse_object(json, &folder.join("special_tokens_map.json"))?,
            None => {
                SPECIAL_TOKENS.iter().map(|(name, token)| ((*name).to_owned(), Value::from(*token))).collect()
            }
        };
        Ok(TokenizerAssets {
            tokenizer_json: pretty(&Value::Object(tokenizer)),
            tokenizer_config_json: pretty(&Value::Object(tokenizer_config)),
            special_tokens_map_json: pretty(&Value::Object(special_tokens)),
            vocab_txt: vocabulary
                .iter()
                .flat_map(|token| [token.as_bytes(), b"\n"])
                .flatten()
                .copied()
                .collect(),
            pad_token_id,
        })
    }
}

/// Files of before tokenizers 0.10, that of distilbert-base-uncased among them, do not say what their model is: a
/// prefix of continued words belongs to WordPiece, and merges do not.
fn name_model_type(tokenizer: &mut Map<String, Value>) {
    if let Some(model) = tokenizer.get_mut("model").and_then(Value::as_object_mut)
        && !model.contains_key("type")
        && model.contains_key("continuing_subword_prefix")
        && !model.contains_key("merges")
    {
        model.shift_insert(0, "type".to_owned(), "WordPiece".into());
    }
}

/// Every token by its id: the model's and the added ones.
fn vocabulary(tokenizer: &Map<String, Value>, path: &Path) -> Result<Vec<String>> {
    let kind = |part, found: &Value, expected| Error::TokenizerKind {
        path: path.to_owned(),
        part,
        found: found.as_str().unwrap_or("none").to_owned(),
        expected,
    };
    let model = tokenizer.get("model").unwrap_or(&Value::Null);
    if model["type"] != "WordPiece" {
        return Err(kind("model", &model["type"], "WordPiece"));
    }
    let vocab = model["vocab"].as_object().ok_or_else(|| kind("model.vocab", &Value::Null, "an object"))?;
    let added = tokenizer.get("added_tokens").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    let pairs = vocab.iter().map(|(token, id)| (token.as_str(), id.as_u64())).chain(
        added.iter().map(|token| (token["content"].as_str().unwrap_or_default(), token["id"].as_u64())),
    );

    let mut by_id: Vec<Option<&str>> = vec![None; vocab.len() + added.len()];
    for (token, id) in pairs {
        let slot = id.and_then(|id| by_id.get_mut(usize::try_from(id).ok()?));
        match slot {
            Some(slot) if slot.is_none_or(|known| known == token) => *slot = Some(token),
            _ => {
                let id = id.map_or("none".to_owned(), |id| id.to_string());
                return Err(Error::VocabularyIds { path: path.to_owned(), token: token.to_owned(), id });
            }
        }
    }
    let len = by_id.iter().rposition(Option::is_some).map_or(0, |last| last + 1);
    by_id[..len]
        .iter()
        .enumerate()
        .map(|(id, token)| {
            token.map(str::to_owned).ok_or(Error::VocabularyIds {
                path: path.to_owned(),
                token: String::new(),
                id: id.to_string(),
            })
        })
        .collect()
}

/// A `vocab.txt` beside a `tokenizer.json` must hold the same tokens.
fn agrees(lines: &[String], vocabulary: &[String], folder: &Path) -> Result<()> {
    // Added tokens stand behind the vocabulary and are not in the file.
    let differs = lines.iter().zip(vocabulary).position(|(line, token)| line != token);
    if let Some(id) = differs.or_else(|| (lines.len() > vocabulary.len()).then_some(vocabulary.len())) {
        return Err(Error::VocabularyDiffers {
            path: folder.join("vocab.txt"),
            line: id + 1,
            found: lines[id].clone(),
            expected: vocabulary.get(id).cloned().unwrap_or_default(),
        });
    }
    Ok(())
}

fn vocab_lines(bytes: &[u8], path: &Path) -> Result<Vec<String>> {
    let text = std::str::from_utf8(bytes).map_err(|source| Error::Utf8 { path: path.to_owned(), source })?;
    Ok(text.lines().map(str::to_owned).collect())
}

fn parse_object(json: &[u8], path: &Path) -> Result<Map<String, Value>> {
    serde_json::from_slice(json).map_err(|source| Error::json(path, "a JSON object", &source))
}

fn pretty(value: &Value) -> Vec<u8> {
    let mut bytes = serde_json::to_vec_pretty(value).expect("a JSON value has string keys only");
    bytes.push(b'\n');
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::message;

    const VOCAB: &str = "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\ncat\n##s\nthe\n";

    fn config(vocab_size: usize) -> DistilBertConfig {
        let json = format!(
            r#"{{"model_type": "distilbert", "dim": 4, "hidden_dim": 6, "n_heads": 2, "n_layers": 2,
               "max_position_embeddings": 32, "vocab_size": {vocab_size}}}"#
        );
        DistilBertConfig::from_json(json.as_bytes(), Path::new("config.json")).unwrap().1
    }

    fn files() -> TokenizerFiles {
        TokenizerFiles { vocab: Some(VOCAB.into()), ..TokenizerFiles::default() }
    }

    fn assets(files: TokenizerFiles) -> std::result::Result<TokenizerAssets, String> {
        files
            .into_assets(&config(8), Path::new("model"))
            .map_err(|error| message(&error, Path::new("/nowhere")))
    }

    /// The `tokenizer.json` that `files` gives, changed.
    fn tokenizer(change: impl Fn(&mut Value)) -> TokenizerFiles {
        let mut value = serde_json::from_slice(&assets(files()).unwrap().tokenizer_json).unwrap();
        change(&mut value);
        TokenizerFiles { tokenizer: Some(value.to_string().into()), ..TokenizerFiles::default() }
    }

    fn object(json: &[u8]) -> Map<String, Value> {
        serde_json::from_slice(json).unwrap()
    }

    #[test]
    fn a_vocabulary_alone_makes_a_tokenizer() {
        let assets = assets(files()).unwrap();
        assert_eq!(assets.vocab_txt, VOCAB.as_bytes());
        assert_eq!(assets.pad_token_id, 0);
        let settings = squad::WindowSettings { max_length: 16, doc_stride: 2 };
        let tokenizer = squad::FeatureTokenizer::new(&assets.tokenizer_json, settings).unwrap();
        let context = tokenizer.tokenize_context("The cats").unwrap();
        assert_eq!(tokenizer.windows("cat?", &context, None).unwrap()[0].input_ids, [2, 5, 1, 3, 7, 5, 6, 3]);
    }

    #[test]
    fn truncation_and_padding_are_cleared_and_the_vocabulary_rebuilt() {
        let files = tokenizer(|tokenizer| {
            tokenizer["truncation"] = serde_json::json!({"max_length": 128});
            tokenizer["padding"] = serde_json::json!({"pad_id": 0});
        });
        let assets = assets(files).unwrap();
        let tokenizer = object(&assets.tokenizer_json);
        assert!(tokenizer["truncation"].is_null() && tokenizer["padding"].is_null());
        assert_eq!(assets.vocab_txt, VOCAB.as_bytes());
    }

    #[test]
    fn a_model_that_does_not_name_its_type_is_known_by_its_fields() {
        let files = tokenizer(|tokenizer| {
            tokenizer["model"].as_object_mut().unwrap().shift_remove("type");
        });
        let named = object(&assets(files).unwrap().tokenizer_json);
        assert_eq!(named, object(&assets(tokenizer(|_| ())).unwrap().tokenizer_json));

        let byte_pairs = tokenizer(|tokenizer| {
            let model = tokenizer["model"].as_object_mut().unwrap();
            model.shift_remove("type");
            model.insert("merges".to_owned(), serde_json::json!([]));
        });
        insta::assert_snapshot!(assets(byte_pairs).unwrap_err(), @r"
          model/tokenizer.json: model is none, expected WordPiece
          help: DistilBERT needs a BERT tokenizer: choose another base model
        ");
    }

    #[test]
    fn the_configuration_follows_tokenizer_json_and_names_distilbert() {
        let said = r#"{"do_lower_case": false, "name_or_path": "/home/x", "tokenizer_class": "BertTokenizer",
            "model_max_length": 512, "never_split": null}"#;
        let files = TokenizerFiles { config: Some(said.into()), ..tokenizer(|_| ()) };
        insta::assert_snapshot!(String::from_utf8(assets(files).unwrap().tokenizer_config_json).unwrap(), @r#"
          {
            "do_lower_case": true,
            "tokenizer_class": "DistilBertTokenizer",
            "model_max_length": 32,
            "never_split": null,
            "strip_accents": null,
            "tokenize_chinese_chars": true,
            "cls_token": "[CLS]",
            "mask_token": "[MASK]",
            "pad_token": "[PAD]",
            "sep_token": "[SEP]",
            "unk_token": "[UNK]"
          }
        "#);
    }

    #[test]
    fn cased_vocabularies_stay_cased() {
        let said = Some(r#"{"do_lower_case": false}"#.into());
        let assets = assets(TokenizerFiles { config: said, ..files() }).unwrap();
        assert_eq!(object(&assets.tokenizer_json)["normalizer"]["lowercase"], false);
        assert_eq!(object(&assets.tokenizer_config_json)["do_lower_case"], false);
    }

    #[test]
    fn files_that_disagree_are_refused() {
        let error = files().into_assets(&config(30_522), Path::new("model")).unwrap_err();
        insta::assert_snapshot!(message(&error, Path::new("/nowhere")), @r"
          model: the tokenizer has 8 tokens, config.json says vocab_size 30522
          help: tokenizer and weights must be of the same model: fetch all files of the folder again
        ");
        let other = VOCAB.replace("cat", "dog");
        let both = TokenizerFiles { vocab: Some(other.into()), ..tokenizer(|_| ()) };
        insta::assert_snapshot!(assets(both).unwrap_err(), @r#"
          model/vocab.txt, line 6: "dog", where tokenizer.json has "cat"
          help: both must be of the same model: fetch the base model again, or delete vocab.txt
        "#);
        insta::assert_snapshot!(assets(tokenizer(|t| t["model"]["vocab"]["the"] = 6.into())).unwrap_err(), @r#"
          model/tokenizer.json: token "the" has the id 6; ids must run from 0 without gap, one token each
          help: the file was altered: fetch the base model again
        "#);
        insta::assert_snapshot!(assets(tokenizer(|t| t["model"]["type"] = "BPE".into())).unwrap_err(), @r"
          model/tokenizer.json: model is BPE, expected WordPiece
          help: DistilBERT needs a BERT tokenizer: choose another base model
        ");
        insta::assert_snapshot!(assets(tokenizer(|t| t["normalizer"] = Value::Null)).unwrap_err(), @r"
          model/tokenizer.json: normalizer is none, expected BertNormalizer
          help: DistilBERT needs a BERT tokenizer: choose another base model
        ");
        let without = |key: &'static str| {
            tokenizer(move |tokenizer| drop(tokenizer.as_object_mut().unwrap().shift_remove(key)))
        };
        for (key, expected) in [("normalizer", "BertNormalizer"), ("model", "WordPiece")] {
            let said = assets(without(key)).unwrap_err();
            assert!(said.contains(&format!("{key} is none, expected {expected}")), "{said}");
        }
        insta::assert_snapshot!(assets(TokenizerFiles::default()).unwrap_err(), @r"
          model holds neither tokenizer.json nor vocab.txt
          help: copy them from where config.json and model.safetensors are from
        ");
        let no_mask = VOCAB.replace("[MASK]", "mask");
        insta::assert_snapshot!(assets(TokenizerFiles { vocab: Some(no_mask.into()), ..files() }).unwrap_err(), @r"
          model/vocab.txt has no token [MASK]
          help: question answering needs [CLS], [SEP], [PAD], [UNK] and [MASK]: choose another base model
        ");
    }
}
