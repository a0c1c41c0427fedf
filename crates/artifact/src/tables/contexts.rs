//! Paragraphs, which many questions share: `contexts`.

use std::path::Path;
use std::sync::Arc;

use arrow::array::{
    Array, ArrayBuilder, AsArray, LargeStringArray, LargeStringBuilder, RecordBatch, StringArray,
    StringBuilder, UInt32Array,
};
use arrow::datatypes::{DataType, Field};

use crate::Result;
use crate::kind::{Kind, column};
use crate::table::Table;
use crate::table_writer::{BATCH_BYTES, BATCH_ROWS, TableWriter};

/// Paragraphs: ingest/`contexts-….arrow`.
pub static CONTEXTS: Kind = Kind { name: "contexts", version: 1, producer: "ingest", columns };

fn columns() -> Vec<Field> {
    vec![
        column("context_id", DataType::UInt32),
        column("title", DataType::Utf8),
        column("context", DataType::LargeUtf8),
    ]
}

/// A paragraph.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Context<'a> {
    /// The article's title.
    pub title: &'a str,
    /// Its text.
    pub context: &'a str,
}

/// The paragraphs of a split, memory-mapped.
#[derive(Debug)]
pub struct Contexts {
    table: Table,
    batches: Vec<Batch>,
}

#[derive(Debug)]
struct Batch {
    title: StringArray,
    context: LargeStringArray,
}

impl Contexts {
    /// Maps the file and checks all of it.
    pub fn open(path: &Path) -> Result<Self> {
        let table = Table::open(path, &[&CONTEXTS])?;
        let batch = |batch: &RecordBatch| Batch {
            title: batch.column(1).as_string().clone(),
            context: batch.column(2).as_string().clone(),
        };
        let batches = table.batches.iter().map(batch).collect();
        Ok(Self { table, batches })
    }

    /// The number of paragraphs.
    #[must_use]
    pub fn len(&self) -> usize {
        self.table.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// A paragraph; `context_id` is its row.
    ///
    /// # Panics
    ///
    /// If there is none, like indexing a slice. [`crate::Examples::check_contexts`] rules that out for all ids of a
    /// table at once.
    #[must_use]
    pub fn get(&self, context_id: u32) -> Context<'_> {
        let (batch, row) = self.table.locate(context_id as usize);
        let Batch { title, context } = &self.batches[batch];
        Context { title: title.value(row), context: context.value(row) }
    }

    /// The paragraphs in order.
    #[must_use]
    pub fn iter(&self) -> impl ExactSizeIterator<Item = Context<'_>> {
        (0..self.len()).map(|context_id| self.get(context_id as u32))
    }
}

/// Writes paragraphs as they come.
pub struct ContextsWriter {
    table: TableWriter,
    title: StringBuilder,
    context: LargeStringBuilder,
}

impl ContextsWriter {
    /// Begins the table; it is at `path` once finished.
    pub fn create(path: &Path, fingerprint: &str) -> Result<Self> {
        let table = TableWriter::create(path, fingerprint, &CONTEXTS)?;
        Ok(Self { table, title: StringBuilder::new(), context: LargeStringBuilder::new() })
    }

    /// Adds a paragraph and returns its `context_id`.
    pub fn push(&mut self, title: &str, context: &str) -> Result<u32> {
        let pending = self.title.len();
        let context_id = u32::try_from(self.table.rows() + pending)
            .map_err(|_| self.table.bad_row(pending, "context_id goes up to 4294967295".to_owned()))?;
        self.title.append_value(title);
        self.context.append_value(context);
        let bytes = self.title.values_slice().len() + self.context.values_slice().len();
        if self.title.len() == BATCH_ROWS || bytes >= BATCH_BYTES {
            self.flush()?;
        }
        Ok(context_id)
    }

    /// Completes the table.
    pub fn finish(mut self) -> Result<()> {
        self.flush()?;
        self.table.finish()
    }

    fn flush(&mut self) -> Result<()> {
        let (title, context) = (self.title.finish(), self.context.finish());
        if title.is_empty() {
            return Ok(());
        }
        let first = self.table.rows() as u32;
        let context_id = UInt32Array::from_iter_values(first..first + title.len() as u32);
        self.table.write(vec![Arc::new(context_id), Arc::new(title), Arc::new(context)])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn contexts_come_back_under_their_ids() {
        let dir = tempfile::TempDir::new().unwrap();
        let path = dir.path().join("contexts-train.arrow");
        let mut writer = ContextsWriter::create(&path, "f").unwrap();
        // More than a batch, in two scripts.
        let text = |i: usize| format!("Absatz {i}: 日本語 🦀 naïve");
        for i in 0..BATCH_ROWS + 3 {
            assert_eq!(writer.push("Zürich", &text(i)).unwrap() as usize, i);
        }
        assert!(!path.exists());
        writer.finish().unwrap();
        let contexts = Contexts::open(&path).unwrap();
        assert_eq!((contexts.len(), contexts.table.batches.len()), (BATCH_ROWS + 3, 2));
        for (i, context) in contexts.iter().enumerate() {
            assert_eq!(context, Context { title: "Zürich", context: &text(i) });
        }
        let ids = contexts.table.batches[1].column(0).to_data();
        assert_eq!(ids.buffers()[0].typed_data::<u32>()[0] as usize, BATCH_ROWS);
    }

    #[test]
    fn a_table_without_rows_is_a_table() {
        let dir = tempfile::TempDir::new().unwrap();
        let path = dir.path().join("contexts-train.arrow");
        ContextsWriter::create(&path, "f").unwrap().finish().unwrap();
        assert!(Contexts::open(&path).unwrap().is_empty());
        assert_eq!(crate::describe(&path).unwrap().rows, 0);
        assert!(crate::first_rows(&path, 5).unwrap().is_empty());
    }
}
