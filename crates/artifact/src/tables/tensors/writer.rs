//! Writes tensors one after the other; only a few are in memory at a time.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashSet};
use std::path::Path;
use std::sync::Arc;

use arrow::array::{ArrayBuilder, Int64Builder, LargeBinaryBuilder, ListBuilder, StringBuilder};
use arrow::datatypes::{DataType, Field};

use super::{TENSORS, TensorView};
use crate::Result;
use crate::kind::Kind;
use crate::table_writer::{BATCH_BYTES, TableWriter};

/// Writes tensors as they come.
pub struct TensorsWriter {
    table: TableWriter,
    names: HashSet<String>,
    name: StringBuilder,
    dtype: StringBuilder,
    shape: ListBuilder<Int64Builder>,
    data: LargeBinaryBuilder,
}

impl TensorsWriter {
    /// Begins a table of kind `tensors`; it is at `path` once finished.
    pub fn create(path: &Path, fingerprint: &str) -> Result<Self> {
        Self::create_as(path, fingerprint, &TENSORS, BTreeMap::new())
    }

    /// Begins a table of kind [`crate::WEIGHTS`] or [`crate::CHECKPOINT`] with metadata of its own, such as counters;
    /// keys that begin with `distilburn.` are taken.
    pub fn create_as(
        path: &Path,
        fingerprint: &str,
        kind: &'static Kind,
        metadata: BTreeMap<String, String>,
    ) -> Result<Self> {
        let dim = Field::new_list_field(DataType::Int64, false);
        Ok(Self {
            table: TableWriter::create_with(path, fingerprint, kind, metadata)?,
            names: HashSet::new(),
            name: StringBuilder::new(),
            dtype: StringBuilder::new(),
            shape: ListBuilder::new(Int64Builder::new()).with_field(dim),
            data: LargeBinaryBuilder::new(),
        })
    }

    /// Adds a tensor: little-endian bytes, rows first. Refuses a second tensor of the same name, and data whose length
    /// does not match dtype and shape.
    pub fn push(&mut self, name: &str, dtype: &str, shape: &[i64], data: &[u8]) -> Result<()> {
        TensorView { name, dtype, shape: shape.to_vec(), data }.check()?;
        self.begin(name, dtype, shape)?;
        self.data.append_value(data);
        self.flush_if(BATCH_BYTES)
    }

    /// Adds an F32 tensor.
    pub fn push_f32(&mut self, name: &str, shape: &[i64], data: &[f32]) -> Result<()> {
        let bytes: Cow<'_, [u8]> = if cfg!(target_endian = "little") {
            bytemuck::cast_slice(data).into()
        } else {
            data.iter().flat_map(|value| value.to_le_bytes()).collect::<Vec<_>>().into()
        };
        self.push(name, "F32", shape, &bytes)
    }

    /// Completes the table.
    pub fn finish(mut self) -> Result<()> {
        self.flush_if(0)?;
        self.table.finish()
    }

    fn begin(&mut self, name: &str, dtype: &str, shape: &[i64]) -> Result<()> {
        if !self.names.insert(name.to_owned()) {
            return Err(self.table.bad_row(self.name.len(), format!("there is already a tensor `{name}`")));
        }
        self.name.append_value(name);
        self.dtype.append_value(dtype);
        self.shape.values().append_slice(shape);
        self.shape.append(true);
        Ok(())
    }

    /// Pending tensors are written once their data has this many bytes.
    fn flush_if(&mut self, bytes: usize) -> Result<()> {
        if self.name.is_empty() || self.data.values_slice().len() < bytes {
            return Ok(());
        }
        self.table.write(vec![
            Arc::new(self.name.finish()),
            Arc::new(self.dtype.finish()),
            Arc::new(self.shape.finish()),
            Arc::new(self.data.finish()),
        ])
    }
}
