//! Small files that travel with a model, verbatim: `assets`.

use std::path::Path;
use std::sync::Arc;

use arrow::array::{AsArray, LargeBinaryArray, StringArray};
use arrow::datatypes::{DataType, Field};

use crate::Result;
use crate::kind::{Kind, column};
use crate::table::Table;
use crate::table_writer::TableWriter;

/// Small files, verbatim: ingest/`assets.arrow`.
pub static ASSETS: Kind = Kind { name: "assets", version: 1, producer: "ingest", columns };

fn columns() -> Vec<Field> {
    vec![column("name", DataType::Utf8), column("data", DataType::LargeBinary)]
}

/// The files of a model by name, memory-mapped.
#[derive(Debug)]
pub struct Assets {
    table: Table,
}

impl Assets {
    /// Maps the file and checks all of it.
    pub fn open(path: &Path) -> Result<Self> {
        Ok(Self { table: Table::open(path, &[&ASSETS])? })
    }

    /// The bytes of a file; `None` if there is no such file.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&[u8]> {
        self.iter().find(|&(found, _)| found == name).map(|(_, data)| data)
    }

    /// The names, in the order written.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.iter().map(|(name, _)| name)
    }

    /// Names and bytes, in the order written.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &[u8])> {
        self.table.batches.iter().flat_map(|batch| {
            let names = batch.column(0).as_string::<i32>();
            let data = batch.column(1).as_binary::<i64>();
            (0..batch.num_rows()).map(|row| (names.value(row), data.value(row)))
        })
    }

    /// The number of files.
    #[must_use]
    pub fn len(&self) -> usize {
        self.table.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// Writes files as they come.
pub struct AssetsWriter {
    table: TableWriter,
}

impl AssetsWriter {
    /// Begins the table; it is at `path` once finished.
    pub fn create(path: &Path, fingerprint: &str) -> Result<Self> {
        Ok(Self { table: TableWriter::create(path, fingerprint, &ASSETS)? })
    }

    /// Adds a file.
    pub fn push(&mut self, name: &str, data: &[u8]) -> Result<()> {
        let name = StringArray::from_iter_values([name]);
        self.table.write(vec![Arc::new(name), Arc::new(LargeBinaryArray::from_iter_values([data]))])
    }

    /// Completes the table.
    pub fn finish(self) -> Result<()> {
        self.table.finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn assets_come_back_by_name() {
        let dir = tempfile::TempDir::new().unwrap();
        let path = dir.path().join("assets.arrow");
        let mut writer = AssetsWriter::create(&path, "f").unwrap();
        writer.push("config.json", "{\"ü\": 1}".as_bytes()).unwrap();
        writer.push("empty", &[]).unwrap();
        writer.push("raw", &[0, 255, 10]).unwrap();
        writer.finish().unwrap();
        let assets = Assets::open(&path).unwrap();
        assert_eq!(assets.names().collect::<Vec<_>>(), ["config.json", "empty", "raw"]);
        assert_eq!(assets.get("config.json"), Some("{\"ü\": 1}".as_bytes()));
        assert_eq!(assets.get("empty"), Some(&[][..]));
        assert_eq!(assets.get("raw"), Some(&[0, 255, 10][..]));
        assert_eq!(assets.get("absent"), None);
    }
}
