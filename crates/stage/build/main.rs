//! Hashes the code that can change each stage's output, and reads the locked versions of such libraries, for the
//! declarations in `src/declaration.rs`.
//!
//! A stage's code is its own crate and every crate of the workspace that it depends on, by Cargo's manifests, so a new
//! stage needs no entry here.

mod code;

use std::collections::BTreeSet;
use std::error::Error;
use std::fmt::Write;
use std::fs;
use std::path::Path;

/// Crates that are left out, because the version of the table kinds or the hash of the fetched file counts instead.
const LEFT_OUT: [&str; 3] = ["artifact", "fetch", "stage"];

/// Libraries whose version can change an output.
const LIBRARIES: [&str; 3] = ["tokenizers", "burn", "tch"];

fn main() -> Result<(), Box<dyn Error>> {
    let crates = Path::new(&std::env::var("CARGO_MANIFEST_DIR")?).join("..");
    let mut sources = String::from("&[\n");
    for entry in fs::read_dir(&crates)? {
        let name = entry?.file_name().into_string().map_err(|_| "a crate's name is text")?;
        let main = fs::read_to_string(crates.join(&name).join("src/main.rs"));
        if main.is_ok_and(|main| main.contains("stage::stage_main(")) {
            let names: Vec<String> = closure(&crates, &name)?.into_iter().collect();
            let mut seen = |path: &Path| println!("cargo:rerun-if-changed={}", path.display());
            let hash = code::hash(&crates, &names, &mut seen)?;
            writeln!(sources, "    (\"{name}\", \"{hash}\"),")?;
        }
    }
    sources += "]\n";
    fs::write(Path::new(&std::env::var("OUT_DIR")?).join("sources.rs"), sources)?;

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

/// `name` and all its dependencies in the workspace, without those that are left out.
fn closure(crates: &Path, name: &str) -> Result<BTreeSet<String>, Box<dyn Error>> {
    let mut found = BTreeSet::new();
    let mut next = vec![name.to_owned()];
    while let Some(name) = next.pop() {
        if !LEFT_OUT.contains(&name.as_str()) && found.insert(name.clone()) {
            next.extend(dependencies(crates, &name)?);
        }
    }
    Ok(found)
}

/// The crates of the workspace, by folder, that a crate's manifest names as dependencies.
fn dependencies(crates: &Path, name: &str) -> Result<BTreeSet<String>, Box<dyn Error>> {
    let manifest = crates.join(name).join("Cargo.toml");
    println!("cargo:rerun-if-changed={}", manifest.display());
    let manifest: toml::Table = toml::from_str(&fs::read_to_string(manifest)?)?;
    let named = manifest.get("dependencies").and_then(toml::Value::as_table);
    let named = named.into_iter().flat_map(toml::Table::keys);
    Ok(named.filter(|name| crates.join(name).is_dir()).cloned().collect())
}

fn locked_version(lock: &toml::Table, name: &str) -> Option<String> {
    let packages = lock.get("package")?.as_array()?;
    let package =
        packages.iter().find(|package| package.get("name").and_then(toml::Value::as_str) == Some(name))?;
    Some(package.get("version")?.as_str()?.to_owned())
}
