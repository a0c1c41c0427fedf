//! Offsets into a text, as two types: in bytes, as Rust counts, and in characters, as SQuAD and Hugging Face count.
//! Only this module converts them.

/// A place in a text: how many bytes of UTF-8 come before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ByteOffset(pub u32);

/// A place in a text: how many characters (Unicode scalar values, Python's `len`) come before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CharOffset(pub u32);

/// Converts between the two for one text. Free for ASCII; otherwise four bytes for each character.
#[derive(Clone, Debug)]
pub struct CharIndex<'a> {
    text: &'a str,
    /// Where each character starts, and the end; `None` for ASCII, where both offsets are equal.
    starts: Option<Vec<u32>>,
}

impl<'a> CharIndex<'a> {
    /// Reads the text once.
    #[must_use]
    pub fn new(text: &'a str) -> Self {
        let starts = (!text.is_ascii()).then(|| {
            let starts = text.char_indices().map(|(start, _)| start as u32);
            starts.chain([text.len() as u32]).collect()
        });
        Self { text, starts }
    }

    /// The text's length in characters.
    #[must_use]
    pub fn len(&self) -> CharOffset {
        let chars = self.starts.as_ref().map_or(self.text.len(), |starts| starts.len() - 1);
        CharOffset(chars as u32)
    }

    /// Whether the text is empty.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.text.is_empty()
    }

    /// Where a character starts in bytes; `None` past the end of the text.
    #[must_use]
    pub fn to_byte(&self, offset: CharOffset) -> Option<ByteOffset> {
        match &self.starts {
            None => (offset.0 as usize <= self.text.len()).then_some(ByteOffset(offset.0)),
            Some(starts) => starts.get(offset.0 as usize).copied().map(ByteOffset),
        }
    }

    /// The character that starts at a byte; `None` inside a character and past the end of the text.
    #[must_use]
    pub fn to_char(&self, offset: ByteOffset) -> Option<CharOffset> {
        match &self.starts {
            None => (offset.0 as usize <= self.text.len()).then_some(CharOffset(offset.0)),
            Some(starts) => starts.binary_search(&offset.0).ok().map(|index| CharOffset(index as u32)),
        }
    }

    /// The characters from `start` to `end`, as in Python's `text[start:end]`: positions past the end are ignored, and
    /// `end` before `start` gives the empty text.
    #[must_use]
    pub fn slice(&self, start: CharOffset, end: CharOffset) -> &'a str {
        let byte = |offset| self.to_byte(offset).map_or(self.text.len(), |byte| byte.0 as usize);
        self.text.get(byte(start)..byte(end)).unwrap_or("")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn emoji_and_marks_count_as_python_counts_them() {
        let text = "e\u{301}👩\u{200d}🔬 ß";
        let index = CharIndex::new(text);
        assert_eq!(index.len(), CharOffset(7));
        assert_eq!(index.to_byte(CharOffset(3)), Some(ByteOffset(7)));
        assert_eq!(index.to_char(ByteOffset(7)), Some(CharOffset(3)));
        assert_eq!(index.to_char(ByteOffset(5)), None);
        assert_eq!(index.slice(CharOffset(2), CharOffset(5)), "👩\u{200d}🔬");
    }

    #[test]
    fn offsets_past_the_end_are_none_and_slices_stop_there() {
        for text in ["abc", "äbc"] {
            let index = CharIndex::new(text);
            assert_eq!(index.to_byte(CharOffset(4)), None);
            assert_eq!(index.to_char(ByteOffset(9)), None);
            assert_eq!(index.slice(CharOffset(1), CharOffset(9)), "bc");
            assert_eq!(index.slice(CharOffset(2), CharOffset(1)), "");
        }
        assert!(CharIndex::new("").is_empty());
    }

    proptest! {
        #[test]
        fn there_and_back(text in "\\PC{0,40}", start in 0_u32..50, end in 0_u32..50) {
            let index = CharIndex::new(&text);
            let expected: String = text.chars().take(end as usize).skip(start as usize).collect();
            prop_assert_eq!(index.slice(CharOffset(start), CharOffset(end)), expected);
            if let Some(byte) = index.to_byte(CharOffset(start)) {
                prop_assert_eq!(index.to_char(byte), Some(CharOffset(start)));
            }
        }
    }
}
