//! `distilburn run` with stages that do no work.

use std::fs;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use crate::bench::{Bench, STAGES};

/// The stages that a `run --json` ran.
fn ran(summary: &Value) -> Vec<&str> {
    let stages = summary["stages"].as_array().unwrap().iter();
    stages.filter(|stage| stage["ran"] == true).map(|stage| stage["stage"].as_str().unwrap()).collect()
}

#[test]
fn a_fresh_run_makes_every_stage_and_sums_up() {
    let bench = Bench::new();
    let said = bench.run("distilburn run");
    assert_eq!(said.code, Some(0), "{said:?}");
    for stage in STAGES {
        assert!(said.stdout.contains(&format!("artifacts/{stage}/")), "{said:?}");
    }
    assert!(said.stdout.contains("exact match 1.00 → 80.00, F1 4.25 → 85.50"), "{said:?}");
    let model = said.stdout.lines().find_map(|line| line.strip_prefix("model directory: ")).unwrap();
    assert!(model.starts_with("artifacts/export/") && model.ends_with("/model"), "{model}");
    let page = said.stdout.lines().last().and_then(|line| line.strip_prefix("report: ")).unwrap();
    assert!(page.starts_with("artifacts/report/") && page.ends_with("/report.html"), "{page}");
    assert!(said.stderr.contains("no pipeline.toml here"), "{said:?}");
}

#[test]
fn a_second_run_does_nothing_and_says_so() {
    let bench = Bench::new();
    bench.run("distilburn run");
    let manifest = |stage: &str| {
        let dir = bench.run(&format!("distilburn path {stage}")).stdout;
        fs::read_to_string(bench.path(dir.trim()).join("manifest.json")).unwrap()
    };
    let before = STAGES.map(manifest);
    let said = bench.run("distilburn run");
    assert_eq!(said.code, Some(0));
    assert!(said.stdout.starts_with("everything is up to date, nothing to do ("), "{said:?}");
    assert_eq!(before, STAGES.map(manifest));
}

#[test]
fn a_required_slice_that_does_not_exist_is_refused_before_any_stage_runs() {
    let bench = Bench::new();
    fs::write(bench.path("pipeline.toml"), "[report]\nslices = { mine = \"ids.txt\" }\n").unwrap();
    fs::write(bench.path("ids.txt"), "a\n").unwrap();
    for (slice, what) in [
        ("sliceThatDoesNotExist", "expected a slice such as"),
        ("sliceThatDoesNotExist=1", "the slicings are question_word, answer_type"),
        ("question_word=whither", "its values are what, which"),
        ("own=yours", "`report.slices` names mine"),
        ("audit=nothing", "its values are"),
    ] {
        for more in ["", " --dry-run"] {
            let said = bench.run(&format!("distilburn run --require f1[{slice}]=60{more}"));
            assert!(said.code == Some(2) && said.stderr.contains(what), "{slice}: {said:?}");
        }
    }
    assert!(!bench.path("artifacts").exists(), "a stage has run");
    // It exists, and only the data can tell whether it is empty.
    let said = bench.run("distilburn run --require f1[own=mine]=0 --dry-run");
    assert_eq!(said.code, Some(0), "{said:?}");
}

#[test]
fn a_training_setting_reruns_train_and_what_follows_only() {
    let bench = Bench::new();
    assert_eq!(ran(&bench.json("distilburn run --json")), STAGES);
    let summary = bench.json("distilburn run --json --set train.epochs=1");
    assert_eq!(ran(&summary), ["train", "evaluate", "export", "report"]);
    assert!(ran(&bench.json("distilburn run --json")).is_empty(), "the first artifacts are still there");
}

#[test]
fn settings_of_the_report_rerun_the_report_only() {
    let bench = Bench::new();
    bench.run("distilburn run");
    assert_eq!(ran(&bench.json("distilburn run --json --set report.texts=false")), ["report"]);
    fs::write(bench.path("pipeline.toml"), "[report]\nslices = { mine = \"ids.txt\" }\n").unwrap();
    fs::write(bench.path("ids.txt"), "a\n").unwrap();
    assert_eq!(ran(&bench.json("distilburn run --json")), ["report"]);
    assert!(ran(&bench.json("distilburn run --json")).is_empty());
    fs::write(bench.path("ids.txt"), "a\nb\n").unwrap();
    let summary = bench.json("distilburn run --json");
    assert_eq!(ran(&summary), ["report"]);
    // The stage's command prints the page, too, and does nothing again.
    let page = bench.run("distilburn report").stdout;
    assert_eq!(summary["report"].as_str().unwrap().trim_start_matches("./"), page.trim());
    fs::remove_file(bench.path("ids.txt")).unwrap();
    let said = bench.run("distilburn run");
    assert!(
        said.code == Some(3)
            && said.stderr.contains("pipeline.toml:2: report.slices = ids.txt: no such file"),
        "{said:?}"
    );
}

#[test]
fn device_and_threads_rerun_nothing() {
    let bench = Bench::new();
    bench.run("distilburn run");
    assert!(ran(&bench.json("distilburn run --json --set run.device=cpu --set run.threads=1")).is_empty());
}

#[test]
fn a_store_that_was_copied_elsewhere_is_still_valid() {
    let bench = Bench::new();
    bench.run("distilburn run");
    fs::rename(bench.path("artifacts"), bench.path("elsewhere")).unwrap();
    assert!(ran(&bench.json("distilburn run --json --artifacts elsewhere")).is_empty());
}

#[test]
fn force_runs_what_is_finished() {
    let bench = Bench::new();
    bench.run("distilburn run");
    assert_eq!(
        ran(&bench.json("distilburn run --json --force --from evaluate")),
        ["evaluate", "export", "report"]
    );
}

#[test]
fn from_and_to_bound_the_run() {
    let bench = Bench::new();
    assert_eq!(ran(&bench.json("distilburn run --json --to tokenize-features")), STAGES[..2]);
    assert_eq!(ran(&bench.json("distilburn run --json --from train --to train")), ["train"]);
    assert_eq!(bench.run("distilburn run --from export --to train").code, Some(2));
}

#[test]
fn from_a_stage_whose_input_is_missing_names_the_command() {
    let bench = Bench::new();
    let said = bench.run("distilburn run --from train --set run.seed=7");
    assert_eq!(said.code, Some(3));
    assert!(said.stderr.contains("train needs ingest, which has not been made"), "{said:?}");
    assert!(said.stderr.contains("`distilburn-ingest --set run.seed=7`"), "{said:?}");
}

#[test]
fn a_dry_run_makes_nothing() {
    let bench = Bench::new();
    let said = bench.run("distilburn run --dry-run");
    assert_eq!(said.stdout.matches("would run").count(), STAGES.len(), "{said:?}");
    assert!(STAGES.iter().all(|stage| bench.names(&format!("artifacts/{stage}")).is_empty()));
}

#[test]
fn a_failing_stage_ends_the_run_with_its_message_and_exit_code() {
    let bench = Bench::new();
    let said = bench.run_with("distilburn run", "FAKE_STAGE", "fail");
    assert_eq!(said.code, Some(3));
    assert!(said.stderr.contains("row 7 of the data is bad"), "{said:?}");
    assert!(said.stderr.contains("mend row 7"), "{said:?}");
    assert_eq!(said.stdout, "");
    assert!(bench.names("artifacts/ingest").is_empty(), "nothing is left behind");
}

#[test]
fn a_binary_that_is_missing_names_the_build_command() {
    let bench = Bench::new();
    fs::remove_file(bench.path("bin/distilburn-ingest")).unwrap();
    for line in ["distilburn run", "distilburn ingest"] {
        let said = bench.run(line);
        assert_eq!(said.code, Some(1));
        assert!(said.stderr.contains("bin/distilburn-ingest does not exist"), "{said:?}");
        assert!(said.stderr.contains("cargo build --release"), "{said:?}");
    }
}

/// Until the stage that waits for a signal is at it.
fn wait_for_stage(bench: &Bench) {
    let waiting = || {
        let names = bench.names("artifacts/ingest");
        names.iter().any(|name| bench.path(&format!("artifacts/ingest/{name}/waiting")).exists())
    };
    let start = Instant::now();
    while !waiting() {
        assert!(start.elapsed() < Duration::from_mins(1), "the stage does not start");
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn plan_and_status_name_the_process_that_is_at_a_stage() {
    let bench = Bench::new();
    let mut child = bench.start("distilburn-ingest", "FAKE_STAGE", "wait");
    wait_for_stage(&bench);
    let process = format!("process {} for ", child.id());
    let plan = bench.run("distilburn plan").stdout;
    assert!(plan.lines().next().unwrap().contains("  running  "), "{plan}");
    assert!(plan.lines().next().unwrap().contains(&process), "{plan}");
    assert_eq!(plan.matches("would run").count(), STAGES.len() - 1, "{plan}");
    assert!(bench.run("distilburn status").stdout.contains(&format!("running: {process}")));
    let held = |answer: &str, list: &str| bench.json(answer)[list][0]["running"]["pid"].as_u64();
    assert_eq!(held("distilburn plan --json", "stages"), Some(child.id().into()));
    assert_eq!(held("distilburn status --json", "artifacts"), Some(child.id().into()));

    // A process that is killed leaves its lock file.
    kill_process(Pid::from_child(&child), Signal::KILL).unwrap();
    child.wait().unwrap();
    assert!(bench.run("distilburn status").stdout.contains("  unfinished"));
    assert_eq!(held("distilburn plan --json", "stages"), None);
}

#[test]
fn sigterm_ends_the_stage_keeps_its_work_and_exits_130() {
    let bench = Bench::new();
    let child = bench.start("distilburn run", "FAKE_STAGE", "wait");
    wait_for_stage(&bench);
    kill_process(Pid::from_raw(child.id() as i32).unwrap(), Signal::TERM).unwrap();
    let said = bench.said(child.wait_with_output().unwrap());
    assert_eq!(said.code, Some(130), "{said:?}");
    let left = bench.names("artifacts/ingest");
    assert!(left.len() == 1 && left[0].starts_with(".partial-"), "{left:?}");
    assert_eq!(bench.run("distilburn run").code, Some(0), "it can go on from there");
    assert!(!bench.names("artifacts/ingest").iter().any(|name| name.starts_with(".partial-")));
}
