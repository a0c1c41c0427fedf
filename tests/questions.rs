//! The commands that answer a question: plan, status, path, show.

use artifact::{AuditRow, AuditWriter, Finding, Outcome};
use insta::assert_snapshot;

use crate::bench::{Bench, settled};

#[test]
fn plan_says_what_would_run_and_why() {
    let bench = Bench::new();
    assert_snapshot!("plan_of_an_empty_store", settled(&bench.run("distilburn plan").stdout));
    bench.run("distilburn run");
    let said = bench.run("distilburn plan --set train.epochs=1 --set train.learning_rate=1e-5");
    assert_snapshot!("plan_after_a_change", settled(&said.stdout));
    let plan = bench.json("distilburn plan --json --set evaluate.n_best=5");
    assert_eq!(plan["up_to_date"], false);
    assert_eq!(plan["stages"][2]["up_to_date"], true);
    assert_eq!(plan["stages"][3]["why"], "evaluate.n_best: 20 → 5");
}

#[test]
fn path_is_the_same_before_and_after() {
    let bench = Bench::new();
    let before = bench.json("distilburn path train --json");
    assert_eq!(before["finished"], false);
    bench.run("distilburn run");
    let after = bench.json("distilburn path train --json");
    assert_eq!((after["finished"].as_bool(), &after["path"]), (Some(true), &before["path"]));
    assert_eq!(bench.run("distilburn path train").stdout.trim(), after["path"]);
    assert_eq!(bench.run("distilburn path trian").code, Some(2));
}

#[test]
fn status_marks_what_is_current_and_what_is_latest() {
    let bench = Bench::new();
    assert_eq!(
        bench.run("distilburn status").stdout,
        "artifacts holds no artifacts; `distilburn run` makes them\n"
    );
    bench.run("distilburn run");
    bench.run("distilburn run --to train --set train.epochs=1");
    let status = bench.json("distilburn status --json");
    let of_train =
        status["artifacts"].as_array().unwrap().iter().filter(|artifact| artifact["stage"] == "train");
    let notes: Vec<_> = of_train.map(|artifact| artifact["notes"].to_string()).collect();
    assert_eq!(notes, ["[\"current\"]", "[\"latest\"]"]);
    let text = bench.run("distilburn status").stdout;
    assert!(text.contains("current, epochs=3") && text.contains("latest, epochs=1"), "{text}");
    assert!(text.contains("validation F1 85.50, exact match 80.00"), "{text}");
    let named = bench.json("distilburn status --json --set run.name=mine");
    assert_eq!(named["artifacts"][2]["name"], "epochs=3");
    assert_eq!(bench.run("distilburn status").stdout.lines().count(), 2 + 7);
    bench.run("distilburn run --to train --set train.epochs=2 --set run.name=mine");
    assert!(bench.run("distilburn status").stdout.contains("latest, mine"));
}

#[test]
fn a_damaged_artifact_is_made_again_and_kept_beside() {
    let bench = Bench::new();
    bench.run("distilburn run");
    let dir = bench.run("distilburn path ingest").stdout;
    let (folder, fingerprint) = dir.trim().rsplit_once('/').unwrap();
    let damage = || std::fs::write(bench.path(dir.trim()).join("work.txt"), "cut").unwrap();
    damage();
    assert!(
        bench.run("distilburn status").stdout.contains("work.txt has 3 bytes, the manifest says 32 bytes")
    );
    let said = bench.run("distilburn tokenize-features --force");
    assert_eq!(said.code, Some(3), "{said:?}");
    assert!(said.stderr.contains("needs ingest, whose artifact is damaged: "), "{said:?}");
    assert!(said.stderr.contains("`distilburn run --to ingest`"), "{said:?}");

    let plan = bench.json("distilburn plan --json");
    let why = plan["stages"][0]["why"].as_str().unwrap();
    assert!(why.starts_with("its artifact is damaged: ") && why.contains("work.txt has 3 bytes"), "{why}");
    let up_to_date: Vec<_> = plan["stages"].as_array().unwrap().iter().map(|it| &it["up_to_date"]).collect();
    assert_eq!(up_to_date, [false, true, true, true, true, true]);

    let said = bench.run("distilburn run");
    assert_eq!(said.code, Some(0), "{said:?}");
    let kept = format!(".damaged-{fingerprint}");
    assert!(said.stderr.contains(&format!("it was moved aside folder={folder}/{kept}")), "{said:?}");
    assert_eq!(std::fs::read(bench.path(folder).join(&kept).join("work.txt")).unwrap(), b"cut");
    assert!(bench.run("distilburn run").stdout.starts_with("everything is up to date"));
    let said = bench.run("distilburn status --verify");
    assert!(said.code == Some(0) && said.stdout.contains(&format!("you can delete {kept}\n")), "{said:?}");

    damage();
    assert_eq!(bench.run("distilburn run --quiet").code, Some(0));
    assert_eq!(
        bench.names(folder),
        [kept.clone(), format!("{kept}.2"), fingerprint.to_owned(), "latest".to_owned()]
    );
}

#[test]
fn a_file_in_the_place_of_a_folder_exits_3_and_stays() {
    let bench = Bench::new();
    bench.run("distilburn run --quiet --to ingest");
    let dir = bench.run("distilburn path ingest").stdout;
    let place = bench.path(dir.trim());
    std::fs::remove_dir_all(&place).unwrap();
    std::fs::write(&place, "mine").unwrap();
    for line in [
        "distilburn plan",
        "distilburn run --force",
        "distilburn-ingest",
        "distilburn-train --input ingest=bin/distilburn",
        "distilburn plan --artifacts bin/distilburn",
        "distilburn status --artifacts bin/distilburn",
    ] {
        let said = bench.run(line);
        assert_eq!(said.code, Some(3), "{line}: {said:?}");
        assert!(said.stderr.contains(" is a file, expected "), "{line}: {said:?}");
        assert!(said.stderr.contains("help: name a folder"), "{line}: {said:?}");
    }
    assert_eq!(std::fs::read(place).unwrap(), b"mine");
}

#[test]
fn an_answer_that_cannot_be_written_exits_1() {
    let bench = Bench::new();
    std::fs::write(bench.path("dev.json"), crate::score::dataset()).unwrap();
    std::fs::write(bench.path("predictions.json"), "{}").unwrap();
    for line in [
        "distilburn status --json",
        "distilburn plan",
        "distilburn path train",
        "distilburn score --dataset dev.json --predictions predictions.json",
        "distilburn-ingest",
    ] {
        let full = std::fs::File::options().write(true).open("/dev/full").unwrap();
        let said = bench.said(bench.command(line).stdout(full).output().unwrap());
        assert_eq!(said.code, Some(1), "{line}: {said:?}");
        assert!(said.stderr.contains("stdout cannot be written"), "{line}: {said:?}");
    }
}

#[test]
fn show_prints_settings_lineage_and_files() {
    let bench = Bench::new();
    bench.run("distilburn run");
    let text = bench.run("distilburn show tokenize-features").stdout;
    for part in ["tokenize-features.max_length  384", "made from:\n  ingest  ", "work.txt  32 B", "85.5"] {
        assert!(text.contains(part), "no {part} in:\n{text}");
    }
    let dir = bench.run("distilburn path tokenize-features").stdout;
    assert_eq!(bench.run(&format!("distilburn show {}", dir.trim())).stdout, text);
    let json = bench.json("distilburn show ingest --json");
    assert_eq!(json["manifest"]["parts"]["inputs"]["train"], "sample");
}

#[test]
fn show_prints_the_schema_and_the_first_rows_of_a_table() {
    let bench = Bench::new();
    let path = bench.path("contexts-train.arrow");
    let mut contexts = artifact::ContextsWriter::create(&path, "0123").unwrap();
    for number in 0..5 {
        contexts.push("Title", &format!("Context {number}. {}", "More words. ".repeat(20))).unwrap();
    }
    contexts.finish().unwrap();
    assert_snapshot!(bench.run("distilburn show contexts-train.arrow --rows 2").stdout);
}

#[test]
fn show_prints_an_audit_for_people_and_for_programs() {
    let row = |split: &str, id: &str, finding, outcome| AuditRow {
        split: split.to_owned(),
        id: id.to_owned(),
        finding,
        outcome,
        field: "answers".to_owned(),
        answer_index: Some(0),
        answer_text: Some("New\nYork".to_owned()),
        answer_start: Some(-1),
        found_text: Some("New York".to_owned()),
        found_start: Some(7),
        other_id: None,
        detail: Some("white space differs".to_owned()),
    };
    let repeated = |id: &str| AuditRow {
        answer_text: None,
        answer_start: None,
        found_text: None,
        found_start: None,
        other_id: Some("t9".to_owned()),
        detail: Some("to the letter".to_owned()),
        ..row("validation", id, Finding::QuestionInTrain, Outcome::Kept)
    };
    let bench = Bench::new();
    let mut writer = AuditWriter::create(&bench.path("audit.arrow"), "0123").unwrap();
    for row in [
        row("train", "t1", Finding::AnswerNotAtOffset, Outcome::Realigned),
        repeated("v1"),
        repeated("v2"),
        repeated("v3"),
    ] {
        writer.push(row).unwrap();
    }
    writer.finish().unwrap();
    assert_snapshot!(bench.run("distilburn show audit.arrow --rows 2").stdout);
    let json = bench.json("distilburn show audit.arrow --json");
    assert_eq!(json["findings"][0]["examples"][0]["found_start"], 7);
    assert_eq!(json["findings"][1]["count"]["validation"], 3);
}

#[test]
fn show_refuses_what_is_nothing() {
    let bench = Bench::new();
    let said = bench.run("distilburn show trian");
    assert_eq!(said.code, Some(3));
    assert_snapshot!(said.stderr);
    assert_eq!(bench.run("distilburn show bin").code, Some(3));
    assert_eq!(bench.run("distilburn show bin/distilburn").code, Some(3));
}

#[test]
fn help_of_the_driver() {
    let bench = Bench::new();
    assert_snapshot!(bench.run("distilburn --help").stdout);
    assert_eq!(bench.run("distilburn").code, Some(2));
    assert_eq!(bench.run("distilburn rnu").code, Some(2));
}

#[test]
fn watch_without_a_terminal_sums_up_the_newest_training() {
    let bench = Bench::new();
    let said = bench.run("distilburn watch");
    assert_eq!(said.code, Some(3), "{said:?}");
    assert!(said.stderr.contains("artifacts does not exist"), "{said:?}");
    assert!(said.stderr.contains("distilburn run"), "{said:?}");

    let dir = bench.path("artifacts/train/.partial-0123456789abcdef0123456789abcdef");
    std::fs::create_dir_all(&dir).unwrap();
    let recorded = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/fixtures/watch/metrics.jsonl");
    let mut lines = std::fs::read_to_string(recorded).unwrap();
    // As a process leaves it that is killed while it writes.
    lines.push_str("{\"global_step\": 99");
    std::fs::write(dir.join("metrics.jsonl"), lines).unwrap();
    let lock = std::fs::File::create(dir.with_added_extension("lock")).unwrap();
    lock.lock().unwrap();
    for line in [
        "distilburn watch",
        "distilburn watch artifacts",
        "distilburn watch --once artifacts/train/0123456789abcdef0123456789abcdef",
    ] {
        let said = bench.run(line);
        assert_eq!(said.code, Some(0), "{line}: {said:?}");
        assert!(said.stdout.starts_with("train 0123456789ab: running\n"), "{line}: {said:?}");
        assert!(said.stdout.contains("best F1"), "{line}: {said:?}");
    }
    let watched = bench.json("distilburn watch --json");
    assert_eq!(watched["state"], "running");
    assert_eq!(watched["validations"].as_array().unwrap().last(), Some(&watched["best"]));
    assert_eq!(bench.run("distilburn watch artifacts/train/0123 --once").code, Some(3));
}
