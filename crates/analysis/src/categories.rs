//! What is wrong with a wrong answer.

use std::ops::Range;

use squad::{LabelledAnswer, normalize_answer};

use crate::passage::Passage;

/// An answer that no gold answer matches exactly, and what can explain it.
#[derive(Clone, Copy, Debug)]
pub struct WrongAnswer<'a> {
    /// The text that holds the gold answers.
    pub context: &'a str,
    /// The gold answers.
    pub ground_truths: &'a [LabelledAnswer<'a>],
    /// Whether any window holds a whole gold answer.
    pub is_in_window: bool,
    /// The prediction; its start is -1 if it is not part of the context.
    pub prediction: LabelledAnswer<'a>,
    /// The answer of the model before fine-tuning, if known.
    pub base_prediction: Option<&'a str>,
}

/// Kinds of wrong answers. Every wrong answer has exactly one: the first that fits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Category {
    /// The prediction is empty, or normalises to nothing.
    NoAnswerGiven,
    /// There is no gold answer, or all of them normalise to nothing.
    AnswerGiven,
    /// No window holds a whole gold answer.
    OutsideWindows,
    /// The prediction contains a gold answer.
    TooLong,
    /// A gold answer contains the prediction.
    TooShort,
    /// The prediction shares a sentence with a gold answer.
    SameSentence,
    /// The model before fine-tuning gives the same answer.
    SameAsBase,
    /// None of the above.
    OtherSentence,
}

impl Category {
    /// All of them, in the order in which they are tried.
    pub const ALL: [Self; 8] = [
        Self::NoAnswerGiven,
        Self::AnswerGiven,
        Self::OutsideWindows,
        Self::TooLong,
        Self::TooShort,
        Self::SameSentence,
        Self::SameAsBase,
        Self::OtherSentence,
    ];

    /// The category of a wrong answer. The caller has checked that its exact match is 0.
    ///
    /// If the prediction and the gold answer are both at their places in the context, their character ranges decide
    /// whether one contains the other: "Paris" predicted elsewhere does not count. If one of them has no place in the
    /// context, the words of their normalised texts decide: the words of one must follow one another in the other. For
    /// the same sentence, the words of the prediction must follow one another in a sentence of the gold answer.
    /// Sentences are split by Unicode's rules (UAX #29). Answers of both models are compared as in exact match.
    #[must_use]
    pub fn of(wrong: &WrongAnswer<'_>) -> Self {
        let prediction = normalize_answer(wrong.prediction.text);
        if prediction.is_empty() {
            return Self::NoAnswerGiven;
        }
        let is_answer = |truth: &&LabelledAnswer<'_>| !normalize_answer(truth.text).is_empty();
        let truths: Vec<_> = wrong.ground_truths.iter().filter(is_answer).collect();
        if truths.is_empty() {
            return Self::AnswerGiven;
        }
        if !wrong.is_in_window {
            return Self::OutsideWindows;
        }
        let passage = Passage::new(wrong.context);
        let predicted = Placed::new(&passage, wrong.prediction);
        let truths: Vec<_> = truths.into_iter().map(|truth| Placed::new(&passage, *truth)).collect();
        if truths.iter().any(|truth| predicted.contains(truth)) {
            Self::TooLong
        } else if truths.iter().any(|truth| truth.contains(&predicted)) {
            Self::TooShort
        } else if truths.iter().any(|truth| truth.shares_sentence(&predicted, &passage)) {
            Self::SameSentence
        } else if wrong.base_prediction.is_some_and(|base| normalize_answer(base) == prediction) {
            Self::SameAsBase
        } else {
            Self::OtherSentence
        }
    }

    /// Its stable name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::NoAnswerGiven => "no_answer_given",
            Self::AnswerGiven => "answer_given",
            Self::OutsideWindows => "outside_windows",
            Self::TooLong => "too_long",
            Self::TooShort => "too_short",
            Self::SameSentence => "same_sentence",
            Self::SameAsBase => "same_as_base",
            Self::OtherSentence => "other_sentence",
        }
    }

    /// What people read.
    #[must_use]
    pub fn label(self) -> &'static str {
        match self {
            Self::NoAnswerGiven => "no answer given, but there is one",
            Self::AnswerGiven => "answer given, but there is none",
            Self::OutsideWindows => "no window holds the answer",
            Self::TooLong => "contains the answer, too long",
            Self::TooShort => "part of the answer, too short",
            Self::SameSentence => "same sentence as the answer",
            Self::SameAsBase => "same answer as the base model",
            Self::OtherSentence => "another sentence",
        }
    }
}

/// An answer with its place in the context, if it has one.
struct Placed {
    range: Option<Range<usize>>,
    normalized: String,
}

impl Placed {
    fn new(passage: &Passage<'_>, answer: LabelledAnswer<'_>) -> Self {
        Self { range: passage.range_of(answer), normalized: normalize_answer(answer.text) }
    }

    fn contains(&self, other: &Self) -> bool {
        match (&self.range, &other.range) {
            (Some(own), Some(other)) => own.start <= other.start && other.end <= own.end,
            _ => contains_words(&self.normalized, &other.normalized),
        }
    }

    fn shares_sentence(&self, other: &Self, passage: &Passage<'_>) -> bool {
        match (&self.range, &other.range) {
            (Some(own), Some(other)) => {
                let (own, other) = (passage.sentences_of(own), passage.sentences_of(other));
                own.start < other.end && other.start < own.end
            }
            (Some(own), None) => {
                let sentences = normalize_answer(passage.text_of(passage.sentences_of(own)));
                contains_words(&sentences, &other.normalized)
            }
            (None, _) => false,
        }
    }
}

/// Whether the words of one text follow one another in the other; single spaces separate words.
fn contains_words(text: &str, words: &str) -> bool {
    format!(" {text} ").contains(&format!(" {words} "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const CONTEXT: &str = "The old fox ran to Rome. It slept in Paris, then in Rome again.";

    /// An answer at its first place in [`CONTEXT`].
    fn at(text: &str) -> LabelledAnswer<'_> {
        LabelledAnswer { start: CONTEXT.find(text).map_or(-1, |start| start as i32), text }
    }

    fn wrong<'a>(prediction: LabelledAnswer<'a>, ground_truths: &'a [LabelledAnswer<'a>]) -> WrongAnswer<'a> {
        WrongAnswer { context: CONTEXT, ground_truths, is_in_window: true, prediction, base_prediction: None }
    }

    fn category(prediction: LabelledAnswer<'_>, truth: &str) -> Category {
        Category::of(&wrong(prediction, &[at(truth)]))
    }

    #[test]
    fn an_empty_prediction_comes_first_and_data_without_answers_second() {
        let nowhere = WrongAnswer { is_in_window: false, ..wrong(at("Rome"), &[]) };
        assert_eq!(Category::of(&nowhere), Category::AnswerGiven);
        assert_eq!(category(at("Rome"), "the"), Category::AnswerGiven);
        for nothing in ["", "the", "..."] {
            let prediction = LabelledAnswer { start: -1, text: nothing };
            assert_eq!(Category::of(&WrongAnswer { prediction, ..nowhere }), Category::NoAnswerGiven);
        }
    }

    #[test]
    fn an_answer_that_no_window_holds_excuses_whatever_was_predicted() {
        let truths = [at("fox")];
        let out = WrongAnswer { is_in_window: false, ..wrong(at("old fox"), &truths) };
        assert_eq!(Category::of(&out), Category::OutsideWindows);
    }

    #[test]
    fn boundaries_are_those_of_characters() {
        assert_eq!(category(at("old fox ran"), "fox"), Category::TooLong);
        assert_eq!(category(at("fox"), "old fox"), Category::TooShort);
        // Too long for one gold answer comes before too short for another.
        let truths = [at("old fox ran to Rome"), at("fox")];
        assert_eq!(Category::of(&wrong(at("old fox"), &truths)), Category::TooLong);
        // The second "Rome" is not that of the gold answer.
        assert_eq!(category(at("Rome again"), "Rome"), Category::OtherSentence);
    }

    #[test]
    fn without_a_place_words_decide() {
        let without = |text| LabelledAnswer { start: -1, text };
        assert_eq!(category(without("an Old, FOX!"), "fox"), Category::TooLong);
        assert_eq!(category(without("fox"), "old fox"), Category::TooShort);
        assert_eq!(category(without("ox"), "old fox"), Category::OtherSentence);
        assert_eq!(category(without("ran to"), "old fox"), Category::SameSentence);
        let unplaced = [without("fox")];
        assert_eq!(Category::of(&wrong(at("old fox"), &unplaced)), Category::TooLong);
        assert_eq!(Category::of(&wrong(at("Paris"), &unplaced)), Category::OtherSentence);
    }

    #[test]
    fn the_rest_is_told_by_sentence_and_then_by_the_base_model() {
        assert_eq!(category(at("Rome"), "old fox"), Category::SameSentence);
        let truths = [at("old fox")];
        let elsewhere = wrong(at("Paris"), &truths);
        assert_eq!(Category::of(&elsewhere), Category::OtherSentence);
        let agreed = |base| WrongAnswer { base_prediction: Some(base), ..elsewhere };
        assert_eq!(Category::of(&agreed("paris.")), Category::SameAsBase);
        assert_eq!(Category::of(&agreed("Rome")), Category::OtherSentence);
        assert_eq!(
            Category::of(&WrongAnswer { base_prediction: Some("Rome"), ..wrong(at("Rome"), &truths) }),
            Category::SameSentence
        );
    }

    #[test]
    fn names_are_unique_and_the_order_is_that_of_the_enum() {
        assert!(Category::ALL.is_sorted());
        let mut names = Category::ALL.map(Category::name);
        names.sort_unstable();
        assert!(names.windows(2).all(|pair| pair[0] != pair[1]));
    }

    proptest! {
        /// The order of the rules, written a second time, only from the answers' places.
        #[test]
        fn every_wrong_answer_falls_into_the_first_category_that_fits(
            start in 0_usize..60, length in 0_usize..20, truth in 0_usize..60, truth_length in 0_usize..20,
            is_in_window: bool, agrees: bool,
        ) {
            let piece = |start: usize, length: usize| {
                let end = (start + length).min(CONTEXT.len());
                (start..end, LabelledAnswer { start: start as i32, text: &CONTEXT[start..end] })
            };
            let ((own, prediction), (gold, ground_truth)) = (piece(start, length), piece(truth, truth_length));
            prop_assume!(normalize_answer(prediction.text) != normalize_answer(ground_truth.text));
            let base = if agrees { prediction.text } else { "nothing of the kind" };
            let within = |a: &Range<usize>, b: &Range<usize>| b.start <= a.start && a.end <= b.end;
            let second = 25;
            let touches = |range: &Range<usize>| (range.start < second, range.end > second);
            let ((a, b), (c, d)) = (touches(&own), touches(&gold));
            let fits = [
                normalize_answer(prediction.text).is_empty(),
                normalize_answer(ground_truth.text).is_empty(),
                !is_in_window,
                within(&gold, &own),
                within(&own, &gold),
                a && c || b && d,
                agrees,
                true,
            ];
            let first = fits.iter().position(|fits| *fits).unwrap();
            let found = Category::of(&WrongAnswer {
                context: CONTEXT, ground_truths: &[ground_truth], is_in_window, prediction, base_prediction: Some(base),
            });
            prop_assert_eq!(found, Category::ALL[first]);
        }
    }
}
