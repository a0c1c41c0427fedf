//! Aligned columns of text, and numbers for people.

use std::fmt::Write;

pub(crate) use page::number::{duration, grouped, p_value as p_text, size};
use serde_json::Value;

/// Pads every column but the last to its widest cell; two spaces between columns.
pub(crate) fn align<const COLUMNS: usize>(rows: &[[String; COLUMNS]]) -> String {
    let width =
        |column: usize| rows.iter().map(|row| row.as_ref()[column].chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..COLUMNS).map(width).collect();
    let mut text = String::new();
    for row in rows {
        let mut line = String::new();
        for (cell, width) in row.iter().zip(&widths) {
            let _ = write!(line, "{cell:width$}  ");
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

/// Aligned columns: the first few to the left, the numbers after them to the right.
pub(crate) fn columns(rows: &[impl AsRef<[String]>], names: usize) -> String {
    let width =
        |column: usize| rows.iter().map(|row| row.as_ref()[column].chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..rows.first().map_or(0, |row| row.as_ref().len())).map(width).collect();
    let mut text = String::new();
    for row in rows {
        let mut line = String::new();
        for (column, (cell, width)) in row.as_ref().iter().zip(&widths).enumerate() {
            let _ = if column < names {
                write!(line, "  {cell:width$}")
            } else {
                write!(line, "  {cell:>width$}")
            };
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

/// A number of a manifest; empty if there is none.
pub(crate) fn number(value: &Value) -> String {
    value
        .as_u64()
        .map_or_else(|| value.as_f64().map_or_else(String::new, |mean| format!("{mean:.1}")), grouped)
}
