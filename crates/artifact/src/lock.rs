//! Keeps a second process out of a partial folder.
//!
//! The operating system drops the lock when its process ends, however it ends: there is no stale lock to clean up.

use std::fs::TryLockError;
use std::io::{Read, Seek, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process;

use fs_err::os::unix::fs::OpenOptionsExt;

use crate::regular_file::{check_regular, describe};
use crate::{Error, Result};

/// The most that is read of a lock file: a process's number.
const PID_BYTES: u64 = 64;

/// A held lock; dropped with the process at the latest.
#[derive(Debug)]
pub(crate) struct Lock {
    path: PathBuf,
    /// Open, and locked, for as long as this lives.
    _file: fs_err::File,
}

impl Lock {
    /// Takes the lock file at `path`, which guards `dir`, or says which process holds it.
    pub(crate) fn acquire(path: &Path, dir: &Path) -> Result<Self> {
        loop {
            let mut file = open(path)?;
            match file.file().try_lock() {
                Ok(()) => {}
                Err(TryLockError::WouldBlock) => {
                    let mut pid = String::new();
                    (&mut file).take(PID_BYTES).read_to_string(&mut pid)?;
                    return Err(Error::Locked { dir: dir.to_owned(), pid: pid.trim().to_owned() });
                }
                Err(TryLockError::Error(e)) => return Err(e.into()),
            }
            file.rewind()?;
            file.set_len(0)?;
            writeln!(file, "{}", process::id())?;
            // Between opening and locking, the holder before may have removed the file: then the lock is on a
            // file that nobody else will see, and another process can hold one on its successor.
            if is_at(&file, path) {
                return Ok(Self { path: path.to_owned(), _file: file });
            }
        }
    }
}

/// Opens the lock file, which may be new. A link is not followed: what it leads to would be overwritten.
fn open(path: &Path) -> Result<fs_err::File> {
    let mut options = fs_err::OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    let refused = |why| Error::NotALock { why };
    match options.custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK).open(path) {
        Ok(file) => {
            check_regular(&file, path).map_err(|error| refused(error.to_string()))?;
            Ok(file)
        }
        Err(error) => match fs_err::symlink_metadata(path) {
            Ok(there) if !there.is_file() => {
                let kind = describe(there.file_type());
                Err(refused(format!("{} is {kind}, expected a lock file", path.display())))
            }
            _ => Err(error.into()),
        },
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        // While the lock is still held. A file that stays behind is harmless: nobody holds a lock on it.
        drop(fs_err::remove_file(&self.path));
    }
}

fn is_at(file: &fs_err::File, path: &Path) -> bool {
    let (Ok(held), Ok(there)) = (file.metadata(), fs_err::symlink_metadata(path)) else {
        return false;
    };
    (held.dev(), held.ino()) == (there.dev(), there.ino())
}
