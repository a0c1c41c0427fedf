//! The result of each question of an evaluation: `questions`. Its only texts are ids and the names of slices.

use std::path::Path;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Float64Array, ListArray, StringArray, StringBuilder};
use arrow::buffer::OffsetBuffer;
use arrow::datatypes::{DataType, Field, Float64Type};

use crate::Result;
use crate::kind::{Kind, column, list_of, nullable};
use crate::row_writer::{Row, write_rows};
use crate::table::Table;

/// The result of each question: report/`questions.arrow`.
pub static QUESTIONS: Kind = Kind { name: "questions", version: 1, producer: "report", columns };

fn columns() -> Vec<Field> {
    vec![
        column("id", DataType::Utf8),
        column("slices", list_of(DataType::Utf8)),
        nullable("category", DataType::Utf8),
        column("exact_match", DataType::Float64),
        column("f1", DataType::Float64),
        column("base_exact_match", DataType::Float64),
        column("base_f1", DataType::Float64),
        column("confidence", DataType::Float64),
    ]
}

/// A question. Scores are 0–1. Those of the base model are from before fine-tuning.
#[derive(Debug, Clone, PartialEq)]
pub struct QuestionRow {
    pub id: String,
    /// The slices, as `slicing=value`.
    pub slices: Vec<String>,
    /// The category of a wrong answer.
    pub category: Option<String>,
    pub exact_match: f64,
    pub f1: f64,
    pub base_exact_match: f64,
    pub base_f1: f64,
    /// Calibrated, as `ask` shows it.
    pub confidence: f64,
}

/// Writes all of them, in the order of the data.
pub fn write_questions(path: &Path, fingerprint: &str, rows: &[QuestionRow]) -> Result<()> {
    write_rows(path, fingerprint, rows)
}

impl Row for QuestionRow {
    const KIND: &'static Kind = &QUESTIONS;

    fn columns(rows: &[Self]) -> Vec<ArrayRef> {
        let float =
            |value: fn(&Self) -> f64| Arc::new(Float64Array::from_iter_values(rows.iter().map(value)));
        let slices = StringArray::from_iter_values(rows.iter().flat_map(|row| &row.slices));
        let item = Field::new_list_field(DataType::Utf8, false);
        let lengths = OffsetBuffer::from_lengths(rows.iter().map(|row| row.slices.len()));
        let mut category = StringBuilder::new();
        for row in rows {
            category.append_option(row.category.as_deref());
        }
        vec![
            Arc::new(StringArray::from_iter_values(rows.iter().map(|row| &row.id))),
            Arc::new(ListArray::new(item.into(), lengths, Arc::new(slices), None)),
            Arc::new(category.finish()),
            float(|row| row.exact_match),
            float(|row| row.f1),
            float(|row| row.base_exact_match),
            float(|row| row.base_f1),
            float(|row| row.confidence),
        ]
    }
}

/// Reads all of them.
pub fn read_questions(path: &Path) -> Result<Vec<QuestionRow>> {
    let table = Table::open(path, &[&QUESTIONS])?;
    let mut rows = Vec::with_capacity(table.len());
    for batch in &table.batches {
        let text = |column: usize| batch.column(column).as_string::<i32>();
        let float = |column: usize| batch.column(column).as_primitive::<Float64Type>().values();
        rows.extend((0..batch.num_rows()).map(|row| {
            let slices = batch.column(1).as_list::<i32>().value(row);
            QuestionRow {
                id: text(0).value(row).to_owned(),
                slices: slices.as_string::<i32>().iter().flatten().map(str::to_owned).collect(),
                category: text(2).is_valid(row).then(|| text(2).value(row).to_owned()),
                exact_match: float(3)[row],
                f1: float(4)[row],
                base_exact_match: float(5)[row],
                base_f1: float(6)[row],
                confidence: float(7)[row],
            }
        }));
    }
    Ok(rows)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn questions_come_back() {
        let dir = tempfile::TempDir::new().unwrap();
        let path = dir.path().join("questions.arrow");
        let right = QuestionRow {
            id: "a".to_owned(),
            slices: vec!["question_word=why".to_owned(), "own=x=y".to_owned()],
            category: None,
            exact_match: 1.0,
            f1: 1.0,
            base_exact_match: 0.0,
            base_f1: 0.25,
            confidence: 0.5,
        };
        let wrong =
            QuestionRow { slices: Vec::new(), category: Some("too_long".to_owned()), ..right.clone() };
        let rows = [right, wrong];
        write_questions(&path, "f", &rows).unwrap();
        assert_eq!(read_questions(&path).unwrap(), rows);
        write_questions(&path, "f", &[]).unwrap();
        assert_eq!(read_questions(&path).unwrap(), []);
    }
}
