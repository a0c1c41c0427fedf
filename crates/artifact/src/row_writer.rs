//! Tables whose rows are structs: rows are collected as they come and turned into columns one batch at a time.

use std::mem;
use std::path::Path;

use arrow::array::ArrayRef;

use crate::Result;
use crate::kind::Kind;
use crate::table_writer::{BATCH_ROWS, TableWriter};

/// A row of one kind of table.
pub trait Row: Sized {
    /// The table.
    const KIND: &'static Kind;

    /// The columns of these rows, in the order of the kind.
    fn columns(rows: &[Self]) -> Vec<ArrayRef>;
}

/// Writes rows as they come.
pub struct RowWriter<R> {
    table: TableWriter,
    pending: Vec<R>,
}

impl<R: Row> RowWriter<R> {
    /// Begins the table; it is at `path` once finished.
    pub fn create(path: &Path, fingerprint: &str) -> Result<Self> {
        Ok(Self { table: TableWriter::create(path, fingerprint, R::KIND)?, pending: Vec::new() })
    }

    /// Adds a row.
    pub fn push(&mut self, row: R) -> Result<()> {
        self.pending.push(row);
        if self.pending.len() == BATCH_ROWS {
            self.table.write(R::columns(&mem::take(&mut self.pending)))?;
        }
        Ok(())
    }

    /// Completes the table.
    pub fn finish(mut self) -> Result<()> {
        if !self.pending.is_empty() {
            self.table.write(R::columns(&self.pending))?;
        }
        self.table.finish()
    }
}

/// Writes a whole table at once.
pub(crate) fn write_rows<R: Row>(path: &Path, fingerprint: &str, rows: &[R]) -> Result<()> {
    let mut table = TableWriter::create(path, fingerprint, R::KIND)?;
    for rows in rows.chunks(BATCH_ROWS) {
        table.write(R::columns(rows))?;
    }
    table.finish()
}
