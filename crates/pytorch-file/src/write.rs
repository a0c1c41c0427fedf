//! Writes the zip of `torch.save`.
//!
//! Storages are uncompressed and aligned to 64 bytes, so that `torch.load(mmap=True)` works; `weights_only=True` works
//! too. Equal tensors give equal files.

use std::io::{self, BufWriter, Seek, SeekFrom, Write};
use std::path::Path;

use fs_err::File;
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, DateTime, ZipWriter};

use crate::pickle;

/// The folder inside the zip. `torch.save` names it after the file, but any name works.
const FOLDER: &str = "archive";
/// `kProducedFileFormatVersion` of PyTorch if only tensors are saved.
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

/// Writes the tensors as a state dict, each in its own storage.
///
/// # Errors
/// If the file cannot be written; the message names it.
pub fn write(path: &Path, tensors: &[F32Tensor<'_>]) -> io::Result<()> {
    let mut zip = ZipWriter::new(FirstError { writer: BufWriter::new(File::create(path)?), error: None });
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
    let mut written = zip.finish().map_err(io::Error::from)?;
    written.flush()?;
    written.error.map_or(Ok(()), Err)
}

/// Keeps the first error of a writer for the end, and ignores all later writes: otherwise a `ZipWriter` whose writer
/// fails would print to stderr when it is dropped.
struct FirstError<W> {
    writer: W,
    error: Option<io::Error>,
}

impl<W> FirstError<W> {
    fn unless_failed<T>(&mut self, skipped: T, act: impl FnOnce(&mut W) -> io::Result<T>) -> io::Result<T> {
        if self.error.is_some() {
            return Ok(skipped);
        }
        match act(&mut self.writer) {
            Err(error) if error.kind() != io::ErrorKind::Interrupted => {
                self.error = Some(error);
                Ok(skipped)
            }
            result => result,
        }
    }
}

impl<W: Write> Write for FirstError<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.unless_failed(bytes.len(), |writer| writer.write(bytes))
    }

    fn flush(&mut self) -> io::Result<()> {
        self.unless_failed((), Write::flush)
    }
}

impl<W: Seek> Seek for FirstError<W> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.unless_failed(0, |writer| writer.seek(to))
    }
}

fn options(size_bytes: usize) -> SimpleFileOptions {
    SimpleFileOptions::default()
        .compression_method(CompressionMethod::Stored)
        .last_modified_time(DateTime::default())
        .unix_permissions(0o644)
        .with_alignment(ALIGNMENT)
        .large_file(size_bytes >= u32::MAX as usize)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_disk_that_fills_up_is_the_error_and_nothing_else_is_tried() {
        // Takes 100 bytes, then none.
        struct Full(usize);
        impl Write for Full {
            fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
                match self.0.min(bytes.len()) {
                    0 => Err(io::ErrorKind::StorageFull.into()),
                    taken => {
                        self.0 -= taken;
                        Ok(taken)
                    }
                }
            }
            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        let mut writer = FirstError { writer: Full(100), error: None };
        writer.write_all(&[0; 300]).unwrap();
        writer.flush().unwrap();
        assert_eq!(writer.error.unwrap().kind(), io::ErrorKind::StorageFull);

        // `/dev/full` says of every byte that the disk is full.
        let data = vec![0; 1 << 16];
        let tensor = F32Tensor { name: "weight", shape: vec![1 << 14], data: &data };
        let error = write(Path::new("/dev/full"), &[tensor]).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::StorageFull);
        assert!(error.to_string().contains("/dev/full"), "{error}");
    }
}
