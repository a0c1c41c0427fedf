//! What can go wrong with slices.

use std::path::PathBuf;

use miette::Diagnostic;
use thiserror::Error;

/// What is wrong with a slice, or with the artifacts that it comes from.
#[derive(Debug, Error, Diagnostic)]
#[non_exhaustive]
pub enum Error {
    /// A text that is not the name of a slice.
    #[error("expected a slice such as `question_word=why`, found {found:?}")]
    #[diagnostic(help("write the name of a slicing, `=` and one of its values"))]
    NotASlice { found: String },

    /// A slicing that does not exist.
    #[error("{slice} is not a slice: there is no slicing named {slicing:?}")]
    #[diagnostic(help("the slicings are {known}"))]
    UnknownSlicing { slice: String, slicing: String, known: String },

    /// A value that no question can have.
    #[error("{slice} is not a slice: {slicing} never has the value {value:?}")]
    #[diagnostic(help("{remedy}"))]
    UnknownValue { slice: String, slicing: String, value: String, remedy: String },

    /// A file of ids that cannot be read.
    #[error("the slice {name:?} of report.slices cannot be read from {}", path.display())]
    #[diagnostic(help("name a text file with one question id per line"))]
    OwnSlice { name: String, path: PathBuf, source: std::io::Error },

    #[error(transparent)]
    #[diagnostic(transparent)]
    Artifact(#[from] artifact::Error),
}
