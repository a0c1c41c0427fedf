//! Hashes of texts: of the exact text, and of a normal form without differences that do not matter.

use std::hash::BuildHasher as _;

use foldhash::quality::FixedState;
use memchr::memchr;
use unicode_normalization::UnicodeNormalization as _;
use unicode_normalization::char::is_combining_mark;

/// A text's two hashes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hashes {
    /// The hash of its letters and digits in NFKC and lower case, with one space between words.
    pub normal: u64,
    /// The hash of its bytes.
    pub exact: u64,
}

impl Hashes {
    /// The hashes of the pair of this text and another.
    pub fn of(self, other: Self) -> Self {
        let pair = |a: u64, b: u64| FixedState::default().hash_one((a, b));
        Self { normal: pair(self.normal, other.normal), exact: pair(self.exact, other.exact) }
    }
}

/// The normal form of each byte: itself, in lower case; 0 for bytes that separate words.
const IN_WORDS: [u8; 256] = {
    let mut table = [0; 256];
    let mut byte = 0;
    while byte < 128_u8 {
        if byte.is_ascii_alphanumeric() {
            table[byte as usize] = byte.to_ascii_lowercase();
        }
        byte += 1;
    }
    table
};

/// Normalises into one buffer, text after text.
#[derive(Debug, Default)]
pub struct Normalizer {
    /// UTF-8.
    buffer: Vec<u8>,
}

impl Normalizer {
    pub fn hashes(&mut self, text: &str) -> Hashes {
        Hashes { normal: hash(self.normalize(text)), exact: hash(text.as_bytes()) }
    }

    fn normalize(&mut self, text: &str) -> &[u8] {
        self.buffer.clear();
        if text.is_ascii() {
            self.ascii(text);
        } else {
            // Nothing composes across a space, so words can be normalised one by one; most are ASCII.
            let mut rest = text;
            while let Some(end) = memchr(b' ', rest.as_bytes()) {
                self.word(&rest[..end]);
                rest = &rest[end + 1..];
            }
            self.word(rest);
        }
        // A text of only signs equals only itself.
        if self.buffer.is_empty() {
            self.buffer.extend(text.trim().bytes());
        }
        self.buffer.trim_ascii_end()
    }

    fn word(&mut self, word: &str) {
        self.gap();
        if word.is_ascii() {
            self.ascii(word);
        } else {
            self.other(word);
        }
    }

    fn ascii(&mut self, text: &str) {
        for byte in text.bytes() {
            match IN_WORDS[usize::from(byte)] {
                0 => self.gap(),
                lower => self.buffer.push(lower),
            }
        }
    }

    fn other(&mut self, word: &str) {
        for character in word.nfkc().flat_map(char::to_lowercase) {
            if character.is_alphanumeric() || is_combining_mark(character) {
                self.buffer.extend(character.encode_utf8(&mut [0; 4]).bytes());
            } else {
                self.gap();
            }
        }
    }

    fn gap(&mut self) {
        if self.buffer.last().is_some_and(|last| *last != b' ') {
            self.buffer.push(b' ');
        }
    }
}

/// The same in every run. A text made to collide with another causes a wrong finding, but loses no question.
fn hash(bytes: &[u8]) -> u64 {
    FixedState::default().hash_one(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_equal_up_to_case_signs_spaces_and_normal_form() {
        let mut normalizer = Normalizer::default();
        let mut normal = |text: &str| String::from_utf8(normalizer.normalize(text).to_owned()).unwrap();
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
