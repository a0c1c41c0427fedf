//! The kinds of questions in a dataset (slices), and the kinds of wrong answers (categories).
//!
//! Pure functions of texts and offsets, and [`evaluated`], which gathers their inputs from artifacts. The report,
//! `compare`, `errors` and `--require` all use them, so they agree. Not here: means and intervals over slices
//! (`statistics`).

pub mod categories;
mod error;
mod evaluated;
mod judged;
mod own_slices;
mod passage;
pub mod slices;

pub use error::Error;
pub use evaluated::{EvaluatedQuestion, Inputs, evaluated, temperature};
pub use judged::{Judged, choose, prediction_row};
pub use own_slices::OwnSlices;
