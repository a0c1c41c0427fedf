//! Reads a model's tensors from safetensors or `pytorch_model.bin`, in one file or in shards.
//!
//! Not here: what the tensors are for ([`crate::weights`]).

use std::collections::BTreeMap;
use std::io::{Read as _, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use fs_err::File;
use pytorch_file::{Dtype, StateDictFile};
use safetensors::tensor::{Metadata, SafeTensorError};
use serde_json::Value;

use crate::error::{Error, Result};
use crate::files;

/// Bytes before the header of a safetensors file: its length.
const LENGTH_BYTES: u64 = 8;

/// The longest header of a safetensors file, as in its library.
const MAX_HEADER_BYTES: u64 = 100_000_000;

/// Bytes of a tensor in memory besides its values; a whole number of elements of any type.
const PIECE_BYTES: usize = 1 << 20;

/// All tensors of a model's folder, by name.
#[derive(Debug)]
pub struct WeightFiles {
    /// The weights, or the index of their shards; for messages.
    pub path: PathBuf,
    files: Vec<(String, Weights)>,
    tensors: BTreeMap<String, Tensor>,
}

/// What is known of a tensor before its elements are read.
#[derive(Debug)]
pub struct Tensor {
    /// Sizes of its dimensions.
    pub shape: Vec<usize>,
    /// The type, by its name in safetensors.
    pub dtype_name: String,
    /// The type, if it can be converted to f32.
    pub dtype: Option<Dtype>,
    file: usize,
}

#[derive(Debug)]
enum Weights {
    Safetensors {
        path: PathBuf,
        first_byte: u64,
        metadata: Metadata,
    },
    /// Reading moves the position in the file, so one tensor at a time.
    Pytorch(Mutex<StateDictFile>),
}

impl WeightFiles {
    /// Reads the headers of the weights in `folder`, which [`fetch::weights_file`] finds.
    pub fn open(folder: &Path) -> Result<Self> {
        let name = fetch::weights_file(folder)
            .ok_or_else(|| Error::NoModelFile { folder: folder.to_owned(), name: "model.safetensors" })?;
        let mut weight_files = Self { path: folder.join(name), files: Vec::new(), tensors: BTreeMap::new() };
        let mut problems = Vec::new();
        if name.ends_with(".index.json") {
            let json = files::required(folder, name)?;
            let index: Value = serde_json::from_slice(&json)
                .map_err(|source| Error::json(&weight_files.path, "an index of shards", &source))?;
            let shards = fetch::shards(&index).ok_or_else(|| {
                Error::index(
                    &weight_files.path,
                    vec!["weight_map: expected names of files in the same folder".into()],
                )
            })?;
            for shard in shards {
                if folder.join(shard).is_file() {
                    weight_files.add(folder, shard, &mut problems)?;
                } else {
                    problems.push(format!("missing: the file {shard}"));
                }
            }
            weight_files.compare(&index, &mut problems);
        } else {
            weight_files.add(folder, name, &mut problems)?;
        }
        if problems.is_empty() { Ok(weight_files) } else { Err(Error::index(&weight_files.path, problems)) }
    }

    /// Reads the header of one complete file, and ignores other files beside it.
    pub fn open_file(path: &Path) -> Result<Self> {
        let mut weight_files = Self { path: path.to_owned(), files: Vec::new(), tensors: BTreeMap::new() };
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        weight_files.add(path.parent().unwrap_or(Path::new("")), &name, &mut Vec::new())?;
        Ok(weight_files)
    }

    /// The sizes of a tensor that was listed.
    pub fn shape(&self, name: &str) -> &[usize] {
        &self.tensors[name].shape
    }

    /// Names and headers of all tensors, by name.
    pub fn tensors(&self) -> impl Iterator<Item = (&str, &Tensor)> {
        self.tensors.iter().map(|(name, tensor)| (name.as_str(), tensor))
    }

    /// The files, in their order.
    pub fn files(&self) -> impl Iterator<Item = &str> {
        self.files.iter().map(|(name, _)| name.as_str())
    }

    /// `"safetensors"`, `"pytorch zip"` or `"pytorch legacy"`.
    pub fn form(&self) -> &'static str {
        match self.files.first() {
            Some((_, Weights::Pytorch(file))) if lock(file).form() == "legacy" => "pytorch legacy",
            Some((_, Weights::Pytorch(_))) => "pytorch zip",
            _ => "safetensors",
        }
    }

    /// The elements, row by row, as f32: F16 and BF16 exactly, F64 rounded to nearest.
    ///
    /// Fails on infinities and NaN, because such weights cannot be trained.
    pub fn read_f32(&self, name: &str) -> Result<Vec<f32>> {
        let tensor = &self.tensors[name];
        let (file_name, file) = &self.files[tensor.file];
        let values = match file {
            Weights::Safetensors { path, first_byte, metadata } => {
                let (start, end) = metadata.info(name).expect("it was listed from here").data_offsets;
                let dtype = tensor.dtype.expect("its type was checked");
                read_elements(path, first_byte + start as u64, end - start, dtype)?
            }
            Weights::Pytorch(file) => {
                let file = lock(file);
                let (_, view) =
                    file.tensors().iter().find(|(known, _)| known == name).expect("it was listed from here");
                file.read_f32(view)?
            }
        };
        let not_finite = values.iter().filter(|value| !value.is_finite()).count();
        if not_finite > 0 {
            let path = self.path.with_file_name(file_name);
            return Err(Error::NotFinite { path, name: name.to_owned(), not_finite, values: values.len() });
        }
        Ok(values)
    }

    /// Lists the tensors of one more file.
    fn add(&mut self, folder: &Path, name: &str, problems: &mut Vec<String>) -> Result<()> {
        let path = folder.join(name);
        files::refuse_pointer(&path)?;
        let weights = if Path::new(name).extension().is_some_and(|extension| extension == "bin") {
            Weights::Pytorch(Mutex::new(StateDictFile::open(&path)?))
        } else {
            open_safetensors(&path)?
        };
        let file = self.files.len();
        let tensors: Vec<(String, Tensor)> = match &weights {
            Weights::Safetensors { metadata, .. } => metadata
                .tensors()
                .into_iter()
                .map(|(name, info)| {
                    let dtype = match info.dtype {
                        safetensors::Dtype::F64 => Some(Dtype::F64),
                        safetensors::Dtype::F32 => Some(Dtype::F32),
                        safetensors::Dtype::F16 => Some(Dtype::F16),
                        safetensors::Dtype::BF16 => Some(Dtype::BF16),
                        _ => None,
                    };
                    let (shape, dtype_name) = (info.shape.clone(), info.dtype.to_string());
                    (name, Tensor { shape, dtype_name, dtype, file })
                })
                .collect(),
            Weights::Pytorch(state_dict) => lock(state_dict)
                .tensors()
                .iter()
                .map(|(name, tensor)| {
                    let (shape, dtype) = (tensor.shape().to_vec(), tensor.dtype());
                    let dtype_name = dtype.to_string();
                    let dtype = Some(dtype).filter(|dtype| dtype.is_float());
                    (name.clone(), Tensor { shape, dtype_name, dtype, file })
                })
                .collect(),
        };
        for (tensor, header) in tensors {
            if let Some(other) = self.tensors.insert(tensor.clone(), header) {
                problems.push(format!("surplus: {tensor} of {name} (also in {})", self.files[other.file].0));
            }
        }
        self.files.push((name.to_owned(), weights));
        Ok(())
    }

    /// Checks that every tensor is in the shard that the index names.
    fn compare(&self, index: &Value, problems: &mut Vec<String>) {
        let Some(weight_map) = index["weight_map"].as_object() else { return };
        for (name, shard) in weight_map {
            let found = self.tensors.get(name).map(|tensor| self.files[tensor.file].0.as_str());
            if found != shard.as_str() {
                problems.push(format!("missing: {name} in {}", shard.as_str().unwrap_or_default()));
            }
        }
        for (name, tensor) in self.tensors().filter(|(name, _)| !weight_map.contains_key(*name)) {
            problems.push(format!("surplus: {name} of {}, not in the index", self.files[tensor.file].0));
        }
    }
}

fn lock(file: &Mutex<StateDictFile>) -> MutexGuard<'_, StateDictFile> {
    file.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Reads the header; the elements stay in the file until they are needed.
fn open_safetensors(path: &Path) -> Result<Weights> {
    let unsound = |source| Error::Safetensors { path: path.to_owned(), source: Box::new(source) };
    let mut file = File::open(path)?;
    let file_bytes = file.metadata()?.len();
    if file_bytes < LENGTH_BYTES {
        return Err(unsound(SafeTensorError::HeaderTooSmall));
    }
    let mut length = [0; LENGTH_BYTES as usize];
    file.read_exact(&mut length)?;
    let header_bytes = u64::from_le_bytes(length);
    if header_bytes > MAX_HEADER_BYTES {
        return Err(unsound(SafeTensorError::HeaderTooLarge));
    }
    let first_byte = LENGTH_BYTES + header_bytes;
    if first_byte > file_bytes {
        return Err(unsound(SafeTensorError::InvalidHeaderLength));
    }
    let mut header = vec![0; header_bytes as usize];
    file.read_exact(&mut header)?;
    let metadata: Metadata = serde_json::from_slice(&header)
        .map_err(|source| unsound(SafeTensorError::InvalidHeaderDeserialization(source)))?;
    if first_byte.checked_add(metadata.data_len() as u64) != Some(file_bytes) {
        return Err(unsound(SafeTensorError::MetadataIncompleteBuffer));
    }
    Ok(Weights::Safetensors { path: path.to_owned(), first_byte, metadata })
}

fn read_elements(path: &Path, start: u64, bytes: usize, dtype: Dtype) -> Result<Vec<f32>> {
    let mut file = File::open(path)?;
    file.seek(SeekFrom::Start(start))?;
    let mut values = Vec::with_capacity(bytes / dtype.size_bytes() as usize);
    let mut piece = vec![0; PIECE_BYTES.min(bytes)];
    let mut left = bytes;
    while left > 0 {
        let piece = &mut piece[..PIECE_BYTES.min(left)];
        file.read_exact(piece)?;
        values.extend(dtype.to_f32(piece).expect("it is a type of floats"));
        left -= piece.len();
    }
    Ok(values)
}
