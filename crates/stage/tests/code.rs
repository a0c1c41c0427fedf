//! What changes the code's part of a fingerprint, and what does not, in a copy of the sources.

#[path = "../build/code.rs"]
mod code;

use std::fs;
use std::path::Path;

const CRATES: [&str; 5] = ["train", "distilbert", "torch-kernels", "squad", "pytorch-file"];

/// A copy of the sources in which one text is replaced by another, and the hash of each crate in it.
struct Copy(tempfile::TempDir);

impl Copy {
    fn new() -> Self {
        let copy = Self(tempfile::tempdir().unwrap());
        let crates = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        for name in CRATES {
            for part in ["build.rs", "cpp", "src"] {
                copy_all(&crates.join(name).join(part), &copy.0.path().join(name).join(part));
            }
        }
        copy
    }

    fn hashes(&self) -> Vec<String> {
        let hash = |name: &&str| code::hash(self.0.path(), &[name], &mut |_| ()).unwrap();
        CRATES.iter().map(hash).collect()
    }

    /// The crates whose hash is another after the change.
    fn changed(&self, file: &str, from: &str, to: &str) -> Vec<&'static str> {
        let path = self.0.path().join(file);
        let before = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{file}: {error}"));
        assert!(before.contains(from), "{file} has no {from:?}");
        let hashes = self.hashes();
        fs::write(&path, before.replacen(from, to, 1)).unwrap();
        let after = self.hashes();
        fs::write(&path, before).unwrap();
        (0..CRATES.len()).filter(|&at| hashes[at] != after[at]).map(|at| CRATES[at]).collect()
    }
}

fn copy_all(from: &Path, to: &Path) {
    if from.is_dir() {
        fs::create_dir_all(to).unwrap();
        for entry in fs::read_dir(from).unwrap().map(Result::unwrap) {
            copy_all(&entry.path(), &to.join(entry.file_name()));
        }
    } else if from.exists() {
        fs::create_dir_all(to.parent().unwrap()).unwrap();
        fs::copy(from, to).unwrap();
    }
}

#[test]
fn prose_leaves_every_key() {
    let copy = Copy::new();
    for (what, file, from, to) in [
        ("a comment", "train/src/recipe.rs", "// Rounded up, as", "// ROUNDED UP, as"),
        (
            "a new comment and blank lines",
            "train/src/recipe.rs",
            "impl Recipe {",
            "\n\n// New.\nimpl Recipe {\n\n",
        ),
        ("a module's doc", "squad/src/spans.rs", "//! From start and end", "//! Out of start and end"),
        ("an item's doc", "distilbert/src/config.rs", "/// Number of encoder layers.", "/// Layers."),
        (
            "an error's text",
            "train/src/error.rs",
            "the {split} split has no features",
            "no features in {split}",
        ),
        ("a log line", "train/src/trainer.rs", "the last checkpoint is not kept", "dropped"),
        ("what an invariant says", "train/src/trainer.rs", "the last step is followed by a validation", "so"),
        ("a test", "squad/src/normalize.rs", "articles_go_only_as_whole_words", "articles_go"),
        ("a tracker", "train/src/trackers/mlflow.rs", "use ", "use std::fmt as _;\nuse "),
        ("a lint's reason", "distilbert/src/runtime.rs", "burn-tch is deprecated upstream", "it is"),
        ("a comment of C++", "torch-kernels/cpp/linear.cpp", "// A linear la", "// Changed: "),
    ] {
        assert!(copy.changed(file, from, to).is_empty(), "{what} changes a key");
    }
}

#[test]
fn what_computes_changes_its_key_alone() {
    let copy = Copy::new();
    for (what, file, from, to, expected) in [
        (
            "a constant",
            "train/src/trainer/validation.rs",
            "max_answer_length: 30",
            "max_answer_length: 31",
            "train",
        ),
        ("a string that is data", "squad/src/spans.rs", "\"empty\"", "\"nothing\"", "squad"),
        ("an operator", "squad/src/spans.rs", "start_logit + end_logit", "start_logit - end_logit", "squad"),
        ("a new file", "squad/src/lib.rs", "mod spans;", "mod spans;\nmod spans2;", "squad"),
        (
            "a compiler flag",
            "torch-kernels/build.rs",
            "-ffp-contract=off",
            "-ffp-contract=fast",
            "torch-kernels",
        ),
        ("a number of C++", "torch-kernels/cpp/blocks.h", "64", "32", "torch-kernels"),
    ] {
        assert_eq!(copy.changed(file, from, to), [expected], "{what}");
    }
}

#[test]
fn test_items_of_every_form_are_left_out_and_nothing_behind_them() {
    let canonical = |text: &str| String::from_utf8(code::canonical("a.rs", text.into())).unwrap();
    let plain = canonical("fn a() { b(1); } fn c() {}");
    for item in [
        "mod tests;",
        "mod tests { fn d() {} }",
        "#[path = \"x.rs\"] mod x;",
        "use a::{b, c};",
        "pub(crate) use a::{b, c};",
        "const D: [u8; 2] = [1, 2];",
        "impl A for B { fn d() {} }",
        "extern crate self as e;",
    ] {
        assert_eq!(
            canonical(&format!("fn a() {{ b(1); }} #[cfg(test)] {item} fn c() {{}}")),
            plain,
            "{item}"
        );
    }
    assert_ne!(canonical("fn a() { b(1); } #[cfg(not(test))] mod d; fn c() {}"), plain);
}

#[test]
fn values_of_log_lines_and_messages_that_are_built_count() {
    let canonical = |text: &str| code::canonical("a.rs", text.into());
    let log = canonical("fn a() { tracing::info!(x = b(1), \"said\"); }");
    assert_eq!(log, canonical("fn a() { tracing::info!(x = b(1), \"told\"); }"));
    assert_ne!(log, canonical("fn a() { tracing::info!(x = b(2), \"said\"); }"));
    assert_ne!(canonical("fn a() { c.insert(\"x\"); }"), canonical("fn a() { c.insert(\"y\"); }"));
    assert_eq!(canonical("fn a() { c.expect(\"x\"); }"), canonical("fn a() { c.expect(\"y\"); }"));
}

#[test]
fn cpp_counts_without_comments_but_with_what_looks_like_one() {
    let canonical = |text: &str| String::from_utf8(code::canonical("a.cpp", text.into())).unwrap();
    assert_eq!(canonical("int  a = 1; // one\n/* two\n */int b;\n\n"), canonical("int a = 1;\nint b;"));
    assert_ne!(canonical("f(\"// one\");"), canonical("f(\"// two\");"));
    assert_ne!(canonical("c = '\"'; f(\"/*a*/\");"), canonical("c = '\"'; f(\"/*b*/\");"));
}
