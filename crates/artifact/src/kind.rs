//! A kind of table: its name, version, columns and the stage that writes it. The kinds themselves are beside their
//! readers and writers in `tables`.
//!
//! A change of columns or of their meaning raises the version in the same commit. The version is part of the
//! fingerprint of every stage that reads or writes the kind, so older artifacts are made again, not migrated.

use arrow::datatypes::{DataType, Field, Fields};

/// What a table holds, as its schema metadata states it.
#[derive(Debug)]
pub struct Kind {
    /// `distilburn.kind`.
    pub name: &'static str,
    /// `distilburn.version`.
    pub version: u32,
    /// The stage to re-run when a table of this kind is unusable.
    pub producer: &'static str,
    pub(crate) columns: fn() -> Vec<Field>,
}

impl Kind {
    /// The columns, in order.
    pub(crate) fn fields(&self) -> Fields {
        (self.columns)().into()
    }
}

/// A column that has a value in every row.
pub(crate) fn column(name: &str, data_type: DataType) -> Field {
    Field::new(name, data_type, false)
}

/// A column that may be null.
pub(crate) fn nullable(name: &str, data_type: DataType) -> Field {
    Field::new(name, data_type, true)
}

/// The type of lists of `item`, which is never null.
pub(crate) fn list_of(item: DataType) -> DataType {
    DataType::new_list(item, false)
}
