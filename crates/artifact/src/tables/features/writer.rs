//! Streams windows to disk, one batch at a time, and reuses the buffers.

use std::mem;
use std::path::Path;
use std::sync::Arc;

use arrow::array::{BooleanBufferBuilder, FixedSizeListArray, Int32Array, ListArray, UInt32Array};
use arrow::buffer::{Buffer, NullBuffer, OffsetBuffer, ScalarBuffer};
use arrow::datatypes::{ArrowNativeType, DataType, Field};

use super::{FEATURES, end_field, offset_field};
use crate::Result;
use crate::table_writer::{BATCH_ROWS, TableWriter};

/// A window to write: [`super::Feature`] with its offsets as they are computed.
#[derive(Debug, Clone, Copy)]
pub struct FeatureRow<'a> {
    /// The row of its question in examples.
    pub example_index: u32,
    /// Without padding.
    pub input_ids: &'a [i32],
    /// One for each token: characters of the context, `None` outside it.
    pub offset_mapping: &'a [Option<(u32, u32)>],
    /// The first token of the answer.
    pub start_position: i32,
    /// Its last token, inclusive.
    pub end_position: i32,
}

/// Writes windows as they come.
pub struct FeaturesWriter {
    table: TableWriter,
    example_index: Vec<u32>,
    input_ids: Vec<i32>,
    /// Where the tokens of each row begin, and where those of the last row end; the same for `input_ids` and `ends`.
    row_offsets: Vec<i32>,
    /// Alternating starts and ends.
    ends: Vec<i32>,
    inside: BooleanBufferBuilder,
    start_positions: Vec<i32>,
    end_positions: Vec<i32>,
}

impl FeaturesWriter {
    /// Begins the table; it is at `path` once finished.
    pub fn create(path: &Path, fingerprint: &str) -> Result<Self> {
        Ok(Self {
            table: TableWriter::create(path, fingerprint, &FEATURES)?,
            example_index: Vec::with_capacity(BATCH_ROWS),
            input_ids: Vec::new(),
            row_offsets: vec![0],
            ends: Vec::new(),
            inside: BooleanBufferBuilder::new(0),
            start_positions: Vec::with_capacity(BATCH_ROWS),
            end_positions: Vec::with_capacity(BATCH_ROWS),
        })
    }

    /// Adds a window. Refuses one whose numbers of offsets and tokens differ.
    pub fn push(&mut self, feature: &FeatureRow<'_>) -> Result<()> {
        let (tokens, offsets) = (feature.input_ids.len(), feature.offset_mapping.len());
        if tokens != offsets {
            let why = format!("{tokens} input_ids and {offsets} offsets");
            return Err(self.table.bad_row(self.example_index.len(), why));
        }
        self.example_index.push(feature.example_index);
        self.input_ids.extend_from_slice(feature.input_ids);
        self.row_offsets.push(self.input_ids.len() as i32);
        for offset in feature.offset_mapping {
            let (start, end) = offset.unwrap_or_default();
            self.ends.extend([start as i32, end as i32]);
            self.inside.append(offset.is_some());
        }
        self.start_positions.push(feature.start_position);
        self.end_positions.push(feature.end_position);
        if self.example_index.len() == BATCH_ROWS {
            self.flush()?;
        }
        Ok(())
    }

    /// Completes the table.
    pub fn finish(mut self) -> Result<()> {
        self.flush()?;
        self.table.finish()
    }

    fn flush(&mut self) -> Result<()> {
        if self.example_index.is_empty() {
            return Ok(());
        }
        let example_index = Buffer::from_vec(mem::take(&mut self.example_index));
        let input_ids = Buffer::from_vec(mem::take(&mut self.input_ids));
        let row_offsets = Buffer::from_vec(mem::take(&mut self.row_offsets));
        let ends = Buffer::from_vec(mem::take(&mut self.ends));
        let start_positions = Buffer::from_vec(mem::take(&mut self.start_positions));
        let end_positions = Buffer::from_vec(mem::take(&mut self.end_positions));

        let int32 = |buffer: &Buffer| Arc::new(Int32Array::new(ScalarBuffer::from(buffer.clone()), None));
        let rows = OffsetBuffer::new(ScalarBuffer::from(row_offsets.clone()));
        let inside = NullBuffer::new(self.inside.finish());
        let pairs = FixedSizeListArray::try_new(end_field().into(), 2, int32(&ends), Some(inside));
        let pairs = pairs.map_err(|e| self.table.error(e))?;
        let token_field = Field::new_list_field(DataType::Int32, false).into();
        let tokens = ListArray::try_new(token_field, rows.clone(), int32(&input_ids), None);
        let offsets = ListArray::try_new(offset_field().into(), rows, Arc::new(pairs), None);
        self.table.write(vec![
            Arc::new(UInt32Array::new(ScalarBuffer::from(example_index.clone()), None)),
            Arc::new(tokens.map_err(|e| self.table.error(e))?),
            Arc::new(offsets.map_err(|e| self.table.error(e))?),
            int32(&start_positions),
            int32(&end_positions),
        ])?;

        self.example_index = emptied(example_index);
        self.input_ids = emptied(input_ids);
        self.row_offsets = emptied(row_offsets);
        self.row_offsets.push(0);
        self.ends = emptied(ends);
        self.start_positions = emptied(start_positions);
        self.end_positions = emptied(end_positions);
        Ok(())
    }
}

/// The allocation of a written column, reused for the next batch: the arrays that shared it are gone by now.
fn emptied<T: ArrowNativeType>(column: Buffer) -> Vec<T> {
    let mut values = column.into_vec().unwrap_or_default();
    values.clear();
    values
}
