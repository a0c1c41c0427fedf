//! One process at a time writes an unfinished file; the others wait for it.

use std::fs::{File, TryLockError};
use std::io;
use std::path::Path;
use std::thread::sleep;
use std::time::Duration;

use crate::error::{Error, Result};
use crate::{Event, Listener, tell};

/// Time between two attempts to take a lock that another process holds.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// Failed attempts before giving up: an hour, enough for a large file over a slow connection.
const LOOKS: u32 = 36_000;

/// Opens `path` for appending and reading, alone; released when the file is closed.
pub(crate) fn open_alone(path: &Path, listener: Listener<'_>) -> Result<File> {
    if let Some(folder) = path.parent() {
        fs_err::create_dir_all(folder)?;
    }
    for _ in 0..LOOKS {
        // The target of a link would be overwritten, and opening a FIFO would wait.
        if fs_err::symlink_metadata(path).is_ok_and(|there| !there.is_file()) {
            return Err(Error::NotAFile { path: path.to_owned() });
        }
        let file = fs_err::OpenOptions::new().create(true).append(true).read(true).open(path)?.into_file();
        match file.try_lock() {
            Ok(()) if is_still_at(&file, path) => return Ok(file),
            // The previous holder renamed it, so a new file is needed.
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                tell(listener, Event::Waiting)?;
                sleep(LOOK_EVERY);
            }
            Err(TryLockError::Error(source)) if source.kind() == io::ErrorKind::Unsupported => {
                return Ok(file);
            }
            Err(TryLockError::Error(source)) => return Err(source.into()),
        }
    }
    Err(Error::Busy { path: path.to_owned() })
}

fn is_still_at(file: &File, path: &Path) -> bool {
    use std::os::unix::fs::MetadataExt as _;
    match (file.metadata(), std::fs::metadata(path)) {
        (Ok(opened), Ok(named)) => (opened.dev(), opened.ino()) == (named.dev(), named.ino()),
        _ => false,
    }
}
