//! Checks the footer of a Parquet file: that it is small enough to be read, and that what it announces is.
//!
//! Announcements may be false, so they are compared with the pages when these are read.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;

use parquet::arrow::ProjectionMask;
use parquet::basic::Type;
use parquet::file::metadata::ParquetMetaData;

use super::damaged;
use super::thrift::Footer;
use crate::error::{Error, Result};

/// A thousand row groups of ten columns have 2 MB, of 100,000 structs.
pub(crate) const MAX_FOOTER_MIB: u64 = 16;
pub(crate) const MAX_STRUCTS: usize = 500_000;

/// The depth of nested columns, and the number of columns of questions, nested ones included.
const MAX_DEPTH: usize = 32;
const MAX_COLUMNS: usize = 1_000;

/// The most values of one column: on average per row of a row group, plus a constant for any row group. A page of 2 KB
/// can hold 60 million equal answers.
const MAX_VALUES_A_ROW: i64 = 1_000;
const FREE_VALUES: i64 = 10_000;

/// The most values beyond the first of a row, over all columns of a row group: one row may have all of them.
pub(crate) const MAX_FURTHER_VALUES: i64 = 8 << 20;

/// Checks the footer before the library parses it. Returns the size of the file.
pub(super) fn check_size(file: &File, name: &str) -> Result<u64> {
    const END_BYTES: u64 = 8;
    let io = |source| Error::io(name, source);
    let cut = || damaged(name, io::Error::other("it does not end like a Parquet file"));
    let file_bytes = file.metadata().map_err(io)?.len();
    let mut end = [0; END_BYTES as usize];
    let end_at = file_bytes.checked_sub(END_BYTES).ok_or_else(cut)?;
    file.read_exact_at(&mut end, end_at).map_err(io)?;
    let Some(([a, b, c, d], b"PAR1")) = end.split_first_chunk::<4>() else { return Err(cut()) };
    let bytes = u64::from(u32::from_le_bytes([*a, *b, *c, *d]));
    let at = end_at.checked_sub(bytes).ok_or_else(cut)?;
    if bytes > MAX_FOOTER_MIB << 20 {
        return Err(Error::Footer {
            name: name.to_owned(),
            found: format!("{} MiB", bytes >> 20),
            limit: format!("{MAX_FOOTER_MIB} MiB"),
        });
    }
    let mut footer = vec![0; bytes as usize];
    file.read_exact_at(&mut footer, at).map_err(io)?;
    let not_sound = |_| damaged(name, io::Error::other("its footer contradicts itself"));
    let Footer { structs, depth } = Footer::parse(&footer).map_err(not_sound)?;
    for (found, limit, what) in
        [(structs, MAX_STRUCTS, "structs"), (depth, MAX_DEPTH, "levels of nested columns")]
    {
        if found > limit {
            return Err(Error::Footer {
                name: name.to_owned(),
                found: format!("{found} {what}"),
                limit: limit.to_string(),
            });
        }
    }
    Ok(file_bytes)
}

/// Checks what is announced for the columns that are read.
pub(super) fn check_columns(metadata: &ParquetMetaData, wanted: &ProjectionMask, name: &str) -> Result<()> {
    let schema = metadata.file_metadata().schema_descr();
    let columns: Vec<usize> =
        (0..schema.num_columns()).filter(|column| wanted.leaf_included(*column)).collect();
    if columns.len() > MAX_COLUMNS {
        return Err(Error::Footer {
            name: name.to_owned(),
            found: format!("{} columns of questions", columns.len()),
            limit: MAX_COLUMNS.to_string(),
        });
    }
    let is_fixed = |column: &&usize| schema.column(**column).physical_type() == Type::FIXED_LEN_BYTE_ARRAY;
    if let Some(column) = columns.iter().find(is_fixed) {
        let path = schema.column(*column).path().string();
        return Err(Error::Columns {
            name: name.to_owned(),
            message: format!("column {path} has the type FIXED_LEN_BYTE_ARRAY, which is not supported"),
            columns: "id, context, question, answers and answer_start",
        });
    }
    for group in metadata.row_groups() {
        let rows = group.num_rows();
        let limit = rows.max(0).saturating_mul(MAX_VALUES_A_ROW).saturating_add(FREE_VALUES);
        let mut further = 0_i64;
        for column in &columns {
            let path = || schema.column(*column).path().string();
            let values = group.column(*column).num_values();
            if values < 0 || rows < 0 {
                let message = format!("column {} has {values} values in {rows} rows", path());
                return Err(damaged(name, io::Error::other(message)));
            }
            further = further.saturating_add(values.saturating_sub(rows).max(0));
            let room = values.saturating_sub(further.saturating_sub(MAX_FURTHER_VALUES));
            let limit = limit.min(room);
            if values > limit {
                return Err(Error::Crowded { name: name.to_owned(), column: path(), values, rows, limit });
            }
        }
    }
    Ok(())
}
