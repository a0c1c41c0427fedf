//! The `metrics` that the stages write into their manifests, for the writer and all readers.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::{Manifest, SplitName};

/// ingest, of each split under its name.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct SplitCounts {
    pub articles: u64,
    pub contexts: u64,
    /// Questions that were kept.
    pub questions: u64,
    /// Questions in the source.
    pub available_questions: u64,
    pub answerable: u64,
    pub unanswerable: u64,
    /// Questions with more than one answer.
    pub several_answers: u64,
    /// Questions whose answers are all empty: they count as questions without an answer.
    pub empty_answers: u64,
    /// Questions with white space at the edge of an answer.
    pub edge_spaces: u64,
    pub realigned: u64,
    /// Finding → questions that were left out for it.
    pub skipped: Map<String, Value>,
}

/// tokenize-features, of each split under its name.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct FeatureFigures {
    /// Windows of the present size first, then other sizes for comparison.
    pub window_settings: Vec<WindowFigures>,
    /// Share of tokens that are not in the vocabulary.
    pub unknown_tokens: Option<UnknownFigures>,
}

/// Figures about windows of one size.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct WindowFigures {
    pub max_length: u64,
    pub doc_stride: u64,
    pub features: u64,
    pub tokens: u64,
    pub questions_in_several_windows_share: f64,
    /// Questions that leave no room for their context.
    pub questions_too_long: u64,
    /// The share among the questions with an answer.
    pub answers_lost_share: f64,
    pub padding_share_at_max_length: f64,
    pub padding_share_in_batches_of_8: f64,
    pub length_percentiles: LengthFigures,
}

/// Numbers of tokens that this many per cent of the windows do not exceed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct LengthFigures {
    pub p50: u64,
    pub p90: u64,
    pub p99: u64,
    pub max: u64,
}

/// The share of `[UNK]` in parts of the data.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize)]
pub struct UnknownFigures {
    pub questions: UnknownShare,
    pub contexts: UnknownShare,
    pub answers: UnknownShare,
}

/// 0 to 1.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize)]
pub struct UnknownShare {
    pub share: f64,
}

/// train.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TrainMetrics {
    /// The settings of tokenize-features that the features were made with, by `table.key`.
    pub windows: Value,
    /// Whether a training question has no answer.
    pub no_answer: bool,
    /// Attempted.
    pub steps: u64,
    /// Steps that changed the weights.
    pub optimizer_steps: u64,
    /// The step of the best weights.
    pub best_step: u64,
    /// At that step.
    pub validation_loss: f64,
    /// At that step, per cent.
    pub exact_match: f64,
    /// At that step, per cent.
    pub f1: f64,
}

/// evaluate.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EvaluateMetrics {
    #[serde(flatten)]
    pub validation: Scores,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub test: Option<Scores>,
}

/// Scores (in per cent) and losses (in nats) of one split.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Scores {
    pub questions: u64,
    pub exact_match: f64,
    pub f1: f64,
    pub loss: f64,
    /// Before fine-tuning.
    pub base_exact_match: f64,
    /// Before fine-tuning.
    pub base_f1: f64,
    /// Before fine-tuning.
    pub base_loss: f64,
    /// 95 % interval, by contexts; none if all questions are about one context.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exact_match_interval: Option<Interval>,
    /// The same of F1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub f1_interval: Option<Interval>,
    /// What fine-tuning changed in F1, question by question.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub f1_gain: Option<Gain>,
    /// Scores of the questions with an answer, if some have none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub has_answer: Option<PartScores>,
    /// Scores of the questions without an answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub no_answer: Option<PartScores>,
    /// Scores of the slices of the built-in slicings with fixed values; slices without questions are left out.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub slices: Vec<SliceScores>,
    /// How sure the model must be to give no answer, if some questions have none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub null_threshold: Option<NullThresholds>,
    /// How reliable confidences are; none if a score is not finite.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub calibration: Option<Calibration>,
    /// Gold answers longer than any prediction.
    pub answers_longer_than_max_answer_length: u64,
    /// Questions without a shorter gold answer.
    pub questions_with_longer_answers_alone: u64,
}

/// The two ends of an interval, in points of a score in per cent.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Interval {
    pub low: f64,
    pub high: f64,
}

/// A paired difference between two models on the same questions.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Gain {
    /// 95 %.
    pub interval: Interval,
    /// Two-sided p-value of "no difference".
    pub p_value: f64,
}

/// Scores of some of the questions, in per cent.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct PartScores {
    pub questions: u64,
    pub exact_match: f64,
    pub f1: f64,
}

/// Scores of the questions of a slice, in per cent.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SliceScores {
    /// `question_word`
    pub slicing: String,
    /// `why`
    pub value: String,
    pub questions: u64,
    pub exact_match: f64,
    pub f1: f64,
    /// 95 % interval, by contexts; none if all questions are about one context.
    pub f1_interval: Option<Interval>,
    /// Before fine-tuning.
    pub base_f1: f64,
}

/// No-answer thresholds: a question is left unanswered if "no answer" exceeds the best answer by more than this many
/// logits.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct NullThresholds {
    /// The threshold that the scores were computed with.
    pub used: f64,
    /// The best thresholds for this split, as `evaluate-v2.0.py` finds them. If margins are equal, no threshold may
    /// reach the score.
    pub best_exact_match: BestScore,
    /// The same of F1.
    pub best_f1: BestScore,
    /// The best score that a threshold reaches.
    pub attainable_exact_match: BestScore,
    /// The same of F1.
    pub attainable_f1: BestScore,
}

/// A score in per cent, and the threshold that gives it.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct BestScore {
    pub score: f64,
    pub threshold: f64,
}

/// Confidence in the chosen answer, 0 to 1, against exact match.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Calibration {
    /// The temperature: scores are divided by it before they become confidences. Fitted on validation.
    pub temperature: f64,
    /// The calibration without a temperature.
    pub uncalibrated: CalibrationError,
    /// The calibration with the temperature. On validation, each paragraph's temperature is fitted on other paragraphs.
    pub calibrated: CalibrationError,
}

/// How far confidences are from exact match.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct CalibrationError {
    /// Mean distance in 15 bins of equal width (Guo et al. 2017), 0 to 1.
    pub expected_calibration_error: f64,
    /// Mean squared distance, 0 to 1.
    pub brier_score: f64,
    /// Area under the curve of risk (1 − exact match) over coverage, 0 to 1.
    pub risk_coverage_area: f64,
}

impl SplitCounts {
    /// The metrics of an ingest manifest; `None` if it has no such split.
    #[must_use]
    pub fn of(ingest: &Manifest, split: SplitName) -> Option<Self> {
        Self::deserialize(ingest.metrics.get(split.as_str())?).ok()
    }
}

impl FeatureFigures {
    /// The metrics of a manifest of tokenize-features; `None` if it has no such split.
    #[must_use]
    pub fn of(features: &Manifest, split: SplitName) -> Option<Self> {
        Self::deserialize(features.metrics.get(split.as_str())?).ok()
    }
}

impl TrainMetrics {
    /// The metrics of a train manifest.
    pub fn of(train: &Manifest) -> serde_json::Result<Self> {
        serde_json::from_value(train.metrics.clone().into())
    }
}

impl EvaluateMetrics {
    /// The metrics of an evaluate manifest.
    pub fn of(evaluate: &Manifest) -> serde_json::Result<Self> {
        serde_json::from_value(evaluate.metrics.clone().into())
    }
}

/// Converts them to the `metrics` of a manifest.
#[must_use]
pub fn to_metrics(metrics: &impl Serialize) -> Map<String, Value> {
    match serde_json::to_value(metrics) {
        Ok(Value::Object(metrics)) => metrics,
        _ => unreachable!("metrics are structs with string keys"),
    }
}
