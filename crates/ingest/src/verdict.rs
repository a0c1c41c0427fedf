//! The verdict on a question: valid, valid once its answers are moved, or invalid, and why.

use std::fmt;

use artifact::Finding;

use crate::realign::Place;

/// The verdict on a question.
#[derive(Debug)]
pub enum Verdict<'a> {
    /// It keeps them.
    Sound,
    /// It keeps the rules once these answers are moved.
    Realigned(Vec<Moved<'a>>),
    /// It breaks one.
    Broken(Reason<'a>),
}

/// An answer's move.
#[derive(Debug)]
pub struct Moved<'a> {
    /// Which of the question's answers.
    pub answer_index: usize,
    pub reason: Reason<'a>,
    /// Its new place.
    pub place: Place<'a>,
    pub why: String,
}

/// A rule, broken.
#[derive(Debug, PartialEq, Eq)]
pub enum Reason<'a> {
    /// The id is the empty string.
    EmptyId,
    /// An earlier question has the same id.
    DuplicateId,
    /// The context is only white space.
    EmptyContext,
    /// The question is only white space.
    EmptyQuestion,
    /// It has no answers, and does not say that there are none.
    Unlabelled,
    /// White space at an edge of an answer: a reason to move the answer, not to leave the question out.
    EdgeSpace,
    /// An answer without an offset.
    NoOffset {
        /// The answer.
        text: &'a str,
    },
    /// An offset before the start or past the end of the context.
    OffsetOutside {
        /// The answer.
        text: &'a str,
        /// Its `answer_start`.
        start: i32,
        context_chars: u32,
    },
    /// The context has another text at the answer's offset.
    Misplaced {
        /// The answer.
        text: &'a str,
        /// Its `answer_start`.
        start: i32,
        /// The text there, as long as the answer.
        found: &'a str,
    },
    /// `is_impossible` is true, but there are answers.
    ImpossibleWithAnswers,
}

impl Reason<'_> {
    /// The reason as a finding; its name is the one in metrics.
    #[must_use]
    pub fn finding(&self) -> Finding {
        match self {
            Self::EmptyId => Finding::EmptyId,
            Self::DuplicateId => Finding::DuplicateId,
            Self::EmptyContext => Finding::EmptyContext,
            Self::EmptyQuestion => Finding::EmptyQuestion,
            Self::Unlabelled => Finding::Unlabelled,
            Self::EdgeSpace => Finding::AnswerHasEdgeSpace,
            Self::NoOffset { .. } => Finding::NoOffset,
            Self::OffsetOutside { .. } => Finding::OffsetOutsideContext,
            Self::Misplaced { .. } => Finding::AnswerNotAtOffset,
            Self::ImpossibleWithAnswers => Finding::ImpossibleWithAnswers,
        }
    }
}

impl fmt::Display for Reason<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::EmptyId => formatter.write_str("the id is empty"),
            Self::DuplicateId => formatter.write_str("an earlier question has this id"),
            Self::EmptyContext => formatter.write_str("the context is empty"),
            Self::EmptyQuestion => formatter.write_str("the question is empty"),
            Self::Unlabelled => formatter.write_str("it has no `answers`: it is unlabelled"),
            Self::EdgeSpace => formatter.write_str("an answer begins or ends with white space"),
            Self::NoOffset { text } => write!(formatter, "answer {text:?} has no answer_start"),
            Self::OffsetOutside { text, start, context_chars } => write!(
                formatter,
                "answer {text:?} starts at character {start}, outside its context of {context_chars} characters"
            ),
            Self::Misplaced { text, start, found } => {
                write!(
                    formatter,
                    "answer {text:?} is not at character {start} of its context, which reads {found:?}"
                )
            }
            Self::ImpossibleWithAnswers => formatter.write_str("is_impossible is true, but it has answers"),
        }
    }
}

/// Whether white space at an edge of an answer would shift its label by a word.
pub fn has_edge_space(text: &str) -> bool {
    text.trim().len() < text.len()
}
