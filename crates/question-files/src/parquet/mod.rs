//! Reads Parquet in record batches, each row as an object of its columns.
//!
//! Texts are views into pages: a text that a million rows refer to is in memory once. `footer` and `pages` limit what a
//! file may claim.

mod delta;
mod footer;
mod pages;
mod thrift;

use std::fs::File;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use arrow::array::{Array, AsArray as _, RecordBatch};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, FieldRef, Fields, Float64Type, Int64Type};
use parquet::arrow::arrow_reader::{ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReader};
use parquet::arrow::{ProjectionMask, parquet_to_arrow_field_levels};
use serde_json::{Map, Value};

use crate::compression;
use crate::error::{Error, Result};
use crate::parquet::pages::{Pages, RowGroup};

#[cfg(test)]
pub(crate) use self::{
    footer::{MAX_FOOTER_MIB, MAX_FURTHER_VALUES, MAX_STRUCTS},
    pages::MAX_PAGES_MIB,
};

/// Rows in memory at once.
const BATCH_ROWS: usize = 64;

/// The most values and text bytes of one row, as for a line of JSON.
pub(crate) const MAX_ROW_VALUES: usize = 250_000;
const MAX_ROW_MIB: usize = 64;

/// How far pages may expand relative to their bytes, and rows relative to the file, as for other compression; plus a
/// constant for any file.
const MAX_RATIO: u64 = compression::MAX_RATIO;
const FREE_BYTES: u64 = compression::FREE_BYTES;

const BOMB_REMEDY: &str =
    "write it as JSON Lines: `pandas.read_parquet(FILE).to_json(NEW, orient=\"records\", lines=True)`";

/// The memory of a row without its texts.
const ROW_BYTES: u64 = 64;

/// Passes every row of `file` to `take` as an object, with its number from 1. `check` gets the columns first, and only
/// columns that `knows` accepts are read.
pub(super) fn read(
    file: File,
    name: &str,
    knows: fn(&str) -> bool,
    check: &dyn Fn(&[&str]) -> Result<()>,
    take: &mut dyn FnMut(usize, Map<String, Value>) -> Result<()>,
) -> Result<()> {
    // The library has assertions that fail on a damaged file.
    let outcome = catch_unwind(AssertUnwindSafe(|| read_groups(file, name, knows, check, take)));
    outcome.unwrap_or_else(|_| Err(damaged(name, io::Error::other("its parts contradict one another"))))
}

fn damaged(name: &str, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Error {
    Error::Parquet { name: name.to_owned(), source: source.into() }
}

fn read_groups(
    file: File,
    name: &str,
    knows: fn(&str) -> bool,
    check: &dyn Fn(&[&str]) -> Result<()>,
    take: &mut dyn FnMut(usize, Map<String, Value>) -> Result<()>,
) -> Result<()> {
    let file_bytes = footer::check_size(&file, name)?;
    // Arrow's own schema beside Parquet's is not needed here.
    let options = ArrowReaderOptions::new().with_skip_arrow_metadata(true);
    let metadata = ArrowReaderMetadata::load(&file, options).map_err(|error| damaged(name, error))?;
    check(&metadata.schema().fields().iter().map(|field| field.name().as_str()).collect::<Vec<_>>())?;
    let schema = metadata.parquet_schema();
    let roots = schema.root_schema().get_fields().iter().enumerate();
    let wanted: Vec<usize> = roots.filter(|(_, field)| knows(field.name())).map(|(index, _)| index).collect();
    let mask = ProjectionMask::roots(schema, wanted);
    footer::check_columns(metadata.metadata(), &mask, name)?;
    let hint = views(metadata.schema().fields());
    let levels =
        parquet_to_arrow_field_levels(schema, mask, Some(&hint)).map_err(|error| damaged(name, error))?;
    let pages = Pages::new(file, name);
    let mut rows = Rows::new(name, file_bytes);
    for index in 0..metadata.metadata().num_row_groups() {
        let group = RowGroup { pages: &pages, metadata: metadata.metadata(), index };
        let refused = |source| pages.refusal().unwrap_or(source);
        let reader = ParquetRecordBatchReader::try_new_with_row_groups(&levels, &group, BATCH_ROWS, None);
        for batch in reader.map_err(|error| refused(damaged(name, error)))? {
            rows.show(&batch.map_err(|error| refused(damaged(name, error)))?, take)?;
            pages.batch_is_done();
        }
        pages.row_group_is_done();
    }
    Ok(())
}

/// The same fields with texts as views; a dictionary is not copied for each row then.
fn views(fields: &Fields) -> Fields {
    let view = |field: &FieldRef| {
        let data_type = match field.data_type() {
            DataType::Utf8 => DataType::Utf8View,
            DataType::Binary => DataType::BinaryView,
            DataType::List(item) => DataType::List(view_field(item)),
            DataType::Struct(fields) => DataType::Struct(views(fields)),
            DataType::Map(entries, is_sorted) => DataType::Map(view_field(entries), *is_sorted),
            other => other.clone(),
        };
        Arc::new(Field::clone(field).with_data_type(data_type))
    };
    fields.iter().map(view).collect()
}

fn view_field(field: &FieldRef) -> FieldRef {
    views(&Fields::from(vec![Arc::clone(field)]))[0].clone()
}

/// What has been read of a file so far.
pub(crate) struct Rows<'a> {
    name: &'a str,
    number: usize,
    /// The size of the rows.
    bytes: u64,
    file_bytes: u64,
}

impl<'a> Rows<'a> {
    pub(crate) fn new(name: &'a str, file_bytes: u64) -> Self {
        Self { name, number: 0, bytes: 0, file_bytes }
    }

    pub(crate) fn show(
        &mut self,
        batch: &RecordBatch,
        take: &mut dyn FnMut(usize, Map<String, Value>) -> Result<()>,
    ) -> Result<()> {
        let schema = batch.schema();
        for row in 0..batch.num_rows() {
            self.number += 1;
            let mut left = Left { values: MAX_ROW_VALUES, bytes: MAX_ROW_MIB << 20 };
            let mut object = Map::new();
            for (field, column) in schema.fields().iter().zip(batch.columns()) {
                let bytes = left.bytes;
                let value = cell(column, row, &mut left);
                let value = value.map_err(|refused| self.refuse(refused, field.name()))?;
                object.insert(field.name().clone(), value);
                if !repeats(column, row) {
                    self.bytes += (bytes - left.bytes) as u64;
                }
            }
            self.bytes += ROW_BYTES;
            if self.bytes > FREE_BYTES.saturating_add(self.file_bytes.saturating_mul(MAX_RATIO)) {
                return Err(Error::Bomb {
                    name: self.name.to_owned(),
                    ratio: MAX_RATIO,
                    compressed_bytes: self.file_bytes,
                    bytes: self.bytes,
                    remedy: BOMB_REMEDY,
                });
            }
            take(self.number, object)?;
        }
        Ok(())
    }

    fn refuse(&self, refused: Refused, column: &str) -> Error {
        match refused {
            Refused::TooLarge => Error::TooLarge {
                name: self.name.to_owned(),
                what: format!("row {}", self.number),
                limit_mib: MAX_ROW_MIB as u64,
                help: "one question per row",
            },
            Refused::Value(message) => Error::row(self.name, self.number, format!("{column}: {message}")),
        }
    }
}

/// Whether the text is the same object as in the previous row, where it was counted.
fn repeats(column: &dyn Array, row: usize) -> bool {
    let Some(texts) = column.as_string_view_opt() else { return false };
    row > 0 && texts.views()[row] == texts.views()[row - 1]
}

/// What a row may still use.
struct Left {
    values: usize,
    bytes: usize,
}

/// Why a value is not read.
enum Refused {
    /// All texts of the row.
    TooLarge,
    Value(String),
}

impl Left {
    fn text(&mut self, text: &str) -> std::result::Result<Value, Refused> {
        self.bytes = self.bytes.checked_sub(text.len()).ok_or(Refused::TooLarge)?;
        Ok(text.into())
    }

    fn value(&mut self) -> std::result::Result<(), Refused> {
        let too_many = || Refused::Value(format!("the row has more than {MAX_ROW_VALUES} values"));
        self.values = self.values.checked_sub(1).ok_or_else(too_many)?;
        Ok(())
    }
}

/// A value as JSON.
fn cell(array: &dyn Array, row: usize, left: &mut Left) -> std::result::Result<Value, Refused> {
    left.value()?;
    if array.data_type().is_null() || array.is_null(row) {
        return Ok(Value::Null);
    }
    let as_type = |data_type: &DataType| {
        cast(&array.slice(row, 1), data_type).map_err(|error| Refused::Value(error.to_string()))
    };
    Ok(match array.data_type() {
        DataType::Utf8View => left.text(array.as_string_view().value(row))?,
        DataType::Boolean => array.as_boolean().value(row).into(),
        DataType::List(_) => {
            let items = array.as_list::<i32>().value(row);
            let items = (0..items.len()).map(|item| cell(&items, item, left));
            Value::Array(items.collect::<std::result::Result<_, _>>()?)
        }
        DataType::Struct(fields) => {
            let columns = fields.iter().zip(array.as_struct().columns());
            let values = columns.map(|(field, column)| Ok((field.name().clone(), cell(column, row, left)?)));
            Value::Object(values.collect::<std::result::Result<_, _>>()?)
        }
        found if found.is_integer() => {
            let number = as_type(&DataType::Int64)?;
            if number.is_null(0) {
                return Err(Refused::Value("a number of more than 64 bits".to_owned()));
            }
            number.as_primitive::<Int64Type>().value(0).into()
        }
        found if found.is_floating() => {
            let number = as_type(&DataType::Float64)?.as_primitive::<Float64Type>().value(0);
            serde_json::Number::from_f64(number)
                .ok_or_else(|| Refused::Value(format!("{number} is not a supported number")))?
                .into()
        }
        found => return Err(Refused::Value(format!("a value of type {found}, which is not supported"))),
    })
}
