//! From judged answers to the numbers in the manifest.

use answerer::LongAnswers;
use artifact::{
    BestScore, Calibration, CalibrationError, Gain, Interval, NullThresholds, PartScores, Scores,
};
use squad::Means;
use statistics::{
    BestThreshold, Bootstrap, Measure, attainable_best_threshold, best_threshold, brier_score,
    cross_fitted_confidences, fit_temperature, reliability, risk_coverage,
};

use crate::judged::Judged;

/// Of the resamples behind intervals: a fixed one, so that they are the same on every machine.
const SEED: u64 = 0;

/// Of intervals.
const LEVEL: f64 = 0.95;

/// In how many parts paragraphs are dealt to show what a temperature does to questions that it was not fitted on.
const FOLDS: usize = 10;

/// The answers to one split before and after fine-tuning.
pub(crate) struct Outcome {
    pub(crate) before: Judged,
    pub(crate) after: Judged,
    pub(crate) base_loss: f64,
    pub(crate) loss: f64,
    pub(crate) long: LongAnswers,
    pub(crate) null_threshold: f64,
    /// That of another split; without one, this split's is fitted.
    pub(crate) temperature: Option<f64>,
}

impl Outcome {
    pub(crate) fn scores(&self) -> Scores {
        let Self { before, after, .. } = self;
        let measures = [
            Measure::Score(&after.exact_match),
            Measure::Score(&after.f1),
            Measure::Difference { before: &before.f1, after: &after.f1 },
        ];
        let everything = vec![(0..after.clusters.len()).collect()];
        let estimates = Bootstrap::new(SEED).estimate(&after.clusters, &measures, &everything).remove(0);
        let interval = |of: usize| estimates[of].interval(LEVEL).map(percent);
        let part = |means: Means| PartScores {
            questions: means.questions as u64,
            exact_match: means.exact_match,
            f1: means.f1,
        };
        let (means, base, parts) = (after.tally.means(), before.tally.means(), after.tally.parts());
        Scores {
            questions: means.questions as u64,
            exact_match: means.exact_match,
            f1: means.f1,
            loss: self.loss,
            base_exact_match: base.exact_match,
            base_f1: base.f1,
            base_loss: self.base_loss,
            exact_match_interval: interval(0),
            f1_interval: interval(1),
            f1_gain: interval(2)
                .zip(estimates[2].p_value())
                .map(|(interval, p_value)| Gain { interval, p_value }),
            has_answer: parts.map(|parts| part(parts.has_answer)),
            no_answer: parts.map(|parts| part(parts.no_answer)),
            null_threshold: self.null_thresholds(),
            calibration: self.calibration(),
            answers_longer_than_max_answer_length: self.long.answers as u64,
            questions_with_longer_answers_alone: self.long.questions as u64,
        }
    }

    fn null_thresholds(&self) -> Option<NullThresholds> {
        let Judged { exact_match_answered, f1_answered, .. } = &self.after;
        if f1_answered.is_empty() {
            return None;
        }
        let best =
            |found: BestThreshold| BestScore { score: 100.0 * found.score, threshold: found.threshold };
        Some(NullThresholds {
            used: self.null_threshold,
            best_exact_match: best(best_threshold(exact_match_answered)),
            best_f1: best(best_threshold(f1_answered)),
            attainable_exact_match: best(attainable_best_threshold(exact_match_answered)),
            attainable_f1: best(attainable_best_threshold(f1_answered)),
        })
    }

    fn calibration(&self) -> Option<Calibration> {
        let choices = self.after.choices()?;
        let confidences = |temperature: f64| -> Vec<f64> {
            choices.iter().map(|choice| choice.confidence(temperature)).collect()
        };
        let (temperature, calibrated) = match self.temperature {
            Some(temperature) => (temperature, confidences(temperature)),
            None => {
                (fit_temperature(&choices), cross_fitted_confidences(&choices, &self.after.clusters, FOLDS))
            }
        };
        let error = |confidences: &[f64]| CalibrationError {
            expected_calibration_error: reliability(confidences, &self.after.exact_match)
                .expected_calibration_error,
            brier_score: brier_score(confidences, &self.after.exact_match),
            risk_coverage_area: risk_coverage(confidences, &self.after.exact_match).area,
        };
        Some(Calibration {
            temperature,
            uncalibrated: error(&confidences(1.0)),
            calibrated: error(&calibrated),
        })
    }
}

fn percent(interval: statistics::Interval) -> Interval {
    Interval { low: 100.0 * interval.low, high: 100.0 * interval.high }
}
