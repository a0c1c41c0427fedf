//! Damage, processes that end, inputs that change, and settings that contradict each other: what the driver and `stage`
//! say and do.

use std::fs;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use crate::bench::Bench;

fn ran(summary: &Value) -> Vec<&str> {
    let stages = summary["stages"].as_array().unwrap().iter();
    stages.filter(|stage| stage["ran"] == true).map(|stage| stage["stage"].as_str().unwrap()).collect()
}

fn dir(bench: &Bench, stage: &str) -> String {
    bench.run(&format!("distilburn path {stage}")).stdout.trim().to_owned()
}

/// Changes a bit of the stage's file, which keeps its size.
fn flip_a_bit(bench: &Bench, dir: &str) {
    let path = bench.path(dir).join("work.txt");
    let mut bytes = fs::read(&path).unwrap();
    bytes[3] ^= 1;
    fs::write(path, bytes).unwrap();
}

#[test]
fn an_artifact_found_damaged_when_it_is_read_is_made_again_by_the_same_run() {
    let bench = Bench::new();
    bench.run("distilburn run");
    flip_a_bit(&bench, &dir(&bench, "ingest"));
    assert!(ran(&bench.json("distilburn run --json")).is_empty(), "nothing reads it");
    let summary =
        bench.json("distilburn run --json --to tokenize-features --set tokenize-features.doc_stride=64");
    assert_eq!(ran(&summary), ["ingest", "tokenize-features"]);
    assert_eq!(bench.run("distilburn status --verify").code, Some(0));
}

#[test]
fn what_was_made_from_other_bytes_of_the_same_fingerprint_is_out_of_date() {
    let bench = Bench::new();
    bench.run("distilburn run");
    // Made again with the same bytes: nothing changes.
    bench.run("distilburn run --force --from train --to train");
    assert!(ran(&bench.json("distilburn run --json")).is_empty());

    bench.run_with("distilburn run --force --from train --to train", "FAKE_STAGE", "other");
    let plan = bench.json("distilburn plan --json");
    let of = |stage: &str| plan["stages"].as_array().unwrap().iter().find(|of| of["stage"] == stage).unwrap();
    assert_eq!(of("train")["up_to_date"], true);
    assert_eq!(of("evaluate")["why"], "train was made again with other results");
    assert_eq!(of("export")["up_to_date"], false);
    assert_eq!(ran(&bench.json("distilburn run --json")), ["evaluate", "export", "report"]);
    assert!(ran(&bench.json("distilburn run --json")).is_empty());

    // One that is gone is made again, with other results: what was made from the first follows in the same run.
    fs::remove_dir_all(bench.path(&dir(&bench, "train"))).unwrap();
    let summary = bench.run("distilburn run --json");
    assert_eq!(summary.code, Some(0), "{summary:?}");
    assert_eq!(bench.run("distilburn status --verify").code, Some(0));
    assert_eq!(bench.json("distilburn plan --json")["up_to_date"], true);
    let read = fs::read_to_string(bench.path(&dir(&bench, "evaluate")).join("manifest.json")).unwrap();
    let train = artifact::Artifact::open(&bench.path(&dir(&bench, "train"))).unwrap();
    assert!(read.contains(&train.content()), "evaluate was made from what is there: {read}");
}

#[test]
fn status_verify_advises_what_makes_damaged_artifacts_again() {
    let bench = Bench::new();
    bench.run("distilburn run");
    flip_a_bit(&bench, &dir(&bench, "train"));
    let said = bench.run("distilburn status --verify");
    assert_eq!(said.code, Some(3), "{said:?}");
    assert!(said.stderr.contains("marked as current again with `distilburn run`"), "{said:?}");
    assert!(!said.stderr.contains("rm -r"), "{said:?}");
    assert_eq!(ran(&bench.json("distilburn run --json")), ["train"]);
    assert_eq!(bench.run("distilburn status --verify").code, Some(0));

    bench.run("distilburn run --to ingest --set ingest.seed=1");
    let other = bench.run("distilburn path ingest --set ingest.seed=1").stdout;
    flip_a_bit(&bench, other.trim());
    let said = bench.run("distilburn status --verify");
    assert!(said.stderr.contains(&format!("`rm -r '{}'`", other.trim())), "{said:?}");
    assert!(!said.stderr.contains("marked as current"), "{said:?}");
}

#[test]
fn a_lock_that_nobody_holds_is_no_running_stage() {
    let bench = Bench::new();
    let partial = bench.path("artifacts/train/.partial-0123456789abcdef0123456789abcdef");
    fs::create_dir_all(&partial).unwrap();
    // A line of metrics of this moment, and the number of a process that lives: this one.
    fs::write(partial.join("metrics.jsonl"), "").unwrap();
    fs::write(partial.with_added_extension("lock"), format!("{}\n", std::process::id())).unwrap();
    let said = bench.run("distilburn status");
    assert!(said.stdout.contains("unfinished") && !said.stdout.contains("running"), "{said:?}");
}

#[test]
fn a_stage_waits_for_the_process_that_is_at_its_artifact_and_says_for_whom() {
    let bench = Bench::new();
    let mut first = bench.start("distilburn-ingest", "FAKE_STAGE", "wait");
    let is_at_it = || {
        let names = bench.names("artifacts/ingest");
        names.iter().any(|name| bench.path(&format!("artifacts/ingest/{name}/waiting")).exists())
    };
    let start = Instant::now();
    while !is_at_it() {
        assert!(start.elapsed() < Duration::from_mins(1), "the stage does not start");
        std::thread::sleep(Duration::from_millis(5));
    }
    let second = bench.start("distilburn-ingest", "FAKE_STAGE", "");
    std::thread::sleep(Duration::from_millis(700));
    kill_process(Pid::from_child(&first), Signal::KILL).unwrap();
    first.wait().unwrap();
    let said = bench.said(second.wait_with_output().unwrap());
    assert_eq!(said.code, Some(0), "{said:?}");
    assert!(said.stderr.contains("waiting for the process"), "{said:?}");
    assert!(said.stderr.contains(&first.id().to_string()), "{said:?}");
}

#[test]
fn a_damaged_artifact_of_a_lineage_stops_only_what_reads_it() {
    let bench = Bench::new();
    bench.run("distilburn run");
    let train = dir(&bench, "train");
    fs::write(bench.path(&dir(&bench, "ingest")).join("work.txt"), "cut").unwrap();
    let said = bench.run(&format!("distilburn plan --input train={train}"));
    assert_eq!(said.code, Some(0), "{said:?}");
    assert!(said.stdout.contains("unusable") && said.stdout.contains("but it is damaged: "), "{said:?}");
    assert!(ran(&bench.json(&format!("distilburn run --json --input train={train}"))).is_empty());
    let said = bench.run(&format!("distilburn run --input train={train} --set evaluate.n_best=5"));
    assert_eq!(said.code, Some(3), "{said:?}");
    assert!(said.stderr.contains("evaluate needs ingest, whose artifact is damaged"), "{said:?}");
    assert!(said.stderr.contains("--input ingest=DIR"), "{said:?}");
}

#[test]
fn a_set_that_an_input_overrules_is_refused_with_both_names() {
    let bench = Bench::new();
    for name in ["train.json", "dev.json", "other.json"] {
        fs::write(bench.path(name), format!("{{\"version\": \"{name}\"}}")).unwrap();
    }
    fs::write(bench.path("pipeline.toml"), "[ingest]\ntrain = \"train.json\"\nvalidation = \"dev.json\"\n")
        .unwrap();
    bench.run("distilburn run");
    let train = dir(&bench, "train");
    for set in [
        "ingest.seed=3",
        "ingest.validation=other.json",
        "tokenize-features.doc_stride=64",
        "train.epochs=9",
        "train.init_from=elsewhere",
    ] {
        for command in ["plan", "run"] {
            let said = bench.run(&format!("distilburn {command} --input train={train} --set {set}"));
            assert_eq!(said.code, Some(2), "{set}: {said:?}");
            assert!(said.stderr.contains(&format!("--set {set}")), "{said:?}");
            assert!(said.stderr.contains(&format!("--input train={train}")), "{said:?}");
        }
    }
    // What the artifact was made with, and what has its effect further down, are no contradiction.
    for set in [
        "ingest.seed=0",
        "train.epochs=3",
        "evaluate.n_best=5",
        "run.threads=1",
        "ingest.validation=dev.json",
    ] {
        let said = bench.run(&format!("distilburn plan --input train={train} --set {set}"));
        assert_eq!(said.code, Some(0), "{set}: {said:?}");
    }
}

#[test]
fn an_input_that_changes_while_it_is_read_is_not_sealed() {
    let bench = Bench::new();
    fs::write(bench.path("train.json"), "{}").unwrap();
    let settings = "--set ingest.train=train.json --set ingest.validation=10%";
    for file in ["train.json", ".cache/models/all-MiniLM-L6-v2/config.json"] {
        let line = format!("distilburn-ingest {settings}");
        let said = bench.run_with(&line, "FAKE_STAGE", &format!("change:{file}"));
        assert_eq!(said.code, Some(3), "{said:?}");
        assert!(said.stderr.contains(&format!("{file} changed while it was read")), "{said:?}");
        assert!(said.stderr.contains("run again"), "{said:?}");
        assert!(bench.names("artifacts/ingest").is_empty(), "{said:?}");
    }
    assert_eq!(bench.run(&format!("distilburn-ingest {settings}")).code, Some(0));
}

#[test]
fn show_and_status_name_the_files_that_data_came_from() {
    let bench = Bench::new();
    fs::write(bench.path("train.json"), "{}").unwrap();
    let settings = "--set ingest.train=train.json --set ingest.validation=7.5%";
    bench.run(&format!("distilburn run --to ingest {settings}"));
    let said = bench.run(&format!("distilburn show ingest {settings}"));
    // BLAKE3 of `{}`, as b3sum gives it.
    let hash = blake3_of_braces();
    assert!(said.stdout.contains(&format!("train.json (BLAKE3 {hash})")), "{said:?}");
    assert!(said.stdout.contains(&format!("config.json (BLAKE3 {hash})")), "{said:?}");
    assert!(said.stdout.contains("7.5% of the training contexts"), "{said:?}");
    let said = bench.run("distilburn status");
    assert!(said.stdout.contains("train: train.json; validation: 7.5% of the training contexts"), "{said:?}");
}

fn blake3_of_braces() -> String {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("braces"), "{}").unwrap();
    artifact::hash_file(&folder.path().join("braces")).unwrap()
}

#[test]
fn the_beginning_of_a_fingerprint_names_an_artifact() {
    let bench = Bench::new();
    bench.run("distilburn run");
    let train = dir(&bench, "train");
    let fingerprint = train.rsplit_once('/').unwrap().1;
    let prefix = &fingerprint[..12];
    assert_eq!(bench.run(&format!("distilburn path {prefix}")).stdout.trim(), train);
    assert!(bench.run(&format!("distilburn show {prefix}")).stdout.contains(fingerprint));
    for name in ["ingest/fffe0", "train/fffe1"] {
        fs::create_dir_all(bench.path("artifacts").join(name)).unwrap();
    }
    for command in ["path", "show"] {
        let said = bench.run(&format!("distilburn {command} fffe"));
        assert_eq!(said.code, Some(2), "{said:?}");
        assert!(said.stderr.contains("ingest fffe0, train fffe1"), "{said:?}");
        assert_eq!(bench.run(&format!("distilburn {command} ffffffffffffffff")).code, Some(3));
    }
    assert_eq!(bench.run("distilburn path fff").code, Some(2), "three digits are too few");
}

#[test]
fn settings_that_cannot_work_are_found_by_the_plan() {
    let bench = Bench::new();
    let config = bench.path(".cache/models/all-MiniLM-L6-v2/config.json");
    fs::write(config, "{\"max_position_embeddings\": 512}").unwrap();
    for (set, words) in [
        (
            "tokenize-features.max_length=1024",
            "max_length = 1024 is more than the 512 positions of the base model",
        ),
        ("run.precision=\"int8\"", "run.precision = \"int8\" is for answering questions"),
        ("train.max_steps=100", "train.warmup_steps = 100, but the training has only 100 steps"),
    ] {
        for command in ["plan", "run --dry-run", "run"] {
            let said = bench.run(&format!("distilburn {command} --set {set}"));
            assert_eq!(said.code, Some(2), "{said:?}");
            assert!(said.stderr.contains(words), "{said:?}");
        }
    }
    for set in ["tokenize-features.max_length=512", "train.max_steps=101"] {
        assert_eq!(bench.run(&format!("distilburn plan --set {set}")).code, Some(0));
    }
    let said = bench.run("distilburn plan --set train.max_steps=50 --set train.warmup_ratio=0.1");
    assert_eq!(said.code, Some(0), "{said:?}");
}

#[test]
fn a_mistyped_file_name_gets_the_nearest_one() {
    let bench = Bench::new();
    for name in ["train.json", "dev[1].json"] {
        fs::write(bench.path(name), "{}").unwrap();
    }
    for (set, near) in [
        ("--set ingest.train=trian.json --set ingest.validation=10%", "did you mean train.json?"),
        ("--set ingest.train=train.json --set ingest.validation=dve[1].json", "did you mean dev[1].json?"),
        (
            "--set ingest.base_model=.cache/models/all-MiniLM-L6-v3",
            "did you mean .cache/models/all-MiniLM-L6-v2?",
        ),
    ] {
        let said = bench.run(&format!("distilburn plan {set}"));
        assert_eq!(said.code, Some(3), "{said:?}");
        assert!(said.stderr.contains(near), "{said:?}");
    }
    let said = bench.run("distilburn plan --set ingest.train=train.json --set ingest.validation=dev[1].json");
    assert_eq!(said.code, Some(0), "{said:?}");
}
