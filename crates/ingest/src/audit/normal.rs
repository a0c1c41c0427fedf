//! Texts as hashes: as they are, and without what does not make another question of one.

use std::hash::BuildHasher as _;

use foldhash::quality::FixedState;
use unicode_normalization::UnicodeNormalization as _;
use unicode_normalization::char::is_combining_mark;

/// A text's two hashes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Hashes {
    /// Of its letters and digits in NFKC and lower case, with one space between words.
    pub normal: u64,
    /// Of its bytes.
    pub exact: u64,
}

impl Hashes {
    /// Of the pair of this text and another.
    pub fn of(self, other: Self) -> Self {
        let pair = |a: u64, b: u64| FixedState::default().hash_one((a, b));
        Self { normal: pair(self.normal, other.normal), exact: pair(self.exact, other.exact) }
    }
}

/// Normalises into one buffer, text after text.
#[derive(Debug, Default)]
pub(super) struct Normalizer {
    buffer: String,
}

impl Normalizer {
    pub fn hashes(&mut self, text: &str) -> Hashes {
        Hashes { normal: hash(self.normalize(text).as_bytes()), exact: hash(text.as_bytes()) }
    }

    fn normalize(&mut self, text: &str) -> &str {
        self.buffer.clear();
        // Nothing composes across a space, so that words can be taken one by one, most of them ASCII.
        for word in text.split(' ') {
            self.gap();
            if word.is_ascii() {
                self.ascii(word);
            } else {
                self.other(word);
            }
        }
        // A text of signs alone equals none but itself.
        if self.buffer.is_empty() {
            self.buffer.push_str(text.trim());
        }
        self.buffer.trim_end()
    }

    fn ascii(&mut self, word: &str) {
        let mut rest = word;
        while let Some(end) = rest.bytes().position(|byte| !byte.is_ascii_alphanumeric()) {
            self.push_lower(&rest[..end]);
            self.gap();
            rest = &rest[end + 1..];
        }
        self.push_lower(rest);
    }

    fn push_lower(&mut self, letters: &str) {
        let start = self.buffer.len();
        self.buffer.push_str(letters);
        self.buffer[start..].make_ascii_lowercase();
    }

    fn other(&mut self, word: &str) {
        for character in word.nfkc().flat_map(char::to_lowercase) {
            if character.is_alphanumeric() || is_combining_mark(character) {
                self.buffer.push(character);
            } else {
                self.gap();
            }
        }
    }

    fn gap(&mut self) {
        if self.buffer.as_bytes().last().is_some_and(|last| *last != b' ') {
            self.buffer.push(' ');
        }
    }
}

/// The same in every run; a text made to collide with another costs a wrong finding, no question.
fn hash(bytes: &[u8]) -> u64 {
    FixedState::default().hash_one(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_equal_up_to_case_signs_spaces_and_normal_form() {
        let mut normalizer = Normalizer::default();
        let mut normal = |text: &str| normalizer.normalize(text).to_owned();
        assert_eq!(normal("  Who,  was\u{a0}NAPOLÉON\tI? "), "who was napoléon i");
        assert_eq!(normal("e\u{301}té"), normal("ÉTE\u{301}"));
        assert_eq!(normal("ＡＢ ﬁ ²"), "ab fi 2");
        assert_eq!(normal("日本の 首都は?"), "日本の 首都は");
        assert_eq!(normal("ما هي؟"), "ما هي");
        assert_ne!(normal("?!"), normal("!?"));
        assert_eq!(normal("👩\u{200d}🔬 ?"), "👩\u{200d}🔬 ?");
        assert_eq!(normal(""), "");
    }

    #[test]
    fn pairs_are_ordered_and_hashes_tell_exact_from_normal() {
        let mut normalizer = Normalizer::default();
        let [one, two, other] = ["Who?", "who", "when"].map(|text| normalizer.hashes(text));
        assert_eq!(one.normal, two.normal);
        assert_ne!(one.exact, two.exact);
        assert_ne!(one.of(other), other.of(one));
        assert_eq!(one.of(other).normal, two.of(other).normal);
    }
}
