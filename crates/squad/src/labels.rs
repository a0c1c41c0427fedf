//! Where an answer is in a window: the start and end positions that training aims at.

/// The answer that labels a question's windows: the first one of the question.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LabelledAnswer<'a> {
    /// Where it starts in the context, in characters.
    pub start: i32,
    /// Its text; for a label only its length counts.
    pub text: &'a str,
}

/// The window's first token, `[CLS]`: the label of a window that does not hold the whole answer.
const CLS: (i32, i32) = (0, 0);

/// The context's part of a window, the only part in which an answer can be.
pub(crate) struct ContextPart<'a> {
    /// The offsets of its tokens in the context, in characters.
    pub offsets: &'a [(u32, u32)],
    /// How many tokens of the window come before it.
    pub first: usize,
    /// How many tokens the whole window has.
    pub window_length: usize,
}

/// The positions of the answer's first and last token, both in the window's tokens.
///
/// Equal to `prepare_train_features` of transformers' `run_qa.py`, including one peculiarity: an answer that starts in
/// the window's very last token of context gets the `[SEP]` after it as its start, because the search continues over
/// special tokens, whose offsets are (0, 0).
///
/// If the reference raises an `IndexError` (an answer to an empty context, an empty answer at the start of the
/// context), the label is `[CLS]`.
pub(crate) fn positions(part: &ContextPart<'_>, answer: LabelledAnswer<'_>) -> (i32, i32) {
    let start_char = i64::from(answer.start);
    let end_char = start_char + answer.text.chars().count() as i64;
    let (Some(first), Some(last)) = (part.offsets.first(), part.offsets.last()) else {
        return CLS;
    };
    let holds_answer = i64::from(first.0) <= start_char && i64::from(last.1) >= end_char;
    if !holds_answer || end_char == 0 {
        return CLS;
    }
    let start_token = match part.offsets.iter().position(|token| i64::from(token.0) > start_char) {
        Some(behind) => part.first + behind - 1,
        None => part.window_length - 1,
    };
    let end_token = match part.offsets.iter().rposition(|token| i64::from(token.1) < end_char) {
        Some(before) => part.first + before + 1,
        None => part.first,
    };
    (start_token as i32, end_token as i32)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// [CLS] q [SEP] the red fox [SEP], with the context "the red fox".
    const OFFSETS: [(u32, u32); 3] = [(0, 3), (4, 7), (8, 11)];

    fn label(start: i32, text: &str) -> (i32, i32) {
        let part = ContextPart { offsets: &OFFSETS, first: 3, window_length: 7 };
        positions(&part, LabelledAnswer { start, text })
    }

    #[test]
    fn positions_are_inclusive_token_indexes() {
        assert_eq!(label(0, "the"), (3, 3));
        assert_eq!(label(4, "red"), (4, 4));
        assert_eq!(label(0, "the red fox"), (3, 5));
    }

    #[test]
    fn an_answer_inside_a_token_takes_the_whole_token() {
        assert_eq!(label(5, "e"), (4, 4));
        assert_eq!(label(1, "he re"), (3, 4));
    }

    #[test]
    fn answer_outside_the_window_points_at_cls() {
        assert_eq!(label(8, "foxes"), CLS);
        assert_eq!(label(-1, "x"), CLS);
        let later = ContextPart { offsets: &OFFSETS[1..], first: 3, window_length: 6 };
        assert_eq!(positions(&later, LabelledAnswer { start: 0, text: "the red" }), CLS);
    }

    #[test]
    fn an_answer_in_the_windows_last_token_starts_at_sep_as_in_run_qa() {
        assert_eq!(label(8, "fox"), (6, 5));
    }

    #[test]
    fn where_run_qa_raises_the_label_is_cls() {
        let empty = ContextPart { offsets: &[], first: 3, window_length: 4 };
        assert_eq!(positions(&empty, LabelledAnswer { start: 0, text: "x" }), CLS);
        assert_eq!(label(0, ""), CLS);
    }

    #[test]
    fn extreme_starts_do_not_overflow() {
        assert_eq!(label(i32::MAX, "fox"), CLS);
        assert_eq!(label(i32::MIN, "fox"), CLS);
    }
}
