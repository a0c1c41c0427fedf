//! The answers to a split, question by question, as far as statistics need them.

use answerer::Split;
use artifact::{Candidate, Prediction, Predictions};
use squad::{Scoring, Tally};
use statistics::{Choice, Thresholded, attainable_best_threshold};

use crate::texts;

/// One entry for each question, in the order of the data.
pub(crate) struct Judged {
    /// Paragraphs: their questions are not independent.
    pub(crate) clusters: Vec<u32>,
    /// 0 or 1.
    pub(crate) exact_match: Vec<f64>,
    /// 0 to 1.
    pub(crate) f1: Vec<f64>,
    pub(crate) tally: Tally,
    /// What exact match would be if every question were answered, and how sure the model is that there is no answer. Empty
    /// where all questions have one.
    pub(crate) exact_match_answered: Vec<Thresholded>,
    /// The same of F1.
    pub(crate) f1_answered: Vec<Thresholded>,
    candidates: Vec<Candidates>,
}

/// Of one question.
struct Candidates {
    scores: Vec<f64>,
    chosen: usize,
    is_right: bool,
}

impl Candidates {
    fn choice(&self) -> Option<Choice<'_>> {
        let Self { scores, chosen, is_right } = self;
        let is_finite = !scores.is_empty() && scores.iter().all(|score| score.is_finite());
        is_finite.then_some(Choice { scores, chosen: *chosen, is_right: *is_right })
    }
}

impl Judged {
    pub(crate) fn new(predictions: &Predictions, split: &Split, scoring: Scoring) -> Self {
        let questions = predictions.len();
        let mut judged = Self {
            clusters: Vec::with_capacity(questions),
            exact_match: Vec::with_capacity(questions),
            f1: Vec::with_capacity(questions),
            tally: Tally::default(),
            exact_match_answered: Vec::new(),
            f1_answered: Vec::new(),
            candidates: Vec::with_capacity(questions),
        };
        for (example, prediction) in split.examples.iter().zip(predictions.iter()) {
            let ground_truths = texts(&example.answers);
            let score = scoring.score(&prediction.prediction_text, &ground_truths);
            judged.clusters.push(example.context_id);
            judged.exact_match.push(score.exact_match);
            judged.f1.push(score.f1);
            judged.tally.add(score);
            if let Some((margin, best)) = margin(&prediction) {
                let answered = scoring.score(&best.text, &ground_truths);
                let thresholded = |score| Thresholded {
                    no_answer_probability: margin,
                    score,
                    has_answer: answered.has_answer,
                    gives_answer: !best.text.is_empty(),
                };
                judged.exact_match_answered.push(thresholded(answered.exact_match));
                judged.f1_answered.push(thresholded(answered.f1));
            }
            judged.candidates.push(Candidates {
                chosen: chosen(&prediction),
                scores: prediction.n_best.iter().map(|candidate| candidate.score).collect(),
                is_right: score.exact_match > 0.0,
            });
        }
        judged
    }

    /// The candidates of each question; none where a score is not finite.
    pub(crate) fn choices(&self) -> Option<Vec<Choice<'_>>> {
        self.candidates.iter().map(Candidates::choice).collect()
    }

    /// The threshold with the best F1, halfway to the next question that is left unanswered, so that rounding decides
    /// nothing.
    pub(crate) fn suggested_threshold(&self) -> f64 {
        /// In logits, beyond the last of all questions.
        const BEYOND: f64 = 0.01;
        let threshold = attainable_best_threshold(&self.f1_answered).threshold;
        let margins = self.f1_answered.iter().map(|question| question.no_answer_probability);
        let next = margins.filter(|&margin| margin > threshold).fold(f64::INFINITY, f64::min);
        if !next.is_finite() {
            return threshold + BEYOND;
        }
        // Where nothing is to be answered, the threshold lies a bit below the least margin.
        if next.next_down() <= threshold { threshold - BEYOND } else { f64::midpoint(threshold, next) }
    }
}

/// By how many logits "no answer" exceeds the best answer, and that answer.
fn margin(prediction: &Prediction) -> Option<(f64, &Candidate)> {
    let best = prediction.n_best.iter().find(|candidate| !candidate.text.is_empty())?;
    Some((prediction.null_score? - best.score, best))
}

/// The candidate that is the prediction. The model's most probable one, where it is none of them.
fn chosen(prediction: &Prediction) -> usize {
    let is_chosen = |candidate: &Candidate| {
        candidate.start_char == prediction.start_char && candidate.end_char == prediction.end_char
    };
    prediction.n_best.iter().position(is_chosen).unwrap_or(0)
}

/// Makes the best answer, or "no answer", the prediction.
pub(crate) fn choose(prediction: &mut Prediction, null_threshold: f64) {
    let Some((margin, best)) = margin(prediction) else { return };
    let (text, start_char, end_char, score) = if margin > null_threshold {
        (String::new(), -1, -1, best.score + margin)
    } else {
        (best.text.clone(), best.start_char, best.end_char, best.score)
    };
    (prediction.prediction_text, prediction.start_char, prediction.end_char, prediction.score) =
        (text, start_char, end_char, score);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(margins: &[(f64, f64, bool)]) -> Judged {
        let f1_answered = margins.iter().map(|&(no_answer_probability, score, has_answer)| Thresholded {
            no_answer_probability,
            score,
            has_answer,
            gives_answer: true,
        });
        Judged {
            clusters: Vec::new(),
            exact_match: Vec::new(),
            f1: Vec::new(),
            tally: Tally::default(),
            exact_match_answered: Vec::new(),
            f1_answered: f1_answered.collect(),
            candidates: Vec::new(),
        }
    }

    #[test]
    fn the_suggested_threshold_lies_between_two_questions() {
        let judged = judged(&[(3.0, 0.0, false), (1.0, 1.0, true), (-2.0, 1.0, true)]);
        assert!((judged.suggested_threshold() - 2.0).abs() < 1e-12);
    }

    #[test]
    fn where_all_or_none_are_to_be_answered_it_lies_beyond_them() {
        let all = judged(&[(3.0, 1.0, true), (1.0, 1.0, true), (4.0, 0.5, true)]);
        assert!(all.suggested_threshold() > 4.0);
        let none = judged(&[(3.0, 0.0, false), (1.0, 0.0, false)]);
        assert!(none.suggested_threshold() < 1.0);
    }

    #[test]
    fn a_threshold_chooses_between_the_best_text_and_no_answer() {
        let candidate = |text: &str, start_char, end_char, score| Candidate {
            text: text.to_owned(),
            start_char,
            end_char,
            score,
            probability: 0.5,
        };
        let mut prediction = Prediction {
            id: "q".to_owned(),
            prediction_text: "cat".to_owned(),
            start_char: 4,
            end_char: 7,
            score: 1.0,
            null_score: Some(3.0),
            n_best: vec![candidate("", -1, -1, 3.0), candidate("cat", 4, 7, 1.0)],
            exact_match: 0.0,
            f1: 0.0,
        };
        choose(&mut prediction, 1.5);
        assert_eq!(
            (prediction.prediction_text.as_str(), prediction.start_char, prediction.score),
            ("", -1, 3.0)
        );
        assert_eq!(chosen(&prediction), 0);
        choose(&mut prediction, 2.0);
        assert_eq!(
            (prediction.prediction_text.as_str(), prediction.start_char, prediction.score),
            ("cat", 4, 1.0)
        );
        assert_eq!(chosen(&prediction), 1);
    }
}
