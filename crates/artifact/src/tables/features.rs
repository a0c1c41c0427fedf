//! Token windows with their offsets and labels: `features`, the largest table.

use std::path::Path;

use arrow::array::{Array, AsArray, Int32Array, ListArray, RecordBatch, UInt32Array};
use arrow::buffer::NullBuffer;
use arrow::datatypes::{DataType, Field, Int32Type, UInt32Type};

use crate::kind::{Kind, column, list_of};
use crate::table::Table;
use crate::{Error, Examples, Result};

mod writer;
pub use writer::{FeatureRow, FeaturesWriter};

/// Token windows: tokenize-features/`features-….arrow`.
pub static FEATURES: Kind = Kind { name: "features", version: 1, producer: "tokenize-features", columns };

fn columns() -> Vec<Field> {
    vec![
        column("example_index", DataType::UInt32),
        column("input_ids", list_of(DataType::Int32)),
        column("offset_mapping", DataType::List(offset_field().into())),
        column("start_positions", DataType::Int32),
        column("end_positions", DataType::Int32),
    ]
}

/// A pair of offsets, null outside the context.
fn offset_field() -> Field {
    Field::new_list_field(DataType::FixedSizeList(end_field().into(), 2), true)
}

/// One of the two offsets.
fn end_field() -> Field {
    Field::new_list_field(DataType::Int32, false)
}

/// A window of tokens.
#[derive(Debug, Clone, Copy)]
pub struct Feature<'a> {
    /// The row of its question in examples.
    pub example_index: u32,
    /// `[CLS] question [SEP] part of the context [SEP]`, without padding.
    pub input_ids: &'a [i32],
    /// The place of each token in the context.
    pub offset_mapping: Offsets<'a>,
    /// The first token of the answer; `[CLS]` if the window does not hold the whole answer.
    pub start_position: i32,
    /// Its last token, inclusive.
    pub end_position: i32,
}

/// The place of each token of a window in the context, in characters.
#[derive(Debug, Clone, Copy)]
pub struct Offsets<'a> {
    /// Alternating starts and ends of this window.
    ends: &'a [i32],
    /// Which offsets of the whole batch are not null; this window's begin at `first`.
    inside: Option<&'a NullBuffer>,
    first: usize,
}

impl Offsets<'_> {
    /// The number of tokens.
    #[must_use]
    pub fn len(&self) -> usize {
        self.ends.len() / 2
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// Start and end (exclusive) of a token, in characters; `None` for the question, for special tokens and outside the
    /// window.
    #[must_use]
    pub fn get(&self, index: usize) -> Option<(u32, u32)> {
        let pair = self.ends.get(2 * index..2 * index + 2)?;
        let inside = self.inside.is_none_or(|inside| inside.is_valid(self.first + index));
        inside.then(|| (pair[0] as u32, pair[1] as u32))
    }

    /// What `get` gives, token by token.
    #[must_use]
    pub fn iter(&self) -> impl ExactSizeIterator<Item = Option<(u32, u32)>> {
        (0..self.len()).map(|index| self.get(index))
    }
}

/// The windows of a split, memory-mapped.
#[derive(Debug)]
pub struct Features {
    table: Table,
    batches: Vec<Batch>,
}

#[derive(Debug)]
struct Batch {
    example_index: UInt32Array,
    input_ids: ListArray,
    offset_mapping: ListArray,
    start_positions: Int32Array,
    end_positions: Int32Array,
}

impl Features {
    /// Maps the file and checks all of it.
    pub fn open(path: &Path) -> Result<Self> {
        Self::new(Table::open(path, &[&FEATURES])?)
    }

    pub(crate) fn new(table: Table) -> Result<Self> {
        let batches: Vec<Batch> = table.batches.iter().map(Batch::new).collect();
        for batch in &batches {
            if !batch.input_ids.offsets().lengths().eq(batch.offset_mapping.offsets().lengths()) {
                return Err(table.damaged("a row has different numbers of input_ids and offsets".to_owned()));
            }
        }
        Ok(Self { table, batches })
    }

    /// The number of windows.
    #[must_use]
    pub fn len(&self) -> usize {
        self.table.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// A window.
    ///
    /// # Panics
    ///
    /// If there is none, like indexing a slice.
    #[must_use]
    pub fn get(&self, index: usize) -> Feature<'_> {
        let (batch, row) = self.table.locate(index);
        self.batches[batch].get(row)
    }

    /// The windows in order.
    #[must_use]
    pub fn iter(&self) -> impl ExactSizeIterator<Item = Feature<'_>> {
        (0..self.len()).map(|index| self.get(index))
    }

    /// Refuses examples that these windows do not belong to, by the highest `example_index`.
    pub fn check_examples(&self, examples: &Examples) -> Result<()> {
        let indices = self.batches.iter().flat_map(|batch| batch.example_index.values());
        match indices.enumerate().find(|&(_, &index)| index as usize >= examples.len()) {
            None => Ok(()),
            Some((row, index)) => Err(Error::Row {
                path: self.table.path.clone(),
                row,
                why: format!("example_index is {index}, but there are {} examples", examples.len()),
            }),
        }
    }
}

impl Batch {
    fn new(batch: &RecordBatch) -> Self {
        Self {
            example_index: batch.column(0).as_primitive::<UInt32Type>().clone(),
            input_ids: batch.column(1).as_list().clone(),
            offset_mapping: batch.column(2).as_list().clone(),
            start_positions: batch.column(3).as_primitive::<Int32Type>().clone(),
            end_positions: batch.column(4).as_primitive::<Int32Type>().clone(),
        }
    }

    fn get(&self, row: usize) -> Feature<'_> {
        let input_ids = self.input_ids.values().as_primitive::<Int32Type>().values();
        let pairs = self.offset_mapping.values().as_fixed_size_list();
        let ends = pairs.values().as_primitive::<Int32Type>().values();
        let tokens =
            |list: &ListArray| list.value_offsets()[row] as usize..list.value_offsets()[row + 1] as usize;
        let offsets = tokens(&self.offset_mapping);
        Feature {
            example_index: self.example_index.value(row),
            input_ids: &input_ids[tokens(&self.input_ids)],
            offset_mapping: Offsets {
                ends: &ends[2 * offsets.start..2 * offsets.end],
                inside: pairs.nulls(),
                first: offsets.start,
            },
            start_position: self.start_positions.value(row),
            end_position: self.end_positions.value(row),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::table_writer::BATCH_ROWS;

    /// Window `i`: of varying length, with a question of two tokens.
    fn window(i: usize) -> (Vec<i32>, Vec<Option<(u32, u32)>>) {
        let tokens = 4 + i % 7;
        let offset = |t: usize| (2..tokens - 1).contains(&t).then_some((3 * t as u32, 3 * t as u32 + 2));
        ((0..tokens).map(|t| (i + t) as i32).collect(), (0..tokens).map(offset).collect())
    }

    #[test]
    fn features_come_back_across_batches() {
        let dir = tempfile::TempDir::new().unwrap();
        let path = dir.path().join("features-train.arrow");
        let mut writer = FeaturesWriter::create(&path, "f").unwrap();
        let count = 2 * BATCH_ROWS + 5;
        for i in 0..count {
            let (input_ids, offset_mapping) = window(i);
            let row = FeatureRow {
                example_index: i as u32 / 2,
                input_ids: &input_ids,
                offset_mapping: &offset_mapping,
                start_position: 2,
                end_position: 3,
            };
            writer.push(&row).unwrap();
        }
        writer.finish().unwrap();
        let features = Features::open(&path).unwrap();
        assert_eq!((features.len(), features.table.batches.len()), (count, 3));
        for (i, feature) in features.iter().enumerate() {
            let (input_ids, offset_mapping) = window(i);
            assert_eq!(feature.input_ids, input_ids, "window {i}");
            assert_eq!(feature.offset_mapping.iter().collect::<Vec<_>>(), offset_mapping, "window {i}");
            assert_eq!(feature.offset_mapping.get(input_ids.len()), None);
            assert_eq!(
                (feature.example_index, feature.start_position, feature.end_position),
                (i as u32 / 2, 2, 3)
            );
        }
    }

    #[test]
    fn a_window_with_fewer_offsets_than_tokens_is_refused() {
        let dir = tempfile::TempDir::new().unwrap();
        let path = dir.path().join("features-train.arrow");
        let mut writer = FeaturesWriter::create(&path, "f").unwrap();
        let row = FeatureRow {
            example_index: 0,
            input_ids: &[101, 102],
            offset_mapping: &[None],
            start_position: 0,
            end_position: 0,
        };
        let error = writer.push(&row).unwrap_err();
        assert_eq!(
            error.to_string(),
            format!("row 0 does not fit {}: 2 input_ids and 1 offsets", path.display())
        );
    }

    #[test]
    fn a_split_without_windows_is_a_table() {
        let dir = tempfile::TempDir::new().unwrap();
        let path = dir.path().join("features-train.arrow");
        FeaturesWriter::create(&path, "f").unwrap().finish().unwrap();
        assert!(Features::open(&path).unwrap().is_empty());
    }
}
