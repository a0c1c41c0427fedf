//! Text to tokens, each word of a corpus only once.
//!
//! What a BERT tokenizer makes of a text is what it makes of the pieces between its spaces, one after
//! another: it cleans, lowercases and strips accents character by character, splits at spaces, and its
//! special tokens hold none. Corpora repeat their words, so the pieces' tokens are kept. A tokenizer of
//! any other make gets whole texts.

use crate::error::{Error, Result};
use std::collections::HashMap;
use std::ops::Range;
use std::sync::{PoisonError, RwLock};
use tokenizers::{ModelWrapper, NormalizerWrapper, PreTokenizerWrapper, Tokenizer};

/// Pieces kept at most: SQuAD has about 200,000, which take some 30 MB.
const KEPT_PIECES: usize = 1 << 18;
/// Longer pieces are rare and do not come again.
const KEPT_PIECE_BYTES: usize = 48;

/// A tokenizer without special tokens, truncation or padding of its own.
pub(crate) struct TextTokenizer {
    tokenizer: Tokenizer,
    /// The tokens of pieces seen; `None` where texts must stay whole.
    pieces: Option<RwLock<HashMap<Box<str>, Piece>>>,
}

/// A text's tokens, and the characters of the text that each stands for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tokens {
    pub input_ids: Vec<i32>,
    pub offsets: Vec<(u32, u32)>,
}

/// A piece between two spaces; offsets count from its beginning.
struct Piece {
    chars: u32,
    tokens: Box<[(i32, (u32, u32))]>,
}

/// A piece that is not known yet.
struct Gap<'a> {
    /// How many of the known tokens stand before it.
    at: usize,
    /// The character of the text that it begins at.
    begin: u32,
    piece: &'a str,
}

impl TextTokenizer {
    pub(crate) fn new(tokenizer: Tokenizer) -> Self {
        let pieces = splits_at_spaces(&tokenizer).then(RwLock::default);
        Self { tokenizer, pieces }
    }

    pub(crate) fn tokenize(&self, text: &str) -> Result<Tokens> {
        let mut tokens = Tokens::default();
        let Some(pieces) = &self.pieces else {
            tokens.push(&self.encode(text)?, 0);
            return Ok(tokens);
        };
        let mut gaps = Vec::new();
        let mut begin = 0;
        // Two locks at most for a text, however many its pieces, and neither is held while one is encoded. Nothing that can
        // panic happens under them.
        let kept = pieces.read().unwrap_or_else(PoisonError::into_inner);
        for piece in text.split(' ') {
            if let Some(known) = kept.get(piece) {
                begin += tokens.push(known, begin) + 1;
            } else {
                gaps.push(Gap { at: tokens.input_ids.len(), begin, piece });
                begin += piece.chars().count() as u32 + 1;
            }
        }
        let room = KEPT_PIECES.saturating_sub(kept.len());
        drop(kept);
        if gaps.is_empty() {
            return Ok(tokens);
        }
        let (tokens, mut new) = self.fill(&tokens, gaps)?;
        new.retain(|(piece, _)| piece.len() <= KEPT_PIECE_BYTES);
        new.truncate(room);
        if !new.is_empty() {
            let mut kept = pieces.write().unwrap_or_else(PoisonError::into_inner);
            kept.extend(new.into_iter().map(|(piece, encoded)| (piece.into(), encoded)));
        }
        Ok(tokens)
    }

    /// Encodes the pieces of the gaps and puts them in their places among the other tokens.
    fn fill<'a>(&self, around: &Tokens, gaps: Vec<Gap<'a>>) -> Result<(Tokens, Vec<(&'a str, Piece)>)> {
        let mut filled = Tokens::default();
        let mut encoded = Vec::with_capacity(gaps.len());
        let mut next = 0;
        for Gap { at, begin, piece } in gaps {
            filled.append(around, next..at);
            next = at;
            let new = self.encode(piece)?;
            filled.push(&new, begin);
            encoded.push((piece, new));
        }
        filled.append(around, next..around.input_ids.len());
        Ok((filled, encoded))
    }

    fn encode(&self, text: &str) -> Result<Piece> {
        let encoded = self.tokenizer.encode_char_offsets(text, false);
        let encoding = encoded.map_err(|source| Error::Tokenize { text: beginning(text), source })?;
        let ids = encoding.get_ids().iter().map(|&id| id as i32);
        let offsets = encoding.get_offsets().iter().map(|&(start, end)| (start as u32, end as u32));
        Ok(Piece { chars: text.chars().count() as u32, tokens: ids.zip(offsets).collect() })
    }
}

impl Tokens {
    /// Appends a piece that begins at a character of the text; says how many characters it has.
    fn push(&mut self, piece: &Piece, begin: u32) -> u32 {
        self.input_ids.extend(piece.tokens.iter().map(|(id, _)| id));
        self.offsets.extend(piece.tokens.iter().map(|(_, (start, end))| (begin + start, begin + end)));
        piece.chars
    }

    /// Appends some of another text's tokens as they are.
    fn append(&mut self, other: &Self, range: Range<usize>) {
        self.input_ids.extend_from_slice(&other.input_ids[range.clone()]);
        self.offsets.extend_from_slice(&other.offsets[range]);
    }
}

/// Whether the tokenizer is BERT's, with added tokens that neither hold spaces nor reach for their
/// surroundings.
fn splits_at_spaces(tokenizer: &Tokenizer) -> bool {
    let added = tokenizer.get_added_tokens_decoder();
    matches!(tokenizer.get_normalizer(), Some(NormalizerWrapper::BertNormalizer(_)))
        && matches!(tokenizer.get_pre_tokenizer(), Some(PreTokenizerWrapper::BertPreTokenizer(_)))
        && matches!(tokenizer.get_model(), ModelWrapper::WordPiece(_))
        && added.values().all(|token| {
            let reaches_out = token.lstrip || token.rstrip || token.single_word || token.normalized;
            !reaches_out && !token.content.contains(char::is_whitespace)
        })
}

/// Enough of a text to find it again.
pub(crate) fn beginning(text: &str) -> String {
    const SHOWN_CHARS: usize = 60;
    match text.char_indices().nth(SHOWN_CHARS) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}
