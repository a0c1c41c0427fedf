//! Finds answers that start or end inside a word or a token.
//!
//! Words are those of Unicode's default segmentation (UAX #29), which has no words for Chinese, Japanese and Thai:
//! there, only tokens are checked. Only the word around an edge is tokenised: a BERT tokenizer splits at spaces, ASCII
//! punctuation and ideographs first.

use std::path::Path;

use squad::offsets::{ByteOffset, CharIndex, CharOffset};
use squad::{FeatureTokenizer, WindowSettings};
use unicode_segmentation::UnicodeSegmentation as _;

use crate::error::Result;

/// Characters on either side of an edge that are examined. WordPiece gives up on words of more than 100.
const REACH: usize = 128;

/// Finds edges that cut something.
pub(super) struct Boundaries {
    tokenizer: FeatureTokenizer,
}

/// An edge of an answer that cuts a word or a token.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Cut<'a> {
    pub side: Side,
    pub what: What,
    /// What is cut, and where it starts, in characters.
    pub text: &'a str,
    pub start: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Side {
    Start,
    End,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum What {
    Word,
    Token,
}

impl Boundaries {
    /// Uses the tokenizer of the base model; `folder` is for messages.
    pub fn new(tokenizer_json: &[u8], folder: &Path) -> Result<Self> {
        // Contexts are only tokenised here, not cut into windows, so any valid setting will do.
        let settings = WindowSettings { max_length: 384, doc_stride: 128 };
        match FeatureTokenizer::new(tokenizer_json, settings) {
            Ok(tokenizer) => Ok(Self { tokenizer }),
            Err(source) => Err(pretrained::Error::Tokenizer {
                path: folder.join("tokenizer.json"),
                source: Box::new(source),
            }
            .into()),
        }
    }

    /// What the edges of the answer of `chars` characters at `start` cut.
    pub fn cut<'a>(
        &self,
        context: &'a str,
        index: &CharIndex<'a>,
        start: u32,
        chars: u32,
    ) -> Result<Vec<Cut<'a>>> {
        let mut cuts = Vec::new();
        for (side, edge) in [(Side::Start, start), (Side::End, start + chars)] {
            let Some(ByteOffset(at)) = index.to_byte(CharOffset(edge)) else { continue };
            let (before, after) = context.split_at(at as usize);
            let (Some(left), Some(right)) = (before.chars().next_back(), after.chars().next()) else {
                continue;
            };
            if left.is_whitespace() || right.is_whitespace() {
                continue;
            }
            let apostrophe = |character| matches!(character, '\'' | '\u{2019}');
            // In "Institute's", an edge at the apostrophe is not a cut.
            let word = if apostrophe(left) || apostrophe(right) { None } else { word(before, after) };
            if let Some((from, to)) = word {
                let text = &context[from..to];
                let start = edge - context[from..at as usize].chars().count() as u32;
                cuts.push(Cut { side, what: What::Word, text, start });
            }
            if !splits(left) && !splits(right) {
                cuts.extend(self.token(before, after)?.map(|(start, end)| {
                    let start = edge - start;
                    let text = index.slice(CharOffset(start), CharOffset(edge + end));
                    Cut { side, what: What::Token, text, start }
                }));
            }
        }
        Ok(cuts)
    }

    /// The token that the edge between two texts cuts: its characters before and after the edge.
    fn token(&self, before: &str, after: &str) -> Result<Option<(u32, u32)>> {
        let (start, end) = around(before, after, splits);
        let piece = [&before[start..], &after[..end]].concat();
        let edge = before[start..].chars().count() as u32;
        let tokens = self.tokenizer.tokenize_context(&piece).map_err(|source| {
            pretrained::Error::Tokenizer { path: "tokenizer.json".into(), source: Box::new(source) }
        })?;
        let cut = tokens.offsets().iter().find(|(from, to)| *from < edge && edge < *to);
        Ok(cut.map(|(from, to)| (edge - from, to - edge)))
    }
}

/// The word that the edge between two neighbouring texts cuts, in bytes of both together.
fn word(before: &str, after: &str) -> Option<(usize, usize)> {
    let edge = before.len();
    let (start, end) = around(before, after, char::is_whitespace);
    let piece = [&before[start..], &after[..end]].concat();
    let (from, text) = piece.split_word_bound_indices().take_while(|(from, _)| start + from < edge).last()?;
    let (from, to) = (start + from, start + from + text.len());
    (to > edge && text.chars().any(char::is_alphanumeric)).then_some((from, to))
}

/// How far a run without `splits` reaches around an edge: where it starts in `before` and ends in `after`.
fn around(before: &str, after: &str, splits: fn(char) -> bool) -> (usize, usize) {
    let start = before.char_indices().rev().take(REACH).take_while(|(_, c)| !splits(*c)).last();
    let end = after.char_indices().take(REACH).find(|(_, c)| splits(*c));
    let reach = || after.char_indices().nth(REACH).map_or(after.len(), |(at, _)| at);
    (start.map_or(before.len(), |(at, _)| at), end.map_or_else(reach, |(at, _)| at))
}

/// Whether a BERT tokenizer always splits before and after a character.
fn splits(character: char) -> bool {
    character.is_whitespace()
        || character.is_ascii_punctuation()
        || matches!(character, '\u{3400}'..='\u{4dbf}' | '\u{4e00}'..='\u{9fff}' | '\u{f900}'..='\u{faff}' | '\u{20000}'..='\u{2fa1f}')
}
