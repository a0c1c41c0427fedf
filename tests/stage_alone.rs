//! What `stage` does around a stage: inputs, output, skipping, errors, exit codes.

use insta::assert_snapshot;

use crate::bench::{Bench, settled};

#[test]
fn a_stage_prints_its_artifact_and_is_not_run_twice() {
    let bench = Bench::new();
    let first = bench.run("distilburn-ingest");
    assert_eq!(first.code, Some(0), "{first:?}");
    assert!(bench.path(first.stdout.trim()).join("manifest.json").is_file(), "{first:?}");
    let second = bench.run("distilburn-ingest");
    assert_eq!((second.code, &second.stdout), (Some(0), &first.stdout));
    assert!(second.stderr.contains("up to date"), "{second:?}");
    let forced = bench.run("distilburn ingest --force");
    assert!(forced.stderr.contains("finished") && forced.stdout == first.stdout, "{forced:?}");
}

#[test]
fn a_missing_input_exits_3_and_names_the_command() {
    let bench = Bench::new();
    let said = bench.run("distilburn-tokenize-features --set ingest.seed=1");
    assert_eq!(said.code, Some(3));
    assert_snapshot!(settled(&said.stderr));
}

#[test]
fn input_and_output_need_no_store() {
    let bench = Bench::new();
    assert_eq!(bench.run("distilburn-ingest --output one").code, Some(0));
    let said = bench.run("distilburn-tokenize-features --input ingest=one --output two");
    assert_eq!(said.code, Some(0), "{said:?}");
    let said = bench.run("distilburn-train --input ingest=one --input tokenize-features=two --output three");
    assert_eq!((said.code, said.stdout.as_str()), (Some(0), "three\n"), "{said:?}");
    assert!(bench.path("three/manifest.json").is_file());
    assert!(bench.names("artifacts").is_empty());
}

#[test]
fn a_manifest_says_what_was_done_and_not_where() {
    let bench = Bench::new();
    bench.run("distilburn-ingest --output one");
    let manifest = std::fs::read_to_string(bench.path("one/manifest.json")).unwrap();
    assert!(!manifest.contains(&bench.path("").display().to_string()), "{manifest}");
    let manifest: serde_json::Value = serde_json::from_str(&manifest).unwrap();
    assert_eq!(manifest["parts"]["settings"]["ingest.subset"], "random");
    assert_eq!(manifest["metrics"]["f1"], 85.5);
    assert_eq!(manifest["run"]["device"], "cpu");
    assert!(manifest["run"]["started"].as_str().unwrap().ends_with('Z'));
    assert!(manifest["run"]["elapsed_ms"].is_u64());
}

#[test]
fn an_output_that_is_not_empty_exits_2() {
    let bench = Bench::new();
    let said = bench.run("distilburn-ingest --output bin");
    assert_eq!(said.code, Some(2));
    assert!(said.stderr.contains("bin is not empty"), "{said:?}");
    // What an earlier run made is not replaced.
    assert_eq!(bench.run("distilburn-ingest --output out").code, Some(0));
    let manifest = || std::fs::read(bench.path("out/manifest.json")).unwrap();
    let before = manifest();
    let said = bench.run("distilburn-ingest --output out --force");
    assert_eq!(said.code, Some(2));
    assert!(said.stderr.contains("out is not empty") && said.stderr.contains("`--force`"), "{said:?}");
    assert_eq!(manifest(), before);
}

#[test]
fn an_input_that_is_not_upstream_exits_2() {
    let bench = Bench::new();
    bench.run("distilburn-ingest --output one");
    let said = bench.run("distilburn-ingest --input ingest=one");
    assert_eq!(said.code, Some(2));
    assert_snapshot!(said.stderr);
}

#[test]
fn a_panic_is_an_error_that_leaves_nothing_behind() {
    let bench = Bench::new();
    let said = bench.run_with("distilburn-ingest", "FAKE_STAGE", "panic");
    assert_eq!(said.code, Some(1));
    assert!(said.stderr.contains("ingest stopped because of a bug: a bug"), "{said:?}");
    assert!(bench.names("artifacts/ingest").is_empty());
}

#[test]
fn a_stage_of_another_build_names_the_build_command() {
    let bench = Bench::new();
    let said = bench.run_with("distilburn-ingest", "DISTILBURN_EXPECTED_CODE", "0123456789abcdef");
    assert_eq!(said.code, Some(1));
    assert_snapshot!(settled(&said.stderr));
}

#[test]
fn wrong_settings_exit_2_with_file_and_line() {
    let bench = Bench::new();
    std::fs::write(bench.path("pipeline.toml"), "[train]\nepoch = 3\n").unwrap();
    let said = bench.run("distilburn-ingest");
    assert_eq!((said.code, said.stdout.as_str()), (Some(2), ""));
    assert_snapshot!(said.stderr);
}

#[test]
fn with_json_logs_every_line_is_an_object_and_the_error_is_the_last() {
    let bench = Bench::new();
    let said = bench.run_with("distilburn-ingest --log-format json", "FAKE_STAGE", "fail");
    let lines: Vec<serde_json::Value> =
        said.stderr.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let last = lines.last().unwrap();
    assert_eq!(last["message"], "row 7 of the data is bad");
    assert_eq!(last["help"], "mend row 7");
    assert_eq!(last["exit_code"], 3);
}

#[test]
fn quiet_says_nothing_on_success() {
    let bench = Bench::new();
    let said = bench.run("distilburn-ingest --quiet");
    assert_eq!((said.code, said.stderr.as_str()), (Some(0), ""));
}

#[test]
fn short_help_fits_on_a_screen() {
    let bench = Bench::new();
    let said = bench.run("distilburn-tokenize-features -h");
    assert_eq!(said.code, Some(0));
    assert_snapshot!(said.stdout);
}

#[test]
fn long_help_has_the_settings_with_their_comments() {
    let bench = Bench::new();
    let help = bench.run("distilburn train --help").stdout;
    for part in ["weights.arrow", "[train]", "learning_rate = ", "[run]", "precision = ", "130 interrupted"] {
        assert!(help.contains(part), "no {part} in:\n{help}");
    }
}
