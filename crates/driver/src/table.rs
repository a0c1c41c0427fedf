//! Aligned columns of text, and numbers for people.

use std::fmt::Write;

pub(crate) use page::number::{duration, grouped, p_value as p_text, size};
use serde_json::Value;
pub(crate) use stage::one_line;

/// Pads every column but the last to its widest cell; two spaces between columns.
pub(crate) fn align<const COLUMNS: usize>(rows: &[[String; COLUMNS]]) -> String {
    let width = |column: usize| {
        rows.iter().map(|row| one_line(&row.as_ref()[column]).chars().count()).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..COLUMNS).map(width).collect();
    let mut text = String::new();
    for row in rows {
        let mut line = String::new();
        for (cell, width) in row.iter().zip(&widths) {
            let _ = write!(line, "{:width$}  ", one_line(cell));
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

/// Aligned columns: the first few to the left, the numbers after them to the right.
pub(crate) fn columns(rows: &[impl AsRef<[String]>], names: usize) -> String {
    let width = |column: usize| {
        rows.iter().map(|row| one_line(&row.as_ref()[column]).chars().count()).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..rows.first().map_or(0, |row| row.as_ref().len())).map(width).collect();
    let mut text = String::new();
    for row in rows {
        let mut line = String::new();
        for (column, (cell, width)) in row.as_ref().iter().zip(&widths).enumerate() {
            let cell = one_line(cell);
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cell_with_line_breaks_stays_in_its_row() {
        let rows = [["a\nb", "1"], ["c", "2"]].map(|row| row.map(str::to_owned));
        assert_eq!(align(&rows), "a\\nb  1\nc     2\n");
        assert_eq!(columns(&rows, 1), "  a\\nb  1\n  c     2\n");
    }
}
