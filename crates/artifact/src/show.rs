//! Any table as words, for people: what `distilburn show` prints.

use std::path::Path;

use arrow::array::{Array, AsArray};
use arrow::datatypes::{DataType, Float64Type, Int32Type, Int64Type, UInt32Type, UInt64Type};
use serde_json::{Map, Value};

use crate::Result;
use crate::table::{FINGERPRINT_KEY, KIND_KEY, Table, VERSION_KEY};
use crate::tables::KINDS;

/// What a table states about itself.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct TableDescription {
    pub kind: String,
    /// The kind's version.
    pub version: u32,
    /// The fingerprint of the artifact that it was written for.
    pub fingerprint: String,
    /// The rest of its metadata, by key.
    pub metadata: Vec<(String, String)>,
    /// Names and types; `?` after the type if a value may be null.
    pub columns: Vec<(String, String)>,
    pub rows: usize,
    /// How many record batches.
    pub batches: usize,
}

/// Checks a table of any kind completely, and describes it.
pub fn describe(path: &Path) -> Result<TableDescription> {
    let table = Table::open(path, &KINDS)?;
    let own_keys = [KIND_KEY, VERSION_KEY, FINGERPRINT_KEY];
    let others = table.schema.metadata.iter().filter(|(key, _)| !own_keys.contains(&key.as_str()));
    Ok(TableDescription {
        kind: table.kind.name.to_owned(),
        version: table.kind.version,
        fingerprint: table.metadata(FINGERPRINT_KEY).unwrap_or_default().to_owned(),
        metadata: others.map(|(key, value)| (key.clone(), value.clone())).collect(),
        columns: table.schema.fields().iter().map(|field| (field.name().clone(), type_name(field))).collect(),
        rows: table.len(),
        batches: table.batches.len(),
    })
}

/// The first rows as JSON objects; binary columns as their number of bytes, numbers that JSON cannot express as text.
pub fn first_rows(path: &Path, n: usize) -> Result<Vec<Value>> {
    let table = Table::open(path, &KINDS)?;
    let row = |index| {
        let (batch, row) = table.locate(index);
        let batch = &table.batches[batch];
        let schema = batch.schema_ref();
        let cells = schema.fields().iter().zip(batch.columns());
        cells.map(|(field, column)| (field.name().clone(), cell(column, row))).collect::<Map<_, _>>().into()
    };
    Ok((0..n.min(table.len())).map(row).collect())
}

/// The types as DESIGN and the Arrow format spell them: `list<i32>`, `large_utf8`.
fn type_name(field: &arrow::datatypes::Field) -> String {
    let name = match field.data_type() {
        DataType::UInt32 => "u32".to_owned(),
        DataType::UInt64 => "u64".to_owned(),
        DataType::Int32 => "i32".to_owned(),
        DataType::Int64 => "i64".to_owned(),
        DataType::Float64 => "f64".to_owned(),
        DataType::Boolean => "bool".to_owned(),
        DataType::Utf8 => "utf8".to_owned(),
        DataType::LargeUtf8 => "large_utf8".to_owned(),
        DataType::LargeBinary => "large_binary".to_owned(),
        DataType::List(item) => format!("list<{}>", type_name(item)),
        DataType::FixedSizeList(item, length) => {
            format!("fixed_size_list<{}>[{length}]", type_name(item))
        }
        DataType::Struct(fields) => {
            let fields: Vec<_> = fields.iter().map(|f| format!("{} {}", f.name(), type_name(f))).collect();
            format!("struct<{}>", fields.join(", "))
        }
        other => other.to_string(),
    };
    if field.is_nullable() { name + "?" } else { name }
}

fn cell(column: &dyn Array, row: usize) -> Value {
    if column.is_null(row) {
        return Value::Null;
    }
    match column.data_type() {
        DataType::UInt32 => column.as_primitive::<UInt32Type>().value(row).into(),
        DataType::UInt64 => column.as_primitive::<UInt64Type>().value(row).into(),
        DataType::Int32 => column.as_primitive::<Int32Type>().value(row).into(),
        DataType::Int64 => column.as_primitive::<Int64Type>().value(row).into(),
        DataType::Float64 => float(column.as_primitive::<Float64Type>().value(row)),
        DataType::Boolean => column.as_boolean().value(row).into(),
        DataType::Utf8 => column.as_string::<i32>().value(row).into(),
        DataType::LargeUtf8 => column.as_string::<i64>().value(row).into(),
        DataType::LargeBinary => format!("{} bytes", column.as_binary::<i64>().value(row).len()).into(),
        DataType::List(_) => items(&column.as_list::<i32>().value(row)),
        DataType::FixedSizeList(..) => items(&column.as_fixed_size_list().value(row)),
        DataType::Struct(fields) => {
            let values = fields.iter().zip(column.as_struct().columns());
            values
                .map(|(field, column)| (field.name().clone(), cell(column, row)))
                .collect::<Map<_, _>>()
                .into()
        }
        other => other.to_string().into(),
    }
}

fn items(list: &dyn Array) -> Value {
    (0..list.len()).map(|row| cell(list, row)).collect()
}

fn float(value: f64) -> Value {
    serde_json::Number::from_f64(value).map_or_else(|| value.to_string().into(), Value::Number)
}
