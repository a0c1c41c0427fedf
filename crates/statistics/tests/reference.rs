//! Against numpy, scipy and the rules of `evaluate-v2.0.py`; the fixture's header names the command that made it.

use distilburn_statistics::{
    Bootstrap, Choice, Flips, Measure, Thresholded, attainable_best_threshold, best_threshold, brier_score,
    cross_fitted_confidences, fit_temperature, holm, reliability, risk_coverage,
};
use serde::Deserialize;

/// Both sides compute in f64; special functions and sums differ in their last digits.
const TOLERANCE: f64 = 1e-9;

/// Where a likelihood is flat only half of the digits of its minimum are certain.
const TEMPERATURE_TOLERANCE: f64 = 1e-6;

/// The resamples on either side of a comparison of two bootstraps.
const RESAMPLES: usize = 100_000;

/// The 2.5 % quantile of 100,000 normal means has a standard deviation of 0.0085 standard errors, the difference of two
/// 0.012: this is four of those.
const QUANTILE_TOLERANCE: f64 = 0.05;

/// A two-sided p-value from 100,000 resamples has a standard deviation of at most 0.0032, the difference of two 0.0045:
/// this is four of those.
const P_VALUE_TOLERANCE: f64 = 0.02;

#[derive(Deserialize)]
struct Reference {
    estimates: Vec<Pair>,
    mcnemar: Vec<McNemar>,
    holm: Holm,
    temperature: TemperatureCase,
    thresholds: Vec<ThresholdCase>,
}

#[derive(Deserialize)]
struct Pair {
    clusters: Vec<u32>,
    before: Vec<f64>,
    after: Vec<f64>,
    score: Expected,
    difference: Expected,
}

#[derive(Deserialize)]
struct Expected {
    mean: f64,
    standard_error: f64,
    interval: [f64; 2],
    p_value: Option<f64>,
    equivalence_p_value: Option<f64>,
}

#[derive(Deserialize)]
struct McNemar {
    gained: usize,
    lost: usize,
    p_value: f64,
}

#[derive(Deserialize)]
struct Holm {
    p_values: Vec<f64>,
    corrected: Vec<f64>,
}

#[derive(Deserialize)]
struct TemperatureCase {
    scores: Vec<Vec<f64>>,
    chosen: Vec<usize>,
    right: Vec<f64>,
    clusters: Vec<u32>,
    folds: usize,
    temperature: f64,
    cross_fitted: Vec<f64>,
    confidences: Vec<f64>,
    calibration: Calibration,
}

#[derive(Deserialize)]
struct Calibration {
    counts: Vec<usize>,
    expected_calibration_error: f64,
    brier_score: f64,
    area: f64,
}

#[derive(Deserialize)]
struct ThresholdCase {
    questions: Vec<Question>,
    score: f64,
    threshold: f64,
    attainable_score: f64,
}

#[derive(Deserialize)]
struct Question {
    no_answer_probability: f64,
    score: f64,
    has_answer: bool,
    gives_answer: bool,
}

fn reference() -> Reference {
    serde_json::from_str(include_str!("fixtures/reference.json")).unwrap()
}

#[track_caller]
fn assert_near(found: f64, expected: f64, tolerance: f64) {
    assert!((found - expected).abs() <= tolerance, "{found}, expected {expected}");
}

#[test]
fn estimates_equal_scipy_and_the_matrix_form_of_cr2() {
    for pair in reference().estimates {
        let measures =
            [Measure::Score(&pair.after), Measure::Difference { before: &pair.before, after: &pair.after }];
        let all = vec![(0..pair.after.len()).collect()];
        let estimates = Bootstrap { resamples: RESAMPLES, seed: 1 }.estimate(&pair.clusters, &measures, &all);
        for (found, expected) in estimates[0].iter().zip([pair.score, pair.difference]) {
            let error = found.standard_error.unwrap();
            let (quantile, p_value) = if found.clusters < 40 {
                (TOLERANCE, TOLERANCE)
            } else {
                (QUANTILE_TOLERANCE * error, P_VALUE_TOLERANCE)
            };
            assert_near(found.mean, expected.mean, TOLERANCE);
            assert_near(error, expected.standard_error, TOLERANCE);
            let interval = found.interval(0.95).unwrap();
            assert_near(interval.low, expected.interval[0], quantile);
            assert_near(interval.high, expected.interval[1], quantile);
            if let (Some(p), Some(equivalence)) = (expected.p_value, expected.equivalence_p_value) {
                assert_near(found.p_value().unwrap(), p, p_value);
                assert_near(found.equivalence(0.1).unwrap().p_value, equivalence, p_value);
            }
        }
    }
}

#[test]
fn mcnemar_equals_the_binomial_test_of_scipy() {
    for McNemar { gained, lost, p_value } in reference().mcnemar {
        assert_near(Flips { gained, lost }.mcnemar_p_value(), p_value, TOLERANCE);
    }
}

#[test]
fn holm_corrects_in_the_order_of_the_p_values() {
    let Holm { p_values, corrected } = reference().holm;
    for (found, expected) in holm(&p_values).into_iter().zip(corrected) {
        assert_near(found, expected, TOLERANCE);
    }
}

#[test]
fn calibration_equals_numpy() {
    let TemperatureCase { confidences, right, calibration, .. } = reference().temperature;
    let found = reliability(&confidences, &right);
    assert_eq!(found.bins.map(|bin| bin.count).to_vec(), calibration.counts);
    assert_near(found.expected_calibration_error, calibration.expected_calibration_error, TOLERANCE);
    assert_near(brier_score(&confidences, &right), calibration.brier_score, TOLERANCE);
    assert_near(risk_coverage(&confidences, &right).area, calibration.area, TOLERANCE);
}

#[test]
fn temperatures_equal_those_of_scipy_over_all_and_over_other_folds() {
    let reference = reference().temperature;
    let parts = reference.scores.iter().zip(&reference.chosen).zip(&reference.right);
    let choices: Vec<Choice<'_>> =
        parts.map(|((scores, &chosen), right)| Choice { scores, chosen, is_right: *right > 0.5 }).collect();
    assert_near(fit_temperature(&choices), reference.temperature, TEMPERATURE_TOLERANCE);
    let found = cross_fitted_confidences(&choices, &reference.clusters, reference.folds);
    for (found, expected) in found.into_iter().zip(reference.cross_fitted) {
        assert_near(found, expected, TEMPERATURE_TOLERANCE);
    }
}

#[test]
fn thresholds_equal_the_official_script_with_and_without_ties() {
    for case in reference().thresholds {
        let question = |question: Question| Thresholded {
            no_answer_probability: question.no_answer_probability,
            score: question.score,
            has_answer: question.has_answer,
            gives_answer: question.gives_answer,
        };
        let questions: Vec<Thresholded> = case.questions.into_iter().map(question).collect();
        let found = best_threshold(&questions);
        assert_near(found.score, case.score, TOLERANCE);
        assert_eq!(found.threshold.to_bits(), case.threshold.to_bits());
        assert_near(attainable_best_threshold(&questions).score, case.attainable_score, TOLERANCE);
    }
}
