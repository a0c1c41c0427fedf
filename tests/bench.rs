//! A temporary folder with the driver, fake stages beside it, a base model and a store.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use serde_json::Value;
use tempfile::TempDir;

/// In the order in which they run.
pub const STAGES: [&str; stage::STAGES.len()] = {
    let mut names = [""; stage::STAGES.len()];
    let mut index = 0;
    while index < names.len() {
        names[index] = stage::STAGES[index].name;
        index += 1;
    }
    names
};

/// Everything a command needs, away from the repository.
pub struct Bench {
    folder: TempDir,
}

/// What a command said.
#[derive(Debug)]
pub struct Said {
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

impl Bench {
    pub fn new() -> Self {
        let bench = Self { folder: tempfile::tempdir().unwrap() };
        let model = bench.path(".cache/models/all-MiniLM-L6-v2");
        fs::create_dir_all(&model).unwrap();
        fs::write(model.join("config.json"), "{}").unwrap();
        let driver = Path::new(env!("CARGO_BIN_EXE_distilburn"));
        let fake_stage = driver.with_file_name("examples").join("fake-stage");
        fs::create_dir(bench.path("bin")).unwrap();
        place(driver, &bench.path("bin/distilburn"));
        for stage in STAGES {
            place(&fake_stage, &bench.path(&format!("bin/distilburn-{stage}")));
        }
        bench
    }

    /// The same with the real stages and the real base model.
    pub fn with_real_stages() -> Self {
        build_binaries();
        let bench = Self { folder: tempfile::tempdir().unwrap() };
        let driver = Path::new(env!("CARGO_BIN_EXE_distilburn"));
        fs::create_dir(bench.path("bin")).unwrap();
        place(driver, &bench.path("bin/distilburn"));
        for name in STAGES.into_iter().chain(["answer", "serve"]) {
            let binary = driver.with_file_name(format!("distilburn-{name}"));
            assert!(binary.is_file(), "{} is missing: cargo build --release --workspace", binary.display());
            place(&binary, &bench.path(&format!("bin/distilburn-{name}")));
        }
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap();
        std::os::unix::fs::symlink(root.join(".cache"), bench.path(".cache")).unwrap();
        bench
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Runs a binary, named by what follows `distilburn`, in the folder.
    pub fn command(&self, line: &str) -> Command {
        let mut words = line.split(' ');
        let mut command = Command::new(self.path("bin").join(words.next().unwrap()));
        command.args(words).current_dir(self.folder.path());
        command.env_remove("RUST_LOG").env_remove("FAKE_STAGE").stdin(Stdio::null());
        command
    }

    pub fn run(&self, line: &str) -> Said {
        self.said(self.command(line).output().unwrap())
    }

    pub fn run_with(&self, line: &str, key: &str, value: &str) -> Said {
        self.said(self.command(line).env(key, value).output().unwrap())
    }

    /// stdout of a command that succeeds, as JSON.
    pub fn json(&self, line: &str) -> Value {
        let said = self.run(line);
        assert_eq!(said.code, Some(0), "{line}: {said:?}");
        serde_json::from_str(&said.stdout).unwrap()
    }

    pub fn start(&self, line: &str, key: &str, value: &str) -> Child {
        let mut command = self.command(line);
        command.env(key, value).stdout(Stdio::piped()).stderr(Stdio::piped());
        command.spawn().unwrap()
    }

    /// What the temporary folder is called changes from run to run.
    pub fn said(&self, output: Output) -> Said {
        let folder = format!("{}/", self.folder.path().display());
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap().replace(&folder, "");
        Said { code: output.status.code(), stdout: text(output.stdout), stderr: text(output.stderr) }
    }

    /// The names in a folder, sorted; none where it does not exist.
    pub fn names(&self, folder: &str) -> Vec<String> {
        let entries = fs::read_dir(self.path(folder)).into_iter().flatten();
        let mut names: Vec<String> =
            entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }
}

/// Cargo builds only the driver for these tests: the stages must be of the same sources. `scripts/test` has built
/// them, and says so.
fn build_binaries() {
    if std::env::var_os("DISTILBURN_BINARIES_ARE_BUILT").is_some() {
        return;
    }
    let mut cargo = Command::new(env!("CARGO"));
    cargo
        .args(["build", "--workspace", "--bins", "--offline", "--quiet"])
        .current_dir(env!("CARGO_MANIFEST_DIR"));
    if !cfg!(debug_assertions) {
        cargo.arg("--release");
    }
    // What cargo tells a test about its package would look like a changed environment to build scripts.
    let of_package = |key: &str| {
        ["CARGO_PKG_", "CARGO_MANIFEST_", "CARGO_BIN_", "NEXTEST"].iter().any(|it| key.starts_with(it))
    };
    for (key, _) in std::env::vars().filter(|(key, _)| of_package(key)) {
        cargo.env_remove(key);
    }
    assert!(cargo.status().unwrap().success(), "building the stage binaries");
}

/// Puts a binary at another path: as a second name of the same file where both are on one disk.
fn place(binary: &Path, path: &Path) {
    fs::hard_link(binary, path).or_else(|_| fs::copy(binary, path).map(drop)).unwrap();
}

/// Fingerprints change with the code: digits become `F`, times `T`.
pub fn settled(text: &str) -> String {
    let mut settled = String::new();
    let words = text
        .split_inclusive(|letter: char| !letter.is_ascii_alphanumeric() && letter != '.' && letter != ':');
    for word in words {
        let core = word.trim_end_matches(|letter: char| !letter.is_ascii_alphanumeric());
        let hexadecimal =
            core.len() >= 8 && core.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        let seconds = core.strip_suffix('s').is_some_and(|number| number.parse::<f64>().is_ok());
        match (hexadecimal, seconds) {
            (true, _) => settled.push_str(&word.replace(core, "F")),
            (_, true) if word.len() == core.len() + 1 => settled.push_str(&word.replace(core, "T")),
            _ => settled.push_str(word),
        }
    }
    settled
}
