//! The two kinds of hashes by which the Hub names its files, and their comparison with files on disk.

use std::fmt::{self, Write as _};
use std::io::Read;
use std::ops::ControlFlow;
use std::path::Path;

use sha1::Sha1;
use sha2::{Digest as _, Sha256};

use crate::error::{Error, Result};
use crate::{Event, Listener, tell};

const BUFFER_BYTES: usize = 1 << 18;

/// Blocks between two calls of the listener: about 16 MiB, which take at most a tenth of a second.
const BLOCKS_A_QUESTION: u64 = 64;

/// A hash of a file's contents.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Digest {
    /// SHA-256, as 64 hexadecimal digits: large files of the Hub, and every URL.
    Sha256(String),
    /// SHA-1 of git's blob, as 40 hexadecimal digits: small files of the Hub.
    GitBlob(String),
}

impl Digest {
    /// Parses the Hub's `ETag`: the length tells which kind of hash it is. `None` for anything else.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.strip_prefix("W/").unwrap_or(text).trim_matches('"');
        if !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return None;
        }
        let hex = text.to_ascii_lowercase();
        match hex.len() {
            64 => Some(Self::Sha256(hex)),
            40 => Some(Self::GitBlob(hex)),
            _ => None,
        }
    }

    /// The digits: also the name of the blob in the cache.
    #[must_use]
    pub fn hex(&self) -> &str {
        match self {
            Self::Sha256(hex) | Self::GitBlob(hex) => hex,
        }
    }

    /// The same kind of hash of the file at `path`, which may take minutes: the listener can stop it.
    pub(crate) fn of_file_as(&self, path: &Path, listener: Listener<'_>) -> Result<Self> {
        match self {
            Self::Sha256(_) => Self::sha256_listening(path, listener),
            Self::GitBlob(_) => {
                let size = fs_err::metadata(path)?.len();
                let mut hasher = Sha1::new();
                hasher.update(format!("blob {size}\0"));
                each_block(path, listener, |block| hasher.update(block))?;
                Ok(Self::GitBlob(hex(&hasher.finalize())))
            }
        }
    }

    /// SHA-256 of the file at `path`.
    pub fn sha256(path: &Path) -> Result<Self> {
        Self::sha256_listening(path, &mut |_| ControlFlow::Continue(()))
    }

    pub(crate) fn sha256_listening(path: &Path, listener: Listener<'_>) -> Result<Self> {
        let mut hasher = Sha256::new();
        each_block(path, listener, |block| hasher.update(block))?;
        Ok(Self::Sha256(hex(&hasher.finalize())))
    }
}

/// The text of a small regular file; `None` for anything else.
pub(crate) fn small_text(path: &Path) -> Option<String> {
    const MAX_BYTES: u64 = 1 << 16;
    let metadata = std::fs::metadata(path).ok()?;
    if !metadata.is_file() || metadata.len() > MAX_BYTES {
        return None;
    }
    std::fs::read_to_string(path).ok()
}

fn each_block(path: &Path, listener: Listener<'_>, mut visit: impl FnMut(&[u8])) -> Result<()> {
    if !fs_err::metadata(path)?.is_file() {
        return Err(Error::NotAFile { path: path.to_owned() });
    }
    let mut file = fs_err::File::open(path)?;
    let (mut buffer, mut blocks) = (vec![0; BUFFER_BYTES], 0_u64);
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok(()),
            n => visit(&buffer[..n]),
        }
        blocks += 1;
        if blocks % BLOCKS_A_QUESTION == 0 {
            tell(listener, Event::Waiting)?;
        }
    }
}

/// Bytes as lower-case hexadecimal digits.
fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing into a String always succeeds.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

impl fmt::Display for Digest {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sha256(hex) => write!(formatter, "sha256 {hex}"),
            Self::GitBlob(hex) => write!(formatter, "git blob {hex}"),
        }
    }
}

impl TryFrom<String> for Digest {
    type Error = String;

    fn try_from(text: String) -> std::result::Result<Self, String> {
        Self::parse(&text).ok_or_else(|| format!("{text:?} is neither a SHA-256 nor the SHA-1 of a git blob"))
    }
}

impl From<Digest> for String {
    fn from(digest: Digest) -> Self {
        digest.hex().to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hashes_are_those_of_git_and_sha256sum() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        std::fs::write(&path, "hello\n").unwrap();
        // git hash-object, sha256sum
        let git = Digest::parse("\"ce013625030ba8dba906f756967f9e9ca394464a\"").unwrap();
        assert_eq!(git.of_file_as(&path, &mut |_| ControlFlow::Continue(())).unwrap(), git);
        let sha256 = "5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03";
        assert_eq!(Digest::sha256(&path).unwrap(), Digest::parse(sha256).unwrap());
    }

    #[test]
    fn other_tags_are_no_digests() {
        for tag in ["", "\"33a64df5\"", "W/\"abc\"", &"g".repeat(40)] {
            assert_eq!(Digest::parse(tag), None, "{tag}");
        }
        assert!(Digest::parse(&format!("W/\"{}\"", "A".repeat(40))).is_some());
    }
}
