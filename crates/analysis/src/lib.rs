//! What the questions of a dataset are like, and in what way answers are wrong: slices and categories.
//!
//! Pure functions of texts and offsets, and [`evaluated`], which gathers what they need from artifacts: so that the report,
//! `compare`, `errors` and `--require` agree. Means and intervals over slices are `statistics`' business.

pub mod categories;
mod error;
mod evaluated;
mod judged;
mod own_slices;
mod passage;
pub mod slices;

pub use error::Error;
pub use evaluated::{EvaluatedQuestion, Inputs, evaluated};
pub use judged::{Judged, choose, prediction_row};
pub use own_slices::OwnSlices;
