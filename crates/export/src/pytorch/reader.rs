//! Reads a `pytorch_model.bin` that was written here.

use std::cell::RefCell;
use std::collections::HashMap;
use std::io::{BufReader, Read};
use std::path::{Path, PathBuf};

use distilbert::Weights;
use fs_err::File;
use zip::{CompressionMethod, ZipArchive};

use super::pickle::contiguous_strides;
use super::unpickle::{self, PickledTensor};
use super::{ALIGNMENT, FOLDER, FORMAT_VERSION, storage_name};
use crate::Error;

type Zip = ZipArchive<BufReader<File>>;

/// The tensors of the file. Reading one checks its CRC.
#[derive(Debug)]
pub(crate) struct PytorchWeights {
    path: PathBuf,
    zip: RefCell<Zip>,
    tensors: HashMap<String, PickledTensor>,
}

impl PytorchWeights {
    /// Reads everything but the storages: the form of the zip, names, shapes, sizes.
    pub(crate) fn open(path: &Path) -> Result<Self, Error> {
        Self::read(path).map_err(|reason| Error::Pytorch { path: path.to_owned(), reason })
    }

    fn read(path: &Path) -> Result<Self, String> {
        let file = File::open(path).map_err(|error| error.to_string())?;
        let mut zip = ZipArchive::new(BufReader::new(file)).map_err(|error| error.to_string())?;
        for (name, expected) in [("byteorder", &b"little"[..]), ("version", FORMAT_VERSION)] {
            let found = entry(&mut zip, name)?;
            if found != expected {
                return Err(format!(
                    "{name} is {}, expected {}",
                    found.escape_ascii(),
                    expected.escape_ascii()
                ));
            }
        }
        let mut tensors = HashMap::new();
        for (name, tensor) in unpickle::state_dict(&entry(&mut zip, "data.pkl")?)? {
            check(&name, &tensor, &mut zip)?;
            if tensors.insert(name.clone(), tensor).is_some() {
                return Err(format!("it has two tensors {name}"));
            }
        }
        Ok(Self { path: path.to_owned(), zip: RefCell::new(zip), tensors })
    }
}

impl Weights for PytorchWeights {
    fn get(&self, name: &str) -> Result<(Vec<usize>, Vec<f32>), distilbert::Error> {
        let missing = || distilbert::Error::MissingTensor { name: name.to_owned() };
        let tensor = self.tensors.get(name).ok_or_else(missing)?;
        let data =
            entry(&mut self.zip.borrow_mut(), &storage_name(&tensor.storage_key)).map_err(|reason| {
                std::io::Error::new(
                    std::io::ErrorKind::InvalidData,
                    format!("{}: {reason}", self.path.display()),
                )
            })?;
        let values = data.as_chunks().0.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect();
        Ok((tensor.shape.iter().map(|&size| size as usize).collect(), values))
    }
}

/// The bytes of one entry, whose CRC the zip library compares on the way.
fn entry(zip: &mut Zip, name: &str) -> Result<Vec<u8>, String> {
    let name = format!("{FOLDER}/{name}");
    let mut file = zip.by_name(&name).map_err(|error| format!("{name}: {error}"))?;
    let mut data = Vec::with_capacity(file.size() as usize);
    file.read_to_end(&mut data).map_err(|error| format!("{name}: {error}"))?;
    Ok(data)
}

/// A tensor is its whole storage in order, and the storage can be mapped.
fn check(name: &str, tensor: &PickledTensor, zip: &mut Zip) -> Result<(), String> {
    let PickledTensor { storage_key, numel, storage_offset, shape, strides } = tensor;
    if *storage_offset != 0
        || shape.iter().product::<u64>() != *numel
        || *strides != contiguous_strides(shape)
    {
        return Err(format!("{name} is not the whole of its storage in order: {tensor:?}"));
    }
    let storage = storage_name(storage_key);
    let file = zip.by_name(&format!("{FOLDER}/{storage}")).map_err(|error| format!("{storage}: {error}"))?;
    if file.size() != 4 * numel {
        return Err(format!(
            "{storage} of {name} has {} bytes, its shape {shape:?} says {}",
            file.size(),
            4 * numel
        ));
    }
    if file.compression() != CompressionMethod::Stored || !file.data_start().is_multiple_of(ALIGNMENT.into())
    {
        return Err(format!("{storage} of {name} is not stored at a multiple of {ALIGNMENT} bytes"));
    }
    Ok(())
}
