//! The text in a file, plain, gzip or zstd; the first bytes tell which. A file that expands more than text can is
//! refused while it is read.

use std::cell::Cell;
use std::io::{self, BufRead, BufReader, Read};
use std::rc::Rc;

use flate2::bufread::MultiGzDecoder;
use fs_err::File;

use crate::error::ReadError;

const GZIP_MAGIC: [u8; 2] = [0x1f, 0x8b];
const ZSTD_MAGIC: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];
const BUFFER_BYTES: usize = 1 << 18;

/// Questions that repeat their context compress up to about 100 to 1.
pub(crate) const MAX_RATIO: u64 = 250;

/// Below this size the ratio does not matter.
pub(crate) const FREE_BYTES: u64 = 64 << 20;

/// The largest window of a zstd frame (2^27 bytes), as in its command-line tool.
pub(crate) const ZSTD_WINDOW_LOG: u32 = 27;

/// A file's decompressed contents.
pub(super) type Text = BufReader<Box<dyn Read>>;

/// Opens the contents of `file`, and says whether they are compressed.
pub(super) fn open(file: File) -> io::Result<(Text, bool)> {
    let compressed = Rc::new(Cell::new(0));
    let counted = Counted { inner: file, count: Rc::clone(&compressed) };
    let mut file = BufReader::with_capacity(BUFFER_BYTES, counted);
    let first = file.fill_buf()?;
    let (inner, format): (Box<dyn Read>, _) = if first.starts_with(&GZIP_MAGIC) {
        (Box::new(MultiGzDecoder::new(file)), Some("gzip"))
    } else if first.starts_with(&ZSTD_MAGIC) {
        let mut decoder = zstd::stream::read::Decoder::with_buffer(file)?;
        decoder.window_log_max(ZSTD_WINDOW_LOG)?;
        (Box::new(decoder), Some("zstd"))
    } else {
        (Box::new(file), None)
    };
    let inner: Box<dyn Read> = match format {
        Some(format) => Box::new(Decompressed { inner, format, compressed, bytes: 0 }),
        None => inner,
    };
    Ok((BufReader::with_capacity(BUFFER_BYTES, inner), format.is_some()))
}

struct Counted {
    inner: File,
    count: Rc<Cell<u64>>,
}

impl Read for Counted {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let n = self.inner.read(buffer)?;
        self.count.set(self.count.get() + n as u64);
        Ok(n)
    }
}

struct Decompressed {
    inner: Box<dyn Read>,
    format: &'static str,
    compressed: Rc<Cell<u64>>,
    bytes: u64,
}

impl Read for Decompressed {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let n = match self.inner.read(buffer) {
            Err(source) if source.kind() != io::ErrorKind::Interrupted => {
                return Err(io::Error::other(ReadError::Damaged { format: self.format, source }));
            }
            other => other?,
        };
        self.bytes += n as u64;
        let compressed_bytes = self.compressed.get();
        if self.bytes > FREE_BYTES && self.bytes > compressed_bytes.saturating_mul(MAX_RATIO) {
            return Err(io::Error::other(ReadError::Bomb {
                ratio: MAX_RATIO,
                compressed_bytes,
                bytes: self.bytes,
            }));
        }
        Ok(n)
    }
}
