//! The `tokenizer.json` that is equivalent to transformers' `BertTokenizer`. It is made for folders that have only a
//! `vocab.txt`, and compared with an existing one.

use serde_json::{Map, Value, json};

/// What may differ between two of them besides the vocabulary: the normalizer's settings.
#[derive(Debug, Clone)]
pub(crate) struct Flags {
    pub lowercase: Value,
    pub strip_accents: Value,
    pub handle_chinese_chars: Value,
}

/// The whole file; `special` are [`crate::tokenizer::SPECIAL_TOKENS`] with their ids.
pub(crate) fn word_piece(
    vocab: Map<String, Value>,
    special: &[(&str, u64)],
    flags: &Flags,
) -> Map<String, Value> {
    let mut added_tokens: Vec<Value> = special
        .iter()
        .map(|(token, id)| {
            json!({
                "id": id, "content": token, "single_word": false, "lstrip": false, "rstrip": false,
                "normalized": false, "special": true,
            })
        })
        .collect();
    added_tokens.sort_by_key(|token| token["id"].as_u64());
    let id_of = |token| special.iter().find(|(known, _)| *known == token).map(|(_, id)| *id);
    let (cls, sep) = (id_of("[CLS]"), id_of("[SEP]"));
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
            "handle_chinese_chars": flags.handle_chinese_chars,
            "strip_accents": flags.strip_accents,
            "lowercase": flags.lowercase,
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
        Value::Object(tokenizer) => tokenizer,
        _ => unreachable!("the literal above is an object"),
    }
}
