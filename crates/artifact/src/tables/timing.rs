//! How fast training was, which depends on the machine: `timing`.

use std::path::Path;
use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, Float64Array, UInt64Array};
use arrow::datatypes::{DataType, Field, Float64Type, UInt64Type};

use crate::Result;
use crate::kind::{Kind, column};
use crate::row_writer::{Row, write_rows};
use crate::table::Table;

/// How fast it was: train/`timing.arrow`.
pub static TIMING: Kind = Kind { name: "timing", version: 1, producer: "train", columns };

fn columns() -> Vec<Field> {
    vec![
        column("global_step", DataType::UInt64),
        column("elapsed_ms", DataType::Float64),
        column("features", DataType::UInt64),
        column("tokens", DataType::UInt64),
        column("step_ms", DataType::Float64),
    ]
}

/// The time of some steps.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TimingRow {
    /// Steps attempted so far.
    pub global_step: u64,
    /// Since training began.
    pub elapsed_ms: f64,
    /// Features since the row before.
    pub features: u64,
    /// Tokens since the row before, without padding.
    pub tokens: u64,
    /// Mean over the steps since the row before.
    pub step_ms: f64,
}

pub fn write_timing(path: &Path, fingerprint: &str, rows: &[TimingRow]) -> Result<()> {
    write_rows(path, fingerprint, rows)
}

impl Row for TimingRow {
    const KIND: &'static Kind = &TIMING;

    fn columns(rows: &[Self]) -> Vec<ArrayRef> {
        let counts =
            |value: fn(&TimingRow) -> u64| Arc::new(UInt64Array::from_iter_values(rows.iter().map(value)));
        let times =
            |value: fn(&TimingRow) -> f64| Arc::new(Float64Array::from_iter_values(rows.iter().map(value)));
        vec![
            counts(|row| row.global_step),
            times(|row| row.elapsed_ms),
            counts(|row| row.features),
            counts(|row| row.tokens),
            times(|row| row.step_ms),
        ]
    }
}

pub fn read_timing(path: &Path) -> Result<Vec<TimingRow>> {
    let table = Table::open(path, &[&TIMING])?;
    let mut rows = Vec::with_capacity(table.len());
    for batch in &table.batches {
        let count = |i: usize| batch.column(i).as_primitive::<UInt64Type>().values();
        let time = |i: usize| batch.column(i).as_primitive::<Float64Type>().values();
        rows.extend((0..batch.num_rows()).map(|row| TimingRow {
            global_step: count(0)[row],
            elapsed_ms: time(1)[row],
            features: count(2)[row],
            tokens: count(3)[row],
            step_ms: time(4)[row],
        }));
    }
    Ok(rows)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::table_writer::BATCH_ROWS;

    #[test]
    fn timing_comes_back() {
        let dir = tempfile::TempDir::new().unwrap();
        let path = dir.path().join("timing.arrow");
        let row = |i| TimingRow {
            global_step: i,
            elapsed_ms: i as f64 / 3.0,
            features: 8,
            tokens: 1370,
            step_ms: 660.5,
        };
        let rows: Vec<_> = (0..=BATCH_ROWS as u64).map(row).collect();
        write_timing(&path, "f", &rows).unwrap();
        assert_eq!(read_timing(&path).unwrap(), rows);
    }
}
