//! The extractive question answering task: token windows and their labels, answer normalisation,
//! exact match and F1, span selection, and the SQuAD file's shape.
//!
//! Everything takes slices and returns values: no disk, no Arrow, no model. Each part names its reference, and
//! `scripts/reference/` makes the numbers that it is tested with.

mod caught;
mod error;
mod features;
pub mod json;
mod labels;
mod metrics;
mod normalize;
pub mod offsets;
pub mod python;
mod random;
mod spans;
mod tokens;
mod windows;

pub use error::{Error, Result};
pub use features::{FeatureTokenizer, TokenizedContext, Window};
pub use labels::LabelledAnswer;
pub use metrics::{F1Units, Means, Parts, QuestionScore, Rules, Score, Scoring, Tally, score};
pub use normalize::{normalize_answer, units_of};
pub use random::SplitMix64;
pub use spans::{FeatureLogits, SpanCandidate, SpanPrediction, SpanSettings, calibrate, select_spans};
pub use windows::{WindowSettings, Windows};
