//! The ingest binary on the same questions from every kind of source, and on sources that must be refused.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Command, Output};

use artifact::{Artifact, Contexts, Examples, SplitName};

#[allow(dead_code, reason = "each test file uses its part of it")]
#[path = "../../fetch/tests/server/mod.rs"]
mod server;

#[allow(dead_code, reason = "each test file uses its part of it")]
#[path = "../../question-files/tests/forms/mod.rs"]
mod forms;
#[allow(dead_code, reason = "each test file uses its part of it")]
mod page;

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

    fn write(&self, name: &str, contents: impl AsRef<[u8]>) {
        fs::create_dir_all(self.folder.path().join(name).parent().unwrap()).unwrap();
        fs::write(self.folder.path().join(name), contents).unwrap();
    }

    fn run(&self, source: &str, variables: &[(&str, &str)]) -> Output {
        self.command(source, variables).output().unwrap()
    }

    fn command(&self, source: &str, variables: &[(&str, &str)]) -> Command {
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
        command.envs(variables.iter().copied());
        command
    }

    /// Title, context, id, question, answers of every row.
    fn rows(&self, source: &str) -> Vec<String> {
        let output = self.run(source, &[]);
        assert!(output.status.success(), "{source}: {}", String::from_utf8_lossy(&output.stderr));
        let artifact =
            Artifact::open(&self.folder.path().join(String::from_utf8(output.stdout).unwrap().trim()))
                .unwrap();
        let contexts = Contexts::open(&artifact.file(SplitName::Train.contexts()).unwrap()).unwrap();
        let examples = Examples::open(&artifact.file(SplitName::Train.examples()).unwrap()).unwrap();
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

const INTRODUCTION: &str = "# Where questions come from

Ingest reads the same four questions from each of these sources. The hash covers the rows of both tables, contexts and
examples, as read back from the artifact. `tests/sources.rs` runs the binary with a server on loopback and checks this
page. It writes the page with

```console
$ DISTILBURN_WRITE_PAGES=1 cargo test --release --workspace --test sources
```

";

#[test]
fn the_same_questions_from_everywhere_make_the_same_rows() {
    let bench = Bench::new();
    let articles = forms::articles();
    let (squad, lines, parquet) =
        (forms::squad_json(&articles), forms::json_lines(&articles), forms::parquet(&articles));
    let mut sources = Vec::new();
    for (form, name, contents) in [
        ("SQuAD JSON", "squad.json", &squad),
        ("JSON Lines", "lines.jsonl", &lines),
        ("Parquet", "rows.parquet", &parquet),
    ] {
        for (how, ending, contents) in [
            ("", "", contents.clone()),
            (", gzip", ".gz", forms::gzip(contents)),
            (", zstd", ".zst", forms::zstd(contents)),
        ] {
            let name = format!("{name}{ending}");
            bench.write(&name, &contents);
            bench.server.file(&format!("/{name}"), &contents);
            sources.push((format!("{form}{how}"), name.clone()));
            sources.push((format!("{form}{how}, from a server"), bench.server.url(&format!("/{name}"))));
        }
    }
    let (first, rest) = (&articles[..1], &articles[1..]);
    bench.write("parts/1.jsonl", forms::json_lines(first));
    bench.write("parts/2.jsonl", forms::json_lines(rest));
    bench.write("parts/2.parquet", forms::parquet(rest));
    for (what, source) in [
        ("two files of JSON Lines, by a pattern", "parts/*.jsonl"),
        ("two files of JSON Lines, listed", "[\"parts/1.jsonl\", \"parts/2.jsonl\"]"),
        ("a file of JSON Lines and one of Parquet", "[\"parts/1.jsonl\", \"parts/2.parquet\"]"),
    ] {
        sources.push((what.to_owned(), source.to_owned()));
    }
    let zipped = forms::gzip(&lines);
    for (what, id, files) in [
        (
            "a dataset on the Hub: Parquet",
            "owner/parquet",
            [
                ("data/train-00000-of-00001.parquet", &parquet),
                ("data/validation-00000-of-00001.parquet", &parquet),
            ],
        ),
        (
            "a dataset on the Hub: JSON Lines, gzip",
            "owner/lines",
            [("train.jsonl.gz", &zipped), ("validation.jsonl.gz", &zipped)],
        ),
        (
            "a dataset on the Hub: SQuAD JSON",
            "owner/squad",
            [("train-v2.0.json", &squad), ("dev-v2.0.json", &squad)],
        ),
    ] {
        bench.server.repository("datasets", id, &files.map(|(name, contents)| (name, contents.as_slice())));
        sources.push((what.to_owned(), id.to_owned()));
        sources.push((format!("{what}, at a revision"), format!("{id}@v1")));
    }

    let expected = bench.rows("squad.json");
    assert_eq!(expected.len(), forms::flat(&articles).len());
    let rows: Vec<_> = sources
        .iter()
        .map(|(what, source)| {
            let rows = bench.rows(source);
            assert_eq!(rows, expected, "{source}");
            let setting = source.replace(&bench.server.url(""), "https://SERVER");
            let hash = blake3::hash(rows.join("\n").as_bytes()).to_hex();
            [format!("`{setting}`"), what.clone(), rows.len().to_string(), format!("`{}`", &hash[..16])]
        })
        .collect();
    let table = page::table(["`ingest.train`", "what is there", "questions read", "hash of the rows"], &rows);
    page::check("sources.md", &format!("{INTRODUCTION}{table}"));
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
fn what_the_network_does_not_have_exits_3_and_leaves_nothing() {
    let bench = Bench::new();
    bench.server.repository("datasets", "owner/other", &[("test.jsonl", b"{}")]);
    for (source, what) in [
        (bench.server.url("/absent.json").as_str(), "does not exist (404)"),
        ("owner/absent", "does not exist (404)"),
        ("owner/other", "no Parquet or JSON file for the split train"),
    ] {
        let (code, stderr) = bench.refused(source);
        assert_eq!(code, Some(3), "{source}: {stderr}");
        assert!(stderr.contains(what), "{source}: {stderr}");
    }
}

#[test]
fn a_mistyped_folder_is_said_to_be_taken_for_the_hub() {
    let bench = Bench::new();
    bench.write("squad.json", SQUAD);
    for (setting, source, here) in [
        ("ingest.train", "data/nosuch", "there is no such file or folder"),
        ("ingest.base_model", "models/nosuch", "there is no such folder"),
        ("ingest.base_model", "nosuch", "there is no such folder"),
    ] {
        for variables in [&[][..], &[("HF_HUB_OFFLINE", "1")]] {
            let output = bench
                .command("squad.json", variables)
                .args(["--set", &format!("{setting}={source}")])
                .output();
            let output = output.unwrap();
            let stderr = String::from_utf8(output.stderr).unwrap();
            assert_eq!(output.status.code(), Some(3), "{stderr}");
            let said = format!("{setting} = {source}: {here}, so it was taken for");
            assert!(stderr.contains(&said) && stderr.contains("prefix it with ./"), "{stderr}");
        }
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
