//! What the questions of a dataset are like, and in what way answers are wrong: slices and categories.
//!
//! Pure functions of texts and offsets, so that evaluate, the report, `compare` and `--require` agree. Means and intervals
//! over slices are `statistics`' business.

pub mod categories;
mod passage;
pub mod slices;

use miette::Diagnostic;
use thiserror::Error;

/// A text that names no slice.
#[derive(Debug, Error, Diagnostic)]
#[error("expected a slice such as `question_word=why`, found {found:?}")]
#[diagnostic(help("write the slicing's name, `=` and one of its values"))]
pub struct NotASlice {
    pub found: String,
}
