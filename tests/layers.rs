//! The crates depend on each other downwards only, never sideways.

use std::collections::BTreeMap;
use std::process::Command;

use serde_json::Value;

/// crates/README.md draws this.
const LAYERS: [&[&str]; 5] = [
    &["artifact", "fetch", "pytorch-file", "squad", "statistics", "torch-kernels"],
    &["analysis", "distilbert", "page", "pretrained", "question-files", "stage"],
    &["answerer"],
    &["ingest", "tokenize-features", "train", "evaluate", "export", "report", "answer", "serve"],
    &["driver"],
];

/// Crates that load LibTorch before `main`: nothing that should start at once may depend on them.
const LIBTORCH: [&str; 3] = ["torch-kernels", "distilbert", "answerer"];

/// Crate → the workspace's crates that it depends on, tests aside.
fn dependencies() -> BTreeMap<String, Vec<String>> {
    let manifest = concat!(env!("CARGO_MANIFEST_DIR"), "/../../Cargo.toml");
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--no-deps", "--offline", "--format-version", "1", "--manifest-path", manifest])
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let metadata: Value = serde_json::from_slice(&output.stdout).unwrap();
    let own = |name: &Value| name.as_str().unwrap().strip_prefix("distilburn-").map(str::to_owned);
    let packages = metadata["packages"].as_array().unwrap().iter();
    packages
        .map(|package| {
            let dependencies = package["dependencies"].as_array().unwrap().iter();
            let of_build = dependencies.filter(|dependency| dependency["kind"] != "dev");
            (
                own(&package["name"]).unwrap(),
                of_build.filter_map(|dependency| own(&dependency["name"])).collect(),
            )
        })
        .collect()
}

fn layer(name: &str) -> usize {
    LAYERS.iter().position(|layer| layer.contains(&name)).unwrap_or_else(|| panic!("{name} is in no layer"))
}

#[test]
fn crates_depend_downwards_only() {
    for (name, dependencies) in dependencies() {
        for dependency in dependencies {
            assert!(layer(&dependency) < layer(&name), "{name} depends on {dependency}");
        }
    }
}

#[test]
fn stage_and_driver_do_not_reach_libtorch() {
    let all = dependencies();
    for name in
        ["stage", "driver", "ingest", "page", "pretrained", "question-files", "report", "tokenize-features"]
    {
        let mut reached = vec![name.to_owned()];
        while let Some(next) = reached.pop() {
            assert!(!LIBTORCH.contains(&next.as_str()), "{name} reaches {next}");
            reached.extend(all[&next].iter().cloned());
        }
    }
}
