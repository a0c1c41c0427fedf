//! Writes a table batch by batch, under a temporary name until it is complete.

use std::collections::BTreeMap;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch};
use arrow::datatypes::Schema;
use arrow::error::ArrowError;
use arrow::ipc::writer::FileWriter;
use tempfile::TempPath;

use crate::kind::Kind;
use crate::regular_file::TEMPORARY_EXTENSION;
use crate::table::{FINGERPRINT_KEY, KIND_KEY, VERSION_KEY};
use crate::{Error, Result};

/// Rows after which a table writer writes a batch.
pub(crate) const BATCH_ROWS: usize = 4096;
/// Bytes after which a table writer of long rows writes a batch.
pub(crate) const BATCH_BYTES: usize = 8 << 20;

/// An unfinished Arrow file; it is deleted unless it is finished.
pub(crate) struct TableWriter {
    path: PathBuf,
    temporary: TempPath,
    schema: Arc<Schema>,
    file: FileWriter<BufWriter<fs_err::File>>,
    rows: usize,
}

impl TableWriter {
    /// Begins a table of this kind. A table that is already at `path` stays until `finish`.
    pub(crate) fn create(path: &Path, fingerprint: &str, kind: &Kind) -> Result<Self> {
        Self::create_with(path, fingerprint, kind, BTreeMap::new())
    }

    /// Begins a table that carries more metadata.
    pub(crate) fn create_with(
        path: &Path,
        fingerprint: &str,
        kind: &Kind,
        mut metadata: BTreeMap<String, String>,
    ) -> Result<Self> {
        metadata.insert(KIND_KEY.to_owned(), kind.name.to_owned());
        metadata.insert(VERSION_KEY.to_owned(), kind.version.to_string());
        metadata.insert(FINGERPRINT_KEY.to_owned(), fingerprint.to_owned());
        let schema = Schema::new(kind.fields()).with_metadata(metadata);
        let temporary = path.with_added_extension(TEMPORARY_EXTENSION);
        let file = fs_err::File::create(&temporary)?;
        let temporary = TempPath::try_from_path(temporary)?;
        let file = FileWriter::try_new_buffered(file, &schema)
            .map_err(|source| Error::Write { path: path.to_owned(), source })?;
        Ok(Self { path: path.to_owned(), temporary, schema: Arc::new(schema), file, rows: 0 })
    }

    /// Writes one record batch of these columns.
    pub(crate) fn write(&mut self, columns: Vec<ArrayRef>) -> Result<()> {
        let batch = RecordBatch::try_new(self.schema.clone(), columns);
        let batch = batch.map_err(|e| self.error(e))?;
        self.rows += batch.num_rows();
        self.file.write(&batch).map_err(|e| self.error(e))
    }

    /// Writes the footer, syncs the table to disk and only then renames it.
    pub(crate) fn finish(mut self) -> Result<()> {
        self.file.finish().map_err(|e| self.error(e))?;
        self.file.get_mut().flush()?;
        self.file.get_ref().get_ref().sync_all()?;
        // Closed before the rename, because some file systems require it.
        drop(self.file);
        self.temporary.persist(&self.path).map_err(|persist| {
            let named = format!("{}: {}", self.path.display(), persist.error);
            std::io::Error::new(persist.error.kind(), named)
        })?;
        Ok(())
    }

    /// Rows in the batches so far.
    pub(crate) fn rows(&self) -> usize {
        self.rows
    }

    pub(crate) fn error(&self, source: ArrowError) -> Error {
        Error::Write { path: self.path.clone(), source }
    }

    /// The error for a row that cannot be written; `pending` rows wait for the next batch.
    pub(crate) fn bad_row(&self, pending: usize, why: String) -> Error {
        Error::Row { path: self.path.clone(), row: self.rows + pending, why }
    }
}
