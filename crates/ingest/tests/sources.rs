//! The ingest binary on the same questions from everywhere they can come from, and on what must be refused.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Command, Output};

use artifact::{Artifact, Contexts, Examples, file_name};

#[allow(dead_code, reason = "each test file uses its part of it")]
#[path = "../../fetch/tests/server/mod.rs"]
mod server;

use server::{Fault, Server};

const SQUAD: &str = r#"{"data": [{"title": "T", "paragraphs": [{"context": "the cat sat", "qas": [
 {"id": "a", "question": "who?", "answers": [{"text": "cat", "answer_start": 4}]},
 {"id": "b", "question": "did what?", "answers": [{"text": "sat", "answer_start": 8}]}]}]}]}"#;
const FIRST: &str = r#"{"id": "a", "title": "T", "context": "the cat sat", "question": "who?", "answers": {"text": ["cat"], "answer_start": [4]}}"#;
const SECOND: &str = r#"{"id": "b", "title": "T", "context": "the cat sat", "question": "did what?", "answers": {"text": ["sat"], "answer_start": [8]}}"#;

/// A folder with settings, and a model of the Hub's cache in it.
struct Bench {
    folder: tempfile::TempDir,
    server: Server,
}

impl Bench {
    fn new() -> Self {
        let bench = Self { folder: tempfile::tempdir().unwrap(), server: Server::start() };
        bench.write("pipeline.toml", "");
        bench
    }

    fn write(&self, name: &str, text: &str) {
        fs::create_dir_all(self.folder.path().join(name).parent().unwrap()).unwrap();
        fs::write(self.folder.path().join(name), text).unwrap();
    }

    fn run(&self, source: &str, variables: &[(&str, &str)]) -> Output {
        let model = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../.cache/models/all-MiniLM-L6-v2");
        assert!(
            model.join("model.safetensors").is_file(),
            "{} is missing: run scripts/setup",
            model.display()
        );
        let mut command = Command::new(env!("CARGO_BIN_EXE_distilburn-ingest"));
        command.current_dir(self.folder.path()).args(["--progress", "none", "--set"]);
        command.arg(format!("ingest.base_model={}", model.canonicalize().unwrap().display()));
        for key in ["train", "validation"] {
            command.args(["--set", &format!("ingest.{key}={source}")]);
        }
        command.env("HF_HOME", self.folder.path().join("hf")).env("HF_ENDPOINT", self.server.url(""));
        command.envs(variables.iter().copied()).output().unwrap()
    }

    /// Title, context, id, question, answers of every row.
    fn rows(&self, source: &str) -> Vec<String> {
        let output = self.run(source, &[]);
        assert!(output.status.success(), "{source}: {}", String::from_utf8_lossy(&output.stderr));
        let artifact =
            Artifact::open(&self.folder.path().join(String::from_utf8(output.stdout).unwrap().trim()))
                .unwrap();
        let contexts = Contexts::open(&artifact.file(file_name::CONTEXTS_TRAIN).unwrap()).unwrap();
        let examples = Examples::open(&artifact.file(file_name::EXAMPLES_TRAIN).unwrap()).unwrap();
        let contexts: Vec<_> = contexts.iter().map(|context| (context.title, context.context)).collect();
        let rows =
            examples.iter().map(|example| format!("{:?} {example:?}", contexts[example.context_id as usize]));
        rows.collect()
    }

    /// Exit code and stderr of a run that must leave no artifact.
    fn refused(&self, source: &str) -> (Option<i32>, String) {
        let output = self.run(source, &[]);
        let store = self.folder.path().join("artifacts/ingest");
        let left = fs::read_dir(store).into_iter().flatten().map(|entry| entry.unwrap().path());
        let left: Vec<_> = left.filter(|path| path.is_dir()).collect();
        assert!(left.is_empty(), "{source}: an artifact or an unfinished one: {left:?}");
        (output.status.code(), String::from_utf8(output.stderr).unwrap())
    }
}

#[test]
fn the_same_questions_from_everywhere_make_the_same_rows() {
    let bench = Bench::new();
    let lines = format!("{FIRST}\n{SECOND}\n");
    bench.write("squad.json", SQUAD);
    bench.write("lines.jsonl", &lines);
    bench.write("parts/1.jsonl", FIRST);
    bench.write("parts/2.jsonl", SECOND);
    bench.server.file("/squad.json", SQUAD.as_bytes());
    let files = [("train.jsonl", lines.as_bytes()), ("validation.jsonl", lines.as_bytes())];
    bench.server.repository("datasets", "owner/cats", &files);
    let url = bench.server.url("/squad.json");

    let expected = bench.rows("squad.json");
    assert_eq!(expected.len(), 2);
    for source in [
        "lines.jsonl",
        "parts/*.jsonl",
        "[\"parts/1.jsonl\", \"parts/2.jsonl\"]",
        &url,
        "owner/cats",
        "owner/cats@v1",
    ] {
        assert_eq!(bench.rows(source), expected, "{source}");
        println!("{source}: {} rows read", expected.len());
    }
}

#[test]
fn what_was_seen_once_needs_no_network() {
    let bench = Bench::new();
    bench.server.file("/squad.json", SQUAD.as_bytes());
    let lines = format!("{FIRST}\n{SECOND}\n");
    bench.server.repository(
        "datasets",
        "owner/cats",
        &[("train.jsonl", lines.as_bytes()), ("dev.jsonl", lines.as_bytes())],
    );
    let url = bench.server.url("/squad.json");
    for source in [url.as_str(), "owner/cats"] {
        let before = bench.rows(source);
        let asked = bench.server.asked().len();
        assert_eq!(bench.rows(source), before);
        let offline = bench.run(source, &[("HF_HUB_OFFLINE", "1")]);
        assert!(offline.status.success(), "{}", String::from_utf8_lossy(&offline.stderr));
        assert_eq!(bench.server.asked().len(), asked, "{source}: nothing is asked again");
    }
}

#[test]
fn bad_input_exits_3_and_leaves_nothing() {
    let bench = Bench::new();
    bench.write("truncated.json", &SQUAD[..80]);
    bench.write("none.json", r#"{"data": []}"#);
    bench.write("negative.json", &SQUAD.replace("4}", "-4}"));
    bench.write("past.json", &SQUAD.replace("4}", "400}"));
    bench.write("number.json", &SQUAD.replace("\"a\"", "7"));
    fs::create_dir(bench.folder.path().join("folder.json")).unwrap();
    let fifo = bench.folder.path().join("fifo.json");
    assert!(Command::new("mkfifo").arg(fifo).status().unwrap().success());
    bench.server.repository("datasets", "owner/other", &[("test.jsonl", b"{}")]);
    for (source, what) in [
        ("truncated.json", "truncated.json, line 2, column"),
        ("none.json", "none of its 0 questions"),
        ("negative.json", "\"a\": answer \"cat\" starts at character -4"),
        ("past.json", "\"a\": answer \"cat\" starts at character 400"),
        ("number.json", "line 2"),
        ("folder.json", "ingest.train = folder.json, which is no file"),
        ("fifo.json", "which is no file"),
        ("absent.json", "which is no file"),
        ("absent/*.json", "which is no pattern of any file"),
        (&bench.server.url("/absent.json"), "does not exist (404)"),
        ("owner/absent", "does not exist (404)"),
        ("owner/other", "no Parquet or JSON file for the split train"),
    ] {
        let (code, stderr) = bench.refused(source);
        assert_eq!(code, Some(3), "{source}: {stderr}");
        assert!(stderr.contains(what), "{source}: {stderr}");
    }
}

#[test]
fn a_hash_that_changed_is_refused() {
    let bench = Bench::new();
    bench.server.file("/squad.json", SQUAD.as_bytes());
    let url = bench.server.url("/squad.json");
    bench.rows(&url);
    fs::remove_dir_all(bench.folder.path().join("artifacts/.downloads")).unwrap();
    fs::remove_dir_all(bench.folder.path().join("artifacts/ingest")).unwrap();
    bench.server.faults("/squad.json", &[Some(Fault::OtherBytes)]);
    let (code, stderr) = bench.refused(&url);
    assert_eq!(code, Some(3), "{stderr}");
    assert!(stderr.contains("the file has changed since it was first used"), "{stderr}");
}

#[test]
fn a_file_that_may_not_be_read_is_refused() {
    let bench = Bench::new();
    bench.write("secret.json", SQUAD);
    let secret = bench.folder.path().join("secret.json");
    fs::set_permissions(&secret, fs::Permissions::from_mode(0o000)).unwrap();
    if fs::read(&secret).is_ok() {
        println!("skipped: this user may read every file");
        return;
    }
    let (code, stderr) = bench.refused("secret.json");
    assert_eq!(code, Some(3), "{stderr}");
    assert!(stderr.contains("secret.json"), "{stderr}");
}
