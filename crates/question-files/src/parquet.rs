//! Parquet, read in record batches, each row as an object of its columns.

use std::fs::File;
use std::io::{self, Seek as _};
use std::panic::{AssertUnwindSafe, catch_unwind};

use arrow::array::{Array, AsArray as _};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Float64Type, Int64Type};
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use serde_json::{Map, Value};

use crate::error::{Error, Result};

/// Rows in memory at once: few, since each may be as large as the largest entry of a dictionary.
const BATCH_ROWS: usize = 32;

/// The largest ratio of a row group's pages to what they take in the file, as for other compression.
const MAX_RATIO: i64 = 250;

/// Below this size the ratio does not matter.
const FREE_BYTES: i64 = 64 << 20;

/// Values of one column, on average for each row of a row group, and beside those in any row group: a page of 2 KB can
/// hold 60 million equal answers.
const MAX_VALUES_A_ROW: i64 = 1_000;
const FREE_VALUES: i64 = 10_000;

/// Shows every row of `file` to `take` as an object, with its number from 1; `check` sees the columns first, and those
/// that `knows` are read.
pub(super) fn read(
    file: File,
    name: &str,
    knows: fn(&str) -> bool,
    check: &dyn Fn(&[&str]) -> Result<()>,
    take: &mut dyn FnMut(usize, Map<String, Value>) -> Result<()>,
) -> Result<()> {
    // The library asserts what a damaged file need not keep.
    let outcome = catch_unwind(AssertUnwindSafe(|| read_batches(file, name, knows, check, take)));
    outcome.unwrap_or_else(|_| Err(damaged(name, io::Error::other("it contradicts itself"))))
}

fn damaged(name: &str, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Error {
    Error::Parquet { name: name.to_owned(), source: source.into() }
}

fn read_batches(
    mut file: File,
    name: &str,
    knows: fn(&str) -> bool,
    check: &dyn Fn(&[&str]) -> Result<()>,
    take: &mut dyn FnMut(usize, Map<String, Value>) -> Result<()>,
) -> Result<()> {
    file.rewind().map_err(|source| Error::io(name, source))?;
    let builder = ParquetRecordBatchReaderBuilder::try_new(file).map_err(|error| damaged(name, error))?;
    check(&builder.schema().fields().iter().map(|field| field.name().as_str()).collect::<Vec<_>>())?;
    for group in builder.metadata().row_groups() {
        let rows = group.num_rows().max(0);
        let limit = rows.saturating_mul(MAX_VALUES_A_ROW).saturating_add(FREE_VALUES);
        if let Some(column) = group.columns().iter().find(|column| column.num_values() > limit) {
            let (column, values) = (column.column_path().string(), column.num_values());
            return Err(Error::Crowded { name: name.to_owned(), column, values, rows });
        }
        let (bytes, compressed) = (group.total_byte_size(), group.compressed_size());
        if bytes > FREE_BYTES && bytes > compressed.saturating_mul(MAX_RATIO) {
            return Err(Error::Bomb {
                name: name.to_owned(),
                ratio: MAX_RATIO as u64,
                compressed_bytes: compressed.max(0) as u64,
                bytes: bytes as u64,
            });
        }
    }
    let roots = builder.parquet_schema().root_schema().get_fields().iter().enumerate();
    let wanted: Vec<usize> = roots.filter(|(_, field)| knows(field.name())).map(|(index, _)| index).collect();
    let mask = ProjectionMask::roots(builder.parquet_schema(), wanted);
    let reader = builder.with_projection(mask).with_batch_size(BATCH_ROWS).build();
    let mut number = 0;
    for batch in reader.map_err(|error| damaged(name, error))? {
        let batch = batch.map_err(|error| damaged(name, error))?;
        let schema = batch.schema();
        for row in 0..batch.num_rows() {
            number += 1;
            let mut object = Map::new();
            for (field, column) in schema.fields().iter().zip(batch.columns()) {
                let value = cell(column, row)
                    .map_err(|message| Error::row(name, number, format!("{}: {message}", field.name())))?;
                object.insert(field.name().clone(), value);
            }
            take(number, object)?;
        }
    }
    Ok(())
}

/// A value as JSON has it.
fn cell(array: &dyn Array, row: usize) -> std::result::Result<Value, String> {
    if array.data_type().is_null() || array.is_null(row) {
        return Ok(Value::Null);
    }
    let as_type =
        |data_type: &DataType| cast(&array.slice(row, 1), data_type).map_err(|error| error.to_string());
    let items = |items: &dyn Array| -> std::result::Result<Vec<Value>, String> {
        (0..items.len()).map(|item| cell(items, item)).collect()
    };
    Ok(match array.data_type() {
        DataType::Utf8 => array.as_string::<i32>().value(row).into(),
        DataType::LargeUtf8 => array.as_string::<i64>().value(row).into(),
        DataType::Utf8View => array.as_string_view().value(row).into(),
        DataType::Boolean => array.as_boolean().value(row).into(),
        DataType::List(_) => Value::Array(items(&array.as_list::<i32>().value(row))?),
        DataType::LargeList(_) => Value::Array(items(&array.as_list::<i64>().value(row))?),
        DataType::Struct(fields) => {
            let columns = fields.iter().zip(array.as_struct().columns());
            let values = columns.map(|(field, column)| Ok((field.name().clone(), cell(column, row)?)));
            Value::Object(values.collect::<std::result::Result<_, String>>()?)
        }
        DataType::Dictionary(_, value) => cell(&as_type(value)?, 0)?,
        found if found.is_integer() => {
            let number = as_type(&DataType::Int64)?;
            if number.is_null(0) {
                return Err("a number of more than 64 bits".to_owned());
            }
            number.as_primitive::<Int64Type>().value(0).into()
        }
        found if found.is_floating() => {
            let number = as_type(&DataType::Float64)?.as_primitive::<Float64Type>().value(0);
            serde_json::Number::from_f64(number)
                .ok_or_else(|| format!("{number} is not a number that is read"))?
                .into()
        }
        found => return Err(format!("a value of type {found}, which no question has")),
    })
}
