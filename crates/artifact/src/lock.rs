//! Keeps a second process out of a partial folder.
//!
//! The operating system drops the lock when its process ends, however it ends: there is no stale lock to clean up.

use std::fs::TryLockError;
use std::io::{Read, Seek, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process;

use fs_err::os::unix::fs::OpenOptionsExt;

use crate::regular_file::{check_regular, describe, open_regular};
use crate::{Error, Result};

/// The most bytes that are read of a lock file: a process id and the machine's start.
const HOLDER_BYTES: u64 = 128;

/// A held lock; dropped with the process at the latest.
#[derive(Debug)]
pub(crate) struct Lock {
    path: PathBuf,
    /// Open, and locked, for as long as this lives.
    _file: fs_err::File,
}

impl Lock {
    /// Takes the lock at `path`, which guards `dir`, or says which process holds it.
    pub(crate) fn acquire(path: &Path, dir: &Path) -> Result<Self> {
        loop {
            let mut file = open(path)?;
            match file.file().try_lock() {
                Ok(()) => {}
                Err(TryLockError::WouldBlock) => {
                    let mut text = String::new();
                    (&mut file).take(HOLDER_BYTES).read_to_string(&mut text)?;
                    let pid = text.lines().next().unwrap_or_default().to_owned();
                    return Err(Error::Locked { dir: dir.to_owned(), pid });
                }
                Err(TryLockError::Error(e)) => return Err(e.into()),
            }
            file.rewind()?;
            file.set_len(0)?;
            writeln!(file, "{}\n{}", process::id(), boot_id())?;
            // Between opening and locking, the previous holder may have removed the file. Then this lock is on a file
            // that nobody else will see, and another process can hold a lock on its successor.
            if is_at(&file, path) {
                return Ok(Self { path: path.to_owned(), _file: file });
            }
        }
    }
}

/// What a lock file says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Holder {
    /// None while the file is being written.
    pub pid: Option<i32>,
    /// Whether the lock is held. None if another machine made the lock: only that machine knows.
    pub is_held: Option<bool>,
}

impl Holder {
    /// Who has, or left, the lock of the partial folder `dir`; none without a lock file. This takes a shared lock for a
    /// moment. If `acquire` meets that lock, it tries again.
    #[must_use]
    pub fn of(dir: &Path) -> Option<Self> {
        let file = open_regular(&dir.with_added_extension("lock")).ok()?;
        let mut text = String::new();
        (&file).take(HOLDER_BYTES).read_to_string(&mut text).ok()?;
        let mut lines = text.lines();
        let pid = lines.next().and_then(|pid| pid.parse().ok());
        let is_here = lines.next().is_none_or(|boot| boot == boot_id());
        let is_held = || matches!(file.file().try_lock_shared(), Err(TryLockError::WouldBlock));
        Some(Self { pid, is_held: is_here.then(is_held) })
    }
}

/// Changes with every start of the machine, and is the same in its containers; empty if the system has none.
fn boot_id() -> String {
    std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default().trim().to_owned()
}

/// Opens or creates the lock file. A link is not followed, because its target would be overwritten.
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
