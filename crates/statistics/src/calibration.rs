//! Measures whether confidences are reliable.

/// Equal-width bins of confidence.
const BINS: usize = 15;

/// The answers whose confidence is in one bin.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Bin {
    pub count: usize,
    /// Their mean confidence; 0 if there are none.
    pub confidence: f64,
    /// The mean of their scores; 0 if there are none.
    pub accuracy: f64,
}

/// Confidence against accuracy, bin by bin.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Reliability {
    /// Bin i holds the confidences above i / 15 up to (i + 1) / 15; the first bin also holds 0.
    pub bins: [Bin; BINS],
    /// Expected calibration error: the mean distance between a bin's confidence and accuracy, weighted by count.
    pub expected_calibration_error: f64,
}

/// Bins confidences (0 to 1) as Guo et al. (2017) do. `scores` are exact matches, 0 or 1.
///
/// # Panics
///
/// Where the lengths differ.
#[must_use]
pub fn reliability(confidences: &[f64], scores: &[f64]) -> Reliability {
    assert_eq!(confidences.len(), scores.len(), "one confidence per score");
    let mut bins = [Bin::default(); BINS];
    for (confidence, score) in confidences.iter().zip(scores) {
        let bin = ((confidence * BINS as f64).ceil() as usize).clamp(1, BINS) - 1;
        bins[bin].count += 1;
        bins[bin].confidence += confidence;
        bins[bin].accuracy += score;
    }
    let mut error = 0.0;
    for bin in bins.iter_mut().filter(|bin| bin.count > 0) {
        error += (bin.confidence - bin.accuracy).abs() / confidences.len() as f64;
        bin.confidence /= bin.count as f64;
        bin.accuracy /= bin.count as f64;
    }
    Reliability { bins, expected_calibration_error: error }
}

/// The mean squared distance between confidence and exact match (Brier 1950); 0 without questions.
///
/// # Panics
///
/// Where the lengths differ.
#[must_use]
pub fn brier_score(confidences: &[f64], scores: &[f64]) -> f64 {
    assert_eq!(confidences.len(), scores.len(), "one confidence per score");
    let squares = confidences.iter().zip(scores).map(|(confidence, score)| (confidence - score).powi(2));
    squares.sum::<f64>() / confidences.len().max(1) as f64
}

/// The error rate if only the questions with the highest confidence are answered.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RiskCoverage {
    /// One point per distinct confidence, from the highest down.
    pub points: Vec<RiskCoveragePoint>,
    /// The mean, over all questions, of the risk at the point where each is first answered: the area under the curve
    /// (Geifman and El-Yaniv 2017). 0 without questions.
    pub area: f64,
}

/// The effect of answering questions with at least this confidence.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RiskCoveragePoint {
    /// The least confidence that is answered.
    pub confidence: f64,
    /// The share of questions answered.
    pub coverage: f64,
    /// 1 minus the mean score of those.
    pub risk: f64,
}

/// The risk–coverage curve of some scores, exact match or F1. Equal confidences are answered together.
///
/// # Panics
///
/// Where the lengths differ.
#[must_use]
pub fn risk_coverage(confidences: &[f64], scores: &[f64]) -> RiskCoverage {
    assert_eq!(confidences.len(), scores.len(), "one confidence per score");
    let mut descending: Vec<usize> = (0..scores.len()).collect();
    descending.sort_by(|&a, &b| confidences[b].total_cmp(&confidences[a]));
    let questions = scores.len() as f64;
    let mut curve = RiskCoverage::default();
    let (mut answered, mut lost) = (0.0, 0.0);
    for tied in descending.chunk_by(|&a, &b| confidences[a].total_cmp(&confidences[b]).is_eq()) {
        answered += tied.len() as f64;
        lost += tied.iter().map(|&question| 1.0 - scores[question]).sum::<f64>();
        let risk = lost / answered;
        curve.area += risk * tied.len() as f64 / questions;
        let confidence = confidences[tied[0]];
        curve.points.push(RiskCoveragePoint { confidence, coverage: answered / questions, risk });
    }
    curve
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_questions_give_empty_figures() {
        assert_eq!(reliability(&[], &[]).bins, [Bin::default(); BINS]);
        assert!(reliability(&[], &[]).expected_calibration_error.abs() < f64::EPSILON);
        assert!(brier_score(&[], &[]).abs() < f64::EPSILON);
        assert_eq!(risk_coverage(&[], &[]), RiskCoverage::default());
    }

    #[test]
    fn confidences_on_an_edge_fall_into_the_bin_below() {
        let bins = reliability(&[0.0, 0.2, 1.0], &[0.0, 0.0, 1.0]).bins;
        let filled: Vec<_> = (0..BINS).filter(|&bin| bins[bin].count > 0).collect();
        assert_eq!(filled, [0, 2, 14]);
    }

    #[test]
    fn equal_confidences_are_answered_together_in_any_order() {
        let (first, second) = (risk_coverage(&[0.5; 2], &[1.0, 0.0]), risk_coverage(&[0.5; 2], &[0.0, 1.0]));
        assert_eq!(first, second);
        assert_eq!((first.points.len(), first.points[0].coverage.to_bits()), (1, 1.0_f64.to_bits()));
    }

    #[test]
    fn the_area_is_0_with_nothing_wrong_and_1_with_nothing_right() {
        assert!(risk_coverage(&[0.1, 0.9], &[1.0; 2]).area.abs() < f64::EPSILON);
        assert!((risk_coverage(&[0.1, 0.9], &[0.0; 2]).area - 1.0).abs() < f64::EPSILON);
    }
}
