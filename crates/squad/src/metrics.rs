//! Exact match and F1 as the official SQuAD scripts compute them, v1.1 and v2.0, and F1 over characters for scripts
//! written without spaces.

use crate::normalize::{normalize_answer, normalize_for_characters, units_of};
use serde::{Deserialize, Serialize};
use std::collections::{HashMap, HashSet};
use std::hash::BuildHasher;

/// How a prediction is compared with the gold answers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Scoring {
    /// Which of the official scripts is followed.
    pub rules: Rules,
    /// What F1 counts.
    pub f1_units: F1Units,
}

/// The two official scripts. They differ if a text normalises to nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Rules {
    /// `evaluate-v1.1.py`: every question has answers; two texts that normalise to nothing match but have F1 0.
    #[default]
    V1,
    /// `evaluate-v2.0.py`: gold answers that normalise to nothing are dropped, for a question without any left, the
    /// empty text is right, and F1 of two texts that normalise to nothing is 1.
    V2,
}

impl Rules {
    /// The rules for data with these numbers of gold answers per question: v2.0 if any question has none.
    #[must_use]
    pub fn of(answers: impl IntoIterator<Item = usize>) -> Self {
        if answers.into_iter().any(|answers| answers == 0) { Self::V2 } else { Self::V1 }
    }
}

/// What F1 counts. Exact match compares whole texts either way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum F1Units {
    /// Words, split at white space, as in the official SQuAD scripts.
    #[default]
    Words,
    /// Characters of Hangul and of scripts without spaces between words; words of all others. Unicode punctuation does
    /// not count. MLQA's script (`mixed_segmentation`) does the same for Chinese.
    Characters,
}

/// The scores of one prediction.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct QuestionScore {
    /// Whether the question has gold answers.
    pub has_answer: bool,
    pub exact_match: f64,
    /// 0 to 1.
    pub f1: f64,
}

impl Scoring {
    /// Scores a prediction against the texts of the gold answers; there may be none.
    #[must_use]
    pub fn score(self, prediction: &str, ground_truths: &[&str]) -> QuestionScore {
        let has_answer = !ground_truths.is_empty();
        let ground_truths: Vec<&str> = match self.rules {
            Rules::V1 => ground_truths.to_vec(),
            Rules::V2 => {
                ground_truths.iter().copied().filter(|truth| !normalize_answer(truth).is_empty()).collect()
            }
        };
        QuestionScore {
            has_answer,
            exact_match: exact_match(prediction, &ground_truths),
            f1: self.f1(prediction, &ground_truths),
        }
    }

    /// The best F1 between the units of the prediction and those of a gold answer.
    fn f1(self, prediction: &str, ground_truths: &[&str]) -> f64 {
        let prediction = self.f1_units.normalize(prediction);
        let prediction = self.f1_units.split(&prediction);
        if ground_truths.is_empty() {
            return f64::from(u8::from(prediction.is_empty()));
        }
        let f1_with = |truth: &&str| {
            let truth = self.f1_units.normalize(truth);
            self.rules.units_f1(&prediction, &self.f1_units.split(&truth))
        };
        ground_truths.iter().map(f1_with).fold(0.0, f64::max)
    }
}

impl F1Units {
    fn normalize(self, text: &str) -> String {
        match self {
            Self::Words => normalize_answer(text),
            Self::Characters => normalize_for_characters(text),
        }
    }

    fn split(self, normalized: &str) -> Vec<&str> {
        match self {
            Self::Words => normalized.split(' ').filter(|word| !word.is_empty()).collect(),
            Self::Characters => units_of(normalized),
        }
    }
}

impl Rules {
    /// F1 between two bags of units.
    fn units_f1(self, prediction: &[&str], ground_truth: &[&str]) -> f64 {
        if self == Self::V2 && prediction.is_empty() && ground_truth.is_empty() {
            return 1.0;
        }
        let mut unmatched: HashMap<&str, usize> = HashMap::new();
        for unit in ground_truth {
            *unmatched.entry(unit).or_default() += 1;
        }
        let mut same = 0;
        for unit in prediction {
            if let Some(count) = unmatched.get_mut(unit).filter(|count| **count > 0) {
                *count -= 1;
                same += 1;
            }
        }
        if same == 0 {
            return 0.0;
        }
        let precision = f64::from(same) / prediction.len() as f64;
        let recall = f64::from(same) / ground_truth.len() as f64;
        (2.0 * precision * recall) / (precision + recall)
    }
}

fn exact_match(prediction: &str, ground_truths: &[&str]) -> f64 {
    let prediction = normalize_answer(prediction);
    let equal = if ground_truths.is_empty() {
        prediction.is_empty()
    } else {
        ground_truths.iter().any(|truth| normalize_answer(truth) == prediction)
    };
    f64::from(u8::from(equal))
}

/// Adds up the scores of all questions, and separately of those with and without an answer.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Tally {
    all: Sums,
    has_answer: Sums,
    no_answer: Sums,
}

#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Sums {
    questions: usize,
    exact_match: f64,
    f1: f64,
}

/// The mean scores of some questions.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Means {
    pub questions: usize,
    /// Per cent; 0 if there are no questions.
    pub exact_match: f64,
    /// Per cent; 0 if there are no questions.
    pub f1: f64,
}

/// Scores of the questions with and without an answer: `HasAns` and `NoAns` of the official v2.0 script.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Parts {
    /// Questions with gold answers.
    pub has_answer: Means,
    /// Questions without any.
    pub no_answer: Means,
}

impl Tally {
    /// Counts a question.
    pub fn add(&mut self, score: QuestionScore) {
        let part = if score.has_answer { &mut self.has_answer } else { &mut self.no_answer };
        for sums in [&mut self.all, part] {
            sums.questions += 1;
            sums.exact_match += score.exact_match;
            sums.f1 += score.f1;
        }
    }

    /// The means of all questions.
    #[must_use]
    pub fn means(&self) -> Means {
        self.all.means()
    }

    /// The scores of the two parts, if any question has no answer.
    #[must_use]
    pub fn parts(&self) -> Option<Parts> {
        let parts = Parts { has_answer: self.has_answer.means(), no_answer: self.no_answer.means() };
        (parts.no_answer.questions > 0).then_some(parts)
    }
}

impl Sums {
    fn means(self) -> Means {
        let questions = self.questions.max(1) as f64;
        Means {
            questions: self.questions,
            exact_match: 100.0 * self.exact_match / questions,
            f1: 100.0 * self.f1 / questions,
        }
    }
}

/// The scores of a set of predictions against a dataset.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Score {
    /// Questions answered with a gold answer, in per cent of all questions.
    pub exact_match: f64,
    /// Mean F1 over all questions, in percent.
    pub f1: f64,
    /// Questions in the dataset.
    pub questions: usize,
    /// The scores of questions with and without an answer, if any question has none.
    pub parts: Option<Parts>,
    /// Questions of the dataset without a prediction; each counts 0.
    pub unanswered: usize,
    /// Ids that have a prediction but no question, sorted; they are ignored.
    pub unknown_ids: Vec<String>,
}

/// Scores predictions (id → text) against a dataset (id, texts of the ground truths), as `evaluate-v2.0.py` does if any
/// question has no ground truth, else as `evaluate-v1.1.py` does. A dataset without questions scores 0.
#[must_use]
pub fn score<S: BuildHasher>(
    dataset: &[(&str, Vec<&str>)],
    predictions: &HashMap<String, String, S>,
    f1_units: F1Units,
) -> Score {
    let rules = Rules::of(dataset.iter().map(|(_, ground_truths)| ground_truths.len()));
    let scoring = Scoring { rules, f1_units };
    let (mut tally, mut unanswered) = (Tally::default(), 0);
    for (id, ground_truths) in dataset {
        tally.add(predictions.get(*id).map_or_else(
            || {
                unanswered += 1;
                QuestionScore { has_answer: !ground_truths.is_empty(), exact_match: 0.0, f1: 0.0 }
            },
            |prediction| scoring.score(prediction, ground_truths),
        ));
    }
    let known: HashSet<&str> = dataset.iter().map(|(id, _)| *id).collect();
    let mut unknown_ids: Vec<_> =
        predictions.keys().filter(|id| !known.contains(id.as_str())).cloned().collect();
    unknown_ids.sort_unstable();
    let Means { questions, exact_match, f1 } = tally.means();
    Score { exact_match, f1, questions, parts: tally.parts(), unanswered, unknown_ids }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn predictions(entries: &[(&str, &str)]) -> HashMap<String, String> {
        entries.iter().map(|(id, text)| ((*id).to_owned(), (*text).to_owned())).collect()
    }

    #[test]
    fn unanswered_questions_count_zero_and_unknown_ids_are_named() {
        let dataset = [("1", vec!["cat"]), ("2", vec!["dog"])];
        let score = score(&dataset, &predictions(&[("1", "a cat"), ("9", "dog")]), F1Units::Words);
        assert_eq!((score.exact_match, score.f1), (50.0, 50.0));
        assert_eq!((score.questions, score.unanswered, score.unknown_ids), (2, 1, vec!["9".to_owned()]));
        assert_eq!(score.parts, None);
    }

    #[test]
    fn one_question_without_answers_brings_the_rules_of_version_2() {
        let golds_of_nothing = ("1", vec!["the", "cat"]);
        let said = predictions(&[("1", "a"), ("2", ""), ("3", "dog")]);
        let first = score(std::slice::from_ref(&golds_of_nothing), &said, F1Units::Words);
        // Without an empty question "a" matches "the", and has no word in common with it.
        assert_eq!((first.exact_match, first.f1), (100.0, 0.0));
        let dataset = [golds_of_nothing, ("2", vec![]), ("3", vec!["the"])];
        let second = score(&dataset, &said, F1Units::Words);
        // With one, "the" is dropped: the first question keeps "cat", and the third has no answer left.
        assert_eq!((second.exact_match, second.f1), (100.0 / 3.0, 100.0 / 3.0));
        let parts = second.parts.unwrap();
        assert_eq!(parts.has_answer, Means { questions: 2, exact_match: 0.0, f1: 0.0 });
        assert_eq!(parts.no_answer, Means { questions: 1, exact_match: 100.0, f1: 100.0 });
    }

    #[test]
    fn an_empty_dataset_scores_zero() {
        assert_eq!(score(&[], &HashMap::new(), F1Units::Words), Score::default());
    }
}
