//! HTML pages and SVG charts for the report, and for whatever else is shown as a page.
//!
//! A page is one file: its style and script are inside, and its policy lets it load and run nothing else. What comes from
//! data is escaped by `maud`, or shown by [`text`]. What the numbers mean is its callers' business.

pub mod chart;
mod document;
pub mod number;
mod passage;
mod table;
pub mod text;

pub use document::Document;
pub use passage::{Marks, passage};
pub use table::Table;
