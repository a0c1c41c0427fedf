//! How fast a model answers, which depends on the machine: `profile`.

use std::path::Path;
use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, Float64Array, StringArray, UInt64Array};
use arrow::datatypes::{DataType, Field, Float64Type, UInt64Type};

use crate::Result;
use crate::kind::{Kind, column};
use crate::row_writer::{Row, write_rows};
use crate::table::Table;

/// How fast a model answers: evaluate/`profile.arrow`.
pub static PROFILE: Kind = Kind { name: "profile", version: 1, producer: "evaluate", columns };

fn columns() -> Vec<Field> {
    vec![
        column("scenario", DataType::Utf8),
        column("scope", DataType::Utf8),
        column("measure", DataType::Utf8),
        column("value", DataType::Float64),
        column("samples", DataType::UInt64),
    ]
}

/// One figure.
#[derive(Debug, Clone, PartialEq)]
pub struct ProfileRow {
    /// The scenario of `MLPerf` Inference: `SingleStream`, one question after another, or `Offline`, all of them at once.
    pub scenario: String,
    /// `end to end`, from text to answer, or `model`, only the forward passes.
    pub scope: String,
    /// `p50_ms`, `p90_ms`, `p99_ms`, `questions_per_s` or `tokens_per_s`.
    pub measure: String,
    pub value: f64,
    /// Questions that were timed.
    pub samples: u64,
}

pub fn write_profile(path: &Path, fingerprint: &str, rows: &[ProfileRow]) -> Result<()> {
    write_rows(path, fingerprint, rows)
}

impl Row for ProfileRow {
    const KIND: &'static Kind = &PROFILE;

    fn columns(rows: &[Self]) -> Vec<ArrayRef> {
        let texts =
            |text: fn(&Self) -> &String| Arc::new(StringArray::from_iter_values(rows.iter().map(text)));
        vec![
            texts(|row| &row.scenario),
            texts(|row| &row.scope),
            texts(|row| &row.measure),
            Arc::new(Float64Array::from_iter_values(rows.iter().map(|row| row.value))),
            Arc::new(UInt64Array::from_iter_values(rows.iter().map(|row| row.samples))),
        ]
    }
}

pub fn read_profile(path: &Path) -> Result<Vec<ProfileRow>> {
    let table = Table::open(path, &[&PROFILE])?;
    let mut rows = Vec::with_capacity(table.len());
    for batch in &table.batches {
        let text = |i: usize, row: usize| batch.column(i).as_string::<i32>().value(row).to_owned();
        rows.extend((0..batch.num_rows()).map(|row| ProfileRow {
            scenario: text(0, row),
            scope: text(1, row),
            measure: text(2, row),
            value: batch.column(3).as_primitive::<Float64Type>().values()[row],
            samples: batch.column(4).as_primitive::<UInt64Type>().values()[row],
        }));
    }
    Ok(rows)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_profile_comes_back() {
        let dir = tempfile::TempDir::new().unwrap();
        let path = dir.path().join("profile.arrow");
        let row = |measure: &str, value| ProfileRow {
            scenario: "Offline".to_owned(),
            scope: "model".to_owned(),
            measure: measure.to_owned(),
            value,
            samples: 12,
        };
        let rows = [row("questions_per_s", 3.5), row("tokens_per_s", 700.25)];
        write_profile(&path, "f", &rows).unwrap();
        assert_eq!(read_profile(&path).unwrap(), rows);
    }
}
