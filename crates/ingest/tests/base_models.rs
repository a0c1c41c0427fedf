//! The ingest binary on folders as PyTorch and transformers write them (`scripts/reference/checkpoints.py`).

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use artifact::{Artifact, Assets, Tensors, file_name};
use safetensors::SafeTensors;
use serde_json::Value;

#[allow(dead_code, reason = "each test file uses its part of it")]
#[path = "../../fetch/tests/server/mod.rs"]
mod server;

use server::Server;

const SQUAD: &str = r#"{"version": "1.1", "data": [{"title": "One", "paragraphs": [{"context": "the cat sat",
  "qas": [{"id": "a", "question": "who sat?", "answers": [{"text": "cat", "answer_start": 4}]}]}]}]}"#;

/// Shape and bits by name.
type Values = BTreeMap<String, (Vec<usize>, Vec<u32>)>;

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../pretrained/tests/fixtures/base_models").join(name)
}

/// A copy of a model's folder.
fn copy(name: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for entry in fs::read_dir(fixture(name)).unwrap().map(Result::unwrap) {
        fs::copy(entry.path(), folder.path().join(entry.file_name())).unwrap();
    }
    folder
}

fn run(model: &Path, work: &Path) -> Output {
    fs::write(work.join("squad.json"), SQUAD).unwrap();
    fs::write(work.join("pipeline.toml"), "").unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_distilburn-ingest"));
    command.current_dir(work).args(["--progress", "none", "--output", "out"]);
    command.args(["--set", "ingest.train=squad.json", "--set", "ingest.validation=squad.json"]);
    command.args(["--set", &format!("ingest.base_model={}", model.display())]).output().unwrap()
}

fn ingested(model: &Path) -> (Values, Value, String) {
    let work = tempfile::tempdir().unwrap();
    let output = run(model, work.path());
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    read(&Artifact::open(&work.path().join("out")).unwrap())
}

fn read(artifact: &Artifact) -> (Values, Value, String) {
    let tensors = Tensors::open(&artifact.file(file_name::PRETRAINED).unwrap(), &artifact::TENSORS).unwrap();
    let values = tensors.iter().map(|tensor| {
        let bits = tensor.to_f32().unwrap().into_iter().map(f32::to_bits).collect();
        let shape = tensor.shape.iter().map(|size| *size as usize).collect();
        (tensor.name.to_owned(), (shape, bits))
    });
    let assets = Assets::open(&artifact.file(file_name::ASSETS).unwrap()).unwrap();
    let tokenizer = String::from_utf8(assets.get("tokenizer_config.json").unwrap().to_vec()).unwrap();
    (values.collect(), artifact.manifest.metrics["base_model"].clone(), tokenizer)
}

fn expected(name: &str) -> Values {
    let bytes = fs::read(fixture(name).join("expected.safetensors")).unwrap();
    let file = SafeTensors::deserialize(&bytes).unwrap();
    let read = file.iter().map(|(name, view)| {
        let bits = view.data().as_chunks().0.iter().map(|bytes| u32::from_le_bytes(*bytes)).collect();
        (name.to_owned(), (view.shape().to_vec(), bits))
    });
    read.collect()
}

/// Exit code and stderr of a run that must leave no artifact.
fn refused(model: &Path) -> (Option<i32>, String) {
    let work = tempfile::tempdir().unwrap();
    let output = run(model, work.path());
    assert!(!work.path().join("out").exists());
    assert!(!work.path().join("distilburn-was-here").exists());
    (output.status.code(), String::from_utf8(output.stderr).unwrap())
}

#[test]
fn every_form_becomes_to_the_bit_what_pytorch_makes_of_it() {
    for (name, form, qa_head) in [
        ("bert_safetensors", "safetensors", false),
        ("bert_zip", "pytorch zip", false),
        ("bert_legacy_qa", "pytorch legacy", true),
        ("bert_sharded_mlm", "safetensors", false),
        ("bert_f16_safetensors", "safetensors", true),
        ("bert_f16_zip", "pytorch zip", true),
        ("bert_bf16_safetensors", "safetensors", true),
        ("bert_bf16_zip", "pytorch zip", true),
        ("distilbert_sharded_qa", "pytorch zip", true),
        ("distilbert_legacy", "pytorch legacy", false),
        ("distilbert_mlm", "pytorch zip", false),
    ] {
        let (values, metrics, _) = ingested(&fixture(name));
        assert_eq!(values, expected(name), "{name}");
        assert_eq!((&metrics["form"], &metrics["qa_head"]), (&form.into(), &qa_head.into()), "{name}");
    }
}

#[test]
fn of_a_model_on_the_hub_what_its_folder_would_give_is_fetched() {
    let row = br#"{"id": "a", "context": "the cat sat", "question": "who sat?", "answers": {"text": ["cat"], "answer_start": [4]}}"#;
    for name in ["bert_safetensors", "bert_zip", "bert_sharded_mlm", "distilbert_sharded_qa"] {
        let server = Server::start();
        let mut files = vec![("tf_model.h5".to_owned(), b"not read".to_vec())];
        for entry in fs::read_dir(fixture(name)).unwrap().map(Result::unwrap) {
            files.push((entry.file_name().into_string().unwrap(), fs::read(entry.path()).unwrap()));
        }
        let files: Vec<(&str, &[u8])> = files.iter().map(|(name, body)| (&**name, &**body)).collect();
        server.repository("models", "owner/model", &files);
        server.repository("datasets", "owner/cats", &[("train.jsonl", row), ("validation.jsonl", row)]);

        let work = tempfile::tempdir().unwrap();
        fs::write(work.path().join("pipeline.toml"), "").unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_distilburn-ingest"));
        command.current_dir(work.path()).args(["--progress", "none", "--output", "out"]);
        command.env("HF_ENDPOINT", server.url("")).env("HF_HOME", work.path().join("hf"));
        let sources = ["train=owner/cats", "validation=owner/cats@v1", "base_model=owner/model@main"];
        for source in sources {
            command.args(["--set", &format!("ingest.{source}")]);
        }
        let output = command.output().unwrap();
        assert!(output.status.success(), "{name}: {}", String::from_utf8_lossy(&output.stderr));
        let artifact = Artifact::open(&work.path().join("out")).unwrap();
        let (values, metrics, _) = read(&artifact);
        assert_eq!(values, expected(name), "{name}");
        assert_eq!(metrics["name"], "owner/model");
        assert_eq!(
            artifact.manifest.parts["inputs"]["base_model"],
            format!("owner/model@{}", server::COMMIT)
        );
        let asked = server.asked();
        let asked_for = |name: &str| asked.iter().any(|asked| asked.path.ends_with(name));
        assert!(asked_for("config.json") && !asked_for("tf_model.h5") && !asked_for("expected.safetensors"));
    }
}

#[test]
fn what_is_dropped_and_converted_is_said() {
    let metrics = |name: &str| ingested(&fixture(name)).1;
    let sharded = metrics("bert_sharded_mlm");
    assert_eq!(
        sharded["files"],
        serde_json::json!(["model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"])
    );
    let dropped = sharded["dropped_tensors"].as_array().unwrap();
    assert!(!dropped.is_empty() && dropped.iter().all(|name| name.as_str().unwrap().starts_with("cls.")));
    assert_eq!(
        metrics("bert_zip")["dropped_tensors"],
        serde_json::json!(["embeddings.position_ids", "pooler.dense.bias", "pooler.dense.weight"])
    );
    assert_eq!(metrics("bert_bf16_zip")["tensor_types"], serde_json::json!({"BF16": 23}));
}

#[test]
fn cased_and_uncased_folders_stay_so() {
    assert!(ingested(&fixture("bert_zip")).2.contains("\"do_lower_case\": false"));
    assert!(ingested(&fixture("bert_safetensors")).2.contains("\"do_lower_case\": true"));
}

#[test]
fn pickled_code_is_refused_by_name_and_not_run() {
    for form in ["malicious_zip.bin", "malicious_legacy.bin"] {
        let model = copy("bert_zip");
        let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("../pytorch-file/tests/fixtures");
        fs::copy(fixtures.join(form), model.path().join("pytorch_model.bin")).unwrap();
        let (code, stderr) = refused(model.path());
        assert_eq!(code, Some(3), "{stderr}");
        assert!(stderr.contains("system") && stderr.contains("no state dict needs"), "{stderr}");
    }
}

#[test]
fn shards_that_do_not_fit_their_index_are_listed() {
    let model = copy("bert_sharded_mlm");
    fs::remove_file(model.path().join("model-00002-of-00002.safetensors")).unwrap();
    let (code, stderr) = refused(model.path());
    assert_eq!(code, Some(3));
    assert!(stderr.contains("missing: the file model-00002-of-00002.safetensors"), "{stderr}");

    let model = copy("bert_sharded_mlm");
    let index = model.path().join("model.safetensors.index.json");
    let text = fs::read_to_string(&index).unwrap();
    fs::write(&index, text.replace("model-00001-of", "../model-00001-of")).unwrap();
    let (code, stderr) = refused(model.path());
    assert_eq!(code, Some(3));
    assert!(stderr.contains("expected names of files in the same folder"), "{stderr}");
}
