//! The numbers of a question that determine its windows at any setting.

use std::ops::Range;

use squad::{LabelledAnswer, Window, WindowSettings};

/// `[CLS]` and the two `[SEP]`.
const SPECIAL_TOKENS: usize = 3;

/// The numbers of tokens of a question and its context, and which of them are the answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QuestionTokens {
    pub question: usize,
    pub context: usize,
    /// The answer's first and last token in the context; `None` if it has none at any setting.
    pub answer: Option<(usize, usize)>,
}

impl QuestionTokens {
    /// Taken from the windows at `settings`; nothing is tokenised again.
    pub fn of(windows: &[Window], settings: WindowSettings, answer: Option<LabelledAnswer<'_>>) -> Self {
        let (first, last) = (&windows[0], &windows[windows.len() - 1]);
        let before_context = first.offset_mapping.iter().position(Option::is_some);
        // An empty context: all but the last `[SEP]`.
        let before_context = before_context.unwrap_or(first.input_ids.len() - 1);
        let question = before_context + 1 - SPECIAL_TOKENS;
        let step = (settings.max_length - SPECIAL_TOKENS - question).saturating_sub(settings.doc_stride);
        let context_of = |window: &Window| window.input_ids.len() - question - SPECIAL_TOKENS;
        let context = (windows.len() - 1) * step + context_of(last);

        let labelled =
            windows.iter().zip((0..).step_by(step.max(1))).find(|(window, _)| window.start_position != 0);
        let found = labelled.map(|(window, start)| {
            // run_qa labels an answer in the last token of a window with the `[SEP]` after it.
            let first = (window.start_position as usize).min(before_context + context_of(window) - 1);
            (start + first - before_context, start + window.end_position as usize - before_context)
        });
        // An answer longer than the overlap may be in no window here, but in one at other settings.
        let answer = found.or_else(|| {
            let offsets: Vec<(u32, u32)> = windows
                .iter()
                .enumerate()
                .flat_map(|(index, window)| {
                    let kept = if index + 1 < windows.len() { step } else { usize::MAX };
                    window.offset_mapping.iter().flatten().take(kept).copied()
                })
                .collect();
            answer_tokens(&offsets, answer?)
        });
        Self { question, context, answer }
    }

    /// The windows at other settings, as ranges of the context's tokens; `None` if the question is too long for them
    /// and the stage would stop.
    pub fn windows(&self, settings: WindowSettings) -> Option<Vec<Range<usize>>> {
        let room = settings.max_length.checked_sub(SPECIAL_TOKENS + self.question)?;
        if self.context <= room {
            return Some(std::iter::once(0..self.context).collect());
        }
        let step = room.checked_sub(settings.doc_stride).filter(|step| *step > 0)?;
        let window = |start: usize| start..(start + room).min(self.context);
        // The first that reaches the end is the last.
        let count = 1 + (self.context - room).div_ceil(step);
        Some((0..count).map(|index| window(index * step)).collect())
    }

    /// The total number of tokens of a window.
    pub fn length(&self, window: &Range<usize>) -> usize {
        SPECIAL_TOKENS + self.question + window.len()
    }

    /// Whether no window holds the whole answer.
    pub fn loses_answer(&self, windows: &[Range<usize>]) -> bool {
        let holds = |window: &Range<usize>| {
            self.answer.is_some_and(|(first, last)| window.start <= first && last < window.end)
        };
        !windows.iter().any(holds)
    }
}

/// The tokens that an answer covers, if the context's tokens reach from its start to its end.
fn answer_tokens(offsets: &[(u32, u32)], answer: LabelledAnswer<'_>) -> Option<(usize, usize)> {
    let start = i64::from(answer.start);
    let end = start + answer.text.chars().count() as i64;
    let first = offsets.iter().rposition(|token| i64::from(token.0) <= start)?;
    let last = offsets.iter().position(|token| i64::from(token.1) >= end)?;
    Some((first, last))
}
