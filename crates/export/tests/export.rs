//! The export binary on artifacts of the test's own: a tiny DistilBERT.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use artifact::{
    Answer, Artifact, AssetsWriter, ContextsWriter, Example, ExamplesWriter, Input, ManifestDraft, Partial,
    SplitName, TensorsWriter, file_name, read_files,
};
use serde_json::{Map, Value, json};

#[path = "../../../tests/word_piece.rs"]
mod word_piece;

use word_piece::tokenizer_json;

const WORDS: [&str; 12] =
    ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "the", "cat", "sat", "on", "a", "mat", "where"];
const DIM: i64 = 8;
const HIDDEN_DIM: i64 = 16;
const MAX_POSITIONS: i64 = 32;
const LAYERS: usize = 2;

/// Names and shapes of the model's tensors.
fn tensors() -> Vec<(String, Vec<i64>)> {
    let mut tensors = vec![
        ("distilbert.embeddings.word_embeddings.weight".to_owned(), vec![WORDS.len() as i64, DIM]),
        ("distilbert.embeddings.position_embeddings.weight".to_owned(), vec![MAX_POSITIONS, DIM]),
    ];
    let mut with_bias = |name: String, shape: &[i64]| {
        tensors.push((format!("{name}.weight"), shape.to_vec()));
        tensors.push((format!("{name}.bias"), shape[..1].to_vec()));
    };
    with_bias("distilbert.embeddings.LayerNorm".to_owned(), &[DIM]);
    for layer in 0..LAYERS {
        let layer = format!("distilbert.transformer.layer.{layer}");
        for lin in ["q_lin", "k_lin", "v_lin", "out_lin"] {
            with_bias(format!("{layer}.attention.{lin}"), &[DIM, DIM]);
        }
        with_bias(format!("{layer}.sa_layer_norm"), &[DIM]);
        with_bias(format!("{layer}.ffn.lin1"), &[HIDDEN_DIM, DIM]);
        with_bias(format!("{layer}.ffn.lin2"), &[DIM, HIDDEN_DIM]);
        with_bias(format!("{layer}.output_layer_norm"), &[DIM]);
    }
    with_bias("qa_outputs".to_owned(), &[2, DIM]);
    tensors
}

/// A folder with the three artifacts that export reads; `has` says which tensors the weights hold.
fn bench(has: impl Fn(&str) -> bool) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("pipeline.toml"), "").unwrap();
    commit(&folder, "ingest", &[], |dir| {
        let mut assets = AssetsWriter::create(&dir.join(file_name::ASSETS), "i").unwrap();
        let config = json!({
            "model_type": "distilbert", "activation": "gelu", "vocab_size": WORDS.len(), "dim": DIM,
            "hidden_dim": HIDDEN_DIM, "max_position_embeddings": MAX_POSITIONS, "n_heads": 2, "n_layers": LAYERS,
            "pad_token_id": 0,
        });
        assets.push("config.json", config.to_string().as_bytes()).unwrap();
        assets.push("special_tokens_map.json", b"{}").unwrap();
        assets.push("tokenizer.json", tokenizer_json(&WORDS).to_string().as_bytes()).unwrap();
        let tokenizer_config = json!({"tokenizer_class": "DistilBertTokenizer"});
        assets.push("tokenizer_config.json", tokenizer_config.to_string().as_bytes()).unwrap();
        assets.push("vocab.txt", format!("{}\n", WORDS.join("\n")).as_bytes()).unwrap();
        assets.finish().unwrap();
        let mut contexts = ContextsWriter::create(&dir.join(SplitName::Validation.contexts()), "i").unwrap();
        let mut examples = ExamplesWriter::create(&dir.join(SplitName::Validation.examples()), "i").unwrap();
        for i in 0..20 {
            let context_id = contexts.push("title", &"the cat sat on a mat . ".repeat(1 + i % 9)).unwrap();
            let (id, answers) = (format!("q{i}"), vec![Answer { text: "cat", start: 4 }]);
            let question = "where sat the cat";
            examples.push(&Example { id: &id, context_id, question, answers, is_impossible: false }).unwrap();
        }
        contexts.finish().unwrap();
        examples.finish().unwrap();
        json!({"train": {"questions": 20}, "validation": {"questions": 20}, "base_model": {"model_type": "distilbert"}})
    });
    commit(&folder, "train", &["ingest", "tokenize-features"], |dir| {
        let mut weights = TensorsWriter::create_as(
            &dir.join(file_name::WEIGHTS),
            "t",
            &artifact::WEIGHTS,
            std::collections::BTreeMap::new(),
        )
        .unwrap();
        for (seed, (name, shape)) in tensors().into_iter().enumerate().filter(|(_, (name, _))| has(name)) {
            // Any numbers that differ from one another.
            let value = |i: i64| ((i + 31 * seed as i64) as f32 * 0.7).sin();
            let values: Vec<f32> = (0..shape.iter().product()).map(value).collect();
            weights.push_f32(&name, &shape, &values).unwrap();
        }
        weights.finish().unwrap();
        json!({"steps": 3, "optimizer_steps": 3, "best_step": 3, "no_answer": true,
            "validation_loss": 1.0, "exact_match": 50.0, "f1": 62.5,
            "windows": {"tokenize-features.max_length": 24, "tokenize-features.doc_stride": 4}})
    });
    commit(&folder, "evaluate", &["ingest", "tokenize-features", "train"], |_| {
        json!({"questions": 20, "exact_match": 50.0, "f1": 62.5, "loss": 1.0,
                "base_exact_match": 0.0, "base_f1": 1.5, "base_loss": 3.0,
                "answers_longer_than_max_answer_length": 0, "questions_with_longer_answers_alone": 0})
    });
    folder
}

fn fingerprint(stage: &str) -> String {
    artifact::fingerprint(&json!({"stage": stage}))
}

/// Makes an artifact in the folder of its stage's name; `write` returns its metrics.
fn commit(folder: &tempfile::TempDir, stage: &str, inputs: &[&str], write: impl FnOnce(&Path) -> Value) {
    let partial = Partial::at(&folder.path().join(stage), stage, &fingerprint(stage)).unwrap();
    let metrics = write(partial.dir()).as_object().unwrap().clone();
    let inputs = inputs.iter().map(|stage| Input {
        stage: (*stage).to_owned(),
        fingerprint: fingerprint(stage),
        content: None,
    });
    let parts = json!({"stage": stage, "inputs": {"train": "sample"}, "settings": {"run.seed": 42,
        "evaluate.n_best": 5, "evaluate.max_answer_length": 7, "evaluate.null_threshold": 0.5}});
    partial.commit(ManifestDraft { parts, inputs: inputs.collect(), metrics, run: Map::new() }).unwrap();
}

fn export(folder: &tempfile::TempDir, output: &str, arguments: &[&str]) -> (Output, PathBuf) {
    let path = folder.path().join(output);
    let inputs = ["ingest", "train", "evaluate"].map(|stage| format!("--input={stage}={stage}"));
    let output = Command::new(env!("CARGO_BIN_EXE_distilburn-export"))
        .current_dir(folder.path())
        .args(inputs)
        .args(["--output", output, "--set", "run.threads=1"])
        .args(arguments)
        .output()
        .unwrap();
    (output, path)
}

fn exported(folder: &tempfile::TempDir, output: &str, arguments: &[&str]) -> Artifact {
    let (output, path) = export(folder, output, arguments);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Artifact::open(&path).unwrap()
}

#[test]
fn both_formats_and_all_files_are_written_and_listed() {
    let folder = bench(|_| true);
    let artifact = exported(&folder, "out", &[]);
    let files = read_files(&artifact.file(file_name::FILES).unwrap()).unwrap();
    assert_eq!(
        files.iter().map(|file| file.path.as_str()).collect::<Vec<_>>(),
        [
            "model/README.md",
            "model/config.json",
            "model/model.safetensors",
            "model/pytorch_model.bin",
            "model/special_tokens_map.json",
            "model/tokenizer.json",
            "model/tokenizer_config.json",
            "model/training_config.json",
            "model/vocab.txt",
        ]
    );
    for file in &files {
        assert_eq!(fs::metadata(artifact.dir.join(&file.path)).unwrap().len(), file.bytes, "{}", file.path);
    }
    let parameters: i64 = tensors().iter().map(|(_, shape)| shape.iter().product::<i64>()).sum();
    assert_eq!(artifact.manifest.metrics["parameters"], parameters);
    assert_eq!(artifact.manifest.metrics["files"], files.len());
    assert_eq!(artifact.manifest.metrics["bytes"], files.iter().map(|file| file.bytes).sum::<u64>());

    let config: Value =
        serde_json::from_slice(&fs::read(artifact.dir.join("model/training_config.json")).unwrap()).unwrap();
    for stage in ["ingest", "tokenize-features", "train", "evaluate"] {
        assert_eq!(config["lineage"][stage], fingerprint(stage));
    }
    assert_eq!(config["lineage"]["export"], artifact.manifest.fingerprint);
    assert_eq!((&config["results"]["f1"], &config["recipe"]["run.seed"]), (&json!(62.5), &json!(42)));

    assert_eq!(config["windows"], json!({"max_length": 24, "doc_stride": 4}));
    assert_eq!(config["spans"], json!({"n_best": 5, "max_answer_length": 7, "null_threshold": 0.5}));
    assert_eq!(config["no_answer"], true);
    for name in
        ["model.safetensors", "pytorch_model.bin", "config.json", "tokenizer.json", "tokenizer_config.json"]
    {
        let entry = artifact.manifest.files.iter().find(|file| file.name == format!("model/{name}")).unwrap();
        assert_eq!(config["files"][name], entry.blake3, "{name}");
    }

    let mode = |name: &str| fs::metadata(artifact.dir.join("model").join(name)).unwrap().permissions().mode();
    assert_eq!(mode("model.safetensors"), mode("config.json"), "whoever may read the one may read the other");
    let header = fs::read(artifact.dir.join("model/model.safetensors")).unwrap();
    assert!(header[8..].starts_with(br#"{"__metadata__":{"format":"pt"},"#));
}

#[test]
fn the_same_inputs_give_the_same_bytes_and_no_path_of_this_machine() {
    let folder = bench(|_| true);
    let artifacts = ["one", "other"].map(|output| exported(&folder, output, &[]));
    let [one, other] = artifacts.each_ref().map(|artifact| &artifact.manifest.files);
    assert_eq!(one, other);
    let path = folder.path().to_str().unwrap();
    for name in ["manifest.json", "model/README.md", "model/training_config.json", "model/config.json"] {
        assert!(!fs::read_to_string(artifacts[0].dir.join(name)).unwrap().contains(path), "{name}");
    }
}

#[test]
fn only_the_formats_that_are_asked_for_are_written() {
    let folder = bench(|_| true);
    for (format, file, other) in [
        ("safetensors", "model.safetensors", "pytorch_model.bin"),
        ("pytorch", "pytorch_model.bin", "model.safetensors"),
    ] {
        let artifact = exported(&folder, format, &["--set", &format!("export.formats=[\"{format}\"]")]);
        assert!(
            artifact.dir.join("model").join(file).is_file()
                && !artifact.dir.join("model").join(other).exists()
        );
    }
}

#[test]
fn weights_without_a_tensor_are_refused_and_leave_nothing_behind() {
    let folder = bench(|name| name != "qa_outputs.bias");
    let (output, path) = export(&folder, "out", &[]);
    let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(3), "{stderr}");
    assert!(stderr.contains("qa_outputs.bias"), "{stderr}");
    assert!(!path.exists());
    let left: Vec<_> = fs::read_dir(folder.path())
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.is_dir() && path.to_string_lossy().contains("partial"))
        .collect();
    assert!(left.is_empty(), "{left:?}");
}
