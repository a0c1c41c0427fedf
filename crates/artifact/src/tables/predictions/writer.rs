//! Streams predictions to disk.

use std::path::Path;
use std::sync::Arc;

use arrow::array::{Float64Array, Int32Array, ListArray, StringArray, StructArray};
use arrow::buffer::OffsetBuffer;
use arrow::datatypes::{DataType, Field};

use super::{Candidate, Prediction, candidate_fields};
use crate::Result;
use crate::kind::PREDICTIONS;
use crate::table_writer::{BATCH_ROWS, TableWriter};

/// Writes predictions as they come.
pub struct PredictionsWriter {
    table: TableWriter,
    pending: Vec<Prediction>,
}

impl PredictionsWriter {
    /// Begins the table; it is at `path` once finished.
    pub fn create(path: &Path, fingerprint: &str) -> Result<Self> {
        Ok(Self { table: TableWriter::create(path, fingerprint, &PREDICTIONS)?, pending: Vec::new() })
    }

    /// Adds the prediction for the next question.
    pub fn push(&mut self, prediction: Prediction) -> Result<()> {
        self.pending.push(prediction);
        if self.pending.len() == BATCH_ROWS {
            self.flush()?;
        }
        Ok(())
    }

    /// Completes the table.
    pub fn finish(mut self) -> Result<()> {
        self.flush()?;
        self.table.finish()
    }

    fn flush(&mut self) -> Result<()> {
        let rows = &self.pending;
        if rows.is_empty() {
            return Ok(());
        }
        let text =
            |value: fn(&Prediction) -> &str| Arc::new(StringArray::from_iter_values(rows.iter().map(value)));
        let int =
            |value: fn(&Prediction) -> i32| Arc::new(Int32Array::from_iter_values(rows.iter().map(value)));
        let float =
            |value: fn(&Prediction) -> f64| Arc::new(Float64Array::from_iter_values(rows.iter().map(value)));
        self.table.write(vec![
            text(|row| &row.id),
            text(|row| &row.prediction_text),
            int(|row| row.start_char),
            int(|row| row.end_char),
            float(|row| row.score),
            Arc::new(rows.iter().map(|row| row.null_score).collect::<Float64Array>()),
            Arc::new(n_best(rows)),
            float(|row| row.exact_match),
            float(|row| row.f1),
        ])?;
        self.pending.clear();
        Ok(())
    }
}

fn n_best(rows: &[Prediction]) -> ListArray {
    let candidates = || rows.iter().flat_map(|row| &row.n_best);
    let int = |value: fn(&Candidate) -> i32| Arc::new(Int32Array::from_iter_values(candidates().map(value)));
    let float =
        |value: fn(&Candidate) -> f64| Arc::new(Float64Array::from_iter_values(candidates().map(value)));
    let spans = StructArray::new(
        candidate_fields(),
        vec![
            Arc::new(StringArray::from_iter_values(candidates().map(|candidate| &candidate.text))),
            int(|candidate| candidate.start_char),
            int(|candidate| candidate.end_char),
            float(|candidate| candidate.score),
            float(|candidate| candidate.probability),
        ],
        None,
    );
    let item = Field::new_list_field(DataType::Struct(candidate_fields()), false);
    let lengths = OffsetBuffer::from_lengths(rows.iter().map(|row| row.n_best.len()));
    ListArray::new(item.into(), lengths, Arc::new(spans), None)
}
