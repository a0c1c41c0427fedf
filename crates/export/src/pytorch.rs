//! `pytorch_model.bin`: PyTorch's zip form of a state dict, written and read without PyTorch.
//!
//! As `torch.save` of 1.6 and later lays it out (`caffe2/serialize/inline_container.cc`): `data.pkl` says
//! which tensor is which storage, `data/N` holds the bytes of storage N, stored and aligned to 64 bytes so
//! that `torch.load(mmap=True)` works. Loads with `weights_only=True`. Equal tensors give equal files.

mod pickle;
mod reader;
#[cfg(test)]
mod tests;
mod unpickle;

use std::io::{BufWriter, Write};
use std::path::Path;

use artifact::Tensors;
use fs_err::File;
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, DateTime, ZipWriter};

use crate::Error;

pub(crate) use reader::PytorchWeights;

/// The folder inside the zip; `torch.save` names it after the file, any name will do.
const FOLDER: &str = "archive";
/// `kProducedFileFormatVersion` of PyTorch when tensors alone are saved.
const FORMAT_VERSION: &[u8] = b"3\n";
/// PyTorch's alignment of storages.
const ALIGNMENT: u16 = 64;

/// Writes all tensors of the checkpoint, which are f32, each in a storage of its own.
pub(crate) fn write(path: &Path, checkpoint: &Tensors) -> Result<(), Error> {
    let shapes = checkpoint
        .iter()
        .map(|tensor| (tensor.name, tensor.shape.iter().map(|&size| size as u64).collect::<Vec<_>>()));
    let mut zip = ZipWriter::new(BufWriter::new(File::create(path)?));
    let mut entry = |name: &str, data: &[u8]| -> Result<(), std::io::Error> {
        zip.start_file(format!("{FOLDER}/{name}"), options(data.len()))?;
        zip.write_all(data)
    };
    // `data.pkl` comes first: PyTorch takes the folder's name from the first entry.
    entry("data.pkl", &pickle::state_dict(shapes))?;
    entry("byteorder", b"little")?;
    for (index, tensor) in checkpoint.iter().enumerate() {
        entry(&storage_name(index), tensor.data)?;
    }
    entry("version", FORMAT_VERSION)?;
    zip.finish().map_err(std::io::Error::from)?.flush()?;
    Ok(())
}

fn storage_name(key: impl std::fmt::Display) -> String {
    format!("data/{key}")
}

fn options(size_bytes: usize) -> SimpleFileOptions {
    SimpleFileOptions::default()
        .compression_method(CompressionMethod::Stored)
        .last_modified_time(DateTime::default())
        .unix_permissions(0o644)
        .with_alignment(ALIGNMENT)
        .large_file(size_bytes >= u32::MAX as usize)
}
