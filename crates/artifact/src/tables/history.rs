//! What training measured, deterministic values only: `history`.

use std::path::Path;
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, Float64Array, PrimitiveArray, RecordBatch, StringArray,
    UInt32Array, UInt64Array,
};
use arrow::datatypes::{DataType, Field, Float64Type, UInt32Type, UInt64Type};
use serde::{Deserialize, Serialize};

use crate::Result;
use crate::kind::{Kind, column, nullable};
use crate::row_writer::{Row, write_rows};
use crate::table::Table;

/// What training measured: train/`history.arrow`.
pub static HISTORY: Kind = Kind { name: "history", version: 1, producer: "train", columns };

fn columns() -> Vec<Field> {
    vec![
        column("global_step", DataType::UInt64),
        column("epoch", DataType::UInt32),
        column("kind", DataType::Utf8),
        column("loss", DataType::Float64),
        nullable("learning_rate", DataType::Float64),
        nullable("grad_norm", DataType::Float64),
        nullable("loss_scale", DataType::Float64),
        nullable("skipped", DataType::Boolean),
        nullable("exact_match", DataType::Float64),
        nullable("f1", DataType::Float64),
    ]
}

/// What a row of the history measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum HistoryKind {
    /// A training step.
    Train,
    /// A pass over the validation split.
    Validation,
}

impl HistoryKind {
    /// The word in the column.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Train => "train",
            Self::Validation => "validation",
        }
    }
}

/// A step, or a validation. Values that do not apply are `None`.
#[derive(Debug, Clone, PartialEq)]
pub struct HistoryRow {
    /// Steps attempted so far, this one included.
    pub global_step: u64,
    pub epoch: u32,
    /// Step or validation.
    pub kind: HistoryKind,
    /// Mean over the features.
    pub loss: f64,
    /// The rate of this step.
    pub learning_rate: Option<f64>,
    /// Global L2 norm of the gradients before clipping.
    pub grad_norm: Option<f64>,
    /// What the loss was multiplied by, in fp16.
    pub loss_scale: Option<f64>,
    /// Whether the gradients overflowed, so that no weight changed.
    pub skipped: Option<bool>,
    pub exact_match: Option<f64>,
    /// 0–100.
    pub f1: Option<f64>,
}

/// Writes the whole history.
pub fn write_history(path: &Path, fingerprint: &str, rows: &[HistoryRow]) -> Result<()> {
    write_rows(path, fingerprint, rows)
}

impl Row for HistoryRow {
    const KIND: &'static Kind = &HISTORY;

    fn columns(rows: &[Self]) -> Vec<ArrayRef> {
        let floats = |value: fn(&HistoryRow) -> Option<f64>| {
            Arc::new(rows.iter().map(value).collect::<Float64Array>())
        };
        vec![
            Arc::new(UInt64Array::from_iter_values(rows.iter().map(|row| row.global_step))),
            Arc::new(UInt32Array::from_iter_values(rows.iter().map(|row| row.epoch))),
            Arc::new(StringArray::from_iter_values(rows.iter().map(|row| row.kind.as_str()))),
            Arc::new(Float64Array::from_iter_values(rows.iter().map(|row| row.loss))),
            floats(|row| row.learning_rate),
            floats(|row| row.grad_norm),
            floats(|row| row.loss_scale),
            Arc::new(rows.iter().map(|row| row.skipped).collect::<BooleanArray>()),
            floats(|row| row.exact_match),
            floats(|row| row.f1),
        ]
    }
}

/// Reads the whole history.
pub fn read_history(path: &Path) -> Result<Vec<HistoryRow>> {
    let table = Table::open(path, &[&HISTORY])?;
    let mut rows = Vec::with_capacity(table.len());
    for batch in &table.batches {
        let kinds = batch.column(2).as_string::<i32>();
        for row in 0..batch.num_rows() {
            let kind = match kinds.value(row) {
                "train" => HistoryKind::Train,
                "validation" => HistoryKind::Validation,
                other => return Err(table.damaged(format!("it has rows of kind \"{other}\""))),
            };
            rows.push(history_row(batch, row, kind));
        }
    }
    Ok(rows)
}

fn history_row(batch: &RecordBatch, row: usize, kind: HistoryKind) -> HistoryRow {
    let float = |i: usize| {
        let column: &PrimitiveArray<Float64Type> = batch.column(i).as_primitive();
        column.is_valid(row).then(|| column.value(row))
    };
    let skipped = batch.column(7).as_boolean();
    HistoryRow {
        global_step: batch.column(0).as_primitive::<UInt64Type>().value(row),
        epoch: batch.column(1).as_primitive::<UInt32Type>().value(row),
        kind,
        loss: batch.column(3).as_primitive::<Float64Type>().value(row),
        learning_rate: float(4),
        grad_norm: float(5),
        loss_scale: float(6),
        skipped: skipped.is_valid(row).then(|| skipped.value(row)),
        exact_match: float(8),
        f1: float(9),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn history_comes_back_with_what_does_not_apply_left_out() {
        let dir = tempfile::TempDir::new().unwrap();
        let path = dir.path().join("history.arrow");
        let step = HistoryRow {
            global_step: 1,
            epoch: 1,
            kind: HistoryKind::Train,
            loss: 0.1 + 0.2,
            learning_rate: Some(3e-7),
            grad_norm: Some(f64::INFINITY),
            loss_scale: Some(65536.0),
            skipped: Some(true),
            exact_match: None,
            f1: None,
        };
        let validation = HistoryRow {
            kind: HistoryKind::Validation,
            learning_rate: None,
            grad_norm: None,
            loss_scale: None,
            skipped: None,
            exact_match: Some(12.5),
            f1: Some(99.9),
            ..step.clone()
        };
        let rows = [step, validation];
        write_history(&path, "f", &rows).unwrap();
        assert_eq!(read_history(&path).unwrap(), rows);
        assert_eq!(crate::first_rows(&path, 1).unwrap()[0]["grad_norm"], "inf");
        write_history(&path, "f", &[]).unwrap();
        assert_eq!(read_history(&path).unwrap(), []);
    }
}
