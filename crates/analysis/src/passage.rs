//! A context with its sentences, and the places of answers in it.

use std::ops::Range;

use unicode_segmentation::UnicodeSegmentation as _;

use squad::LabelledAnswer;
use squad::offsets::{CharIndex, CharOffset};

/// A context. Ranges are in bytes.
pub(crate) struct Passage<'a> {
    context: &'a str,
    index: CharIndex<'a>,
    /// Where sentences end by Unicode's rules (UAX #29), including the spaces after them. "Dr. Smith" is split too,
    /// because these rules know no abbreviations.
    sentence_ends: Vec<usize>,
}

impl<'a> Passage<'a> {
    pub fn new(context: &'a str) -> Self {
        let sentences = context.split_sentence_bound_indices();
        Self {
            context,
            index: CharIndex::new(context),
            sentence_ends: sentences.map(|(start, sentence)| start + sentence.len()).collect(),
        }
    }

    /// The answer's range; `None` if its text is empty or not at its start.
    pub fn range_of(&self, answer: LabelledAnswer<'_>) -> Option<Range<usize>> {
        let start = self.index.to_byte(CharOffset(u32::try_from(answer.start).ok()?))?.0 as usize;
        let is_there = !answer.text.is_empty() && self.context[start..].starts_with(answer.text);
        is_there.then_some(start..start + answer.text.len())
    }

    /// The numbers of the sentences that a range touches.
    pub fn sentences_of(&self, range: &Range<usize>) -> Range<usize> {
        let first = self.sentence_ends.partition_point(|end| *end <= range.start);
        let last = self.sentence_ends.partition_point(|end| *end < range.end);
        first..last + 1
    }

    /// The text of some of the sentences.
    pub fn text_of(&self, sentences: Range<usize>) -> &'a str {
        let start = sentences.start.checked_sub(1).map_or(0, |before| self.sentence_ends[before]);
        &self.context[start..self.sentence_ends[sentences.end - 1]]
    }
}
