//! What the questions of a dataset are like, and in what way answers are wrong: slices and categories.
//!
//! Pure functions of texts and offsets, and [`evaluated`], which gathers what they need from artifacts: so that the report,
//! `compare`, `errors` and `--require` agree. Means and intervals over slices are `statistics`' business.

pub mod categories;
mod evaluated;
mod judged;
mod passage;
pub mod slices;

pub use evaluated::{EvaluatedQuestion, evaluated};
pub use judged::{Judged, choose, prediction_row};

use miette::Diagnostic;
use thiserror::Error;

/// A text that names no slice.
#[derive(Debug, Error, Diagnostic)]
#[error("expected a slice such as `question_word=why`, found {found:?}")]
#[diagnostic(help("write the slicing's name, `=` and one of its values"))]
pub struct NotASlice {
    pub found: String,
}
