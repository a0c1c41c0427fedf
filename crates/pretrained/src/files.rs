//! The small files of a model's folder.

use std::io::{self, Read as _};
use std::path::Path;

use fs_err::File;

use crate::error::{Error, Result};

/// More than any tokenizer needs: one of a million tokens has about 70 MB.
const MAX_BYTES: u64 = 256 << 20;

/// The beginning of the files that `git clone` leaves if git-lfs is not installed.
const POINTER: &[u8] = b"version https://git-lfs.github.com/spec/";

/// A file of the folder, or `None` if there is none of that name.
pub(crate) fn read(folder: &Path, name: &str) -> Result<Option<Vec<u8>>> {
    let path = folder.join(name);
    let metadata = match fs_err::metadata(&path) {
        Ok(metadata) => metadata,
        Err(source) if source.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(source) => return Err(source.into()),
    };
    // A pipe or a device may never end.
    if !metadata.is_file() {
        return Err(Error::NotAFile { path });
    }
    if metadata.len() > MAX_BYTES {
        return Err(Error::TooLarge { path, bytes: metadata.len(), limit: MAX_BYTES });
    }
    let bytes = fs_err::read(&path)?;
    if bytes.starts_with(POINTER) { Err(Error::LfsPointer { path }) } else { Ok(Some(bytes)) }
}

/// A file that a model's folder must have.
pub(crate) fn required(folder: &Path, name: &'static str) -> Result<Vec<u8>> {
    read(folder, name)?.ok_or_else(|| Error::NoModelFile { folder: folder.to_owned(), name })
}

/// Refuses a weight file that is a git-lfs pointer.
pub(crate) fn refuse_pointer(path: &Path) -> Result<()> {
    let mut beginning = Vec::new();
    File::open(path)?.take(POINTER.len() as u64).read_to_end(&mut beginning)?;
    if beginning == POINTER { Err(Error::LfsPointer { path: path.to_owned() }) } else { Ok(()) }
}
