//! The vocabulary of a tokenizer, and what shows that it is not a BERT's.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::{Map, Value};

use crate::error::{Error, Result};

/// The mark of a word's first piece in vocabularies of `SentencePiece` and of byte-level BPE.
const WORD_MARKS: [char; 2] = ['▁', 'Ġ'];

/// How many tokens hold capitals, if that is more than a few names of special tokens.
pub(super) fn unreachable_capitals(vocabulary: &[String]) -> Option<usize> {
    let is_cased = |token: &&String| !token.starts_with('[') && token.chars().any(char::is_uppercase);
    let capitals = vocabulary.iter().filter(is_cased).count();
    (capitals * 100 > vocabulary.len()).then_some(capitals)
}

/// Pieces that begin with the mark of another kind of tokenizer: most of a text would become `[UNK]`.
pub(super) fn refuse_other_pieces(vocabulary: &[String], path: &Path) -> Result<()> {
    let marked = |token: &&String| {
        let rest = WORD_MARKS.iter().find_map(|mark| token.strip_prefix(*mark));
        rest.is_some_and(|rest| !rest.is_empty())
    };
    let count = vocabulary.iter().filter(marked).count();
    // Characters of some language may be among the tokens of any vocabulary.
    if 100 * count <= vocabulary.len() {
        return Ok(());
    }
    Err(Error::OtherPieces {
        path: path.to_owned(),
        count,
        tokens: vocabulary.len(),
        example: vocabulary.iter().find(marked).cloned().unwrap_or_default(),
    })
}

/// Every token by its id: the model's and the added ones. Ids may be missing; no text becomes them.
pub(super) fn vocabulary(tokenizer: &Map<String, Value>, path: &Path) -> Result<BTreeMap<u64, String>> {
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

    let mut by_id = BTreeMap::new();
    for (token, id) in pairs {
        if token.contains(['\n', '\r']) {
            return Err(Error::LineBreak { path: path.to_owned(), token: token.to_owned() });
        }
        let known = id.map(|id| by_id.entry(id).or_insert_with(|| token.to_owned()));
        if known.is_none_or(|known| known != token) {
            let id = id.map_or("none".to_owned(), |id| id.to_string());
            return Err(Error::VocabularyIds { path: path.to_owned(), token: token.to_owned(), id });
        }
    }
    Ok(by_id)
}

/// A `vocab.txt` beside a `tokenizer.json` must hold the same tokens.
pub(super) fn agrees(lines: &[String], vocabulary: &[String], path: &Path) -> Result<()> {
    // Added tokens follow the vocabulary and are not in the file; for a repeated token, the last line counts.
    let same = |line: &String, token: &String| token.is_empty() || line == token.trim_end();
    let differs = lines.iter().zip(vocabulary).position(|(line, token)| !same(line, token));
    if let Some(id) = differs.or_else(|| (lines.len() > vocabulary.len()).then_some(vocabulary.len())) {
        return Err(Error::VocabularyDiffers {
            path: path.to_owned(),
            line: id + 1,
            found: lines[id].clone(),
            expected: vocabulary.get(id).cloned().unwrap_or_default(),
        });
    }
    Ok(())
}

/// The lines as transformers reads them: without white space at the end, and without blank lines at the end of the file.
pub(super) fn vocab_lines(bytes: &[u8], path: &Path) -> Result<Vec<String>> {
    let text = std::str::from_utf8(bytes).map_err(|source| Error::Utf8 { path: path.to_owned(), source })?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    Ok(text.trim_end().lines().map(|line| line.trim_end().to_owned()).collect())
}
