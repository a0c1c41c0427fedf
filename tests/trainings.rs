//! What settings make of a whole training, and what stops one: the tiny model, the real stages.

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

use crate::bench::{Bench, Said};
use crate::tiny::{self, DATA};
use crate::whole::alone;

const RECIPE: &str = "--set train.epochs=4 --set train.batch_size=2 --set train.warmup_steps=4";
/// A rate at which no weight changes by as much as the loss can show.
const NO_CHANGE: &str = "--set train.learning_rate=1e-30";

struct Training {
    folder: String,
    metrics: Value,
    /// Its rows of metrics.jsonl about a validation.
    validations: Vec<Value>,
}

/// The text of an error on one line.
fn flat(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn train(bench: &Bench, settings: &str) -> Said {
    bench.run(&format!("distilburn-train --quiet {DATA} {RECIPE} {settings}"))
}

fn trained(bench: &Bench, settings: &str) -> Training {
    let said = train(bench, settings);
    assert_eq!(said.code, Some(0), "{settings}: {said:?}");
    let folder = said.stdout.trim().to_owned();
    let read = |name: &str| fs::read_to_string(bench.path(&folder).join(name)).unwrap();
    let manifest: Value = serde_json::from_str(&read("manifest.json")).unwrap();
    let rows = read("metrics.jsonl");
    let rows = rows.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let validations = rows.filter(|row| row["kind"] == "validation").collect();
    Training { metrics: manifest["metrics"].clone(), validations, folder }
}

#[test]
fn a_training_that_no_longer_improves_stops_early() {
    let _alone = alone();
    let bench = tiny::bench();
    let training = trained(&bench, &format!("{NO_CHANGE} --set train.early_stopping_patience=2"));
    let steps: Vec<_> = training.validations.iter().map(|row| row["global_step"].as_u64().unwrap()).collect();
    // After three of the four epochs: the first is the best, the two after it are no better.
    assert_eq!(steps, [steps[0], 2 * steps[0], 3 * steps[0]]);
    assert_eq!(training.metrics["steps"], steps[2]);
    assert_eq!(training.metrics["best_step"], steps[0]);
}

#[test]
fn the_best_model_is_the_best_by_the_metric_that_was_asked_for() {
    let _alone = alone();
    let bench = tiny::bench();
    let best_step = |metric: &str, larger_is_better: bool| {
        let settings = format!(
            "--set train.metric_for_best={metric} --set train.learning_rate=3e-3 --set train.eval_every_steps=5"
        );
        let training = trained(&bench, &settings);
        assert!(training.validations.len() > 16);
        let value = |row: &Value| row[metric].as_f64().unwrap();
        let better = |a: &&Value, b: &&Value| {
            let order = value(a).total_cmp(&value(b));
            if larger_is_better { order.reverse() } else { order }
        };
        // Of equal ones the first.
        let best = training.validations.iter().min_by(better).unwrap();
        assert_eq!(training.metrics["best_step"], best["global_step"], "{metric}");
        assert_eq!(training.metrics["f1"], best["f1"], "{metric}");
        best["global_step"].as_u64().unwrap()
    };
    let steps = [best_step("f1", true), best_step("exact_match", true), best_step("loss", false)];
    assert!(steps[0] != steps[2], "loss and F1 have to disagree for this to show anything: {steps:?}");
}

#[test]
fn a_training_starts_from_the_weights_of_another_or_of_an_exported_model() {
    let _alone = alone();
    let bench = tiny::bench();
    let recipe = "--set train.learning_rate=1e-2";
    let first = trained(&bench, recipe);
    let loss = |training: &Training, index: usize| training.validations[index]["loss"].as_f64().unwrap();
    let best = first.metrics["validation_loss"].as_f64().unwrap();

    let said = bench.run(&format!("distilburn run --quiet {DATA} {RECIPE} {recipe}"));
    assert_eq!(said.code, Some(0), "{said:?}");
    let said = bench.run(&format!("distilburn path export {DATA} {RECIPE} {recipe}"));
    let exported = format!("{}/model", said.stdout.trim());

    let fresh = trained(&bench, NO_CHANGE);
    assert!((loss(&fresh, 0) - best).abs() > 0.1, "{} and {best} are of different weights", loss(&fresh, 0));
    for source in [&first.folder, &exported] {
        let second = trained(&bench, &format!("{NO_CHANGE} --set train.init_from={source}"));
        assert!((loss(&second, 0) - best).abs() < 1e-6, "{source}: {} for {best}", loss(&second, 0));
    }

    // Weights of another tokenizer or another number of heads fit in shape alone.
    let other = bench.path("other");
    let altered = |file: &str, from: &str, to: &str| {
        let _ = fs::remove_dir_all(&other);
        fs::create_dir(&other).unwrap();
        for name in ["config.json", "tokenizer.json", "tokenizer_config.json", "model.safetensors"] {
            fs::copy(Path::new(&bench.path(&exported)).join(name), other.join(name)).unwrap();
        }
        let text = fs::read_to_string(other.join(file)).unwrap();
        assert!(text.contains(from), "{file}");
        fs::write(other.join(file), text.replacen(from, to, 1)).unwrap();
        let said = train(&bench, &format!("{NO_CHANGE} --set train.init_from=other"));
        assert_eq!(said.code, Some(3), "{said:?}");
        flat(&said.stderr)
    };
    let vocabulary = altered("tokenizer.json", "\"vocab\": {", "\"vocab\": {\n      \"ⓧ\": 30522,");
    assert!(vocabulary.contains("the tokenizer has 30523 tokens"), "{vocabulary}");
    let vocabulary = altered("tokenizer.json", "\"zebra\"", "\"zebrb\"");
    assert!(
        vocabulary.contains("vocabulary is 30522 tokens") && vocabulary.contains("the base model's is"),
        "{vocabulary}"
    );
    let heads = altered("config.json", "\"n_heads\": 2", "\"n_heads\": 4");
    assert!(heads.contains("n_heads is 4, the base model's is 2"), "{heads}");

    // An artifact whose weights were changed is not trained on.
    let checkpoint = bench.path(&first.folder).join("weights.arrow");
    let mut bytes = fs::read(&checkpoint).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&checkpoint, bytes).unwrap();
    let said = train(&bench, &format!("{NO_CHANGE} --set run.seed=7 --set train.init_from={}", first.folder));
    assert_eq!(said.code, Some(3), "{said:?}");
    assert!(flat(&said.stderr).contains("weights.arrow has the BLAKE3"), "{}", said.stderr);

    // Of its own size, and of another.
    for base in ["tiny", ".cache/models/all-MiniLM-L6-v2"] {
        let said = train(&bench, &format!("--set train.init_from={base}"));
        assert_eq!(said.code, Some(3), "{base}: {said:?}");
        let flat = flat(&said.stderr);
        assert!(flat.contains("is of a base model, it has no tensor qa_outputs.weight"), "{flat}");
        assert!(flat.contains("in `ingest.base_model`"), "{flat}");
    }
}

#[test]
fn a_loss_that_is_not_finite_is_an_error_with_step_examples_and_state() {
    let _alone = alone();
    let bench = tiny::bench();
    let settings =
        "--set train.learning_rate=1e18 --set train.log_every_steps=1 --set train.checkpoint_every_steps=1";
    let said = train(&bench, settings);
    assert_eq!(said.code, Some(1), "{said:?}");
    let expected = "the loss is NaN and the gradient norm NaN at step 3; the newest checkpoint is of step 2";
    assert!(flat(&said.stderr).contains(expected), "{}", said.stderr);
    assert_eq!(said.stderr.matches("sample-train-").count(), 2, "{}", said.stderr);
    // The checkpoint is still there: with the same settings it ends the same way.
    let said = bench.run(&format!("distilburn-train {DATA} {RECIPE} {settings}"));
    assert!(said.stderr.contains("resuming from a checkpoint global_step=2"), "{}", said.stderr);
    assert_eq!(said.code, Some(1));
}

#[test]
fn a_validation_loss_that_is_not_finite_is_an_error_with_step_examples_and_state() {
    let _alone = alone();
    let bench = tiny::bench();
    let settings =
        "--set train.learning_rate=1e18 --set train.eval_every_steps=2 --set train.checkpoint_every_steps=1";
    let said = train(&bench, settings);
    assert_eq!(said.code, Some(1), "{said:?}");
    let expected = "after step 2; the newest checkpoint is of step 1";
    assert!(flat(&said.stderr).contains("the validation loss is NaN"), "{}", said.stderr);
    assert!(flat(&said.stderr).contains(expected), "{}", said.stderr);
    assert!(said.stderr.contains("sample-validation-"), "{}", said.stderr);
}

#[test]
fn float16_gradients_that_no_scale_saves_are_an_error_that_names_a_parameter() {
    let _alone = alone();
    // Beyond the largest number of float16.
    let bench = tiny::with_scaled("ffn", 1e7);
    let said = train(&bench, "--set run.precision=fp16 --set run.allow_slow_precision=true");
    assert_eq!(said.code, Some(1), "{said:?}");
    let flat = flat(&said.stderr);
    assert!(flat.contains("not finite in 24 steps in a row, up to step 24"), "{flat}");
    assert!(flat.contains("first in distilbert.") || flat.contains("first in qa_outputs."), "{flat}");
}

#[test]
fn a_warm_up_as_long_as_the_training_is_refused() {
    let _alone = alone();
    let bench = tiny::bench();
    let said = train(&bench, "--set train.max_steps=4");
    assert_eq!(said.code, Some(2), "{said:?}");
    let flat = flat(&said.stderr);
    assert!(flat.contains("train.warmup_steps = 4, but the training has only 4 steps"), "{flat}");
    assert!(flat.contains("train.warmup_ratio = 0.1"), "{flat}");
    assert!(bench.names("artifacts/train").is_empty(), "nothing to resume from stays behind");
    // A share of the steps always leaves some to learn in.
    trained(&bench, "--set train.max_steps=1 --set train.warmup_ratio=0.5");
}

/// Blocks of 512 bytes: room for the weights of the best model, and not for a checkpoint, which is three times as large.
const FILE_LIMIT: usize = 5_000;

#[test]
fn a_state_that_finds_no_room_stops_the_training_and_goes() {
    let _alone = alone();
    let bench = tiny::bench();
    let settings = format!("{DATA} {RECIPE} --set train.checkpoint_every_steps=5");
    let mut limited = Command::new("sh");
    limited
        .arg("-c")
        .arg(format!("trap '' XFSZ; ulimit -f {FILE_LIMIT}; exec bin/distilburn-train --quiet {settings}"))
        .current_dir(bench.path(""));
    let said = bench.said(limited.output().unwrap());
    assert_eq!(said.code, Some(1), "{said:?}");
    let flat = flat(&said.stderr);
    assert!(flat.contains(".arrow cannot be written") && flat.contains("the disk is not full"), "{flat}");
    let partial =
        bench.names("artifacts/train").into_iter().find(|name| name.starts_with(".partial")).unwrap();
    let names = bench.names(&format!("artifacts/train/{partial}/checkpoints"));
    assert!(names.iter().all(|name| !name.contains(".tmp")), "the room is given back: {names:?}");
    // With room again, the same command ends where it always would have.
    let said = bench.run(&format!("distilburn-train --quiet {settings}"));
    assert_eq!(said.code, Some(0), "{said:?}");
}

#[test]
fn damage_that_keeps_a_file_s_size_is_found_by_its_hash_and_mended_by_run() {
    let _alone = alone();
    let bench = tiny::bench();
    let training = trained(&bench, "--set run.seed=42");
    let path = bench.path(&training.folder).join("weights.arrow");
    let mut bytes = fs::read(&path).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&path, bytes).unwrap();
    let said = bench.run(&format!("distilburn-evaluate {DATA} {RECIPE} --set run.seed=42"));
    assert_eq!(said.code, Some(3), "{said:?}");
    let flat = flat(&said.stderr);
    assert!(flat.contains("weights.arrow has the BLAKE3") && flat.contains("evaluate needs train"), "{flat}");
    let remedy = said.stderr.split('`').find(|part| part.starts_with("distilburn run")).unwrap();
    assert!(remedy.starts_with("distilburn run --to train --set "), "{remedy}");
    assert!(bench.names("artifacts/export").is_empty());
    let said = bench.run("distilburn status --verify");
    assert_eq!(said.code, Some(3), "{said:?}");
    assert!(said.stderr.contains("artifacts holds damaged artifacts"), "{said:?}");
    let status = said.stdout;
    assert_eq!(status.matches("the manifest says").count(), 1, "{status}");
    assert_eq!(status.matches("verified").count(), 2, "{status}");
    let said = bench.run(&format!("distilburn run --to evaluate {DATA} {RECIPE} --set run.seed=42"));
    assert_eq!(said.code, Some(0), "{said:?}");
    assert!(said.stderr.contains("its artifact is damaged"), "{said:?}");
    assert_eq!(bench.run("distilburn status --verify").code, Some(0));
    let names = bench.names("artifacts/train");
    assert!(names.iter().any(|name| name.starts_with(".damaged-")), "{names:?}");
}

/// Twelve questions about one sentence, every third without an answer.
fn unanswerable() -> String {
    let context = "The cat sat on the mat and the dog slept in the garden";
    let qas: Vec<Value> = (0..12)
        .map(|index| {
            let answers =
                if index % 3 == 0 { json!([]) } else { json!([{ "text": "mat", "answer_start": 19 }]) };
            json!({ "id": index.to_string(), "question": "Where did the cat sit?", "answers": answers })
        })
        .collect();
    json!({ "version": "v2.0", "data": [{ "title": "t", "paragraphs": [{ "context": context, "qas": qas }] }] })
        .to_string()
}

#[test]
fn a_model_that_never_answers_warns_and_its_scores_stand_apart() {
    let _alone = alone();
    let bench = tiny::bench();
    fs::write(bench.path("data.json"), unanswerable()).unwrap();
    let settings = format!(
        "{DATA} --set ingest.max_validation_examples=0 --set ingest.train=data.json --set ingest.validation=data.json --set train.epochs=1 \
         --set train.warmup_steps=0 {NO_CHANGE} --set evaluate.null_threshold=-1e6 \
         --set evaluate.max_answer_length=1"
    );
    let said = bench.run(&format!("distilburn run --to evaluate {settings}"));
    assert_eq!(said.code, Some(0), "{said:?}");
    assert!(said.stderr.contains("every question got no answer"), "{said:?}");
    assert!(said.stderr.contains("no_answer_exact_match=100"), "{said:?}");
    assert!(said.stdout.contains("  with an answer: exact match 0.00, F1 0.00 (8 questions)\n"), "{said:?}");
    assert!(said.stdout.contains("  without: exact match 100.00, F1 100.00 (4 questions)\n"), "{said:?}");
    let answer = bench.json(&format!("distilburn run --quiet --json --to evaluate {settings}"));
    assert_eq!((&answer["no_answer"]["questions"], &answer["has_answer"]["f1"]), (&json!(4), &json!(0.0)));
}

/// All questions look the same to the model, so a threshold can only leave all of them unanswered or none.
#[test]
fn an_automatic_threshold_is_the_best_one_and_travels_with_the_model() {
    let _alone = alone();
    let bench = tiny::bench();
    fs::write(bench.path("data.json"), unanswerable()).unwrap();
    let settings = format!(
        "{DATA} --set ingest.max_validation_examples=0 --set ingest.train=data.json --set ingest.validation=data.json \
         --set ingest.test=data.json --set train.epochs=1 --set train.warmup_steps=0 {NO_CHANGE} \
         --set evaluate.null_threshold=auto --set evaluate.max_answer_length=1"
    );
    let said = bench.run(&format!("distilburn run --quiet {settings}"));
    assert_eq!(said.code, Some(0), "{said:?}");
    let manifest =
        |stage: &str| bench.json(&format!("distilburn show --json {stage} {settings}"))["manifest"].clone();
    let evaluate = &manifest("evaluate")["metrics"];
    let thresholds = &evaluate["null_threshold"];
    let reached = |score: &Value| (score.as_f64().unwrap() - evaluate["f1"].as_f64().unwrap()).abs() < 1e-9;
    assert!(reached(&thresholds["attainable_f1"]["score"]), "{evaluate:#}");
    assert!(evaluate["f1"].as_f64().unwrap() >= 33.3, "{evaluate:#}");
    assert_eq!(evaluate["test"]["null_threshold"]["used"], thresholds["used"]);
    assert!(evaluate["calibration"]["temperature"].as_f64().unwrap() > 0.0, "{evaluate:#}");

    let folder = bench.run(&format!("distilburn path export {settings}")).stdout;
    let folder = bench.path(folder.trim()).join("model");
    let config: Value =
        serde_json::from_str(&fs::read_to_string(folder.join("training_config.json")).unwrap()).unwrap();
    assert_eq!(config["spans"]["null_threshold"], thresholds["used"]);
    assert_eq!(config["temperature"], evaluate["calibration"]["temperature"]);

    // The exported model alone, on the same questions: the same numbers.
    let alone = bench.json(&format!(
        "distilburn evaluate --quiet --json --model {} --dataset {} --set run.precision=fp32",
        folder.display(),
        bench.path("data.json").display()
    ));
    for key in ["questions", "exact_match", "f1", "has_answer", "no_answer"] {
        assert_eq!(alone[key], evaluate[key], "{key}: {alone:#}");
    }
    assert_eq!(alone["null_threshold"]["used"], thresholds["used"]);
    assert_eq!(alone["calibration"]["temperature"], config["temperature"]);
}

#[test]
fn a_training_that_diverges_says_so() {
    let _alone = alone();
    let bench = tiny::bench();
    let training = |rate: &str| {
        let said = bench.run(&format!("distilburn-train {DATA} {RECIPE} --set train.learning_rate={rate}"));
        assert_eq!(said.code, Some(0), "{said:?}");
        said.stderr.matches("the training diverges").count()
    };
    assert_eq!(training("30"), 1);
    assert_eq!(training("3e-4"), 0);
}
