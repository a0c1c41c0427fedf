//! The listing of an exported model folder: `files`.

use std::path::Path;
use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, StringArray, UInt64Array};
use arrow::datatypes::{DataType, Field, UInt64Type};

use crate::Result;
use crate::kind::{Kind, column};
use crate::row_writer::{Row, write_rows};
use crate::table::Table;

/// The listing of an exported model: export/`files.arrow`.
pub static FILES: Kind = Kind { name: "files", version: 1, producer: "export", columns };

fn columns() -> Vec<Field> {
    vec![column("path", DataType::Utf8), column("bytes", DataType::UInt64), column("sha256", DataType::Utf8)]
}

/// A file of an exported model.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExportedFile {
    /// The path inside the artifact, with `/`.
    pub path: String,
    /// Its size.
    pub bytes: u64,
    /// 64 hex digits, as the Hub shows them.
    pub sha256: String,
}

/// Writes the listing.
pub fn write_files(path: &Path, fingerprint: &str, files: &[ExportedFile]) -> Result<()> {
    write_rows(path, fingerprint, files)
}

impl Row for ExportedFile {
    const KIND: &'static Kind = &FILES;

    fn columns(rows: &[Self]) -> Vec<ArrayRef> {
        let text = |value: fn(&Self) -> &str| Arc::new(StringArray::from_iter_values(rows.iter().map(value)));
        vec![
            text(|row| &row.path),
            Arc::new(UInt64Array::from_iter_values(rows.iter().map(|row| row.bytes))),
            text(|row| &row.sha256),
        ]
    }
}

/// Reads the listing.
pub fn read_files(path: &Path) -> Result<Vec<ExportedFile>> {
    let table = Table::open(path, &[&FILES])?;
    let mut files = Vec::with_capacity(table.len());
    for batch in &table.batches {
        let text = |i: usize, row| batch.column(i).as_string::<i32>().value(row).to_owned();
        let bytes = batch.column(1).as_primitive::<UInt64Type>();
        files.extend((0..batch.num_rows()).map(|row| ExportedFile {
            path: text(0, row),
            bytes: bytes.value(row),
            sha256: text(2, row),
        }));
    }
    Ok(files)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_listing_comes_back() {
        let dir = tempfile::TempDir::new().unwrap();
        let path = dir.path().join("files.arrow");
        let file = |path: &str, bytes| ExportedFile { path: path.to_owned(), bytes, sha256: "ab".repeat(32) };
        let files = [file("model/config.json", 570), file("model/1_Pooling/ü.json", u64::MAX)];
        write_files(&path, "f", &files).unwrap();
        assert_eq!(read_files(&path).unwrap(), files);
        write_files(&path, "f", &[]).unwrap();
        assert_eq!(read_files(&path).unwrap(), []);
    }
}
