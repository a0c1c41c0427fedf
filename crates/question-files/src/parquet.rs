//! Parquet, read in record batches.

use std::fs::File;
use std::io::{self, Seek as _};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray as _, BooleanArray, Int32Array, ListArray, RecordBatch, StringArray, StructArray,
};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, Int32Type, Schema};
use arrow::error::ArrowError;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

use crate::Visit;
use crate::error::{Error, Result};
use crate::rows::{Answers, Row, Rows};

/// Rows in memory at once.
const BATCH_ROWS: usize = 256;

/// The largest ratio of a row group's pages to what they take in the file, as for other compression.
const MAX_RATIO: i64 = 250;

/// Below this size the ratio does not matter.
const FREE_BYTES: i64 = 64 << 20;

/// The columns that are read; of them title and `is_impossible` may be missing.
const COLUMNS: [&str; 6] = ["id", "title", "context", "question", "answers", "is_impossible"];

/// Shows the questions of `file` to `visit`.
pub(super) fn read(file: File, name: &str, visit: Visit<'_>) -> Result<()> {
    // The library asserts what a damaged file need not keep.
    let outcome = catch_unwind(AssertUnwindSafe(|| read_batches(file, name, visit)));
    outcome.unwrap_or_else(|_| Err(damaged(name, io::Error::other("it contradicts itself"))))
}

fn damaged(name: &str, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Error {
    Error::Parquet { name: name.to_owned(), source: source.into() }
}

fn read_batches(mut file: File, name: &str, visit: Visit<'_>) -> Result<()> {
    file.rewind().map_err(|source| Error::io(name, source))?;
    let builder = ParquetRecordBatchReaderBuilder::try_new(file).map_err(|error| damaged(name, error))?;
    check_schema(builder.schema(), name)?;
    for group in builder.metadata().row_groups() {
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
    let wanted: Vec<usize> =
        roots.filter(|(_, field)| COLUMNS.contains(&field.name())).map(|(index, _)| index).collect();
    let mask = ProjectionMask::roots(builder.parquet_schema(), wanted);
    let reader = builder.with_projection(mask).with_batch_size(BATCH_ROWS).build();
    let mut rows = Rows::new(name, visit);
    let mut number = 0;
    for batch in reader.map_err(|error| damaged(name, error))? {
        let batch = batch.map_err(|error| damaged(name, error))?;
        let columns = Columns::of(&batch).map_err(|error| damaged(name, error))?;
        for row in 0..batch.num_rows() {
            number += 1;
            let row = columns.row(row).map_err(|message| Error::Row {
                name: name.to_owned(),
                row: number,
                message,
            })?;
            rows.push(row, number)?;
        }
    }
    rows.flush()
}

fn check_schema(schema: &Schema, name: &str) -> Result<()> {
    let error = |column, found: String, expected| -> Result<()> {
        Err(Error::Column { name: name.to_owned(), column, found, expected }.into())
    };
    let of = |column: &str| schema.field_with_name(column).ok().map(Field::data_type);
    for column in ["id", "context", "question", "title"] {
        match of(column) {
            Some(found) if is_text(found) => {}
            None if column == "title" => {}
            None => return error(column, "missing".to_owned(), "text"),
            Some(found) => return error(column, found.to_string(), "text"),
        }
    }
    match of("is_impossible") {
        None | Some(DataType::Boolean) => {}
        Some(found) => return error("is_impossible", found.to_string(), "true or false"),
    }
    let fields = match of("answers") {
        Some(DataType::Struct(fields)) => fields,
        None => return error("answers", "missing".to_owned(), "a struct of text and answer_start"),
        Some(found) => return error("answers", found.to_string(), "a struct of text and answer_start"),
    };
    let item = |column: &str| {
        fields.iter().find(|field| field.name() == column).map(|field| match field.data_type() {
            DataType::List(item) | DataType::LargeList(item) => Ok(item.data_type().clone()),
            other => Err(other.clone()),
        })
    };
    match item("text") {
        Some(Ok(found)) if is_text(&found) => {}
        found => return error("answers.text", in_words(found), "a list of texts"),
    }
    match item("answer_start") {
        Some(Ok(found)) if found.is_integer() => Ok(()),
        found => error("answers.answer_start", in_words(found), "a list of whole numbers"),
    }
}

fn in_words(found: Option<std::result::Result<DataType, DataType>>) -> String {
    match found {
        None => "missing".to_owned(),
        Some(Ok(item)) => format!("a list of {item}"),
        Some(Err(other)) => other.to_string(),
    }
}

fn is_text(data_type: &DataType) -> bool {
    match data_type {
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => true,
        DataType::Dictionary(_, value) => is_text(value),
        _ => false,
    }
}

/// The columns of a batch, whichever of the possible types they were.
struct Columns {
    id: StringArray,
    title: Option<StringArray>,
    context: StringArray,
    question: StringArray,
    answers: StructArray,
    text: ListArray,
    answer_start: ListArray,
    is_impossible: Option<BooleanArray>,
}

impl Columns {
    fn of(batch: &RecordBatch) -> std::result::Result<Self, ArrowError> {
        let missing = |name: &str| ArrowError::SchemaError(format!("no column {name}"));
        let column = |name: &str| batch.column_by_name(name).ok_or_else(|| missing(name));
        let text = |name: &str| {
            Ok::<StringArray, ArrowError>(cast(column(name)?, &DataType::Utf8)?.as_string().clone())
        };
        // A number that does not fit becomes null, which `row` refuses.
        let list = |array: &ArrayRef, item| {
            let item = Arc::new(Field::new("item", item, true));
            Ok::<_, ArrowError>(cast(array, &DataType::List(item))?.as_list().clone())
        };
        let answers = column("answers")?.as_struct().clone();
        let part = |name: &str| answers.column_by_name(name).ok_or_else(|| missing(name));
        Ok(Self {
            id: text("id")?,
            title: if batch.column_by_name("title").is_some() { Some(text("title")?) } else { None },
            context: text("context")?,
            question: text("question")?,
            text: list(part("text")?, DataType::Utf8)?,
            answer_start: list(part("answer_start")?, DataType::Int32)?,
            is_impossible: batch.column_by_name("is_impossible").map(|column| column.as_boolean().clone()),
            answers,
        })
    }

    fn row(&self, row: usize) -> std::result::Result<Row, String> {
        let text = |array: &StringArray, name: &str| {
            if array.is_null(row) { Err(format!("{name} is null")) } else { Ok(array.value(row).to_owned()) }
        };
        let list = |array: &ListArray, name: &str, missing: &str| {
            if self.answers.is_null(row) || array.is_null(row) {
                return Err(format!("{name} is null"));
            }
            let items = array.value(row);
            if items.null_count() == 0 { Ok(items) } else { Err(format!("{name} holds {missing}")) }
        };
        let texts = list(&self.text, "answers.text", "null")?;
        let starts =
            list(&self.answer_start, "answers.answer_start", "null or a number of more than 32 bits")?;
        let starts: &Int32Array = starts.as_primitive::<Int32Type>();
        Ok(Row {
            id: text(&self.id, "id")?,
            title: self
                .title
                .as_ref()
                .filter(|title| title.is_valid(row))
                .map(|title| title.value(row).to_owned()),
            context: text(&self.context, "context")?,
            question: text(&self.question, "question")?,
            answers: Answers {
                text: texts.as_string::<i32>().iter().flatten().map(str::to_owned).collect(),
                answer_start: starts.values().to_vec(),
            },
            is_impossible: self
                .is_impossible
                .as_ref()
                .filter(|flag| flag.is_valid(row))
                .map(|flag| flag.value(row)),
        })
    }
}
