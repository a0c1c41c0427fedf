//! Opens a table: maps the file, checks kind, version, columns and footer, then hands out record batches.
//!
//! What the columns mean is in `tables`.

use std::path::{Path, PathBuf};

use arrow::array::RecordBatch;
use arrow::buffer::Buffer;
use arrow::datatypes::{Fields, SchemaRef};

use crate::error::rewrite;
use crate::ipc::{Footer, check_magic};
use crate::kind::Kind;
use crate::{Error, Result, mmap};

pub(crate) const KIND_KEY: &str = "distilburn.kind";
pub(crate) const VERSION_KEY: &str = "distilburn.version";
pub(crate) const FINGERPRINT_KEY: &str = "distilburn.fingerprint";

/// An open table. Its record batches point into the mapped file.
#[derive(Debug)]
pub(crate) struct Table {
    pub(crate) path: PathBuf,
    pub(crate) kind: &'static Kind,
    pub(crate) schema: SchemaRef,
    pub(crate) batches: Vec<RecordBatch>,
    /// The first row of each batch, and at the end the number of rows.
    starts: Vec<usize>,
}

impl Table {
    /// Opens a table of one of these kinds.
    pub(crate) fn open(path: &Path, kinds: &[&'static Kind]) -> Result<Self> {
        Self::from_buffer(path, &mmap::map(path)?, kinds)
    }

    /// Checks a mapped file; `path` is for the errors.
    fn from_buffer(path: &Path, file: &Buffer, kinds: &[&'static Kind]) -> Result<Self> {
        let expected = if let [kind] = kinds { Some(kind.producer) } else { None };
        let remedy = || rewrite(expected);
        let damaged = |why| Error::Damaged { path: path.to_owned(), why, remedy: remedy() };
        let foreign = |why| Error::Foreign { path: path.to_owned(), why, remedy: remedy() };

        check_magic(file).map_err(foreign)?;
        let footer = Footer::read(file).map_err(damaged)?;
        let found = footer.schema.metadata.get(KIND_KEY);
        let found = found.ok_or_else(|| foreign(format!("an Arrow file without `{KIND_KEY}`")))?;
        let kind = kinds.iter().find(|kind| kind.name == *found).ok_or_else(|| Error::Kind {
            path: path.to_owned(),
            found: found.clone(),
            expected: kinds.iter().map(|kind| kind.name).collect::<Vec<_>>().join(" or "),
            remedy: remedy(),
        })?;
        check_version(path, kind, &footer.schema)?;
        check_columns(path, kind, footer.schema.fields())?;
        let batches = footer.batches(file).map_err(damaged)?;
        let mut starts = vec![0];
        starts.extend(batches.iter().scan(0, |rows, batch| {
            *rows += batch.num_rows();
            Some(*rows)
        }));
        Ok(Self { path: path.to_owned(), kind, schema: footer.schema, batches, starts })
    }

    /// The number of rows.
    pub(crate) fn len(&self) -> usize {
        self.starts.last().copied().unwrap_or(0)
    }

    /// A value of the schema metadata.
    pub(crate) fn metadata(&self, key: &str) -> Option<&str> {
        self.schema.metadata.get(key).map(String::as_str)
    }

    /// The batch that holds a row, and the row's place in it.
    ///
    /// # Panics
    ///
    /// If there is no such row, like indexing a slice.
    pub(crate) fn locate(&self, index: usize) -> (usize, usize) {
        assert!(index < self.len(), "row {index} of {} in {}", self.len(), self.path.display());
        let batch = self.starts.partition_point(|&start| start <= index) - 1;
        (batch, index - self.starts[batch])
    }

    /// A fault in the rows of an otherwise valid file.
    pub(crate) fn damaged(&self, why: String) -> Error {
        let remedy = rewrite(Some(self.kind.producer));
        Error::Damaged { path: self.path.clone(), why, remedy }
    }
}

fn check_version(path: &Path, kind: &'static Kind, schema: &SchemaRef) -> Result<()> {
    let found = schema.metadata.get(VERSION_KEY).map_or("", String::as_str);
    if found == kind.version.to_string() {
        return Ok(());
    }
    Err(Error::Version {
        path: path.to_owned(),
        kind: kind.name,
        found: if found.is_empty() { "(none)".to_owned() } else { found.to_owned() },
        expected: kind.version,
        remedy: rewrite(Some(kind.producer)),
    })
}

fn check_columns(path: &Path, kind: &'static Kind, found: &Fields) -> Result<()> {
    let expected = kind.fields();
    let differs = |&i: &usize| found.get(i) != expected.get(i);
    let Some(column) = (0..found.len().max(expected.len())).find(differs) else {
        return Ok(());
    };
    let describe =
        |fields: &Fields| fields.get(column).map_or_else(|| "none".to_owned(), |field| format!("`{field}`"));
    Err(Error::Columns {
        path: path.to_owned(),
        kind: kind.name,
        version: kind.version,
        found: describe(found),
        expected: describe(&expected),
        remedy: rewrite(Some(kind.producer)),
    })
}

#[cfg(test)]
mod tests;
