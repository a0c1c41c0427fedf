//! Divides examples into blocks, so that threads share the work but each context is tokenised only once.
//!
//! A data set groups its questions by paragraph. A block never separates neighbours that share a context, so a
//! context's tokens live as long as the work on its block. Only contexts that occur again later are kept for the whole
//! split; they are rare.

use std::collections::{HashMap, HashSet};
use std::ops::Range;
use std::sync::OnceLock;

use squad::TokenizedContext;

/// The fewest examples in a block: enough to make the transfer cheap, few enough to keep all threads busy.
const BLOCK_EXAMPLES: usize = 64;

/// How the examples of a split are shared out.
#[derive(Debug, Default)]
pub struct Blocks {
    /// The examples of each block; together all of them, in order.
    pub ranges: Vec<Range<usize>>,
    /// The contexts that occur in several places, with their tokens once they are known.
    pub recurring: HashMap<u32, OnceLock<TokenizedContext>>,
}

impl Blocks {
    /// Divides examples, given the `context_id` of each.
    pub fn new(context_ids: impl Iterator<Item = u32>) -> Self {
        let mut blocks = Self::default();
        let mut seen = HashSet::new();
        let (mut start, mut end, mut previous) = (0, 0, None);
        for context_id in context_ids {
            if previous != Some(context_id) {
                if end - start >= BLOCK_EXAMPLES {
                    blocks.ranges.push(start..end);
                    start = end;
                }
                if !seen.insert(context_id) {
                    blocks.recurring.entry(context_id).or_default();
                }
            }
            end += 1;
            previous = Some(context_id);
        }
        if start < end {
            blocks.ranges.push(start..end);
        }
        blocks
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_cover_all_examples_and_never_part_a_context() {
        let context_ids: Vec<u32> = (0..1000).map(|example| example / 7).collect();
        let blocks = Blocks::new(context_ids.iter().copied());
        let covered: Vec<usize> = blocks.ranges.iter().cloned().flatten().collect();
        assert_eq!(covered, (0..1000).collect::<Vec<_>>());
        for range in &blocks.ranges[1..] {
            assert_ne!(context_ids[range.start - 1], context_ids[range.start]);
        }
        assert!(blocks.ranges.len() > 10);
        assert!(blocks.recurring.is_empty());
    }

    #[test]
    fn contexts_in_several_places_are_recurring() {
        let blocks = Blocks::new([0, 0, 1, 0, 2, 2].into_iter());
        assert_eq!((blocks.ranges.len(), blocks.ranges[0].clone()), (1, 0..6));
        assert_eq!(blocks.recurring.keys().collect::<Vec<_>>(), [&0]);
    }

    #[test]
    fn no_examples_make_no_blocks() {
        assert!(Blocks::new(std::iter::empty()).ranges.is_empty());
    }
}
