//! A BERT tokenizer for tests, of several crates: lower-cased WordPiece over a few words.

use serde_json::{Map, Value, json};

/// `tokenizer.json` over `words`, whose ids are their places; `[CLS]` and `[SEP]` are among them.
pub fn tokenizer_json(words: &[&str]) -> Value {
    let vocab: Map<String, Value> =
        words.iter().zip(0..).map(|(word, id)| ((*word).to_owned(), json!(id))).collect();
    let special = |token: &str, type_id: u8| json!({"SpecialToken": {"id": token, "type_id": type_id}});
    let sequence = |id: &str, type_id: u8| json!({"Sequence": {"id": id, "type_id": type_id}});
    let named = |token: &str| json!({"id": token, "ids": [vocab[token]], "tokens": [token]});
    json!({
        "version": "1.0", "truncation": null, "padding": null, "added_tokens": [],
        "normalizer": {
            "type": "BertNormalizer", "clean_text": true, "handle_chinese_chars": true, "strip_accents": null,
            "lowercase": true,
        },
        "pre_tokenizer": {"type": "BertPreTokenizer"},
        "post_processor": {
            "type": "TemplateProcessing",
            "single": [special("[CLS]", 0), sequence("A", 0), special("[SEP]", 0)],
            "pair": [
                special("[CLS]", 0), sequence("A", 0), special("[SEP]", 0), sequence("B", 1), special("[SEP]", 1),
            ],
            "special_tokens": {"[CLS]": named("[CLS]"), "[SEP]": named("[SEP]")},
        },
        "decoder": null,
        "model": {
            "type": "WordPiece", "unk_token": "[UNK]", "continuing_subword_prefix": "##",
            "max_input_chars_per_word": 100, "vocab": vocab,
        },
    })
}
