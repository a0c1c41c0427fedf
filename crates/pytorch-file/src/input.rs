//! Reads the bytes of a pickle: it counts and limits them, and never allocates more memory than there are bytes.

use std::io::{ErrorKind, Read};

use crate::error::Fault;

/// The longest pickle: a state dict has about 200 bytes for each tensor.
const PICKLE_BYTES: u64 = 16 << 20;
/// The longest line, which is a module's or a class's name.
const LINE_BYTES: usize = 256;

/// A reader that knows its position.
pub(crate) struct Input<R> {
    reader: R,
    at: u64,
    limit: u64,
}

impl<R: Read> Input<R> {
    /// Reads on from byte `at`.
    pub(crate) fn new(reader: R, at: u64) -> Self {
        Self { reader, at, limit: at + PICKLE_BYTES }
    }

    /// Bytes before the next one.
    pub(crate) fn at(&self) -> u64 {
        self.at
    }

    pub(crate) fn array<const N: usize>(&mut self) -> Result<[u8; N], Fault> {
        let mut bytes = [0; N];
        self.advance(N as u64)?;
        self.reader.read_exact(&mut bytes).map_err(|error| match error.kind() {
            ErrorKind::UnexpectedEof => truncated(),
            _ => Fault::Io(error),
        })?;
        Ok(bytes)
    }

    pub(crate) fn bytes(&mut self, len: u64) -> Result<Vec<u8>, Fault> {
        self.advance(len)?;
        let mut bytes = Vec::new();
        // Grows with the data, because `len` is only the file's claim.
        (&mut self.reader).take(len).read_to_end(&mut bytes)?;
        if (bytes.len() as u64) < len { Err(truncated()) } else { Ok(bytes) }
    }

    /// Up to a line feed, without it; what is not ASCII is escaped.
    pub(crate) fn line(&mut self) -> Result<String, Fault> {
        let mut line = Vec::new();
        loop {
            match self.array()? {
                [b'\n'] => return Ok(line.escape_ascii().to_string()),
                _ if line.len() == LINE_BYTES => {
                    return Err(Fault::Form(format!(
                        "a name in its pickle is longer than {LINE_BYTES} bytes"
                    )));
                }
                [byte] => line.push(byte),
            }
        }
    }

    fn advance(&mut self, len: u64) -> Result<(), Fault> {
        self.at = self.at.saturating_add(len);
        if self.at > self.limit {
            return Err(Fault::Form(format!("its pickle is longer than {} MiB", PICKLE_BYTES >> 20)));
        }
        Ok(())
    }
}

fn truncated() -> Fault {
    Fault::Form("it ends within its pickle".to_owned())
}
