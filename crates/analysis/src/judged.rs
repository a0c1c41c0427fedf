//! The answers to a split or file, question by question, with what the statistics need, and the resulting numbers.

use artifact::{
    BestScore, Calibration, CalibrationError, Candidate, Gain, Interval, NullThresholds, PartScores,
    Prediction, SliceScores,
};
use squad::{Means, Scoring, SpanPrediction, Tally};
use statistics::{
    BestThreshold, Bootstrap, Choice, Estimate, Measure, Thresholded, attainable_best_threshold,
    best_threshold, brier_score, cross_fitted_confidences, fit_temperature, reliability, risk_coverage,
};

use crate::slices::{SLICINGS, Slice};

/// Seed of the resamples behind intervals: fixed, so that intervals are the same on every machine.
const SEED: u64 = 0;

/// The level of intervals.
const LEVEL: f64 = 0.95;

/// Number of folds of paragraphs: each fold's confidences use a temperature that was fitted on the other folds.
const FOLDS: usize = 10;

/// One entry for each question, in the order of the data.
#[derive(Default)]
pub struct Judged {
    /// Paragraphs: their questions are not independent.
    pub clusters: Vec<u32>,
    /// 0 or 1.
    pub exact_match: Vec<f64>,
    /// 0 to 1.
    pub f1: Vec<f64>,
    pub tally: Tally,
    /// The exact match if every question were answered, and how sure the model is that there is no answer. Empty if all
    /// questions have an answer.
    pub exact_match_answered: Vec<Thresholded>,
    /// The same of F1.
    pub f1_answered: Vec<Thresholded>,
    candidates: Vec<Candidates>,
}

/// The candidates of one question.
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
    /// The answer to the next question.
    pub fn add(
        &mut self,
        context_id: u32,
        prediction: &Prediction,
        ground_truths: &[&str],
        scoring: Scoring,
    ) {
        let score = scoring.score(&prediction.prediction_text, ground_truths);
        self.clusters.push(context_id);
        self.exact_match.push(score.exact_match);
        self.f1.push(score.f1);
        self.tally.add(score);
        if let Some((margin, best)) = margin(prediction) {
            let answered = scoring.score(&best.text, ground_truths);
            let thresholded = |score| Thresholded {
                no_answer_probability: margin,
                score,
                has_answer: answered.has_answer,
                gives_answer: !best.text.is_empty(),
            };
            self.exact_match_answered.push(thresholded(answered.exact_match));
            self.f1_answered.push(thresholded(answered.f1));
        }
        self.candidates.push(Candidates {
            chosen: chosen(prediction),
            scores: prediction.n_best.iter().map(|candidate| candidate.score).collect(),
            is_right: score.exact_match > 0.0,
        });
    }

    /// The candidates of each question; none if a score is not finite.
    #[must_use]
    pub fn choices(&self) -> Option<Vec<Choice<'_>>> {
        self.candidates.iter().map(Candidates::choice).collect()
    }

    /// The intervals of exact match and F1.
    #[must_use]
    pub fn score_intervals(&self) -> [Option<Interval>; 2] {
        let measures = [Measure::Score(&self.exact_match), Measure::Score(&self.f1)];
        self.estimates(measures).map(|estimate| estimate.interval(LEVEL).map(percent))
    }

    /// All with the same draws.
    fn estimates<const N: usize>(&self, measures: [Measure<'_>; N]) -> [Estimate; N] {
        let everything = [(0..self.clusters.len()).collect()];
        let estimates = Bootstrap::new(SEED).estimate(&self.clusters, &measures, &everything).remove(0);
        estimates.try_into().unwrap_or_else(|_| unreachable!("an estimate for each measure"))
    }

    /// The scores of every slice of the slicings with fixed values, in their order. `slices` are the slices of each
    /// question, `before` the answers before fine-tuning.
    #[must_use]
    pub fn slice_scores(&self, before: &Self, slices: &[Vec<Slice>]) -> Vec<SliceScores> {
        let values = SLICINGS.iter().flat_map(|slicing| {
            slicing
                .values
                .iter()
                .map(|&value| Slice { slicing: slicing.name.to_owned(), value: value.to_owned() })
        });
        let (found, questions): (Vec<Slice>, Vec<Vec<usize>>) = values
            .map(|slice| {
                let of_slice = (0..slices.len()).filter(|&index| slices[index].contains(&slice)).collect();
                (slice, of_slice)
            })
            .filter(|(_, questions): &(Slice, Vec<usize>)| !questions.is_empty())
            .unzip();
        let estimates =
            Bootstrap::new(SEED).estimate(&self.clusters, &[Measure::Score(&self.f1)], &questions);
        let mut scores = Vec::with_capacity(found.len());
        for ((Slice { slicing, value }, questions), estimates) in
            found.into_iter().zip(questions).zip(estimates)
        {
            let mean = |scores: &[f64]| {
                100.0 * questions.iter().map(|&index| scores[index]).sum::<f64>() / questions.len() as f64
            };
            scores.push(SliceScores {
                slicing,
                value,
                questions: questions.len() as u64,
                exact_match: mean(&self.exact_match),
                f1: mean(&self.f1),
                f1_interval: estimates[0].interval(LEVEL).map(percent),
                base_f1: mean(&before.f1),
            });
        }
        scores
    }

    /// The scores of the questions with and without an answer, if some have none.
    #[must_use]
    pub fn part_scores(&self) -> [Option<PartScores>; 2] {
        let part = |means: Means| PartScores {
            questions: means.questions as u64,
            exact_match: means.exact_match,
            f1: means.f1,
        };
        self.tally
            .parts()
            .map_or([None; 2], |parts| [Some(part(parts.has_answer)), Some(part(parts.no_answer))])
    }

    /// The thresholds, if the data has questions without an answer and the model can leave questions unanswered. `used`
    /// is the threshold in force.
    #[must_use]
    pub fn null_thresholds(&self, used: f64) -> Option<NullThresholds> {
        let Judged { exact_match_answered, f1_answered, .. } = self;
        if f1_answered.is_empty() || self.tally.parts().is_none() || !self.has_finite_margins() {
            return None;
        }
        let best =
            |found: BestThreshold| BestScore { score: 100.0 * found.score, threshold: found.threshold };
        Some(NullThresholds {
            used,
            best_exact_match: best(best_threshold(exact_match_answered)),
            best_f1: best(best_threshold(f1_answered)),
            attainable_exact_match: best(attainable_best_threshold(exact_match_answered)),
            attainable_f1: best(attainable_best_threshold(f1_answered)),
        })
    }

    /// The calibration with this temperature, or with one fitted here.
    #[must_use]
    pub fn calibration(&self, temperature: Option<f64>) -> Option<Calibration> {
        let choices = self.choices()?;
        let confidences = |temperature: f64| -> Vec<f64> {
            choices.iter().map(|choice| choice.confidence(temperature)).collect()
        };
        let (temperature, calibrated) = match temperature {
            Some(temperature) => (temperature, confidences(temperature)),
            None => (fit_temperature(&choices), cross_fitted_confidences(&choices, &self.clusters, FOLDS)),
        };
        let error = |confidences: &[f64]| CalibrationError {
            expected_calibration_error: reliability(confidences, &self.exact_match)
                .expected_calibration_error,
            brier_score: brier_score(confidences, &self.exact_match),
            risk_coverage_area: risk_coverage(confidences, &self.exact_match).area,
        };
        Some(Calibration {
            temperature,
            uncalibrated: error(&confidences(1.0)),
            calibrated: error(&calibrated),
        })
    }

    /// What fine-tuning changed in F1. `self` are the answers after fine-tuning.
    #[must_use]
    pub fn f1_gain(&self, before: &Self) -> Option<Gain> {
        let [gain] = self.estimates([Measure::Difference { before: &before.f1, after: &self.f1 }]);
        Some(Gain { interval: percent(gain.interval(LEVEL)?), p_value: gain.p_value()? })
    }

    /// Whether thresholds are meaningful: they are not for a model that has diverged.
    fn has_finite_margins(&self) -> bool {
        self.f1_answered.iter().all(|question| question.no_answer_probability.is_finite())
    }

    /// The threshold with the best F1. It is halfway to the margin of the next question that is left unanswered, so
    /// that rounding decides nothing. 0 for a model that has diverged.
    #[must_use]
    pub fn suggested_threshold(&self) -> f64 {
        /// How far a threshold is beyond the last question, in logits.
        const BEYOND: f64 = 0.01;
        if !self.has_finite_margins() {
            return 0.0;
        }
        let threshold = attainable_best_threshold(&self.f1_answered).threshold;
        let margins = self.f1_answered.iter().map(|question| question.no_answer_probability);
        let next = margins.filter(|&margin| margin > threshold).fold(f64::INFINITY, f64::min);
        if !next.is_finite() {
            return threshold + BEYOND;
        }
        // If no question is to be answered, the threshold is a bit below the least margin.
        if next.next_down() <= threshold { threshold - BEYOND } else { f64::midpoint(threshold, next) }
    }
}

fn percent(interval: statistics::Interval) -> Interval {
    Interval { low: 100.0 * interval.low, high: 100.0 * interval.high }
}

/// The row of an answer, without the scores: these depend on the gold answers.
#[must_use]
pub fn prediction_row(id: &str, prediction: SpanPrediction) -> Prediction {
    let n_best = prediction.n_best.into_iter().map(|candidate| Candidate {
        text: candidate.text,
        start_char: candidate.start_char,
        end_char: candidate.end_char,
        score: candidate.score,
        probability: candidate.probability,
    });
    Prediction {
        id: id.to_owned(),
        prediction_text: prediction.text,
        start_char: prediction.start_char,
        end_char: prediction.end_char,
        score: prediction.score,
        null_score: prediction.null_score,
        n_best: n_best.collect(),
        exact_match: 0.0,
        f1: 0.0,
    }
}

/// The number of logits by which "no answer" exceeds the best answer, and that answer.
fn margin(prediction: &Prediction) -> Option<(f64, &Candidate)> {
    let best = prediction.n_best.iter().find(|candidate| !candidate.text.is_empty())?;
    Some((prediction.null_score? - best.score, best))
}

/// The candidate that is the prediction, or the most probable one if the prediction is not a candidate.
fn chosen(prediction: &Prediction) -> usize {
    let is_chosen = |candidate: &Candidate| {
        candidate.start_char == prediction.start_char && candidate.end_char == prediction.end_char
    };
    prediction.n_best.iter().position(is_chosen).unwrap_or(0)
}

/// Makes the best answer, or "no answer", the prediction.
pub fn choose(prediction: &mut Prediction, null_threshold: f64) {
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
        Judged { f1_answered: f1_answered.collect(), ..Judged::default() }
    }

    #[test]
    fn the_suggested_threshold_lies_between_two_questions() {
        let judged = judged(&[(3.0, 0.0, false), (1.0, 1.0, true), (-2.0, 1.0, true)]);
        assert!((judged.suggested_threshold() - 2.0).abs() < 1e-12);
    }

    #[test]
    fn a_model_that_has_diverged_suggests_no_threshold() {
        let diverged = judged(&[(f64::NAN, 0.0, false), (1.0, 1.0, true)]);
        assert!(diverged.suggested_threshold().abs() < f64::EPSILON);
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
