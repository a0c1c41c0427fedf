//! The whole pipeline with the real stages, real weights and LibTorch, on a few generated questions.

use std::fs;
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use crate::bench::{Bench, STAGES};

/// Two trainings at once slow each other down twentyfold: OpenMP threads spin at barriers.
static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

/// Holds the machine for one test, also after another has failed.
pub fn alone() -> MutexGuard<'static, ()> {
    ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A training of a few steps.
const FEW: &str = "--set ingest.max_train_examples=48 --set ingest.max_validation_examples=12 \
                   --set train.epochs=2 --set train.warmup_steps=2 --set run.seed=7 \
                   --set evaluate.profile_seconds=0.2";

fn ran(summary: &Value) -> Vec<&str> {
    let stages = summary["stages"].as_array().unwrap().iter();
    stages.filter(|stage| stage["ran"] == true).map(|stage| stage["stage"].as_str().unwrap()).collect()
}

pub fn copy_folder(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap().map(Result::unwrap) {
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy_folder(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}

fn manifest(bench: &Bench, dir: &str) -> Value {
    serde_json::from_str(&fs::read_to_string(bench.path(dir).join("manifest.json")).unwrap()).unwrap()
}

#[test]
fn the_pipeline_trains_exports_answers_and_resumes() {
    let _alone = alone();
    let bench = Bench::with_real_stages();
    let summary = bench.json(&format!("distilburn run --json {FEW}"));
    assert_eq!(ran(&summary), STAGES);

    // What was made is whole, and scored as the score command scores it.
    let dir = |stage: &str| bench.run(&format!("distilburn path {stage} {FEW}")).stdout.trim().to_owned();
    let metrics = manifest(&bench, &dir("evaluate"))["metrics"].clone();
    let predictions = fs::read_to_string(bench.path(&dir("evaluate")).join("predictions.json")).unwrap();
    assert_eq!(serde_json::from_str::<Value>(&predictions).unwrap().as_object().unwrap().len(), 12);
    for name in ["exact_match", "f1", "base_exact_match", "base_f1"] {
        assert!((0.0..=100.0).contains(&metrics[name].as_f64().unwrap()), "{name}: {metrics}");
    }
    let model = bench.path(&dir("export")).join("model");
    for name in
        ["model.safetensors", "pytorch_model.bin", "config.json", "tokenizer.json", "vocab.txt", "README.md"]
    {
        assert!(model.join(name).is_file(), "{name} is missing");
    }

    // A second run does nothing, at once.
    let nothing_to_do = || {
        let started = Instant::now();
        assert!(ran(&bench.json(&format!("distilburn run --json {FEW}"))).is_empty());
        started.elapsed()
    };
    let fastest = (0..5).map(|_| nothing_to_do()).min().unwrap();
    assert!(fastest < Duration::from_millis(300), "a run with nothing to do took {fastest:?}");

    // A store that was copied elsewhere is valid, on another number of threads; one training setting
    // re-runs what depends on it.
    copy_folder(&bench.path("artifacts"), &bench.path("elsewhere"));
    let elsewhere = format!("--artifacts elsewhere --set run.threads=1 --set run.device=cpu {FEW}");
    assert!(ran(&bench.json(&format!("distilburn run --json {elsewhere}"))).is_empty());
    let summary = bench.json(&format!("distilburn run --json {elsewhere} --set train.learning_rate=1e-4"));
    assert_eq!(ran(&summary), ["train", "evaluate", "export", "report"]);

    // The model answers, and with a piece of the context.
    let context = "The mill was built by Ada Brenn. The bridge was built by Carl Dunst.";
    let mut ask = bench.command(&format!("distilburn ask --json {FEW}"));
    let said =
        bench.said(ask.args(["--question", "Who built the mill?", "--context", context]).output().unwrap());
    assert_eq!(said.code, Some(0), "{said:?}");
    let answer: Value = serde_json::from_str(&said.stdout).unwrap();
    assert!(context.contains(answer["answer"].as_str().unwrap()), "{answer}");

    // So does the model that an artifact of any stage became, by its folder or its fingerprint.
    for stage in ["train", "export"] {
        for named in
            [dir(stage), bench.path(&dir(stage)).file_name().unwrap().to_str().unwrap()[..8].to_owned()]
        {
            let mut ask = bench.command(&format!("distilburn ask --json --model {named}"));
            let said = bench.said(
                ask.args(["--question", "Who built the mill?", "--context", context]).output().unwrap(),
            );
            assert_eq!(serde_json::from_str::<Value>(&said.stdout).unwrap(), answer, "{said:?}");
        }
    }

    // One whose weights are damaged does not.
    copy_folder(&model, &bench.path("damaged"));
    let path = bench.path("damaged/model.safetensors");
    let mut bytes = fs::read(&path).unwrap();
    let end = bytes.len();
    bytes[end - 4..].copy_from_slice(&f32::NAN.to_le_bytes());
    fs::write(&path, bytes).unwrap();
    let mut ask = bench.command("distilburn ask --model damaged");
    let said =
        bench.said(ask.args(["--question", "Who built the mill?", "--context", context]).output().unwrap());
    assert_eq!((said.code, said.stdout.as_str()), (Some(3), ""), "{said:?}");
    assert!(said.stderr.contains("training_config.json says"), "{said:?}");
    // A copy that says nothing of its files is used as it is, as long as its weights are numbers.
    fs::remove_file(bench.path("damaged/training_config.json")).unwrap();
    let mut ask = bench.command("distilburn ask --model damaged");
    let said =
        bench.said(ask.args(["--question", "Who built the mill?", "--context", context]).output().unwrap());
    assert_eq!((said.code, said.stdout.as_str()), (Some(3), ""), "{said:?}");
    assert!(said.stderr.contains("infinite or NaN"), "{said:?}");
}

#[test]
fn every_stage_runs_alone_from_folders() {
    let _alone = alone();
    let bench = Bench::with_real_stages();
    let mut inputs = String::new();
    for stage in STAGES {
        let said = bench.run(&format!("distilburn-{stage}{inputs} --output out/{stage} {FEW}"));
        assert_eq!(said.code, Some(0), "{stage}: {said:?}");
        assert_eq!(manifest(&bench, &format!("out/{stage}"))["stage"], stage);
        // report does not read what export wrote.
        if stage != "export" {
            inputs = format!("{inputs} --input {stage}=out/{stage}");
        }
    }
    assert!(bench.names("artifacts/train").is_empty(), "nothing went into the store");
}

#[test]
fn two_trainings_of_one_recipe_are_bit_identical() {
    let _alone = alone();
    let bench = Bench::with_real_stages();
    let files = ["one", "two"].map(|name| {
        let said = bench.run(&format!("distilburn run --quiet --to train --artifacts {name} {FEW}"));
        assert_eq!(said.code, Some(0), "{said:?}");
        let path = bench.run(&format!("distilburn path train --artifacts {name} {FEW}")).stdout;
        ["weights.arrow", "history.arrow"].map(|file| fs::read(bench.path(path.trim()).join(file)).unwrap())
    });
    assert!(files[0] == files[1], "weights and history depend on more than the recipe");
}

#[test]
fn an_interrupted_training_exits_130_and_leaves_no_artifact() {
    let _alone = alone();
    let bench = Bench::with_real_stages();
    bench.run(&format!("distilburn run --quiet --to tokenize-features {FEW}"));
    let mut child =
        bench.start(&format!("distilburn-train {FEW} --set train.epochs=50"), "RUST_BACKTRACE", "0");
    let deadline = Instant::now() + Duration::from_mins(1);
    // Live metrics appear once steps are made.
    let metrics_written = || {
        let partial = bench.names("artifacts/train").into_iter().find(|name| {
            let metrics = bench.path(&format!("artifacts/train/{name}/metrics.jsonl"));
            fs::metadata(metrics).is_ok_and(|metadata| metadata.len() > 0)
        });
        partial.is_some()
    };
    while !metrics_written() {
        assert!(Instant::now() < deadline, "no step was made");
        std::thread::sleep(Duration::from_millis(20));
    }
    kill_process(Pid::from_child(&child), Signal::TERM).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(130));
    let said = bench.run(&format!("distilburn path train {FEW} --set train.epochs=50"));
    assert!(!bench.path(said.stdout.trim()).exists(), "an unfinished artifact is not under its name");
    // At once, and whatever `log_every_steps` is, the step that was kept is the last one to be seen.
    let watched = bench.json("distilburn watch --json");
    assert_eq!(watched["state"], "stopped");
    let said = bench.run(&format!("distilburn plan {FEW} --set train.epochs=50"));
    let kept = format!("resumes from step {}", watched["last"]["global_step"]);
    assert!(said.stdout.contains(&kept), "{kept} is not in\n{}", said.stdout);
}
