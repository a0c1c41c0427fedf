//! A text without incidental differences: compatibility forms decomposed (NFKD), lower case, single spaces, no
//! invisible characters. It keeps the way back to the original characters.

use unicode_normalization::char::{canonical_combining_class, decompose_compatible};

/// A folded text.
pub(super) struct Folded {
    characters: Vec<char>,
    /// The original character of each.
    from: Vec<u32>,
}

impl Folded {
    pub(super) fn new(text: &str) -> Self {
        let mut folded: Vec<(char, u32)> = Vec::with_capacity(text.len());
        for (index, character) in text.chars().enumerate() {
            let mut push = |character| folded.push((character, index as u32));
            if character.is_ascii_graphic() {
                push(character.to_ascii_lowercase());
            } else if character.is_whitespace() {
                if folded.last().is_none_or(|&(last, _)| last != ' ') {
                    folded.push((' ', index as u32));
                }
            } else if !is_invisible(character) {
                decompose_compatible(character, |part| part.to_lowercase().for_each(&mut push));
            }
        }
        let is_mark = |&(character, _): &(char, u32)| canonical_combining_class(character) != 0;
        for marks in folded.chunk_by_mut(|left, right| is_mark(left) && is_mark(right)) {
            marks.sort_by_key(|&(character, _)| canonical_combining_class(character));
        }
        let (characters, from) =
            folded.into_iter().map(|(c, from)| (if c == 'ς' { 'σ' } else { c }, from)).unzip();
        Self { characters, from }
    }

    /// The places of `text` in this one: first character and the one after the last. It never cuts a character in two,
    /// or a letter from its marks.
    pub(super) fn occurrences(&self, text: &str) -> Vec<(u32, u32)> {
        let needle = Self::new(text.trim()).characters;
        let (Some(first), length) = (needle.first(), needle.len()) else { return Vec::new() };
        let starts = (0..self.characters.len().saturating_sub(length - 1)).filter(|&start| {
            self.characters[start] == *first
                && self.characters[start..start + length] == needle[..]
                && self.is_boundary(start)
                && self.is_boundary(start + length)
        });
        let place = |start: usize| {
            let last = self.from[start..start + length].iter().max().copied().unwrap_or_default();
            (self.from[start], last + 1)
        };
        starts.map(place).collect()
    }

    fn is_boundary(&self, at: usize) -> bool {
        let Some(&next) = self.characters.get(at) else { return true };
        canonical_combining_class(next) == 0 && (at == 0 || self.from[at] != self.from[at - 1])
    }
}

/// Zero-width space, byte order mark, soft hyphen and the marks of direction, which editors add and drop.
fn is_invisible(character: char) -> bool {
    matches!(character, '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{feff}' | '\u{ad}')
}
