//! Named tensors: the weights of a model, and the checkpoints of a training.

use std::collections::HashMap;
use std::path::Path;

use arrow::array::AsArray;
use arrow::datatypes::{ArrowPrimitiveType, DataType, Field, Float16Type, Int64Type};

use crate::kind::{Kind, column, list_of};
use crate::table::Table;
use crate::{Error, Result};

mod writer;
pub use writer::TensorsWriter;

/// The weights of a base model: ingest/`pretrained.arrow`.
pub static TENSORS: Kind = Kind { name: "tensors", version: 1, producer: "ingest", columns };
/// The best weights of a training: train/`weights.arrow`.
pub static WEIGHTS: Kind = Kind { name: "weights", version: 1, producer: "train", columns };
/// A checkpoint: weights and optimizer state by name, counters in the metadata: train/`checkpoints/step-….arrow`.
pub static CHECKPOINT: Kind = Kind { name: "checkpoint", version: 1, producer: "train", columns };

fn columns() -> Vec<Field> {
    vec![
        column("name", DataType::Utf8),
        column("dtype", DataType::Utf8),
        column("shape", list_of(DataType::Int64)),
        column("data", DataType::LargeBinary),
    ]
}

/// A tensor inside a mapped file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TensorView<'a> {
    /// Its name in weight files.
    pub name: &'a str,
    /// `F32`, `F16`, `BF16`, `I64`, … as safetensors spells it.
    pub dtype: &'a str,
    /// Rows first.
    pub shape: Vec<i64>,
    /// Little-endian, rows first, and not necessarily aligned.
    pub data: &'a [u8],
}

impl TensorView<'_> {
    /// The values as f32; exact for F32, F16 and BF16, refused for anything else.
    pub fn to_f32(&self) -> Result<Vec<f32>> {
        type F16 = <Float16Type as ArrowPrimitiveType>::Native;
        let (quads, _) = self.data.as_chunks::<4>();
        let (pairs, _) = self.data.as_chunks::<2>();
        match self.dtype {
            "F32" => Ok(quads.iter().map(|&bytes| f32::from_le_bytes(bytes)).collect()),
            "F16" => Ok(pairs.iter().map(|&bytes| F16::from_le_bytes(bytes).to_f32()).collect()),
            // BF16 is the upper half of an f32.
            "BF16" => Ok(pairs.iter().map(|&[low, high]| f32::from_le_bytes([0, 0, low, high])).collect()),
            _ => Err(Error::TensorDtype { name: self.name.to_owned(), dtype: self.dtype.to_owned() }),
        }
    }

    /// Checks that the data is as long as shape and dtype say.
    fn check(&self) -> Result<()> {
        let count = self.shape.iter().try_fold(1usize, |n, &d| n.checked_mul(usize::try_from(d).ok()?));
        let expected = element_bytes(self.dtype).and_then(|bytes| count?.checked_mul(bytes));
        if expected == Some(self.data.len()) {
            return Ok(());
        }
        let expected = match expected {
            Some(bytes) => format!("expected {bytes}"),
            None => "which is not a dtype and shape of safetensors".to_owned(),
        };
        Err(Error::TensorSize {
            name: self.name.to_owned(),
            dtype: self.dtype.to_owned(),
            shape: self.shape.clone(),
            found: self.data.len(),
            expected,
        })
    }
}

/// Bytes of one element; `None` for a type that safetensors does not have.
fn element_bytes(dtype: &str) -> Option<usize> {
    match dtype {
        "BOOL" | "U8" | "I8" | "F8_E4M3" | "F8_E5M2" => Some(1),
        "U16" | "I16" | "F16" | "BF16" => Some(2),
        "U32" | "I32" | "F32" => Some(4),
        "U64" | "I64" | "F64" => Some(8),
        _ => None,
    }
}

/// The tensors of a file, memory-mapped.
#[derive(Debug)]
pub struct Tensors {
    table: Table,
    /// Name → row.
    rows: HashMap<String, usize>,
}

impl Tensors {
    /// Maps a file of `kind` ([`TENSORS`], [`WEIGHTS`] or [`CHECKPOINT`]) and checks all of it: names are unique, data as
    /// long as shape and dtype say.
    pub fn open(path: &Path, kind: &'static Kind) -> Result<Self> {
        Self::new(Table::open(path, &[kind])?)
    }

    pub(crate) fn new(table: Table) -> Result<Self> {
        let mut tensors = Self { table, rows: HashMap::new() };
        let mut rows = HashMap::with_capacity(tensors.len());
        for (row, tensor) in tensors.iter().enumerate() {
            tensor.check().map_err(|e| tensors.table.damaged(e.to_string()))?;
            if rows.insert(tensor.name.to_owned(), row).is_some() {
                return Err(tensors.table.damaged(format!("it has two tensors `{}`", tensor.name)));
            }
        }
        tensors.rows = rows;
        Ok(tensors)
    }

    pub fn get(&self, name: &str) -> Result<TensorView<'_>> {
        match self.rows.get(name) {
            Some(&row) => Ok(self.row(row)),
            None => Err(Error::NoTensor {
                path: self.table.path.clone(),
                name: name.to_owned(),
                count: self.len(),
            }),
        }
    }

    /// Whether there is a tensor of this name.
    #[must_use]
    pub fn contains(&self, name: &str) -> bool {
        self.rows.contains_key(name)
    }

    /// The tensors in the order written.
    #[must_use]
    pub fn iter(&self) -> impl ExactSizeIterator<Item = TensorView<'_>> {
        (0..self.len()).map(|row| self.row(row))
    }

    /// A value of the metadata given to [`TensorsWriter::create_as`].
    #[must_use]
    pub fn metadata(&self, key: &str) -> Option<&str> {
        self.table.metadata(key)
    }

    /// `tensors`, `weights` or `checkpoint`.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        self.table.kind.name
    }

    /// The number of tensors.
    #[must_use]
    pub fn len(&self) -> usize {
        self.table.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn row(&self, row: usize) -> TensorView<'_> {
        let (batch, row) = self.table.locate(row);
        let batch = &self.table.batches[batch];
        let shapes = batch.column(2).as_list::<i32>();
        let dims = shapes.value_offsets()[row] as usize..shapes.value_offsets()[row + 1] as usize;
        TensorView {
            name: batch.column(0).as_string::<i32>().value(row),
            dtype: batch.column(1).as_string::<i32>().value(row),
            shape: shapes.values().as_primitive::<Int64Type>().values()[dims].to_vec(),
            data: batch.column(3).as_binary::<i64>().value(row),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn tensors_come_back_by_name_in_every_type() {
        let dir = tempfile::TempDir::new().unwrap();
        let path = dir.path().join("pretrained.arrow");
        let mut writer = TensorsWriter::create(&path, "f").unwrap();
        writer.push_f32("a.weight", &[2, 3], &[1.0, -2.5, f32::MIN_POSITIVE, 0.0, 1e30, -0.1]).unwrap();
        writer.push("half", "F16", &[3], &[0x00, 0x3c, 0x00, 0xc0, 0x01, 0x00]).unwrap();
        writer.push("brain", "BF16", &[2], &[0x80, 0x3f, 0x40, 0xc0]).unwrap();
        writer.push("position_ids", "I64", &[1, 1], &7i64.to_le_bytes()).unwrap();
        writer.push_f32("scalar", &[], &[4.0]).unwrap();
        writer.push_f32("empty", &[0, 8], &[]).unwrap();
        writer.finish().unwrap();
        let tensors = Tensors::open(&path, &TENSORS).unwrap();
        assert_eq!((tensors.len(), tensors.kind()), (6, "tensors"));
        let values = |name| tensors.get(name).unwrap().to_f32().unwrap();
        assert_eq!(values("a.weight"), [1.0, -2.5, f32::MIN_POSITIVE, 0.0, 1e30, -0.1]);
        // The smallest subnormal of f16 is 2⁻²⁴.
        assert_eq!(values("half"), [1.0, -2.0, (-24f32).exp2()]);
        assert_eq!(values("brain"), [1.0, -3.0]);
        assert_eq!(values("scalar"), [4.0]);
        assert_eq!(tensors.get("a.weight").unwrap().shape, [2, 3]);
        assert_eq!(tensors.get("empty").unwrap().shape, [0, 8]);
        let error = tensors.get("position_ids").unwrap().to_f32().unwrap_err();
        assert_eq!(error.to_string(), "tensor `position_ids` is I64, expected F32, F16 or BF16");
        assert!(!tensors.contains("b") && matches!(tensors.get("b"), Err(Error::NoTensor { count: 6, .. })));
        let names: Vec<_> = tensors.iter().map(|tensor| tensor.name).collect();
        assert_eq!(names, ["a.weight", "half", "brain", "position_ids", "scalar", "empty"]);
    }

    #[test]
    fn a_tensor_of_the_wrong_length_or_name_is_refused() {
        let dir = tempfile::TempDir::new().unwrap();
        let mut writer = TensorsWriter::create(&dir.path().join("pretrained.arrow"), "f").unwrap();
        let error = writer.push("w", "F32", &[2, 2], &[0; 12]).unwrap_err();
        assert_eq!(error.to_string(), "tensor `w` (F32 [2, 2]) has 12 bytes, expected 16");
        for (dtype, shape) in [("F33", 1), ("F32", -1), ("F32", i64::MAX)] {
            assert!(matches!(writer.push("w", dtype, &[shape, 4], &[0; 4]), Err(Error::TensorSize { .. })));
        }
        writer.push_f32("w", &[1], &[1.0]).unwrap();
        let error = writer.push_f32("w", &[1], &[1.0]).unwrap_err().to_string();
        assert!(error.ends_with("there is already a tensor `w`"), "{error}");
    }

    #[test]
    fn a_training_state_carries_its_counters() {
        let dir = tempfile::TempDir::new().unwrap();
        let path = dir.path().join("step-00000500.arrow");
        let counters = BTreeMap::from([("global_step".to_owned(), "500".to_owned())]);
        let mut writer = TensorsWriter::create_as(&path, "f", &CHECKPOINT, counters).unwrap();
        writer.push_f32("qa_outputs.bias", &[2], &[0.0, 1.0]).unwrap();
        writer.finish().unwrap();
        let checkpoint = Tensors::open(&path, &CHECKPOINT).unwrap();
        assert_eq!((checkpoint.kind(), checkpoint.metadata("global_step")), ("checkpoint", Some("500")));
        let description = crate::describe(&path).unwrap();
        assert_eq!(description.metadata, [("global_step".to_owned(), "500".to_owned())]);
    }
}
