//! The one place that maps files into memory.
#![expect(unsafe_code, reason = "mapping a file is unsafe because another process could change it")]

use std::io;
use std::path::Path;

use arrow::buffer::Buffer;
use bytes::Bytes;
use memmap2::Mmap;

use crate::{Result, open_regular};

/// Maps a file as an Arrow buffer: arrays that are sliced from it keep the map alive and copy nothing.
pub(crate) fn map(path: &Path) -> Result<Buffer> {
    let file = open_regular(path)?;
    // SAFETY: the bytes must not change while they are mapped. Tables are written under another name and renamed
    // when complete (`table_writer`), finished artifacts are never written to again, replacing one only renames and
    // unlinks folders, which leaves mapped files unchanged, and a partial folder is locked against a second process.
    // Nothing here protects against a user who truncates a file under a running stage.
    let map = unsafe { Mmap::map(file.file()) }
        .map_err(|e| io::Error::new(e.kind(), format!("cannot map {}: {e}", path.display())))?;
    Ok(Buffer::from(Bytes::from_owner(map)))
}
