//! HTML pages and SVG charts, for the report and any other page.
//!
//! A page is one file: its style and script are inside, and its policy lets it load and run nothing else. `maud`
//! escapes text from data, or [`text`] makes it fit to show. Not here: what the numbers mean (the callers).

pub mod chart;
mod document;
pub mod number;
mod passage;
mod table;
pub mod text;

pub use document::Document;
pub use passage::{Marks, passage};
pub use table::Table;
