//! Reads files that anyone may have put there: only regular files, and small ones as a whole. Also writes small files
//! atomically.
//!
//! A FIFO in a file's place would block its reader forever, and a device such as `/dev/zero` never ends.

use std::fs::FileType;
use std::io::{self, Read, Write};
use std::os::unix::fs::FileTypeExt;
use std::path::Path;

use fs_err::File;
use fs_err::os::unix::fs::OpenOptionsExt;

/// The most bytes that a small file of a store may have: manifests have a line for each file and setting.
pub const SMALL_FILE_BYTES: u64 = 16 << 20;

/// Opens a file for reading. Anything but a regular file is refused at once, with [`io::ErrorKind::InvalidData`].
pub fn open_regular(path: &Path) -> io::Result<File> {
    // Without O_NONBLOCK, opening a FIFO waits for a writer.
    let file = fs_err::OpenOptions::new().read(true).custom_flags(libc::O_NONBLOCK).open(path)?;
    check_regular(&file, path)?;
    Ok(file)
}

/// Reads a file of at most `max_bytes`. A larger file, or anything but a regular file, is refused with
/// [`io::ErrorKind::InvalidData`].
pub fn read_small(path: &Path, max_bytes: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    open_regular(path)?.take(max_bytes.saturating_add(1)).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > max_bytes {
        let what = format!("{} is larger than {max_bytes} bytes", path.display());
        return Err(io::Error::new(io::ErrorKind::InvalidData, what));
    }
    Ok(bytes)
}

/// The same as text, which must be UTF-8.
pub fn read_small_text(path: &Path, max_bytes: u64) -> io::Result<String> {
    String::from_utf8(read_small(path, max_bytes)?).map_err(|_| {
        io::Error::new(io::ErrorKind::InvalidData, format!("{} is not UTF-8 text", path.display()))
    })
}

/// Suffix of unfinished files; leftovers can be removed.
pub const TEMPORARY_EXTENSION: &str = "tmp";

/// Writes a file atomically: readers see the old or the new contents, never a mix, even after a power cut.
pub fn replace_file(path: &Path, contents: &[u8]) -> io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    replace(path, contents, File::sync_all)?;
    File::open(folder)?.sync_all()
}

/// The same for contents that can be recomputed: it does not wait for the disk, so a power cut may leave the file
/// empty.
pub fn replace_cache_file(path: &Path, contents: &[u8]) -> io::Result<()> {
    replace(path, contents, |_| Ok(()))
}

fn replace(path: &Path, contents: &[u8], sync: impl Fn(&File) -> io::Result<()>) -> io::Result<()> {
    let temporary = path.with_added_extension(format!("{}.{TEMPORARY_EXTENSION}", std::process::id()));
    let mut file = File::create(&temporary)?;
    file.write_all(contents)?;
    sync(&file)?;
    fs_err::rename(&temporary, path)
}

/// Refuses an open file that is not a regular one.
pub(crate) fn check_regular(file: &File, path: &Path) -> io::Result<()> {
    let kind = file.metadata()?.file_type();
    if kind.is_file() {
        return Ok(());
    }
    let what = format!("{} is {}, expected a regular file", path.display(), describe(kind));
    Err(io::Error::new(io::ErrorKind::InvalidData, what))
}

/// In words: "a directory".
pub(crate) fn describe(kind: FileType) -> &'static str {
    match kind {
        kind if kind.is_file() => "a regular file",
        kind if kind.is_dir() => "a directory",
        kind if kind.is_symlink() => "a symbolic link",
        kind if kind.is_fifo() => "a FIFO",
        kind if kind.is_socket() => "a socket",
        _ => "a device",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The file, and what it is instead.
    fn refused(path: &Path) -> String {
        let error = read_small(path, 8).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::InvalidData, "{error}");
        error.to_string().replace(&format!("{} ", path.display()), "")
    }

    #[test]
    fn only_regular_files_up_to_their_limit_are_read() {
        let dir = tempfile::tempdir().unwrap();
        let path = |name: &str| dir.path().join(name);
        fs_err::write(path("small"), "12345678").unwrap();
        std::os::unix::fs::symlink("small", path("link")).unwrap();
        assert_eq!(read_small(&path("small"), 8).unwrap(), b"12345678");
        assert_eq!(read_small_text(&path("link"), 8).unwrap(), "12345678");

        fs_err::write(path("large"), "123456789").unwrap();
        assert_eq!(refused(&path("large")), "is larger than 8 bytes");
        assert_eq!(refused(dir.path()), "is a directory, expected a regular file");
        assert_eq!(refused(Path::new("/dev/zero")), "is a device, expected a regular file");
        std::os::unix::fs::symlink("/dev/zero", path("device")).unwrap();
        assert_eq!(refused(&path("device")), "is a device, expected a regular file");
        let made = std::process::Command::new("mkfifo").arg(path("fifo")).status().unwrap();
        assert!(made.success());
        assert_eq!(refused(&path("fifo")), "is a FIFO, expected a regular file");
        fs_err::write(path("bytes"), [0xff]).unwrap();
        assert_eq!(read_small_text(&path("bytes"), 8).unwrap_err().kind(), io::ErrorKind::InvalidData);
        assert_eq!(read_small(&path("none"), 8).unwrap_err().kind(), io::ErrorKind::NotFound);
    }
}
