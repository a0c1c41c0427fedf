//! Scores of the slices of an evaluation: `slices`.

use std::path::Path;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Float64Array, PrimitiveArray, StringArray, UInt64Array};
use arrow::datatypes::{DataType, Field, Float64Type, UInt64Type};

use crate::Result;
use crate::kind::{Kind, column, nullable};
use crate::metrics::Interval;
use crate::row_writer::{Row, write_rows};
use crate::table::Table;

/// Scores of the slices: report/`slices.arrow`.
pub static SLICES: Kind = Kind { name: "slices", version: 1, producer: "report", columns };

/// The columns of a score, in the order of [`SliceRow`].
const SCORES: [[&str; 3]; 4] = [
    ["exact_match", "exact_match_low", "exact_match_high"],
    ["f1", "f1_low", "f1_high"],
    ["base_exact_match", "base_exact_match_low", "base_exact_match_high"],
    ["base_f1", "base_f1_low", "base_f1_high"],
];

/// Behind them.
const DIFFERENCES: [&str; 3] = ["p_value_of_gain", "difference_from_rest", "p_value_of_rest"];

fn columns() -> Vec<Field> {
    let mut columns = vec![
        column("slicing", DataType::Utf8),
        column("value", DataType::Utf8),
        column("questions", DataType::UInt64),
    ];
    for [score, low, high] in SCORES {
        columns.push(column(score, DataType::Float64));
        columns.extend([low, high].map(|end| nullable(end, DataType::Float64)));
    }
    columns.extend(DIFFERENCES.map(|name| nullable(name, DataType::Float64)));
    columns
}

/// A mean score in per cent, and its 95 % interval if there is one.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ScoreWithInterval {
    pub mean: f64,
    pub interval: Option<Interval>,
}

/// A slice. The first one of a table has no slicing and no value: it is all questions.
#[derive(Debug, Clone, PartialEq)]
pub struct SliceRow {
    pub slicing: String,
    pub value: String,
    pub questions: u64,
    pub exact_match: ScoreWithInterval,
    pub f1: ScoreWithInterval,
    /// Before fine-tuning.
    pub base_exact_match: ScoreWithInterval,
    /// Before fine-tuning.
    pub base_f1: ScoreWithInterval,
    /// The p-value of "fine-tuning did not change F1", corrected for the number of slices.
    pub p_value_of_gain: Option<f64>,
    /// F1 minus that of the other questions, in points.
    pub difference_from_rest: Option<f64>,
    /// The p-value of "its F1 equals that of the other questions", corrected for the number of slices.
    pub p_value_of_rest: Option<f64>,
}

/// Writes all of them.
pub fn write_slices(path: &Path, fingerprint: &str, rows: &[SliceRow]) -> Result<()> {
    write_rows(path, fingerprint, rows)
}

impl Row for SliceRow {
    const KIND: &'static Kind = &SLICES;

    fn columns(rows: &[Self]) -> Vec<ArrayRef> {
        let text = |value: fn(&Self) -> &str| Arc::new(StringArray::from_iter_values(rows.iter().map(value)));
        let optional = |value: &dyn Fn(&Self) -> Option<f64>| -> ArrayRef {
            Arc::new(rows.iter().map(value).collect::<Float64Array>())
        };
        let mut columns: Vec<ArrayRef> = vec![
            text(|row| &row.slicing),
            text(|row| &row.value),
            Arc::new(UInt64Array::from_iter_values(rows.iter().map(|row| row.questions))),
        ];
        let scores: [fn(&Self) -> ScoreWithInterval; 4] =
            [|row| row.exact_match, |row| row.f1, |row| row.base_exact_match, |row| row.base_f1];
        for score in scores {
            columns.push(Arc::new(Float64Array::from_iter_values(rows.iter().map(|row| score(row).mean))));
            columns.push(optional(&|row| score(row).interval.map(|interval| interval.low)));
            columns.push(optional(&|row| score(row).interval.map(|interval| interval.high)));
        }
        columns.push(optional(&|row| row.p_value_of_gain));
        columns.push(optional(&|row| row.difference_from_rest));
        columns.push(optional(&|row| row.p_value_of_rest));
        columns
    }
}

/// Reads all of them.
pub fn read_slices(path: &Path) -> Result<Vec<SliceRow>> {
    let table = Table::open(path, &[&SLICES])?;
    let mut rows = Vec::with_capacity(table.len());
    for batch in &table.batches {
        let text = |column: usize, row: usize| batch.column(column).as_string::<i32>().value(row).to_owned();
        let float = |column: usize, row: usize| {
            let values: &PrimitiveArray<Float64Type> = batch.column(column).as_primitive();
            values.is_valid(row).then(|| values.value(row))
        };
        let score = |column: usize, row: usize| ScoreWithInterval {
            mean: float(column, row).unwrap_or_default(),
            interval: float(column + 1, row)
                .zip(float(column + 2, row))
                .map(|(low, high)| Interval { low, high }),
        };
        rows.extend((0..batch.num_rows()).map(|row| SliceRow {
            slicing: text(0, row),
            value: text(1, row),
            questions: batch.column(2).as_primitive::<UInt64Type>().value(row),
            exact_match: score(3, row),
            f1: score(6, row),
            base_exact_match: score(9, row),
            base_f1: score(12, row),
            p_value_of_gain: float(15, row),
            difference_from_rest: float(16, row),
            p_value_of_rest: float(17, row),
        }));
    }
    Ok(rows)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slices_come_back() {
        let dir = tempfile::TempDir::new().unwrap();
        let path = dir.path().join("slices.arrow");
        let score = |mean: f64| ScoreWithInterval {
            mean,
            interval: Some(Interval { low: mean - 1.0, high: mean + 1.0 }),
        };
        let slice = SliceRow {
            slicing: "question_word".to_owned(),
            value: "why".to_owned(),
            questions: 12,
            exact_match: score(50.0),
            f1: score(60.5),
            base_exact_match: score(1.0),
            base_f1: score(4.0),
            p_value_of_gain: Some(0.01),
            difference_from_rest: Some(20.5),
            p_value_of_rest: Some(0.5),
        };
        let whole = SliceRow {
            slicing: String::new(),
            f1: ScoreWithInterval { mean: 3.0, interval: None },
            p_value_of_gain: None,
            difference_from_rest: None,
            p_value_of_rest: None,
            ..slice.clone()
        };
        let rows = [whole, slice];
        write_slices(&path, "f", &rows).unwrap();
        assert_eq!(read_slices(&path).unwrap(), rows);
    }
}
