//! A `tokenizer.json` for the folders of older models that have a `vocab.txt` only.

use std::path::Path;

use serde_json::{Map, Value, json};

use crate::error::{Error, Result};
use crate::tokenizer::SPECIAL_TOKENS;

/// The `tokenizer.json` that transformers makes of a BERT `vocab.txt`.
pub(crate) fn word_piece(
    tokens: &[String],
    config: &Map<String, Value>,
    folder: &Path,
) -> Result<Map<String, Value>> {
    let id_of = |token: &'static str| {
        tokens
            .iter()
            .position(|known| known == token)
            .ok_or_else(|| Error::SpecialToken { path: folder.join("vocab.txt"), token })
    };
    let flag = |key: &str| config.get(key).and_then(Value::as_bool);
    let mut added_tokens = Vec::new();
    for (_, token) in SPECIAL_TOKENS {
        added_tokens.push(json!({
            "id": id_of(token)?, "content": token, "single_word": false, "lstrip": false, "rstrip": false,
            "normalized": false, "special": true,
        }));
    }
    added_tokens.sort_by_key(|token| token["id"].as_u64());
    let vocab: Map<String, Value> =
        tokens.iter().enumerate().map(|(id, token)| (token.clone(), id.into())).collect();
    let (cls, sep) = (id_of("[CLS]")?, id_of("[SEP]")?);
    let special = |token: &str, type_id: u8| json!({"SpecialToken": {"id": token, "type_id": type_id}});
    let sequence = |id: &str, type_id: u8| json!({"Sequence": {"id": id, "type_id": type_id}});
    let tokenizer = json!({
        "version": "1.0",
        "truncation": null,
        "padding": null,
        "added_tokens": added_tokens,
        "normalizer": {
            "type": "BertNormalizer",
            "clean_text": true,
            "handle_chinese_chars": flag("tokenize_chinese_chars").unwrap_or(true),
            "strip_accents": flag("strip_accents"),
            "lowercase": flag("do_lower_case").unwrap_or(true),
        },
        "pre_tokenizer": {"type": "BertPreTokenizer"},
        "post_processor": {
            "type": "TemplateProcessing",
            "single": [special("[CLS]", 0), sequence("A", 0), special("[SEP]", 0)],
            "pair": [
                special("[CLS]", 0), sequence("A", 0), special("[SEP]", 0), sequence("B", 1), special("[SEP]", 1),
            ],
            "special_tokens": {
                "[CLS]": {"id": "[CLS]", "ids": [cls], "tokens": ["[CLS]"]},
                "[SEP]": {"id": "[SEP]", "ids": [sep], "tokens": ["[SEP]"]},
            },
        },
        "decoder": {"type": "WordPiece", "prefix": "##", "cleanup": true},
        "model": {
            "type": "WordPiece",
            "unk_token": "[UNK]",
            "continuing_subword_prefix": "##",
            "max_input_chars_per_word": 100,
            "vocab": vocab,
        },
    });
    match tokenizer {
        Value::Object(tokenizer) => Ok(tokenizer),
        _ => unreachable!("the literal above is an object"),
    }
}
