//! Converts the tokenizer's files of a model to those of a DistilBERT.
//!
//! They are read as transformers reads them: a `BertTokenizer` takes the vocabulary from `tokenizer.json` or
//! `vocab.txt`, and case and accents from `tokenizer_config.json`. The written files mean the same to distilburn, which
//! reads `tokenizer.json`, and to transformers. If transformers' named class would ignore a part of `tokenizer.json`,
//! `tokenizer_class` is the generic class, which uses the file unchanged.

mod vocabulary;

use std::path::Path;

use serde_json::{Map, Value, json};

use crate::config::DistilBertConfig;
use crate::error::{Error, Result};
use crate::word_piece::{Flags, word_piece};

use self::vocabulary::{agrees, refuse_other_pieces, unreachable_capitals, vocab_lines, vocabulary};

/// The tokenizer's files in a model's folder; `None` if there is no such file.
#[derive(Debug, Default)]
pub struct TokenizerFiles {
    /// `tokenizer.json`.
    pub tokenizer: Option<Vec<u8>>,
    /// `tokenizer_config.json`.
    pub config: Option<Vec<u8>>,
    /// `added_tokens.json`.
    pub added_tokens: Option<Vec<u8>>,
    /// `vocab.txt`.
    pub vocab: Option<Vec<u8>>,
    /// `tokenizer_class` of `config.json`, for folders whose `tokenizer_config.json` does not name it.
    pub class: Option<String>,
}

/// A tokenizer that matches its model: the contents of the files that transformers reads.
#[derive(Debug)]
pub struct TokenizerAssets {
    /// Without truncation and padding.
    pub tokenizer_json: Vec<u8>,
    /// `tokenizer_class` is DistilBERT's, or the generic one.
    pub tokenizer_config_json: Vec<u8>,
    /// The names of the special tokens.
    pub special_tokens_map_json: Vec<u8>,
    /// One token per line, in the order of the ids; an empty line if an id has no token.
    pub vocab_txt: Vec<u8>,
    pub pad_token_id: u32,
    /// Ids of `[CLS]` and `[SEP]`, the tokens around a pair.
    pub around_pair: [u32; 2],
}

/// Names of the special tokens in `special_tokens_map.json`, and BERT's tokens for them.
pub(crate) const SPECIAL_TOKENS: [(&str, &str); 5] = [
    ("cls_token", "[CLS]"),
    ("mask_token", "[MASK]"),
    ("pad_token", "[PAD]"),
    ("sep_token", "[SEP]"),
    ("unk_token", "[UNK]"),
];

/// transformers' tokenizers that are BERT's WordPiece, without "Fast".
const WORD_PIECE_CLASSES: [&str; 17] = [
    "BertTokenizer",
    "ConvBertTokenizer",
    "DPRContextEncoderTokenizer",
    "DPRQuestionEncoderTokenizer",
    "DPRReaderTokenizer",
    "DistilBertTokenizer",
    "ElectraTokenizer",
    "FunnelTokenizer",
    "LayoutLMTokenizer",
    "LxmertTokenizer",
    "MPNetTokenizer",
    "MobileBertTokenizer",
    "RealmTokenizer",
    "RetriBertTokenizer",
    "SplinterTokenizer",
    "SqueezeBertTokenizer",
    "WordPieceTokenizer",
];

/// Classes that use any `tokenizer.json` unchanged.
const GENERIC_CLASSES: [&str; 2] = ["PreTrainedTokenizer", "TokenizersBackend"];

/// Keys of `tokenizer_config.json`, and of a `BertNormalizer` for the same.
const FLAGS: [(&str, &str); 3] = [
    ("do_lower_case", "lowercase"),
    ("strip_accents", "strip_accents"),
    ("tokenize_chinese_chars", "handle_chinese_chars"),
];

impl TokenizerFiles {
    /// Makes the tokenizer for a model with `config`; `folder` is for messages.
    ///
    /// The caller has checked that the model has `config.vocab_size` embeddings.
    pub fn into_assets(self, config: &DistilBertConfig, folder: &Path) -> Result<TokenizerAssets> {
        let tokenizer_path = folder.join("tokenizer.json");
        let (vocab_path, config_path) = (folder.join("vocab.txt"), folder.join("tokenizer_config.json"));
        let tokenizer_config = match &self.config {
            Some(json) => parse_object(json, &config_path)?,
            None => Map::new(),
        };
        let is_generic = self.check_class(&tokenizer_config, folder)?;
        let lines = self.vocab.as_ref().map(|bytes| vocab_lines(bytes, &vocab_path)).transpose()?;
        let is_made = self.tokenizer.is_none();
        let mut tokenizer = match (&self.tokenizer, &lines) {
            (Some(json), _) => parse_object(json, &tokenizer_path)?,
            (None, Some(lines)) => self.word_piece_of(lines, &tokenizer_config, folder)?,
            (None, None) => return Err(Error::NoTokenizer { folder: folder.to_owned() }),
        };
        let source = if is_made { &vocab_path } else { &tokenizer_path };
        tokenizer.insert("truncation".to_owned(), Value::Null);
        tokenizer.insert("padding".to_owned(), Value::Null);
        name_model_type(&mut tokenizer);

        let by_id = vocabulary(&tokenizer, source)?;
        let tokens = by_id.last_key_value().map_or(0, |(last, _)| last.saturating_add(1));
        if tokens > config.vocab_size as u64 {
            return Err(Error::VocabularySize {
                folder: folder.to_owned(),
                tokenizer: tokens,
                model: config.vocab_size,
            });
        }
        let vocabulary: Vec<String> =
            (0..tokens).map(|id| by_id.get(&id).cloned().unwrap_or_default()).collect();
        refuse_other_pieces(&vocabulary, source)?;
        if let (Some(lines), false) = (&lines, is_made) {
            agrees(lines, &vocabulary, &vocab_path)?;
        }
        let id_of = |token| {
            let id = by_id.iter().find(|(_, known)| *known == token).map(|(id, _)| *id);
            id.ok_or_else(|| Error::SpecialToken { path: source.clone(), token })
        };
        let mut special = Vec::new();
        for (_, token) in SPECIAL_TOKENS {
            special.push((token, id_of(token)?));
        }
        let flags = normalizer_flags(&mut tokenizer, &tokenizer_config, is_generic, source)?;
        if flags.lowercase == true
            && let Some(capitals) = unreachable_capitals(&vocabulary)
        {
            tracing::warn!(
                vocabulary = %source.display(),
                capitals,
                "tokens with capitals are never used, because texts are lower-cased, as in transformers. For a cased model, \
                 write {{\"do_lower_case\": false}} into tokenizer_config.json"
            );
        }

        let mut written = Map::new();
        if is_standard(&tokenizer, &special, &flags) {
            written.insert("tokenizer_class".to_owned(), "DistilBertTokenizer".into());
            written.insert("do_lower_case".to_owned(), flags.lowercase);
            written.insert("strip_accents".to_owned(), flags.strip_accents);
            written.insert("tokenize_chinese_chars".to_owned(), flags.handle_chinese_chars);
        } else {
            // The generic class would pass token types to DistilBERT, which does not accept them.
            written.insert("tokenizer_class".to_owned(), "PreTrainedTokenizerFast".into());
            written.insert("model_input_names".to_owned(), json!(["input_ids", "attention_mask"]));
        }
        let limit = tokenizer_config.get("model_max_length").and_then(Value::as_u64).unwrap_or(u64::MAX);
        let limit = limit.min(config.max_position_embeddings as u64);
        written.insert("model_max_length".to_owned(), limit.into());
        let names: Map<String, Value> =
            SPECIAL_TOKENS.iter().map(|(name, token)| ((*name).to_owned(), Value::from(*token))).collect();
        written.extend(names.clone());
        Ok(TokenizerAssets {
            tokenizer_json: pretty(&Value::Object(tokenizer)),
            tokenizer_config_json: pretty(&Value::Object(written)),
            special_tokens_map_json: pretty(&Value::Object(names)),
            vocab_txt: vocabulary
                .iter()
                .flat_map(|token| [token.as_bytes(), b"\n"])
                .flatten()
                .copied()
                .collect(),
            pad_token_id: id_of("[PAD]")? as u32,
            around_pair: [id_of("[CLS]")? as u32, id_of("[SEP]")? as u32],
        })
    }

    /// Refuses a class that is not BERT's WordPiece; says whether it is one of [`GENERIC_CLASSES`].
    fn check_class(&self, tokenizer_config: &Map<String, Value>, folder: &Path) -> Result<bool> {
        let other = |file, key, found: &str, expected| Error::OtherTokenizer {
            path: folder.join(file),
            key,
            found: found.to_owned(),
            expected,
        };
        for (key, expected) in [("word_tokenizer_type", "basic"), ("subword_tokenizer_type", "wordpiece")] {
            match tokenizer_config.get(key).and_then(Value::as_str) {
                Some(found) if found != expected => {
                    return Err(other("tokenizer_config.json", key, found, expected));
                }
                _ => {}
            }
        }
        let said = tokenizer_config.get("tokenizer_class").and_then(Value::as_str);
        let (file, class) = match (said, &self.class) {
            (Some(class), _) => ("tokenizer_config.json", class),
            (None, Some(class)) => ("config.json", class.as_str()),
            (None, None) => return Ok(false),
        };
        let name = class.strip_suffix("Fast").unwrap_or(class);
        if GENERIC_CLASSES.contains(&name) {
            Ok(true)
        } else if WORD_PIECE_CLASSES.contains(&name) {
            Ok(false)
        } else {
            Err(other(file, "tokenizer_class", class, "BertTokenizer or another WordPiece tokenizer"))
        }
    }

    /// The tokenizer of a folder without `tokenizer.json`. If a token is repeated, its last line counts.
    fn word_piece_of(
        &self,
        lines: &[String],
        config: &Map<String, Value>,
        folder: &Path,
    ) -> Result<Map<String, Value>> {
        let mut vocab = Map::new();
        let mut repeated = Vec::new();
        for (id, token) in lines.iter().enumerate().filter(|(_, token)| !token.is_empty()) {
            if vocab.insert(token.clone(), id.into()).is_some() {
                repeated.push(token.as_str());
            }
        }
        if !repeated.is_empty() {
            tracing::warn!(
                path = %folder.join("vocab.txt").display(),
                tokens = repeated.iter().take(5).copied().collect::<Vec<_>>().join(" "),
                count = repeated.len(),
                "tokens are repeated: the last line of each is used, as in transformers"
            );
        }
        let mut special = Vec::new();
        for (_, token) in SPECIAL_TOKENS {
            let id = vocab.get(token).and_then(Value::as_u64);
            special.push((
                token,
                id.ok_or_else(|| Error::SpecialToken { path: folder.join("vocab.txt"), token })?,
            ));
        }
        let added = self.added_tokens(config, folder)?;
        for token in &added {
            // Also in the vocabulary, or the tokenizers library would assign its own ids.
            let content = token["content"].as_str().unwrap_or_default();
            vocab.entry(content).or_insert_with(|| token["id"].clone());
        }
        let flag = |key: &str, default: Value| match config.get(key) {
            Some(value @ Value::Bool(_)) => value.clone(),
            _ => default,
        };
        let flags = Flags {
            lowercase: flag("do_lower_case", true.into()),
            strip_accents: flag("strip_accents", Value::Null),
            handle_chinese_chars: flag("tokenize_chinese_chars", true.into()),
        };
        let mut tokenizer = word_piece(vocab, &special, &flags);
        let known = |token: &Value| special.iter().any(|(known, _)| token["content"] == *known);
        if let Some(tokens) = tokenizer.get_mut("added_tokens").and_then(Value::as_array_mut) {
            tokens.extend(added.into_iter().filter(|token| !known(token)));
        }
        Ok(tokenizer)
    }

    /// Tokens beyond `vocab.txt`, as entries of `tokenizer.json`: `added_tokens_decoder` of the configuration, or else
    /// `added_tokens.json`.
    fn added_tokens(&self, config: &Map<String, Value>, folder: &Path) -> Result<Vec<Value>> {
        let entry = |content: &str, id: u64, token: &Value| {
            let said = |key: &str, default: bool| token[key].as_bool().unwrap_or(default);
            json!({
                "id": id, "content": content, "single_word": said("single_word", false),
                "lstrip": said("lstrip", false), "rstrip": said("rstrip", false),
                "normalized": said("normalized", true), "special": said("special", false),
            })
        };
        let mut added = Vec::new();
        let path = if let Some(decoder) = config.get("added_tokens_decoder").and_then(Value::as_object) {
            for (id, token) in decoder {
                let content = token["content"].as_str().unwrap_or_default();
                added.push((content.to_owned(), id.parse().ok(), token.clone()));
            }
            folder.join("tokenizer_config.json")
        } else {
            let path = folder.join("added_tokens.json");
            if let Some(json) = &self.added_tokens {
                for (content, id) in parse_object(json, &path)? {
                    added.push((content, id.as_u64(), Value::Null));
                }
            }
            path
        };
        let entries = added.into_iter().map(|(content, id, token)| match id {
            Some(id) => Ok(entry(&content, id, &token)),
            None => Err(Error::VocabularyIds { path: path.clone(), token: content, id: "none".to_owned() }),
        });
        entries.collect()
    }
}

/// Case, accents and Chinese characters. A named class takes them from `tokenizer_config.json` if they are set there,
/// and so do the written files.
fn normalizer_flags(
    tokenizer: &mut Map<String, Value>,
    config: &Map<String, Value>,
    is_generic: bool,
    path: &Path,
) -> Result<Flags> {
    let mut none = Value::Null;
    let normalizer = tokenizer.get_mut("normalizer").unwrap_or(&mut none);
    if normalizer["type"] != "BertNormalizer" {
        return Err(Error::TokenizerKind {
            path: path.to_owned(),
            part: "normalizer",
            found: normalizer["type"].as_str().unwrap_or("none").to_owned(),
            expected: "BertNormalizer",
        });
    }
    for (key, part) in FLAGS {
        let Some(said) = config.get(key).filter(|_| !is_generic) else { continue };
        let is_possible = said.is_boolean() || said.is_null() && key == "strip_accents";
        if is_possible && normalizer[part] != *said {
            tracing::warn!(
                key, tokenizer_config = %said, tokenizer = %normalizer[part],
                "tokenizer_config.json and tokenizer.json differ: tokenizer_config.json is used, as in transformers"
            );
            normalizer[part] = said.clone();
        }
    }
    Ok(Flags {
        lowercase: normalizer["lowercase"].clone(),
        strip_accents: normalizer["strip_accents"].clone(),
        handle_chinese_chars: normalizer["handle_chinese_chars"].clone(),
    })
}

/// Whether transformers' `DistilBertTokenizer`, which builds its parts itself, gives the same.
fn is_standard(tokenizer: &Map<String, Value>, special: &[(&str, u64)], flags: &Flags) -> bool {
    let standard = word_piece(Map::new(), special, flags);
    let part = |tokenizer: &Map<String, Value>, key: &str| -> Value {
        let mut part = tokenizer.get(key).cloned().unwrap_or_default();
        match (key, &mut part) {
            ("model", Value::Object(model)) => drop(model.shift_remove("vocab")),
            ("added_tokens", Value::Array(tokens)) => tokens.sort_by_key(|token| token["id"].as_u64()),
            _ => {}
        }
        part
    };
    ["added_tokens", "normalizer", "pre_tokenizer", "post_processor", "model"]
        .iter()
        .all(|key| part(tokenizer, key) == part(&standard, key))
}

/// Files from before tokenizers 0.10, such as that of distilbert-base-uncased, do not name their model. WordPiece has a
/// prefix for continued words, and no merges.
fn name_model_type(tokenizer: &mut Map<String, Value>) {
    if let Some(model) = tokenizer.get_mut("model").and_then(Value::as_object_mut)
        && !model.contains_key("type")
        && model.contains_key("continuing_subword_prefix")
        && !model.contains_key("merges")
    {
        model.shift_insert(0, "type".to_owned(), "WordPiece".into());
    }
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
mod tests;
