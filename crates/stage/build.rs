//! Hashes the sources that decide each stage's output, and reads the locked versions of the libraries
//! that do, for the declarations in `src/declaration.rs`.
//!
//! `artifact` and `stage` are not among them: their part in an output is the version of its kinds.

use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};

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
        let mut hasher = blake3::Hasher::new();
        for name in names {
            // A build script's compiler flags count as well as what they compile.
            for part in ["build.rs", "cpp", "src"] {
                let path = crates.join(name).join(part);
                if path.exists() {
                    println!("cargo:rerun-if-changed={}", path.display());
                    hash(&mut hasher, &path, &format!("{name}/{part}"))?;
                }
            }
        }
        println!("cargo:rustc-env=DISTILBURN_CODE_{stage}={}", &hasher.finalize().to_hex()[..32]);
    }

    let lock = crates.join("../Cargo.lock");
    println!("cargo:rerun-if-changed={}", lock.display());
    let lock: toml::Table = toml::from_str(&fs::read_to_string(lock)?)?;
    for library in LIBRARIES {
        let version = locked_version(&lock, library).ok_or(format!("Cargo.lock has no {library}"))?;
        println!("cargo:rustc-env=DISTILBURN_LOCKED_{}={version}", library.to_uppercase());
    }
    Ok(())
}

/// A file's name, counted from `crates/`, and its contents; or those of every file of a folder.
fn hash(hasher: &mut blake3::Hasher, path: &Path, name: &str) -> Result<(), Box<dyn Error>> {
    if path.is_dir() {
        let mut entries: Vec<PathBuf> =
            fs::read_dir(path)?.map(|entry| entry.map(|entry| entry.path())).collect::<Result<_, _>>()?;
        entries.sort();
        for entry in entries {
            let file_name =
                entry.file_name().and_then(|name| name.to_str()).ok_or("a source's name is not UTF-8")?;
            if !["tests", "tests.rs", "snapshots"].contains(&file_name) {
                hash(hasher, &entry, &format!("{name}/{file_name}"))?;
            }
        }
        return Ok(());
    }
    let contents = match String::from_utf8(fs::read(path)?) {
        Ok(text) => without_tests(&text.replace("\r\n", "\n")).into_bytes(),
        Err(binary) => binary.into_bytes(),
    };
    for bytes in [name.as_bytes(), &contents] {
        hasher.update(&(bytes.len() as u64).to_le_bytes()).update(bytes);
    }
    Ok(())
}

/// Drops every `#[cfg(test)]` item that starts at the margin, up to the line that closes it.
fn without_tests(source: &str) -> String {
    let mut kept = String::with_capacity(source.len());
    let mut lines = source.lines();
    while let Some(line) = lines.next() {
        if line != "#[cfg(test)]" {
            kept.push_str(line);
            kept.push('\n');
            continue;
        }
        for line in lines.by_ref() {
            if line == "}" || line.ends_with(';') && !line.starts_with(' ') {
                break;
            }
        }
    }
    kept
}

fn locked_version(lock: &toml::Table, name: &str) -> Option<String> {
    let packages = lock.get("package")?.as_array()?;
    let package =
        packages.iter().find(|package| package.get("name").and_then(toml::Value::as_str) == Some(name))?;
    Some(package.get("version")?.as_str()?.to_owned())
}
