//! Questions with their answers: `examples`.

use std::path::Path;
use std::sync::Arc;

use arrow::array::{
    Array, ArrayBuilder, AsArray, BooleanArray, BooleanBuilder, Int32Builder, ListArray, ListBuilder,
    RecordBatch, StringArray, StringBuilder, UInt32Array, UInt32Builder,
};
use arrow::datatypes::{DataType, Field, Int32Type, UInt32Type};

use crate::kind::{Kind, column, list_of};
use crate::table::Table;
use crate::table_writer::{BATCH_BYTES, BATCH_ROWS, TableWriter};
use crate::{Contexts, Error, Result};

/// Questions: ingest/`examples-….arrow`.
pub static EXAMPLES: Kind = Kind { name: "examples", version: 1, producer: "ingest", columns };

fn columns() -> Vec<Field> {
    vec![
        column("id", DataType::Utf8),
        column("context_id", DataType::UInt32),
        column("question", DataType::Utf8),
        column("answer_texts", list_of(DataType::Utf8)),
        column("answer_starts", list_of(DataType::Int32)),
        column("is_impossible", DataType::Boolean),
    ]
}

/// A question about a paragraph.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Example<'a> {
    /// The data set's own identifier.
    pub id: &'a str,
    /// The row of its paragraph in contexts.
    pub context_id: u32,
    /// The question as in the data set.
    pub question: &'a str,
    /// The annotators' answers; may be empty.
    pub answers: Vec<Answer<'a>>,
    /// Whether the paragraph does not answer it (`SQuAD` v2.0).
    pub is_impossible: bool,
}

/// A marked answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Answer<'a> {
    /// The text, as in the paragraph.
    pub text: &'a str,
    /// The start in the paragraph, in characters.
    pub start: i32,
}

/// The questions of a split, memory-mapped.
#[derive(Debug)]
pub struct Examples {
    table: Table,
    batches: Vec<Batch>,
}

#[derive(Debug)]
struct Batch {
    id: StringArray,
    context_id: UInt32Array,
    question: StringArray,
    answer_texts: ListArray,
    answer_starts: ListArray,
    is_impossible: BooleanArray,
}

impl Examples {
    /// Maps the file and checks all of it.
    pub fn open(path: &Path) -> Result<Self> {
        Self::new(Table::open(path, &[&EXAMPLES])?)
    }

    pub(crate) fn new(table: Table) -> Result<Self> {
        let batches: Vec<Batch> = table.batches.iter().map(Batch::new).collect();
        for batch in &batches {
            if !batch.answer_texts.offsets().lengths().eq(batch.answer_starts.offsets().lengths()) {
                return Err(
                    table.damaged("a row has different numbers of answer_texts and answer_starts".to_owned())
                );
            }
        }
        Ok(Self { table, batches })
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

    /// A question; `index` is what features call `example_index`.
    ///
    /// # Panics
    ///
    /// If there is none, like indexing a slice.
    #[must_use]
    pub fn get(&self, index: usize) -> Example<'_> {
        let (batch, row) = self.table.locate(index);
        self.batches[batch].get(row)
    }

    /// The questions in order.
    #[must_use]
    pub fn iter(&self) -> impl ExactSizeIterator<Item = Example<'_>> {
        (0..self.len()).map(|index| self.get(index))
    }

    /// Refuses contexts that these questions do not belong to, by the highest `context_id`.
    pub fn check_contexts(&self, contexts: &Contexts) -> Result<()> {
        let ids = self.batches.iter().flat_map(|batch| batch.context_id.values());
        match ids.enumerate().find(|&(_, &context_id)| context_id as usize >= contexts.len()) {
            None => Ok(()),
            Some((row, context_id)) => Err(Error::Row {
                path: self.table.path.clone(),
                row,
                why: format!("context_id is {context_id}, but there are {} contexts", contexts.len()),
            }),
        }
    }
}

impl Batch {
    fn new(batch: &RecordBatch) -> Self {
        Self {
            id: batch.column(0).as_string().clone(),
            context_id: batch.column(1).as_primitive::<UInt32Type>().clone(),
            question: batch.column(2).as_string().clone(),
            answer_texts: batch.column(3).as_list().clone(),
            answer_starts: batch.column(4).as_list().clone(),
            is_impossible: batch.column(5).as_boolean().clone(),
        }
    }

    fn get(&self, row: usize) -> Example<'_> {
        let texts = self.answer_texts.values().as_string::<i32>();
        let starts = self.answer_starts.values().as_primitive::<Int32Type>().values();
        let (first_text, first_start) = (
            self.answer_texts.value_offsets()[row] as usize,
            self.answer_starts.value_offsets()[row] as usize,
        );
        let count = self.answer_texts.value_length(row) as usize;
        let answer = |i| Answer { text: texts.value(first_text + i), start: starts[first_start + i] };
        Example {
            id: self.id.value(row),
            context_id: self.context_id.value(row),
            question: self.question.value(row),
            answers: (0..count).map(answer).collect(),
            is_impossible: self.is_impossible.value(row),
        }
    }
}

/// Writes questions as they come.
pub struct ExamplesWriter {
    table: TableWriter,
    id: StringBuilder,
    context_id: UInt32Builder,
    question: StringBuilder,
    answer_texts: ListBuilder<StringBuilder>,
    answer_starts: ListBuilder<Int32Builder>,
    is_impossible: BooleanBuilder,
    pending_bytes: usize,
}

impl ExamplesWriter {
    /// Begins the table; it is at `path` once finished.
    pub fn create(path: &Path, fingerprint: &str) -> Result<Self> {
        let item = |data_type| Field::new_list_field(data_type, false);
        Ok(Self {
            table: TableWriter::create(path, fingerprint, &EXAMPLES)?,
            id: StringBuilder::new(),
            context_id: UInt32Builder::new(),
            question: StringBuilder::new(),
            answer_texts: ListBuilder::new(StringBuilder::new()).with_field(item(DataType::Utf8)),
            answer_starts: ListBuilder::new(Int32Builder::new()).with_field(item(DataType::Int32)),
            is_impossible: BooleanBuilder::new(),
            pending_bytes: 0,
        })
    }

    /// Adds a question.
    pub fn push(&mut self, example: &Example<'_>) -> Result<()> {
        self.id.append_value(example.id);
        self.context_id.append_value(example.context_id);
        self.question.append_value(example.question);
        self.pending_bytes += example.id.len() + example.question.len();
        for answer in &example.answers {
            self.answer_texts.values().append_value(answer.text);
            self.answer_starts.values().append_value(answer.start);
            self.pending_bytes += answer.text.len();
        }
        self.answer_texts.append(true);
        self.answer_starts.append(true);
        self.is_impossible.append_value(example.is_impossible);
        if self.id.len() == BATCH_ROWS || self.pending_bytes >= BATCH_BYTES {
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
        self.pending_bytes = 0;
        let id = self.id.finish();
        if id.is_empty() {
            return Ok(());
        }
        self.table.write(vec![
            Arc::new(id),
            Arc::new(self.context_id.finish()),
            Arc::new(self.question.finish()),
            Arc::new(self.answer_texts.finish()),
            Arc::new(self.answer_starts.finish()),
            Arc::new(self.is_impossible.finish()),
        ])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ContextsWriter;

    #[test]
    fn examples_come_back_with_any_number_of_answers() {
        let dir = tempfile::TempDir::new().unwrap();
        let path = dir.path().join("examples-train.arrow");
        let answers = [Answer { text: "Москва", start: 4 }, Answer { text: "в Москве", start: 0 }];
        let ids: Vec<String> = (0..BATCH_ROWS + 2).map(|i| format!("id-{i}")).collect();
        let example = |i: usize| Example {
            id: &ids[i],
            context_id: i as u32 / 5,
            question: "Где?  ",
            answers: answers[..i % 3].to_vec(),
            is_impossible: i.is_multiple_of(3),
        };
        let mut writer = ExamplesWriter::create(&path, "f").unwrap();
        for i in 0..ids.len() {
            writer.push(&example(i)).unwrap();
        }
        writer.finish().unwrap();
        let examples = Examples::open(&path).unwrap();
        assert_eq!(examples.len(), ids.len());
        for (i, found) in examples.iter().enumerate() {
            assert_eq!(found, example(i));
        }
    }

    #[test]
    fn contexts_of_another_data_set_are_refused() {
        let dir = tempfile::TempDir::new().unwrap();
        let (contexts, path) = (dir.path().join("contexts.arrow"), dir.path().join("examples.arrow"));
        let mut writer = ContextsWriter::create(&contexts, "f").unwrap();
        writer.push("t", "c").unwrap();
        writer.finish().unwrap();
        let mut writer = ExamplesWriter::create(&path, "f").unwrap();
        let example = Example { id: "a", context_id: 0, question: "?", answers: vec![], is_impossible: true };
        writer.push(&example).unwrap();
        writer.push(&Example { context_id: 1, ..example }).unwrap();
        writer.finish().unwrap();
        let error = Examples::open(&path).unwrap().check_contexts(&Contexts::open(&contexts).unwrap());
        assert_eq!(
            error.unwrap_err().to_string(),
            format!("row 1 does not fit {}: context_id is 1, but there are 1 contexts", path.display())
        );
    }
}
