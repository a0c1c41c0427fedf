use artifact::{Input, MANIFEST_VERSION};

use super::*;

/// Manifests as the stages write them, of a model trained on generated data.
pub(crate) fn manifests() -> [Manifest; 3] {
    let input = |stage: &str, digit: &str| Input {
        stage: stage.to_owned(),
        fingerprint: digit.repeat(32),
        content: None,
    };
    let manifest = |stage: &str, digit: &str, content: Value| Manifest {
        format_version: MANIFEST_VERSION,
        stage: stage.to_owned(),
        fingerprint: digit.repeat(32),
        parts: content["parts"].clone(),
        inputs: Vec::new(),
        files: Vec::new(),
        metrics: content["metrics"].as_object().unwrap().clone(),
        run: content["run"].as_object().unwrap().clone(),
        checksum: String::new(),
    };
    let ingest = manifest(
        "ingest",
        "1",
        json!({
            "parts": {
                "settings": {"ingest.seed": 0},
                "inputs": {"train": "sample", "validation": "sample", "base_model": {"model.safetensors": "ab".repeat(32)}},
            },
            "metrics": {
                "sources": {
                    "train": [{"kind": "generated", "seed": 0}], "validation": [{"kind": "generated", "seed": 0}],
                    "base_model": [{"kind": "file", "name": "model.safetensors", "blake3": "ab".repeat(32)}],
                },
                "base_model": {"model_type": "bert", "parameters": 22_565_376, "n_layers": 6, "dim": 384, "qa_head": false},
                "train": {"questions": 1500}, "validation": {"questions": 300},
            },
            "run": {"started": "2026-01-01T00:00:00Z"},
        }),
    );
    let mut train = manifest(
        "train",
        "3",
        json!({
            "parts": {"settings": {"run.precision": "auto", "run.seed": 42, "train.betas": [0.9, 0.999], "train.learning_rate": 2e-4}},
            "metrics": {"steps": 564, "optimizer_steps": 564, "best_step": 376, "validation_loss": 0.25, "exact_match": 91.0, "f1": 93.5,
                "windows": {"tokenize-features.max_length": 384, "tokenize-features.doc_stride": 128}, "no_answer": false},
            "run": {
                "started": "2026-01-01T00:00:00Z", "elapsed_ms": 1234, "device": "cpu", "precision": "bf16", "threads": 2,
                "versions": {"distilburn": "0.1.0", "burn": "0.22.1", "tch": "0.22.0"},
            },
        }),
    );
    train.inputs = vec![input("ingest", "1"), input("tokenize-features", "2")];
    let mut evaluate = manifest(
        "evaluate",
        "4",
        json!({
            "parts": {"settings": {
                "evaluate.n_best": 20, "evaluate.max_answer_length": 30, "evaluate.null_threshold": 0.0,
            }},
            "metrics": {
                "questions": 300, "exact_match": 91.0, "f1": 93.456, "loss": 0.25,
                "base_exact_match": 0.333, "base_f1": 5.5, "base_loss": 6.0,
                "exact_match_interval": {"low": 87.5, "high": 94.0}, "f1_interval": {"low": 90.25, "high": 96.0},
                "slices": [
                    {"slicing": "question_word", "value": "what", "questions": 200, "exact_match": 92.0, "f1": 94.0,
                     "f1_interval": {"low": 90.0, "high": 97.0}, "base_f1": 5.0},
                    {"slicing": "question_word", "value": "who", "questions": 88, "exact_match": 90.0, "f1": 93.0,
                     "f1_interval": {"low": 86.0, "high": 98.0}, "base_f1": 6.0},
                    {"slicing": "question_word", "value": "why", "questions": 12, "exact_match": 80.0, "f1": 88.0,
                     "f1_interval": null, "base_f1": 7.0},
                ],
                "calibration": {
                    "temperature": 1.25,
                    "uncalibrated": {"expected_calibration_error": 0.08, "brier_score": 0.1, "risk_coverage_area": 0.05},
                    "calibrated": {"expected_calibration_error": 0.03, "brier_score": 0.09, "risk_coverage_area": 0.05},
                },
                "answers_longer_than_max_answer_length": 0, "questions_with_longer_answers_alone": 0,
            },
            "run": {"elapsed_ms": 99},
        }),
    );
    evaluate.inputs = vec![input("ingest", "1"), input("tokenize-features", "2"), input("train", "3")];
    [ingest, train, evaluate]
}

#[test]
fn training_config_names_every_stage_and_no_time() {
    let manifests = manifests();
    let facts = Facts::new(manifests.each_ref(), &"5".repeat(32)).unwrap();
    let text = facts.to_json();
    assert_eq!(
        facts.lineage.keys().collect::<Vec<_>>(),
        ["ingest", "tokenize-features", "train", "evaluate", "export"]
    );
    assert!(!text.contains("started") && !text.contains("elapsed_ms"));
    insta::assert_snapshot!(text);
}

#[test]
fn a_missing_score_is_named() {
    let mut manifests = manifests();
    manifests[2].metrics.remove("base_f1");
    let error = Facts::new(manifests.each_ref(), "5").unwrap_err();
    assert_eq!(
        error.to_string(),
        "the manifest of evaluate 44444444444444444444444444444444 was written by another version: missing field `base_f1`"
    );
}
