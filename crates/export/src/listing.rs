//! The listing of the model directory.

use std::path::Path;

use artifact::{ExportedFile, file_name};
use fs_err::File;
use sha2::{Digest, Sha256};

use crate::Error;

/// Every file of the flat folder `model/`, sorted by name, with the SHA-256 that the Hub shows.
pub(crate) fn list(folder: &Path) -> Result<Vec<ExportedFile>, Error> {
    let mut files = Vec::new();
    for entry in fs_err::read_dir(folder)? {
        let entry = entry?;
        let mut hasher = Sha256::new();
        let bytes = std::io::copy(&mut File::open(entry.path())?, &mut hasher)?;
        let path = format!("{}/{}", file_name::MODEL, entry.file_name().to_string_lossy());
        files.push(ExportedFile { path, bytes, sha256: format!("{:x}", hasher.finalize()) });
    }
    files.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(files)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_listed_by_name_with_their_sha256() {
        let folder = tempfile::tempdir().unwrap();
        fs_err::write(folder.path().join("b"), "").unwrap();
        fs_err::write(folder.path().join("a"), "abc").unwrap();
        let files = list(folder.path()).unwrap();
        assert_eq!(
            files.iter().map(|file| (file.path.as_str(), file.bytes)).collect::<Vec<_>>(),
            [("model/a", 3), ("model/b", 0)]
        );
        // The first test vector of FIPS 180-2.
        assert_eq!(files[0].sha256, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    }
}
