//! Writes the zip of `torch.save`.
//!
//! Storages are stored and aligned to 64 bytes, so that `torch.load(mmap=True)` works; `weights_only=True` does
//! as well. Equal tensors give equal files.

use std::io::{self, BufWriter, Write};
use std::path::Path;

use fs_err::File;
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, DateTime, ZipWriter};

use crate::pickle;

/// The folder inside the zip; `torch.save` names it after the file, any name will do.
const FOLDER: &str = "archive";
/// `kProducedFileFormatVersion` of PyTorch when tensors alone are saved.
const FORMAT_VERSION: &[u8] = b"3\n";
/// PyTorch's alignment of storages.
const ALIGNMENT: u16 = 64;

/// A tensor to be written.
#[derive(Debug, Clone)]
pub struct F32Tensor<'a> {
    /// Its name in the state dict.
    pub name: &'a str,
    /// Sizes of its dimensions.
    pub shape: Vec<u64>,
    /// Its elements, row by row, little-endian.
    pub data: &'a [u8],
}

/// Writes the tensors as a state dict, each in a storage of its own.
///
/// # Errors
/// What the operating system says; the message names the file.
pub fn write(path: &Path, tensors: &[F32Tensor<'_>]) -> io::Result<()> {
    let mut zip = ZipWriter::new(BufWriter::new(File::create(path)?));
    let mut entry = |name: &str, data: &[u8]| -> io::Result<()> {
        zip.start_file(format!("{FOLDER}/{name}"), options(data.len()))?;
        zip.write_all(data)
    };
    // `data.pkl` comes first: PyTorch takes the folder's name from the first entry.
    entry("data.pkl", &pickle::state_dict(tensors.iter().map(|tensor| (tensor.name, &*tensor.shape))))?;
    entry("byteorder", b"little")?;
    for (key, tensor) in tensors.iter().enumerate() {
        entry(&format!("data/{key}"), tensor.data)?;
    }
    entry("version", FORMAT_VERSION)?;
    zip.finish().map_err(io::Error::from)?.flush()
}

fn options(size_bytes: usize) -> SimpleFileOptions {
    SimpleFileOptions::default()
        .compression_method(CompressionMethod::Stored)
        .last_modified_time(DateTime::default())
        .unix_permissions(0o644)
        .with_alignment(ALIGNMENT)
        .large_file(size_bytes >= u32::MAX as usize)
}
