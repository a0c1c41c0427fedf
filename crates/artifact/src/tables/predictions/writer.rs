//! Predictions as columns.

use std::sync::Arc;

use arrow::array::{ArrayRef, Float64Array, Int32Array, ListArray, StringArray, StructArray};
use arrow::buffer::OffsetBuffer;
use arrow::datatypes::{DataType, Field};

use super::{Candidate, PREDICTIONS, Prediction, candidate_fields};
use crate::kind::Kind;
use crate::row_writer::{Row, RowWriter};

/// Writes predictions as they come, one for each question.
pub type PredictionsWriter = RowWriter<Prediction>;

impl Row for Prediction {
    const KIND: &'static Kind = &PREDICTIONS;

    fn columns(rows: &[Self]) -> Vec<ArrayRef> {
        let text =
            |value: fn(&Prediction) -> &str| Arc::new(StringArray::from_iter_values(rows.iter().map(value)));
        let int =
            |value: fn(&Prediction) -> i32| Arc::new(Int32Array::from_iter_values(rows.iter().map(value)));
        let float =
            |value: fn(&Prediction) -> f64| Arc::new(Float64Array::from_iter_values(rows.iter().map(value)));
        vec![
            text(|row| &row.id),
            text(|row| &row.prediction_text),
            int(|row| row.start_char),
            int(|row| row.end_char),
            float(|row| row.score),
            Arc::new(rows.iter().map(|row| row.null_score).collect::<Float64Array>()),
            Arc::new(n_best(rows)),
            float(|row| row.exact_match),
            float(|row| row.f1),
        ]
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
