//! Parts, joined into one file of the form that its name says.

use std::fs::{File, Permissions};
use std::io::{BufWriter, Write};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::{ArrayRef, Float64Array, Int32Array, RecordBatch, StringArray};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use arrow::ipc::writer::FileWriter;
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, ZstdLevel};
use parquet::file::properties::WriterProperties;
use tempfile::NamedTempFile;

use super::job::Job;
use super::part::{Part, Row, Totals};
use crate::Error;

/// Rows of a row group: what the writer holds in memory.
const ROW_GROUP_ROWS: usize = 1 << 14;

/// The forms of output.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    /// One object of id → text, as SQuAD's script reads it.
    Squad,
    JsonLines,
    Parquet,
    Arrow,
}

/// A file to write, in the form that its name says.
#[derive(Debug, Clone)]
pub(crate) struct Output {
    pub(crate) path: PathBuf,
    form: Form,
}

impl Output {
    pub(crate) fn named(path: &Path) -> Result<Self, Error> {
        let ending = path.extension().and_then(|ending| ending.to_str()).map(str::to_lowercase);
        let form = match ending.as_deref() {
            Some("json") => Form::Squad,
            Some("jsonl" | "ndjson") => Form::JsonLines,
            Some("parquet") => Form::Parquet,
            Some("arrow" | "feather") => Form::Arrow,
            _ => return Err(Error::Form { path: path.to_owned() }),
        };
        Ok(Self { path: path.to_owned(), form })
    }

    /// Writes all parts, and then puts the file in its place.
    pub(crate) fn join(&self, job: &Job, parts: &[Part]) -> Result<Totals, Error> {
        let folder = self.path.parent().filter(|folder| !folder.as_os_str().is_empty());
        let (file, joined) = temporary(folder.unwrap_or(Path::new(".")))?.into_parts();
        let file = match self.form {
            Form::Squad => squad_json(file, parts)?,
            Form::JsonLines => json_lines(file, parts)?,
            Form::Parquet => parquet(file, parts, job.census.labelled > 0)?,
            Form::Arrow => arrow(file, parts, job.census.labelled > 0)?,
        };
        file.sync_all()?;
        joined.persist(&self.path).map_err(|error| error.error)?;
        let mut totals = Totals::default();
        for part in parts {
            totals.add(&part.totals);
        }
        Ok(totals)
    }
}

/// A file that gets its name once it is complete, with the permissions that the process gives new files.
pub(super) fn temporary(folder: &Path) -> std::io::Result<NamedTempFile> {
    tempfile::Builder::new().permissions(Permissions::from_mode(0o666)).tempfile_in(folder)
}

fn squad_json(file: File, parts: &[Part]) -> Result<File, Error> {
    let mut file = BufWriter::new(file);
    let mut before = "{\n";
    for part in parts {
        for Row { id, prediction_text, .. } in part.rows()? {
            let text = |text: &str| serde_json::Value::from(text).to_string();
            write!(file, "{before}  {}: {}", text(&id), text(&prediction_text))?;
            before = ",\n";
        }
    }
    file.write_all(b"\n}\n")?;
    Ok(file.into_inner().map_err(std::io::IntoInnerError::into_error)?)
}

fn json_lines(mut file: File, parts: &[Part]) -> Result<File, Error> {
    for part in parts {
        file.write_all(part.lines()?.as_bytes())?;
    }
    Ok(file)
}

fn parquet(file: File, parts: &[Part], is_labelled: bool) -> Result<File, Error> {
    let properties = WriterProperties::builder()
        .set_compression(Compression::ZSTD(ZstdLevel::default()))
        .set_max_row_group_row_count(Some(ROW_GROUP_ROWS))
        .build();
    let schema = schema(is_labelled);
    let write = || -> Result<File, Box<dyn std::error::Error + Send + Sync>> {
        let mut writer = ArrowWriter::try_new(file, Arc::clone(&schema), Some(properties))?;
        for part in parts {
            writer.write(&batch(&schema, &part.rows()?)?)?;
        }
        Ok(writer.into_inner()?)
    };
    write().map_err(|source| Error::Table { source })
}

fn arrow(file: File, parts: &[Part], is_labelled: bool) -> Result<File, Error> {
    let schema = schema(is_labelled);
    let write = || -> Result<File, Box<dyn std::error::Error + Send + Sync>> {
        let mut writer = FileWriter::try_new_buffered(file, &schema)?;
        for part in parts {
            writer.write(&batch(&schema, &part.rows()?)?)?;
        }
        let buffered = writer.into_inner()?;
        Ok(buffered.into_inner().map_err(std::io::IntoInnerError::into_error)?)
    };
    write().map_err(|source| Error::Table { source })
}

fn schema(is_labelled: bool) -> SchemaRef {
    let mut fields = vec![
        Field::new("id", DataType::Utf8, false),
        Field::new("prediction_text", DataType::Utf8, false),
        Field::new("start_char", DataType::Int32, false),
        Field::new("end_char", DataType::Int32, false),
        Field::new("score", DataType::Float64, true),
        Field::new("probability", DataType::Float64, true),
        Field::new("null_score", DataType::Float64, true),
        Field::new("error", DataType::Utf8, true),
    ];
    if is_labelled {
        fields.extend(["exact_match", "f1"].map(|name| Field::new(name, DataType::Float64, true)));
    }
    Arc::new(Schema::new(fields))
}

fn batch(schema: &SchemaRef, rows: &[Row]) -> Result<RecordBatch, arrow::error::ArrowError> {
    fn texts<'a>(rows: &'a [Row], text: fn(&'a Row) -> Option<&'a str>) -> ArrayRef {
        Arc::new(rows.iter().map(text).collect::<StringArray>())
    }
    let ints = |int: fn(&Row) -> i32| -> ArrayRef { Arc::new(rows.iter().map(int).collect::<Int32Array>()) };
    let floats = |float: fn(&Row) -> Option<f64>| -> ArrayRef {
        Arc::new(rows.iter().map(float).collect::<Float64Array>())
    };
    let mut columns = vec![
        texts(rows, |row| Some(&row.id)),
        texts(rows, |row| Some(&row.prediction_text)),
        ints(|row| row.start_char),
        ints(|row| row.end_char),
        floats(|row| row.score),
        floats(|row| row.probability),
        floats(|row| row.null_score),
        texts(rows, |row| row.error.as_deref()),
        floats(|row| row.exact_match),
        floats(|row| row.f1),
    ];
    columns.truncate(schema.fields().len());
    RecordBatch::try_new(Arc::clone(schema), columns)
}
