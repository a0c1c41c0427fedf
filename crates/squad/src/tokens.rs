//! Turns text into tokens; it tokenises each word of a corpus only once.
//!
//! A BERT tokenizer gives the same tokens for a text as for its pieces, split at spaces and before and after
//! punctuation: it cleans, lowercases and strips accents character by character, and splits at both. Texts are only
//! split between two ASCII characters, because marks may change the character before them, and never at punctuation of
//! an added token. Corpora repeat their words, so the tokens of pieces are cached. Any other tokenizer gets whole
//! texts.

use crate::caught::caught;
use crate::error::{Error, Result};
use foldhash::fast::RandomState;
use std::collections::HashMap;
use std::ops::Range;
use std::sync::{PoisonError, RwLock};
use tokenizers::{ModelWrapper, NormalizerWrapper, PreTokenizerWrapper, Tokenizer};

/// The most cached pieces: SQuAD has about 100,000, which take about 15 MB.
const KEPT_PIECES: usize = 1 << 18;
/// Longer pieces are rare and are not repeated.
const KEPT_PIECE_BYTES: usize = 48;

/// A tokenizer without special tokens, truncation or padding of its own.
pub(crate) struct TextTokenizer {
    tokenizer: Tokenizer,
    /// `None` if texts must stay whole.
    pieces: Option<Pieces>,
}

/// How texts are split, and the tokens of the pieces seen.
struct Pieces {
    cuts: Cuts,
    known: RwLock<HashMap<Box<str>, Piece, RandomState>>,
}

/// For each byte, whether it is punctuation to split at.
struct Cuts([bool; 256]);

/// A text's tokens, and the characters of each.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tokens {
    pub input_ids: Vec<i32>,
    pub offsets: Vec<(u32, u32)>,
}

/// The tokens of a piece of text; offsets count from its beginning.
struct Piece {
    chars: u32,
    tokens: Box<[(i32, (u32, u32))]>,
}

/// A piece that is not known yet.
struct Gap<'a> {
    /// How many of the known tokens come before it.
    at: usize,
    /// The character of the text that it begins at.
    begin: u32,
    piece: &'a str,
}

impl TextTokenizer {
    pub(crate) fn new(tokenizer: Tokenizer) -> Self {
        let pieces = Cuts::of(&tokenizer).map(|cuts| Pieces { cuts, known: RwLock::default() });
        Self { tokenizer, pieces }
    }

    /// The id of the model's token for unknown words.
    pub(crate) fn unknown_id(&self) -> Option<i32> {
        let ModelWrapper::WordPiece(model) = self.tokenizer.get_model() else { return None };
        self.tokenizer.token_to_id(&model.unk_token).map(|id| id as i32)
    }

    pub(crate) fn tokenize(&self, text: &str) -> Result<Tokens> {
        let mut tokens = Tokens::default();
        let Some(Pieces { cuts, known: pieces }) = &self.pieces else {
            tokens.push(&self.encode(text)?, 0);
            return Ok(tokens);
        };
        let mut gaps = Vec::new();
        let mut begin = 0;
        // At most two locks per text, however many pieces it has, and none is held while a piece is encoded. Nothing
        // under them can panic.
        let kept = pieces.read().unwrap_or_else(PoisonError::into_inner);
        for word in text.split(' ') {
            for piece in cuts.pieces(word) {
                if let Some(known) = kept.get(piece) {
                    begin += tokens.push(known, begin);
                } else {
                    gaps.push(Gap { at: tokens.input_ids.len(), begin, piece });
                    begin += piece.chars().count() as u32;
                }
            }
            // The space.
            begin += 1;
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
        let encoded = caught(|| self.tokenizer.encode_char_offsets(text, false))
            .map_err(|reason| Error::GaveUp { text: beginning(text), reason })?;
        let encoding = encoded.map_err(|source| Error::Tokenize { text: beginning(text), source })?;
        let ids = encoding.get_ids().iter().map(|&id| id as i32);
        let offsets = encoding.get_offsets().iter().map(|&(start, end)| (start as u32, end as u32));
        Ok(Piece { chars: text.chars().count() as u32, tokens: ids.zip(offsets).collect() })
    }
}

impl Tokens {
    /// Appends a piece that begins at a character of the text; returns its number of characters.
    fn push(&mut self, piece: &Piece, begin: u32) -> u32 {
        self.input_ids.extend(piece.tokens.iter().map(|(id, _)| id));
        self.offsets.extend(piece.tokens.iter().map(|(_, (start, end))| (begin + start, begin + end)));
        piece.chars
    }

    /// Appends some of another text's tokens unchanged.
    fn append(&mut self, other: &Self, range: Range<usize>) {
        self.input_ids.extend_from_slice(&other.input_ids[range.clone()]);
        self.offsets.extend_from_slice(&other.offsets[range]);
    }
}

impl Cuts {
    /// The pieces for a BERT tokenizer whose added tokens have no spaces and do not depend on their surroundings;
    /// `None` for others.
    fn of(tokenizer: &Tokenizer) -> Option<Self> {
        let added = tokenizer.get_added_tokens_decoder();
        let is_bert = matches!(tokenizer.get_normalizer(), Some(NormalizerWrapper::BertNormalizer(_)))
            && matches!(tokenizer.get_pre_tokenizer(), Some(PreTokenizerWrapper::BertPreTokenizer(_)))
            && matches!(tokenizer.get_model(), ModelWrapper::WordPiece(_))
            && added.values().all(|token| {
                let reaches_out = token.lstrip || token.rstrip || token.single_word || token.normalized;
                !reaches_out && !token.content.contains(char::is_whitespace)
            });
        is_bert.then(|| {
            let mut cuts = std::array::from_fn(|byte| (byte as u8).is_ascii_punctuation());
            for byte in added.values().flat_map(|token| token.content.bytes()) {
                cuts[usize::from(byte)] = false;
            }
            Self(cuts)
        })
    }

    /// The pieces of a word, none of them empty; together they are the word.
    fn pieces<'a>(&self, word: &'a str) -> impl Iterator<Item = &'a str> {
        let mut rest = word;
        std::iter::from_fn(move || {
            let bytes = rest.as_bytes();
            let meets = |pair: &[u8]| {
                pair[0].is_ascii()
                    && pair[1].is_ascii()
                    && (self.0[usize::from(pair[0])] || self.0[usize::from(pair[1])])
            };
            let end = bytes.windows(2).position(meets).map_or(bytes.len(), |before| before + 1);
            let piece;
            (piece, rest) = rest.split_at(end);
            (!piece.is_empty()).then_some(piece)
        })
    }
}

/// The beginning of a text, enough to find it.
pub(crate) fn beginning(text: &str) -> String {
    const SHOWN_CHARS: usize = 60;
    match text.char_indices().nth(SHOWN_CHARS) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests;
