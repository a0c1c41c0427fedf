//! Fits a temperature that makes confidences reliable (Guo et al. 2017).

use rayon::prelude::*;

use crate::clusters::Clusters;

/// Temperatures are searched between 1 / 20 and 20.
const GREATEST_TEMPERATURE: f64 = 20.0;
/// Temperatures tried before the best one is refined: the likelihood can have more than one peak.
const GRID: usize = 25;
/// Golden-section steps between two neighbours of the grid, 0.5 apart in the logarithm: down to 10⁻⁹.
const REFINEMENTS: usize = 42;
/// Questions whose likelihoods are added up together; fixed, so that a sum is the same on any number of threads.
const CHUNK: usize = 1024;

/// The candidates for one question's answer, and which of them the system chose.
#[derive(Clone, Copy, Debug)]
pub struct Choice<'a> {
    /// Scores (logits) of the candidates, including "no answer" if there is one.
    pub scores: &'a [f64],
    /// The index of the chosen candidate.
    pub chosen: usize,
    /// Whether the chosen candidate is right.
    pub is_right: bool,
}

impl Choice<'_> {
    /// The chosen candidate's share of the softmax of scores / `temperature`.
    ///
    /// # Panics
    ///
    /// Where there is no chosen candidate.
    #[must_use]
    pub fn confidence(&self, temperature: f64) -> f64 {
        let greatest = self.scores.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let weight = |score: f64| ((score - greatest) / temperature).exp();
        weight(self.scores[self.chosen]) / self.scores.iter().copied().map(weight).sum::<f64>()
    }

    /// The negative log likelihood that the chosen candidate is right, or that it is wrong, whichever is true. Finite
    /// even if the confidence is 0 or 1.
    fn loss(&self, temperature: f64) -> f64 {
        let confidence = self.confidence(temperature);
        -if self.is_right { confidence } else { 1.0 - confidence }.max(f64::EPSILON).ln()
    }
}

/// The temperature that minimises the negative log likelihood of "the chosen answer is right" given the confidence:
/// that is what a confidence claims. A question whose candidates are all wrong counts too. The result is between 1 / 20
/// and 20; it is 1 without questions, and if all choices are right or all are wrong, because they do not determine a
/// temperature.
#[must_use]
pub fn fit_temperature(choices: &[Choice<'_>]) -> f64 {
    let right = choices.iter().filter(|choice| choice.is_right).count();
    if right == 0 || right == choices.len() {
        return 1.0;
    }
    let loss = |logarithm: f64| {
        let temperature = logarithm.exp();
        let of_chunk =
            |chunk: &[Choice<'_>]| chunk.iter().map(|choice| choice.loss(temperature)).sum::<f64>();
        choices.par_chunks(CHUNK).map(of_chunk).collect::<Vec<_>>().iter().sum::<f64>()
    };
    let greatest = GREATEST_TEMPERATURE.ln();
    let step = 2.0 * greatest / (GRID - 1) as f64;
    let grid = (0..GRID).map(|index| index as f64 * step - greatest);
    let (_, best) = grid
        .map(|logarithm| (loss(logarithm), logarithm))
        .fold((f64::INFINITY, 0.0), |best, tried| if tried.0 < best.0 { tried } else { best });
    golden_section((best - step).max(-greatest), (best + step).min(greatest), loss).exp()
}

/// The confidence of each choice at a temperature that was fitted without its own cluster: clusters are dealt in turn
/// to `folds` folds, and each fold uses the temperature fitted to the others. This shows how well a temperature from
/// this data calibrates new data; the temperature to keep is [`fit_temperature`] of all. With one cluster the
/// temperature is 1.
///
/// # Panics
///
/// If the lengths differ, or there are fewer than two folds.
#[must_use]
pub fn cross_fitted_confidences(choices: &[Choice<'_>], clusters: &[u32], folds: usize) -> Vec<f64> {
    assert_eq!(choices.len(), clusters.len(), "one cluster per choice");
    assert!(folds > 1, "a fold is fitted to others");
    let fold_of: Vec<usize> =
        Clusters::new(clusters).of_question.into_iter().map(|cluster| cluster % folds).collect();
    let temperature = |fold: usize| {
        let others = choices.iter().zip(&fold_of).filter(|(_, other)| **other != fold);
        fit_temperature(&others.map(|(choice, _)| *choice).collect::<Vec<_>>())
    };
    let temperatures: Vec<f64> = (0..folds).map(temperature).collect();
    choices.iter().zip(fold_of).map(|(choice, fold)| choice.confidence(temperatures[fold])).collect()
}

/// The minimum of a function that has only one between `low` and `high` (Kiefer 1953).
fn golden_section(mut low: f64, mut high: f64, function: impl Fn(f64) -> f64) -> f64 {
    let ratio = (5.0_f64.sqrt() - 1.0) / 2.0;
    let (mut left, mut right) = (high - ratio * (high - low), low + ratio * (high - low));
    let (mut at_left, mut at_right) = (function(left), function(right));
    for _ in 0..REFINEMENTS {
        if at_left < at_right {
            (high, right, at_right) = (right, left, at_left);
            left = high - ratio * (high - low);
            at_left = function(left);
        } else {
            (low, left, at_left) = (left, right, at_right);
            right = low + ratio * (high - low);
            at_right = function(right);
        }
    }
    f64::midpoint(low, high)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SURE: [f64; 2] = [4.0, 0.0];

    fn choices(right: usize, wrong: usize) -> Vec<Choice<'static>> {
        let choice = |is_right| Choice { scores: &SURE, chosen: 0, is_right };
        [vec![choice(true); right], vec![choice(false); wrong]].concat()
    }

    #[test]
    fn the_fitted_confidence_of_equal_choices_is_their_accuracy() {
        /// The minimum is flat: half of the digits of f64.
        const TOLERANCE: f64 = 1e-7;
        let choices = choices(3, 1);
        let confidence = choices[0].confidence(fit_temperature(&choices));
        assert!((confidence - 0.75).abs() < TOLERANCE, "{confidence}");
    }

    #[test]
    fn nothing_wrong_nothing_right_and_nothing_leave_the_scores_alone() {
        for choices in [choices(5, 0), choices(0, 5), vec![]] {
            assert_eq!(fit_temperature(&choices).to_bits(), 1.0_f64.to_bits());
        }
    }

    #[test]
    fn a_single_cluster_cannot_be_fitted_to_others() {
        let choices = choices(2, 2);
        let confidences = cross_fitted_confidences(&choices, &[7; 4], 5);
        assert_eq!(confidences, vec![choices[0].confidence(1.0); 4]);
    }

    #[test]
    fn extreme_scores_and_a_lone_wrong_candidate_stay_finite() {
        let mut choices = choices(2, 1);
        choices.push(Choice { scores: &[1.0], chosen: 0, is_right: false });
        choices.push(Choice { scores: &[-1e6, 1e6], chosen: 0, is_right: true });
        assert!(fit_temperature(&choices).is_finite());
    }
}
