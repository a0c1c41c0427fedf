//! Statistics of per-question scores: intervals, paired tests, calibration, and the thresholds of SQuAD v2.0.
//!
//! Everything takes arrays with one entry per question, in the same order, and returns values. Scores are fractions (0
//! to 1), not per cent. Not here: files, tables or texts.
//!
//! The caller must check that inputs are finite: an estimate from NaN has no interval, and other results are
//! meaningless. Arrays of unequal length panic.

mod bootstrap;
mod calibration;
mod clusters;
mod contrast;
mod estimate;
mod paired;
mod temperature;
mod thresholds;

pub use bootstrap::{Bootstrap, Measure};
pub use calibration::{
    Bin, Reliability, RiskCoverage, RiskCoveragePoint, brier_score, reliability, risk_coverage,
};
pub use contrast::Contrast;
pub use estimate::{Equivalence, Estimate, Interval};
pub use paired::{Flips, holm};
pub use temperature::{Choice, cross_fitted_confidences, fit_temperature};
pub use thresholds::{BestThreshold, Thresholded, attainable_best_threshold, best_threshold};
