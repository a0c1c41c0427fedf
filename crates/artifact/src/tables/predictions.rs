//! The answer to each question, the other candidates and the scores: `predictions`.

use std::path::Path;

use arrow::array::{Array, AsArray};
use arrow::datatypes::{DataType, Field, Fields, Float64Type, Int32Type};

use crate::Result;
use crate::kind::{Kind, column, list_of, nullable};
use crate::table::Table;

mod writer;
pub use writer::PredictionsWriter;

/// Answers with their scores: evaluate/`predictions-….arrow`.
pub static PREDICTIONS: Kind = Kind { name: "predictions", version: 1, producer: "evaluate", columns };

fn columns() -> Vec<Field> {
    vec![
        column("id", DataType::Utf8),
        column("prediction_text", DataType::Utf8),
        column("start_char", DataType::Int32),
        column("end_char", DataType::Int32),
        column("score", DataType::Float64),
        nullable("null_score", DataType::Float64),
        column("n_best", list_of(DataType::Struct(candidate_fields()))),
        column("exact_match", DataType::Float64),
        column("f1", DataType::Float64),
    ]
}

fn candidate_fields() -> Fields {
    Fields::from(vec![
        column("text", DataType::Utf8),
        column("start_char", DataType::Int32),
        column("end_char", DataType::Int32),
        column("score", DataType::Float64),
        column("probability", DataType::Float64),
    ])
}

/// The answer to a question.
#[derive(Debug, Clone, PartialEq)]
pub struct Prediction {
    /// The question's.
    pub id: String,
    /// Empty if the question is left unanswered.
    pub prediction_text: String,
    /// Its first character in the context; -1 if unanswered.
    pub start_char: i32,
    /// The character after its last one; -1 if unanswered.
    pub end_char: i32,
    /// Start logit + end logit.
    pub score: f64,
    /// The score of "no answer", if the data set allows it.
    pub null_score: Option<f64>,
    /// The best spans, best first.
    pub n_best: Vec<Candidate>,
    pub exact_match: f64,
    /// 0–1.
    pub f1: f64,
}

/// One of the best spans.
#[derive(Debug, Clone, PartialEq)]
pub struct Candidate {
    /// The text, as in the context.
    pub text: String,
    /// Its first character in the context.
    pub start_char: i32,
    /// After its last character.
    pub end_char: i32,
    /// Start logit + end logit.
    pub score: f64,
    /// Softmax over the scores of the question's candidates.
    pub probability: f64,
}

/// The predictions for a split, memory-mapped.
#[derive(Debug)]
pub struct Predictions {
    table: Table,
}

impl Predictions {
    /// Maps the file and checks all of it.
    pub fn open(path: &Path) -> Result<Self> {
        Ok(Self { table: Table::open(path, &[&PREDICTIONS])? })
    }

    /// Checks that there are predictions for this many questions.
    pub fn check_length(&self, questions: usize) -> Result<()> {
        if self.len() == questions {
            return Ok(());
        }
        Err(self.table.damaged(format!("it has {} predictions for {questions} questions", self.len())))
    }

    /// The number of questions.
    #[must_use]
    pub fn len(&self) -> usize {
        self.table.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The prediction in a row; rows are in the order of examples.
    ///
    /// # Panics
    ///
    /// If there is none, like indexing a slice.
    #[must_use]
    pub fn get(&self, index: usize) -> Prediction {
        let (batch, row) = self.table.locate(index);
        let batch = &self.table.batches[batch];
        let text = |i: usize| batch.column(i).as_string::<i32>().value(row).to_owned();
        let int = |i: usize| batch.column(i).as_primitive::<Int32Type>().value(row);
        let float = |i: usize| batch.column(i).as_primitive::<Float64Type>().value(row);
        Prediction {
            id: text(0),
            prediction_text: text(1),
            start_char: int(2),
            end_char: int(3),
            score: float(4),
            null_score: batch.column(5).is_valid(row).then(|| float(5)),
            n_best: candidates(batch.column(6), row),
            exact_match: float(7),
            f1: float(8),
        }
    }

    /// The predictions in order.
    #[must_use]
    pub fn iter(&self) -> impl ExactSizeIterator<Item = Prediction> {
        (0..self.len()).map(|index| self.get(index))
    }
}

fn candidates(column: &dyn Array, row: usize) -> Vec<Candidate> {
    let lists = column.as_list::<i32>();
    let spans = lists.values().as_struct();
    let int = |i: usize| spans.column(i).as_primitive::<Int32Type>().values();
    let float = |i: usize| spans.column(i).as_primitive::<Float64Type>().values();
    let range = lists.value_offsets()[row] as usize..lists.value_offsets()[row + 1] as usize;
    let candidate = |i: usize| Candidate {
        text: spans.column(0).as_string::<i32>().value(i).to_owned(),
        start_char: int(1)[i],
        end_char: int(2)[i],
        score: float(3)[i],
        probability: float(4)[i],
    };
    range.map(candidate).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::table_writer::BATCH_ROWS;

    fn prediction(i: usize) -> Prediction {
        let candidate = |rank: usize| Candidate {
            text: format!("{rank} 北京"),
            start_char: rank as i32,
            end_char: rank as i32 + 4,
            score: 10.0 - rank as f64,
            probability: 0.5f64.powi(rank as i32 + 1),
        };
        Prediction {
            id: format!("q{i}"),
            prediction_text: if i.is_multiple_of(3) { String::new() } else { "0 北京".to_owned() },
            start_char: if i.is_multiple_of(3) { -1 } else { 0 },
            end_char: if i.is_multiple_of(3) { -1 } else { 4 },
            score: 10.0,
            null_score: i.is_multiple_of(2).then_some(-1.5),
            n_best: (0..i % 4).map(candidate).collect(),
            exact_match: 0.0,
            f1: 2.0 / 3.0,
        }
    }

    #[test]
    fn predictions_come_back_with_their_rivals() {
        let dir = tempfile::TempDir::new().unwrap();
        let path = dir.path().join("predictions-validation.arrow");
        let mut writer = PredictionsWriter::create(&path, "f").unwrap();
        for i in 0..BATCH_ROWS + 6 {
            writer.push(prediction(i)).unwrap();
        }
        writer.finish().unwrap();
        let predictions = Predictions::open(&path).unwrap();
        assert_eq!(predictions.len(), BATCH_ROWS + 6);
        for (i, found) in predictions.iter().enumerate() {
            assert_eq!(found, prediction(i));
        }
    }
}
