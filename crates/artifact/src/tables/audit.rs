//! The findings about the incoming data, one row per finding: `audit`.

use std::path::Path;
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, Int32Array, PrimitiveArray, RecordBatch, StringArray, StringBuilder,
    UInt32Array,
};
use arrow::datatypes::{DataType, Field, Int32Type, UInt32Type};

use crate::Result;
use crate::kind::{Kind, column, nullable};
use crate::row_writer::{Row, RowWriter};
use crate::table::Table;

mod finding;

pub use finding::{Finding, Outcome, Severity};

/// The findings about the data: ingest/`audit.arrow`.
pub static AUDIT: Kind = Kind { name: "audit", version: 1, producer: "ingest", columns };

fn columns() -> Vec<Field> {
    vec![
        column("split", DataType::Utf8),
        column("id", DataType::Utf8),
        column("finding", DataType::Utf8),
        column("severity", DataType::Utf8),
        column("outcome", DataType::Utf8),
        column("field", DataType::Utf8),
        nullable("answer_index", DataType::UInt32),
        nullable("answer_text", DataType::Utf8),
        nullable("answer_start", DataType::Int32),
        nullable("found_text", DataType::Utf8),
        nullable("found_start", DataType::Int32),
        nullable("other_id", DataType::Utf8),
        nullable("detail", DataType::Utf8),
    ]
}

/// One finding about one question. Values that do not apply are `None`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditRow {
    /// `train` or `validation`.
    pub split: String,
    /// The question's id; for a paragraph, that of its first question.
    pub id: String,
    pub finding: Finding,
    /// What happened to the question.
    pub outcome: Outcome,
    /// `id`, `context`, `question` or `answers`.
    pub field: String,
    /// Which of the question's answers, from 0.
    pub answer_index: Option<u32>,
    /// The answer, as in the data.
    pub answer_text: Option<String>,
    /// Its start, as in the data, in characters.
    pub answer_start: Option<i32>,
    /// The context's text at the answer's place, or what is there instead.
    pub found_text: Option<String>,
    /// Where the answer is in the context, in characters.
    pub found_start: Option<i32>,
    /// The question that this one repeats.
    pub other_id: Option<String>,
    /// A remark in words, about what the columns do not say.
    pub detail: Option<String>,
}

/// Writes findings as they come.
pub type AuditWriter = RowWriter<AuditRow>;

impl Row for AuditRow {
    const KIND: &'static Kind = &AUDIT;

    fn columns(rows: &[Self]) -> Vec<ArrayRef> {
        let text =
            |value: fn(&AuditRow) -> &str| Arc::new(StringArray::from_iter_values(rows.iter().map(value)));
        let optional = |value: fn(&AuditRow) -> Option<&str>| {
            let mut column = StringBuilder::new();
            for row in rows {
                column.append_option(value(row));
            }
            Arc::new(column.finish())
        };
        let start =
            |value: fn(&AuditRow) -> Option<i32>| Arc::new(rows.iter().map(value).collect::<Int32Array>());
        vec![
            text(|row| &row.split),
            text(|row| &row.id),
            text(|row| row.finding.name()),
            text(|row| row.finding.severity().name()),
            text(|row| row.outcome.name()),
            text(|row| &row.field),
            Arc::new(rows.iter().map(|row| row.answer_index).collect::<UInt32Array>()),
            optional(|row| row.answer_text.as_deref()),
            start(|row| row.answer_start),
            optional(|row| row.found_text.as_deref()),
            start(|row| row.found_start),
            optional(|row| row.other_id.as_deref()),
            optional(|row| row.detail.as_deref()),
        ]
    }
}

/// Reads the findings one after another, in the order written; the file is mapped, not loaded.
pub fn read_audit(path: &Path) -> Result<impl Iterator<Item = Result<AuditRow>> + use<>> {
    let table = Table::open(path, &[&AUDIT])?;
    let rows = 0..table.len();
    Ok(rows.map(move |index| {
        let (batch, row) = table.locate(index);
        audit_row(&table, &table.batches[batch], row)
    }))
}

fn audit_row(table: &Table, batch: &RecordBatch, row: usize) -> Result<AuditRow> {
    let text = |column: usize| batch.column(column).as_string::<i32>().value(row);
    let optional = |column: usize| {
        let values = batch.column(column).as_string::<i32>();
        values.is_valid(row).then(|| values.value(row).to_owned())
    };
    let start = |column: usize| {
        let values: &PrimitiveArray<Int32Type> = batch.column(column).as_primitive();
        values.is_valid(row).then(|| values.value(row))
    };
    let answer_index: &PrimitiveArray<UInt32Type> = batch.column(6).as_primitive();
    let unknown = |column: &str, value: &str| table.damaged(format!("it has rows of {column} \"{value}\""));
    Ok(AuditRow {
        split: text(0).to_owned(),
        id: text(1).to_owned(),
        finding: Finding::of(text(2)).ok_or_else(|| unknown("finding", text(2)))?,
        outcome: Outcome::of(text(4)).ok_or_else(|| unknown("outcome", text(4)))?,
        field: text(5).to_owned(),
        answer_index: answer_index.is_valid(row).then(|| answer_index.value(row)),
        answer_text: optional(7),
        answer_start: start(8),
        found_text: optional(9),
        found_start: start(10),
        other_id: optional(11),
        detail: optional(12),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::table_writer::BATCH_ROWS;

    #[test]
    fn findings_come_back_with_what_does_not_apply_left_out() {
        let dir = tempfile::TempDir::new().unwrap();
        let path = dir.path().join("audit.arrow");
        let moved = |number: usize| AuditRow {
            split: "train".to_owned(),
            id: format!("q{number}"),
            finding: Finding::AnswerNotAtOffset,
            outcome: Outcome::Realigned,
            field: "answers".to_owned(),
            answer_index: Some(0),
            answer_text: Some("日本 🦀".to_owned()),
            answer_start: Some(-1),
            found_text: Some(String::new()),
            found_start: Some(7),
            other_id: None,
            detail: Some("counted in UTF-16".to_owned()),
        };
        let repeated = AuditRow {
            split: "validation".to_owned(),
            id: "r".to_owned(),
            finding: Finding::QuestionInTrain,
            outcome: Outcome::Kept,
            field: "question".to_owned(),
            answer_index: None,
            answer_text: None,
            answer_start: None,
            found_text: None,
            found_start: None,
            other_id: Some("q1".to_owned()),
            detail: None,
        };
        // More than a batch.
        let rows: Vec<_> = (0..BATCH_ROWS + 2).map(moved).chain([repeated]).collect();
        let mut writer = AuditWriter::create(&path, "f").unwrap();
        for row in &rows {
            writer.push(row.clone()).unwrap();
        }
        writer.finish().unwrap();
        let read: Vec<_> = read_audit(&path).unwrap().map(Result::unwrap).collect();
        assert_eq!(read, rows);
        assert_eq!(crate::first_rows(&path, 1).unwrap()[0]["severity"], "error");
        AuditWriter::create(&path, "f").unwrap().finish().unwrap();
        assert_eq!(read_audit(&path).unwrap().count(), 0);
    }
}
