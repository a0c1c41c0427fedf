//! Exact match and F1 as the official SQuAD v1.1 script computes them.
//!
//! A question without ground truths, which that script does not know, is answered rightly by the empty
//! prediction alone, as in the v2.0 script.

use crate::normalize::normalize_answer;
use std::collections::{HashMap, HashSet};
use std::hash::BuildHasher;

/// What a set of predictions scores against a dataset.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Score {
    /// Questions answered with a ground truth, in percent of all questions.
    pub exact_match: f64,
    /// Mean F1 over all questions, in percent.
    pub f1: f64,
    /// Questions in the dataset.
    pub questions: usize,
    /// Questions of the dataset without a prediction; each counts 0.
    pub unanswered: usize,
    /// Ids that have a prediction but no question, sorted; they count nothing.
    pub unknown_ids: Vec<String>,
}

/// Scores predictions (id → text) against a dataset (id, texts of the ground truths), as `evaluate` of
/// the official script does. A dataset without questions scores 0.
#[must_use]
pub fn score<S: BuildHasher>(
    dataset: &[(&str, Vec<&str>)],
    predictions: &HashMap<String, String, S>,
) -> Score {
    let (mut exact_matches, mut f1_sum, mut unanswered) = (0.0, 0.0, 0);
    for (id, ground_truths) in dataset {
        if let Some(prediction) = predictions.get(*id) {
            exact_matches += exact_match(prediction, ground_truths);
            f1_sum += f1(prediction, ground_truths);
        } else {
            unanswered += 1;
        }
    }
    let known: HashSet<&str> = dataset.iter().map(|(id, _)| *id).collect();
    let mut unknown_ids: Vec<_> =
        predictions.keys().filter(|id| !known.contains(id.as_str())).cloned().collect();
    unknown_ids.sort_unstable();
    let questions = dataset.len().max(1) as f64;
    Score {
        exact_match: 100.0 * exact_matches / questions,
        f1: 100.0 * f1_sum / questions,
        questions: dataset.len(),
        unanswered,
        unknown_ids,
    }
}

/// 1 if the prediction equals a ground truth after normalisation, else 0.
#[must_use]
pub fn exact_match(prediction: &str, ground_truths: &[&str]) -> f64 {
    let prediction = normalize_answer(prediction);
    let equal = if ground_truths.is_empty() {
        prediction.is_empty()
    } else {
        ground_truths.iter().any(|truth| normalize_answer(truth) == prediction)
    };
    f64::from(u8::from(equal))
}

/// The best F1 between the words of the prediction and those of a ground truth, 0 to 1.
#[must_use]
pub fn f1(prediction: &str, ground_truths: &[&str]) -> f64 {
    let prediction = normalize_answer(prediction);
    if ground_truths.is_empty() {
        return f64::from(u8::from(prediction.is_empty()));
    }
    let scores = ground_truths.iter().map(|truth| word_f1(&prediction, &normalize_answer(truth)));
    scores.fold(0.0, f64::max)
}

/// F1 between two normalised texts as bags of words; 0 where they share none, even if both are empty.
fn word_f1(prediction: &str, ground_truth: &str) -> f64 {
    let words = |text: &str| text.split(' ').filter(|word| !word.is_empty()).count();
    let mut unmatched: HashMap<&str, usize> = HashMap::new();
    for word in ground_truth.split(' ').filter(|word| !word.is_empty()) {
        *unmatched.entry(word).or_default() += 1;
    }
    let mut same = 0;
    for word in prediction.split(' ') {
        if let Some(count) = unmatched.get_mut(word).filter(|count| **count > 0) {
            *count -= 1;
            same += 1;
        }
    }
    if same == 0 {
        return 0.0;
    }
    let precision = f64::from(same) / words(prediction) as f64;
    let recall = f64::from(same) / words(ground_truth) as f64;
    (2.0 * precision * recall) / (precision + recall)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_count_as_often_as_both_hold_them() {
        // "x x y" and "x z": one word in common, of three and of two.
        assert!((f1("x x y", &["x z"]) - 0.4).abs() < 1e-12);
    }

    #[test]
    fn the_best_ground_truth_counts() {
        assert!((exact_match("The cat!", &["dog", "cat"]) - 1.0).abs() < f64::EPSILON);
        assert!((f1("black cat", &["dog", "black cats", "a black cat"]) - 1.0).abs() < f64::EPSILON);
    }

    #[test]
    fn texts_that_normalise_to_nothing_match_but_have_no_f1() {
        assert!((exact_match("the", &["a"]) - 1.0).abs() < f64::EPSILON);
        assert!(f1("the", &["a"]).abs() < f64::EPSILON);
    }

    #[test]
    fn without_ground_truths_only_the_empty_answer_is_right() {
        assert!((exact_match("", &[]) - 1.0).abs() < f64::EPSILON);
        assert!((f1("", &[]) - 1.0).abs() < f64::EPSILON);
        assert!(exact_match("x", &[]).abs() < f64::EPSILON);
        assert!(f1("x", &[]).abs() < f64::EPSILON);
    }

    #[test]
    fn unanswered_questions_count_zero_and_unknown_ids_are_named() {
        let dataset = [("1", vec!["cat"]), ("2", vec!["dog"])];
        let predictions = [("1", "a cat"), ("9", "dog")].map(|(id, text)| (id.to_owned(), text.to_owned()));
        let score = score(&dataset, &HashMap::from(predictions));
        assert!((score.exact_match - 50.0).abs() < f64::EPSILON);
        assert!((score.f1 - 50.0).abs() < f64::EPSILON);
        assert_eq!((score.questions, score.unanswered, score.unknown_ids), (2, 1, vec!["9".to_owned()]));
    }

    #[test]
    fn an_empty_dataset_scores_zero() {
        assert_eq!(score(&[], &HashMap::new()), Score::default());
    }
}
