//! Hashes the code that decides each stage's output, and reads the locked versions of the libraries that do, for the
//! declarations in `src/declaration.rs`.
//!
//! `artifact` and `stage` are not among it: their part in an output is the version of its kinds.

mod code;

use std::error::Error;
use std::fs;
use std::path::Path;

/// Stage → the workspace crates whose change can change its output.
const STAGES: [(&str, &[&str]); 5] = [
    ("INGEST", &["ingest", "pretrained", "pytorch-file", "question-files", "squad"]),
    ("TOKENIZE_FEATURES", &["tokenize-features", "squad"]),
    ("TRAIN", &["train", "distilbert", "pretrained", "pytorch-file", "torch-kernels", "squad"]),
    ("EVALUATE", &["evaluate", "distilbert", "torch-kernels", "squad"]),
    ("EXPORT", &["export", "distilbert", "pretrained", "pytorch-file"]),
];

/// Libraries whose version can change an output.
const LIBRARIES: [&str; 3] = ["tokenizers", "burn", "tch"];

fn main() -> Result<(), Box<dyn Error>> {
    let crates = Path::new(&std::env::var("CARGO_MANIFEST_DIR")?).join("..");
    for (stage, names) in STAGES {
        let hash =
            code::hash(&crates, names, &mut |path| println!("cargo:rerun-if-changed={}", path.display()))?;
        println!("cargo:rustc-env=DISTILBURN_CODE_{stage}={hash}");
    }

    let lock = crates.join("../Cargo.lock");
    println!("cargo:rerun-if-changed=build");
    println!("cargo:rerun-if-changed={}", lock.display());
    let lock: toml::Table = toml::from_str(&fs::read_to_string(lock)?)?;
    for library in LIBRARIES {
        let version = locked_version(&lock, library).ok_or(format!("Cargo.lock has no {library}"))?;
        println!("cargo:rustc-env=DISTILBURN_LOCKED_{}={version}", library.to_uppercase());
    }
    Ok(())
}

fn locked_version(lock: &toml::Table, name: &str) -> Option<String> {
    let packages = lock.get("package")?.as_array()?;
    let package =
        packages.iter().find(|package| package.get("name").and_then(toml::Value::as_str) == Some(name))?;
    Some(package.get("version")?.as_str()?.to_owned())
}
