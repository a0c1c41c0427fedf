//! Cuts a context that is longer than a window into overlapping windows.

use std::ops::Range;

/// The size of the windows. Both settings count tokens and are those of `pipeline.toml`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WindowSettings {
    /// The most tokens in a window: special tokens, question and context together.
    pub max_length: usize,
    /// How many tokens of context each window shares with the one before.
    pub doc_stride: usize,
}

/// The windows over one context, as ranges of its tokens: each has `room` tokens and starts `room - doc_stride` tokens
/// after the previous one. The first that reaches the end of the context is the last.
///
/// Equal to `Encoding::truncate` of the tokenizers library. An empty context has one empty window.
#[derive(Clone, Debug)]
pub struct Windows {
    context_tokens: usize,
    room: usize,
    step: usize,
    next_start: Option<usize>,
}

impl Windows {
    /// The windows over `context_tokens` tokens. `doc_stride` is less than `room` if the context does not fit in one
    /// window: [`crate::FeatureTokenizer`] has checked that.
    pub(crate) fn new(context_tokens: usize, room: usize, doc_stride: usize) -> Self {
        let step = room.saturating_sub(doc_stride).max(1);
        Self { context_tokens, room, step, next_start: Some(0) }
    }
}

impl Iterator for Windows {
    type Item = Range<usize>;

    fn next(&mut self) -> Option<Self::Item> {
        let start = self.next_start?;
        let end = (start + self.room).min(self.context_tokens);
        self.next_start = (end < self.context_tokens).then_some(start + self.step);
        Some(start..end)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn windows_overlap_by_the_stride_and_end_with_the_context() {
        let windows: Vec<_> = Windows::new(1000, 378, 128).collect();
        assert_eq!(windows, [0..378, 250..628, 500..878, 750..1000]);
    }

    #[test]
    fn a_context_that_fits_exactly_has_one_window() {
        assert_eq!(Windows::new(10, 10, 4).collect::<Vec<_>>(), vec![0..10]);
        assert_eq!(Windows::new(11, 10, 4).collect::<Vec<_>>(), [0..10, 6..11]);
        assert_eq!(Windows::new(0, 10, 4).collect::<Vec<_>>(), vec![0..0]);
    }

    proptest! {
        #[test]
        fn windows_cover_every_token(tokens in 0_usize..500, room in 1_usize..60, stride in 0_usize..59) {
            prop_assume!(stride < room);
            let windows: Vec<_> = Windows::new(tokens, room, stride).collect();
            prop_assert_eq!(windows[0].start, 0);
            prop_assert_eq!(windows[windows.len() - 1].end, tokens);
            for pair in windows.windows(2) {
                prop_assert_eq!(pair[0].len(), room);
                prop_assert_eq!(pair[0].end - pair[1].start, stride);
                prop_assert!(pair[1].end > pair[0].end);
            }
        }
    }
}
