//! This crate against its references; `tests/fixtures/README.md` says how those were made.

mod features;
mod metrics;
mod spans;

use std::path::{Path, PathBuf};

/// Reads a fixture's cases.
fn cases<T: serde::de::DeserializeOwned>(fixture: &str) -> Vec<T> {
    #[derive(serde::Deserialize)]
    struct Fixture<T> {
        cases: Vec<T>,
    }
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(fixture);
    let text = std::fs::read_to_string(path).unwrap();
    serde_json::from_str::<Fixture<T>>(&text).unwrap().cases
}

/// The workspace's root folder.
fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}
