//! The ingest binary on every kind of bad input: exit code 3, no artifact, and the page `bad-input.md`.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::Command;

use artifact::{Assets, file_name};
use safetensors::SafeTensors;
use safetensors::tensor::TensorView;
use serde_json::Value;

#[allow(dead_code, reason = "each test file uses its part of it")]
#[path = "../../question-files/tests/forms/mod.rs"]
mod forms;
#[allow(dead_code, reason = "each test file uses its part of it")]
mod page;

use forms::{gzip, other_columns};

const SQUAD: &str = r#"{"data": [{"title": "T", "paragraphs": [{"context": "the cat sat", "qas": [
  {"id": "a", "question": "who?", "answers": [{"text": "cat", "answer_start": 4}]},
  {"id": "b", "question": "did what?", "answers": [{"text": "sat", "answer_start": 8}]}]}]}]}"#;
const LINES: &str = r#"{"id": "a", "context": "the cat sat", "question": "who?", "answers": {"text": ["cat"], "answer_start": [4]}}
{"id": "b", "context": "the cat sat", "question": "who?", "answers": {"text": ["cat"], "answer_start": [4]}}
"#;

const INTRODUCTION: &str = "# Messages of ingest about bad input

Each of these ends with exit code 3 and leaves no artifact. `tests/bad_input.rs` checks this page against the binary's
messages, and writes it with

```console
$ DISTILBURN_WRITE_PAGES=1 cargo test --release --workspace --test bad_input
```

A file without read permission is refused in the same way; this is tested unless the tests run as root. Lines and columns
count from 1, columns in bytes. For a compressed file, they refer to the decompressed text.

";

/// A folder with good questions and a good model, in which one thing is to be made bad.
struct Bench(tempfile::TempDir);

impl Bench {
    fn new() -> Self {
        let bench = Self(tempfile::tempdir().unwrap());
        bench.write("train.json", SQUAD);
        bench.write("validation.json", SQUAD);
        bench.write("pipeline.toml", "");
        fs::create_dir(bench.path("model")).unwrap();
        let model = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("../pretrained/tests/fixtures/base_models/bert_safetensors");
        for name in ["config.json", "vocab.txt", "model.safetensors"] {
            fs::copy(model.join(name), bench.path("model").join(name)).unwrap();
        }
        bench
    }

    fn path(&self, name: &str) -> std::path::PathBuf {
        self.0.path().join(name)
    }

    fn write(&self, name: &str, contents: impl AsRef<[u8]>) {
        fs::write(self.path(name), contents).unwrap();
    }

    /// What the binary says with this `ingest.train`: message, causes and help.
    fn said(&self, what: &str, train: &str) -> String {
        let mut command = Command::new(env!("CARGO_BIN_EXE_distilburn-ingest"));
        command.current_dir(self.0.path()).args(["--quiet", "--progress", "none", "--log-format", "json"]);
        let train = format!("train={train}");
        for setting in [train.as_str(), "validation=validation.json", "base_model=./model"] {
            command.args(["--set", &format!("ingest.{setting}")]);
        }
        let output = command.output().unwrap();
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(3), "{what}: {stderr}");
        let store = fs::read_dir(self.path("artifacts/ingest")).into_iter().flatten();
        let left: Vec<_> = store.map(|entry| entry.unwrap().path()).filter(|path| path.is_dir()).collect();
        assert!(left.is_empty(), "{what}: an artifact or an unfinished one: {left:?}");
        let report: Value = serde_json::from_str(stderr.lines().last().unwrap()).unwrap();
        let causes = report["causes"].as_array().unwrap().iter().filter_map(Value::as_str);
        let mut said = report["message"].as_str().unwrap().to_owned();
        for cause in causes {
            let _ = write!(said, "\ncause: {cause}");
        }
        let _ = write!(said, "\nhelp: {}", report["help"].as_str().unwrap());
        said.replace(&format!("{}/", self.0.path().display()), "")
    }
}

/// Bad files of questions, each under the name that it is given.
fn files() -> Vec<(&'static str, &'static str, Vec<u8>)> {
    let squad = |from: &str, to: &str| changed(SQUAD, from, to);
    let lines = |from: &str, to: &str| {
        let (first, second) = LINES.split_once('\n').unwrap();
        [first.as_bytes(), b"\n", &changed(second, from, to)].concat()
    };
    let cut = |text: &str| text.as_bytes()[..text.len() - 40].to_vec();
    let whole = gzip(SQUAD.as_bytes());
    let latin_1: Vec<u8> = SQUAD.bytes().map(|byte| if byte == b'w' { 0xe4 } else { byte }).collect();
    let utf_16: Vec<u8> = "\u{feff}{}".encode_utf16().flat_map(u16::to_le_bytes).collect();
    vec![
        ("an empty file", "empty.json", Vec::new()),
        ("no questions", "none.json", br#"{"data": []}"#.to_vec()),
        ("truncated gzip", "train.json.gz", whole[..whole.len() / 2].to_vec()),
        ("a gzip bomb: 400 MiB of blanks", "train.json.gz", gzip(&vec![b' '; 4 << 20]).repeat(100)),
        ("SQuAD JSON, cut off", "train.json", cut(SQUAD)),
        ("JSON Lines, cut off", "train.jsonl", cut(LINES)),
        ("JSON Lines, a line cut off", "train.jsonl", [&cut(LINES)[..], b"\n"].concat()),
        ("Latin-1", "train.json", latin_1),
        ("UTF-16", "train.json", utf_16),
        ("invalid UTF-8 in JSON Lines", "train.jsonl", [LINES.as_bytes(), b"{\"id\": \"\xff\"}\n"].concat()),
        ("a NUL", "train.json", squad("the cat", "the \0cat")),
        ("an escaped NUL", "train.json", squad("who?", "who\\u0000?")),
        ("NaN", "train.json", squad("start\": 4", "start\": NaN")),
        ("a duplicate key", "train.json", squad("\"id\": \"a\"", "\"id\": \"a\", \"id\": \"b\"")),
        ("duplicate `data`", "train.json", br#"{"data": [], "data": []}"#.to_vec()),
        ("nested 10,000 deep", "train.json", squad("\"the cat sat\"", &"[".repeat(10_000))),
        (
            "nested 10,000 deep beside `data`",
            "train.json",
            squad("\"data\"", &format!("\"x\": {}", "[".repeat(10_000))),
        ),
        ("an id that is a fraction", "train.json", squad("\"id\": \"a\"", "\"id\": 7.5")),
        ("an id that is a list, JSON Lines", "train.jsonl", lines("\"id\": \"b\"", "\"id\": [7]")),
        ("an offset that is a fraction", "train.json", squad("start\": 4", "start\": 4.5")),
        ("paragraphs that are not a list", "train.json", squad("\"qas\": [", "\"qas\": {} , \"x\": [")),
        ("a field missing", "train.json", squad("\"question\"", "\"qestion\"")),
        ("a field misspelt", "train.json", squad("\"answers\"", "\"answr\"")),
        ("`data` missing", "train.json", squad("\"data\"", "\"articles\"")),
        ("more offsets than answers", "train.jsonl", lines("[4]", "[4, 5]")),
        ("text after the end", "train.json", [SQUAD, "}"].concat().into_bytes()),
        ("CSV without a column of contexts", "train.csv", b"id,question,answer\n1,who?,cat\n".to_vec()),
        ("a zip archive", "train.zip", b"PK\x03\x04\x14\0\0\0".to_vec()),
        (
            "a git-lfs pointer",
            "train.json",
            b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 1\n".to_vec(),
        ),
        ("a JSON list", "train.json", b"[{\"id\": \"a\"}]".to_vec()),
        ("Parquet with other columns", "train.parquet", other_columns()),
        ("Parquet, cut off", "train.parquet", other_columns()[..200].to_vec()),
        ("an offset below 0", "train.json", squad("start\": 4", "start\": -4")),
        ("an offset past the end", "train.json", squad("start\": 4", "start\": 400")),
        ("an answer not at its offset", "train.json", squad("start\": 4", "start\": 5")),
        ("a duplicate id", "train.json", squad("\"b\"", "\"a\"")),
        ("an empty id", "train.json", squad("\"b\"", "\"\"")),
        ("an empty question", "train.json", squad("who?", " ")),
        ("an empty context", "train.json", squad("the cat sat", "")),
        (
            "questions without `answers`",
            "train.json",
            SQUAD.replace("\"answers\"", "\"labels\"").into_bytes(),
        ),
        ("an answer without an offset", "train.json", squad(", \"answer_start\": 4", "")),
        (
            "answers under `is_impossible`",
            "train.json",
            squad("\"question\"", "\"is_impossible\": true, \"question\""),
        ),
    ]
}

fn changed(text: &str, from: &str, to: &str) -> Vec<u8> {
    assert!(text.contains(from), "{from}");
    text.replacen(from, to, 1).into_bytes()
}

/// Makes a base model's folder bad.
type Damage = fn(&Path);

/// What makes a base model bad.
fn models() -> Vec<(&'static str, Damage)> {
    vec![
        ("no such folder", |model| fs::remove_dir_all(model).unwrap()),
        ("no configuration", |model| fs::remove_file(model.join("config.json")).unwrap()),
        ("a configuration, cut off", |model| edit(model, "config.json", |text| text[..100].to_owned())),
        ("another family", |model| edit(model, "config.json", |text| text.replace("\"bert\"", "\"gpt2\""))),
        ("no vocabulary", |model| fs::remove_file(model.join("vocab.txt")).unwrap()),
        ("a vocabulary of another size", |model| edit(model, "vocab.txt", |text| format!("{text}dog\n"))),
        ("a tokenizer and a vocabulary that disagree", |model| {
            let output = tempfile::tempdir().unwrap();
            pretrained::ingest(model, output.path(), "f").unwrap();
            let assets = Assets::open(&output.path().join(file_name::ASSETS)).unwrap();
            fs::write(model.join("tokenizer.json"), assets.get("tokenizer.json").unwrap()).unwrap();
            edit(model, "vocab.txt", |text| text.replace("cat", "dog"));
        }),
        ("a special token missing", |model| {
            edit(model, "vocab.txt", |text| text.replace("[SEP]", "sep"));
        }),
        ("no weights", |model| fs::remove_file(model.join("model.safetensors")).unwrap()),
        ("weights, cut off", |model| {
            let path = model.join("model.safetensors");
            let bytes = fs::read(&path).unwrap();
            fs::write(&path, &bytes[..bytes.len() - 4]).unwrap();
        }),
        ("a tensor missing", |model| {
            weights(model, |tensors| tensors.retain(|(name, ..)| name != LAST_BIAS));
        }),
        ("a tensor too many", |model| {
            weights(model, |tensors| {
                tensors.push(("adapter".to_owned(), safetensors::Dtype::F32, vec![1], vec![0; 4]));
            });
        }),
        ("a tensor of another shape", |model| {
            weights(model, |tensors| {
                let (.., shape, data) = tensors.iter_mut().find(|(name, ..)| name == LAST_BIAS).unwrap();
                shape[0] -= 1;
                data.truncate(4 * shape[0]);
            });
        }),
        ("weights that are not finite", |model| {
            weights(model, |tensors| {
                let (.., data) = tensors.iter_mut().find(|(name, ..)| name == LAST_BIAS).unwrap();
                data[..4].copy_from_slice(&f32::NAN.to_le_bytes());
            });
        }),
        ("a pickle that would run code", |model| pickle(model, "malicious_zip.bin")),
        ("a foreign pickle opcode", |model| pickle(model, "malicious_protocol_4.bin")),
        ("a pickle of a whole module", |model| pickle(model, "whole_module.bin")),
        ("not a pickle", |model| {
            fs::remove_file(model.join("model.safetensors")).unwrap();
            fs::write(model.join("pytorch_model.bin"), "<html>").unwrap();
        }),
    ]
}

const LAST_BIAS: &str = "encoder.layer.0.output.LayerNorm.bias";

fn edit(model: &Path, name: &str, change: impl Fn(&str) -> String) {
    let path = model.join(name);
    let text = fs::read_to_string(&path).unwrap();
    let changed = change(&text);
    assert_ne!(changed, text, "{name}");
    fs::write(path, changed).unwrap();
}

/// Name, type, shape and bytes.
type Tensor = (String, safetensors::Dtype, Vec<usize>, Vec<u8>);

/// Changes the tensors of a model.
fn weights(model: &Path, change: impl Fn(&mut Vec<Tensor>)) {
    let path = model.join("model.safetensors");
    let bytes = fs::read(&path).unwrap();
    let file = SafeTensors::deserialize(&bytes).unwrap();
    let mut tensors: Vec<_> = file
        .iter()
        .map(|(name, view)| (name.to_owned(), view.dtype(), view.shape().to_vec(), view.data().to_vec()))
        .collect();
    change(&mut tensors);
    let views = tensors.iter().map(|(name, dtype, shape, data)| {
        (name.as_str(), TensorView::new(*dtype, shape.clone(), data).unwrap())
    });
    fs::write(path, safetensors::serialize(views, None).unwrap()).unwrap();
}

fn pickle(model: &Path, fixture: &str) {
    fs::remove_file(model.join("model.safetensors")).unwrap();
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("../pytorch-file/tests/fixtures");
    fs::copy(fixtures.join(fixture), model.join("pytorch_model.bin")).unwrap();
}

#[test]
fn the_page_of_bad_input_is_what_the_binary_says() {
    let row = |what: &str, said: String| [what.to_owned(), page::cell(&said)];
    let mut places = Vec::new();
    for (what, name) in [
        ("a folder", "folder"),
        ("a pipe", "pipe"),
        ("no such file", "absent.json"),
        ("a pattern without matching files", "absent/*.json"),
    ] {
        let bench = Bench::new();
        fs::create_dir(bench.path("folder")).unwrap();
        assert!(Command::new("mkfifo").arg(bench.path("pipe")).status().unwrap().success());
        places.push(row(what, bench.said(what, name)));
    }
    let questions: Vec<_> = files()
        .into_iter()
        .map(|(what, name, contents)| {
            let bench = Bench::new();
            bench.write(name, contents);
            row(what, bench.said(what, name))
        })
        .collect();
    let models: Vec<_> = models()
        .into_iter()
        .map(|(what, damage)| {
            let bench = Bench::new();
            damage(&bench.path("model"));
            row(what, bench.said(what, "train.json"))
        })
        .collect();
    let table = |head, rows: &[[String; 2]]| page::table([head, "what ingest says"], rows);
    page::check(
        "bad-input.md",
        &format!(
            "{INTRODUCTION}## Where the questions should be\n\n{}\n## Questions\n\n{}\n## Base models\n\n{}",
            table("`ingest.train`", &places),
            table("file", &questions),
            table("`ingest.base_model`", &models)
        ),
    );
}
