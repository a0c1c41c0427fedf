//! Finds Python packages that pip has installed beside this binary, as `pip install 'distilburn[base-model]'` does. It
//! does not run Python: `bin/` and `lib/python3.N/` are in the same folder, in a virtual environment, for a user, or
//! system-wide.

use std::path::{Path, PathBuf};

/// The folder of a Python package that was installed in the same place as this binary.
#[must_use]
pub fn python_package(name: &str) -> Option<PathBuf> {
    beside(&std::env::current_exe().ok()?, name)
}

fn beside(binary: &Path, name: &str) -> Option<PathBuf> {
    let lib = binary.parent()?.parent()?.join("lib");
    let mut pythons: Vec<PathBuf> =
        fs_err::read_dir(lib).ok()?.filter_map(|entry| Some(entry.ok()?.path())).collect();
    pythons.retain(|path| {
        path.file_name().and_then(|name| name.to_str()).is_some_and(|name| name.starts_with("python3"))
    });
    pythons.sort();
    // Debian's own Python calls it dist-packages.
    let folders =
        pythons.iter().flat_map(|python| ["site-packages", "dist-packages"].map(|site| python.join(site)));
    folders.map(|folder| folder.join(name)).find(|package| package.is_dir())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_package_is_found_in_the_prefix_of_the_binary_alone() {
        let folder = tempfile::tempdir().unwrap();
        let binary = folder.path().join("bin/distilburn");
        assert_eq!(beside(&binary, "torch"), None);
        for site in ["lib/python3.9/dist-packages", "lib/python3.13/site-packages", "lib/other/site-packages"]
        {
            let package = folder.path().join(site).join("torch");
            std::fs::create_dir_all(&package).unwrap();
            let expected = (!site.contains("other")).then_some(package.clone());
            assert_eq!(beside(&binary, "torch"), expected, "{site}");
            assert_eq!(beside(&binary, "tensorflow"), None);
            std::fs::remove_dir(&package).unwrap();
        }
    }
}
