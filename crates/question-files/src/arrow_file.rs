//! Reads Arrow IPC files in record batches, each row as an object of its columns, as with Parquet.
//!
//! Arrow's reader slices and allocates by positions that the file states, so these are checked against the file first.

use std::fs::File;
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, FieldRef, Schema};
use arrow::ipc::reader::{FileReader, read_footer_length};
use arrow::ipc::{Block, root_as_footer};
use serde_json::{Map, Value};

use crate::error::{Error, Result};
use crate::parquet::Rows;

/// The largest record batch: it is in memory as a whole.
pub(crate) const MAX_BATCH_MIB: u64 = 512;

/// Footer length and magic.
const TRAILER_BYTES: u64 = 10;

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
    let outcome = catch_unwind(AssertUnwindSafe(|| read_batches(file, name, knows, check, take)));
    outcome.unwrap_or_else(|_| Err(damaged(name, io::Error::other("its parts contradict one another"))))
}

fn damaged(name: &str, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Error {
    Error::Arrow { name: name.to_owned(), source: source.into() }
}

fn read_batches(
    mut file: File,
    name: &str,
    knows: fn(&str) -> bool,
    check: &dyn Fn(&[&str]) -> Result<()>,
    take: &mut dyn FnMut(usize, Map<String, Value>) -> Result<()>,
) -> Result<()> {
    let file_bytes = file.metadata().map_err(|source| Error::io(name, source))?.len();
    check_blocks(&mut file, file_bytes, name)?;
    let fault = |error| damaged(name, error);
    let schema = FileReader::try_new_buffered(&file, None).map_err(fault)?.schema();
    check(&schema.fields().iter().map(|field| field.name().as_str()).collect::<Vec<_>>())?;
    let columns = schema.fields().iter().enumerate();
    let wanted: Vec<usize> =
        columns.filter(|(_, field)| knows(field.name())).map(|(index, _)| index).collect();
    file.rewind().map_err(|source| Error::io(name, source))?;
    let mut rows = Rows::new(name, file_bytes);
    for batch in FileReader::try_new_buffered(file, Some(wanted)).map_err(fault)? {
        rows.show(&plain(&batch.map_err(fault)?).map_err(fault)?, take)?;
    }
    Ok(())
}

/// Refuses messages that reach beyond the file, or are larger than a batch may be.
fn check_blocks(file: &mut File, file_bytes: u64, name: &str) -> Result<()> {
    let cut = || damaged(name, io::Error::other("it does not end with a footer, so it is incomplete"));
    let footer_end = file_bytes.checked_sub(TRAILER_BYTES).ok_or_else(cut)?;
    let mut bytes_at = |start: u64, bytes: &mut [u8]| {
        file.seek(SeekFrom::Start(start)).and_then(|_| file.read_exact(bytes)).map_err(|e| Error::io(name, e))
    };
    let mut trailer = [0; TRAILER_BYTES as usize];
    bytes_at(footer_end, &mut trailer)?;
    let footer_bytes = read_footer_length(trailer).map_err(|_| cut())?;
    let footer_start = footer_end.checked_sub(footer_bytes as u64).ok_or_else(cut)?;
    let mut footer = vec![0; footer_bytes];
    bytes_at(footer_start, &mut footer)?;
    let footer = root_as_footer(&footer).map_err(|error| damaged(name, error.to_string()))?;
    let blocks = [footer.dictionaries(), footer.recordBatches()];
    for block in blocks.into_iter().flatten().flatten() {
        let Some((end, bytes)) = end_of(block) else { return Err(cut()) };
        if end > footer_start {
            return Err(cut());
        }
        if bytes > MAX_BATCH_MIB << 20 {
            return Err(Error::TooLarge {
                name: name.to_owned(),
                what: "a record batch".to_owned(),
                limit_mib: MAX_BATCH_MIB,
                help: "smaller record batches, or Parquet",
            });
        }
    }
    Ok(())
}

/// Where a message ends, and how large it is.
fn end_of(block: &Block) -> Option<(u64, u64)> {
    let metadata = u64::try_from(block.metaDataLength()).ok()?;
    let bytes = metadata.checked_add(u64::try_from(block.bodyLength()).ok()?)?;
    Some((u64::try_from(block.offset()).ok()?.checked_add(bytes)?, bytes))
}

/// The same values in the types of the rows: without dictionaries, with texts as views.
fn plain(batch: &RecordBatch) -> std::result::Result<RecordBatch, arrow::error::ArrowError> {
    let schema = batch.schema();
    let fields: Vec<FieldRef> = schema.fields().iter().map(plain_field).collect();
    let columns = batch.columns().iter().zip(&fields).map(|(column, field)| cast(column, field.data_type()));
    let columns = columns.collect::<std::result::Result<_, _>>()?;
    RecordBatch::try_new(Arc::new(Schema::new(fields)), columns)
}

fn plain_field(field: &FieldRef) -> FieldRef {
    Arc::new(Field::new(field.name(), plain_type(field.data_type()), true))
}

fn plain_type(data_type: &DataType) -> DataType {
    match data_type {
        DataType::Utf8 | DataType::LargeUtf8 => DataType::Utf8View,
        DataType::Dictionary(_, values) => plain_type(values),
        DataType::List(item)
        | DataType::LargeList(item)
        | DataType::ListView(item)
        | DataType::LargeListView(item)
        | DataType::FixedSizeList(item, _) => DataType::List(plain_field(item)),
        DataType::Struct(fields) => DataType::Struct(fields.iter().map(plain_field).collect()),
        other => other.clone(),
    }
}
