//! `ask`, `predict` and `merge` with a tiny model that answers at random.

use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};

use crate::bench::{Bench, Said};
use crate::tiny;

/// A bench with the model in `model`.
fn bench() -> Bench {
    let bench = Bench::with_real_stages();
    tiny::write_qa_model(&bench, "model");
    bench
}

const TEXT: &str = "The mill was built by Ada Brenn in 1911.\nThe bridge was built by Carl Dunst.";

/// So many questions about contexts of one to several windows, as JSON Lines.
fn questions(count: usize) -> String {
    let row = |number: usize| {
        let context = format!("{TEXT} Number {} stands there. ", number / 3).repeat(1 + number / 3 % 5);
        let answers = if number.is_multiple_of(4) {
            json!({ "text": [], "answer_start": [] })
        } else {
            json!({ "text": ["Ada Brenn"], "answer_start": [22] })
        };
        let question = format!("Who built mill {}?", number % 3);
        json!({ "id": format!("q{number}"), "context": context, "question": question, "answers": answers })
    };
    (0..count).map(row).map(|row| row.to_string() + "\n").collect()
}

fn ask(bench: &Bench, words: &[&str], stdin: &str) -> Said {
    let mut command = bench.command("distilburn ask --quiet --model model --set run.threads=1");
    command.args(words).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    // One that does not read it may be gone already.
    let _ = child.stdin.take().unwrap().write_all(stdin.as_bytes());
    bench.said(child.wait_with_output().unwrap())
}

fn answers(said: &Said) -> Vec<Value> {
    assert_eq!(said.code, Some(0), "{said:?}");
    said.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn texts_and_questions_come_from_wherever_people_have_them() {
    let bench = bench();
    fs::create_dir_all(bench.path("notes/more")).unwrap();
    fs::write(bench.path("notes/one.txt"), TEXT).unwrap();
    fs::write(bench.path("notes/more/two.md"), "# Cats\n\nThe cat sat on the mat.\n").unwrap();
    fs::write(bench.path("questions.txt"), "Who built the mill?\n\nWho sat?\n").unwrap();
    let question = "Who built the mill?";
    let expected = answers(&ask(&bench, &["--json", "--question", question, "--context", TEXT], ""));
    for (words, stdin) in [
        (vec![question, "notes/one.txt"], ""),
        (vec![question, "-"], TEXT),
        (vec![question], TEXT),
        (vec![question, "--context-file", "notes/one.txt"], ""),
        (vec!["notes/one.txt"], "Who built the mill?\n"),
    ] {
        let mut found = answers(&ask(&bench, &[&["--json"], words.as_slice()].concat(), stdin));
        for place in ["file", "line", "sentence"] {
            found[0][place] = expected[0][place].clone();
            found[0]["n_best"][0][place] = expected[0]["n_best"][0][place].clone();
        }
        assert_eq!(found, expected, "{words:?}");
    }

    let found = answers(&ask(&bench, &["--json", "--questions", "questions.txt", "notes", "--top", "3"], ""));
    assert_eq!(found.len(), 2);
    for answer in &found {
        for candidate in answer["n_best"].as_array().unwrap() {
            let Some(file) = candidate["file"].as_str() else { continue };
            let text = fs::read_to_string(bench.path(file)).unwrap();
            let line = text.lines().nth(candidate["line"].as_u64().unwrap() as usize - 1).unwrap();
            let first = candidate["text"].as_str().unwrap().split_whitespace().next().unwrap();
            assert!(line.contains(first), "{candidate}");
            assert!(candidate["sentence"].as_str().unwrap().contains(first), "{candidate}");
        }
    }
    let said = ask(&bench, &["--questions", "questions.txt", "notes"], "");
    assert!(said.stdout.starts_with("Who built the mill?\n") && said.stdout.contains(" %  "), "{said:?}");
}

#[test]
fn what_cannot_be_asked_is_refused_with_what_to_type() {
    let bench = bench();
    fs::create_dir(bench.path("none")).unwrap();
    for (words, code, says) in [
        (vec!["Who?"], 2, "the text is empty"),
        (vec!["Who?", "none"], 3, "none holds no .txt or .md file"),
        (vec!["Who?", "missing.txt"], 3, "missing.txt"),
        (vec!["-"], 2, "stdin cannot provide both"),
        (vec![" ", "--context", "The cat."], 2, "the question is empty"),
    ] {
        let said = ask(&bench, &words, "");
        assert_eq!((said.code, said.stdout.as_str()), (Some(code), ""), "{words:?} {said:?}");
        assert!(said.stderr.contains(says), "{words:?} {said:?}");
    }
    let said = ask(&bench, &["--context", "The cat."], &format!("{}\nWho?\n", "who ".repeat(80)));
    assert_eq!(said.stdout.lines().count(), 1, "{said:?}");
    assert!(said.stderr.contains("the question has 80 tokens"), "{said:?}");
}

const PREDICT: &str = "distilburn predict --quiet --model model --set run.threads=1 questions.jsonl";

/// Starts it again until it is done, killing it as soon as there is one more part.
fn predict_with_kills(bench: &Bench, output: &str) -> usize {
    let parts = || {
        let names = bench.names(&format!("{output}.parts"));
        names
            .iter()
            .filter(|name| Path::new(name).extension().is_some_and(|ending| ending == "jsonl"))
            .count()
    };
    for kills in 0.. {
        let before = parts();
        let mut child = bench.start(&format!("{PREDICT} --output {output}"), "TERM", "dumb");
        let started = Instant::now();
        loop {
            if let Some(status) = child.try_wait().unwrap() {
                assert!(status.success());
                return kills;
            }
            if parts() > before {
                break;
            }
            assert!(started.elapsed() < Duration::from_mins(2), "no part in two minutes");
            std::thread::yield_now();
        }
        kill_process(Pid::from_child(&child), Signal::KILL).unwrap();
        child.wait().unwrap();
    }
    unreachable!("the loop ends with the prediction")
}

#[test]
fn killed_or_shared_a_prediction_ends_with_the_same_bytes() {
    let bench = bench();
    fs::write(bench.path("questions.jsonl"), questions(3000)).unwrap();
    let summary = bench.json(&format!("{PREDICT} --output whole.jsonl --json"));
    assert_eq!((&summary["questions"], &summary["labelled"]), (&json!(3000), &json!(3000)));
    assert!(bench.names("whole.jsonl.parts").is_empty());
    let whole = fs::read(bench.path("whole.jsonl")).unwrap();

    assert!(predict_with_kills(&bench, "killed.jsonl") > 0);
    assert!(fs::read(bench.path("killed.jsonl")).unwrap() == whole);

    for shard in ["3/3", "1/3"] {
        let said = bench.run(&format!("{PREDICT} --output shared.jsonl --shard {shard}"));
        assert_eq!((said.code, said.stdout.as_str()), (Some(0), ""), "{said:?}");
    }
    let said = bench.run("distilburn merge shared.jsonl");
    assert_eq!(said.code, Some(3), "{said:?}");
    assert!(said.stderr.contains("1024 of 3000 questions have no answer yet"), "{said:?}");
    // The third on a machine of its own.
    let said = bench.run(&format!("{PREDICT} --output other.jsonl --shard 2/3"));
    assert_eq!(said.code, Some(0), "{said:?}");
    let merge = "distilburn merge merged.jsonl shared.jsonl.parts other.jsonl.parts";
    let said = bench.run(merge);
    assert_eq!(said.code, Some(0), "{said:?}");
    assert!(fs::read(bench.path("merged.jsonl")).unwrap() == whole);
    let said = bench.run("distilburn merge twice.jsonl other.jsonl.parts other.jsonl.parts");
    assert!(said.stderr.contains("are the same part"), "{said:?}");

    // The streamed form has the same answers.
    let said = bench.run(&format!("{PREDICT} --output -"));
    assert!(said.stdout.as_bytes() == whole);

    // A part that was changed is answered again, and refused by merge.
    let said = bench.run(&format!("{PREDICT} --output again.jsonl --shard 1/1"));
    assert_eq!(said.code, Some(0), "{said:?}");
    let part = bench.path("again.jsonl.parts/part-00000001.jsonl");
    let changed = fs::read_to_string(&part).unwrap().replacen("q513", "q5I3", 1);
    fs::write(&part, changed).unwrap();
    let said = bench.run("distilburn merge again.jsonl");
    assert!(said.code == Some(3) && said.stderr.contains("part-00000001.jsonl is damaged"), "{said:?}");
    let said = bench.run(&format!("{PREDICT} --output again.jsonl"));
    assert_eq!(said.code, Some(0), "{said:?}");
    assert!(fs::read(bench.path("again.jsonl")).unwrap() == whole);
}

#[test]
fn every_form_of_output_has_the_same_answers_and_is_scored_alike() {
    let bench = bench();
    fs::write(bench.path("questions.jsonl"), questions(40)).unwrap();
    let mut scores = Vec::new();
    for output in ["a.json", "a.jsonl", "a.parquet", "a.arrow"] {
        let summary = bench.json(&format!("{PREDICT} --output {output} --json"));
        let score =
            bench.json(&format!("distilburn score --dataset questions.jsonl --predictions {output} --json"));
        for key in ["exact_match", "f1", "has_answer_f1", "no_answer_exact_match"] {
            let (one, other) = (summary[key].as_f64().unwrap(), score[key].as_f64().unwrap());
            assert!((one - other).abs() < 1e-9, "{output} {key}: {one} {other}");
        }
        scores.push(score.to_string());
    }
    scores.dedup();
    assert_eq!(scores.len(), 1, "{scores:?}");
    assert_eq!(bench.names(".").iter().filter(|name| name.contains("parts")).count(), 0);
}

#[test]
fn parts_of_other_questions_models_or_settings_are_not_mixed() {
    let bench = bench();
    fs::write(bench.path("questions.jsonl"), questions(40)).unwrap();
    let shard = format!("{PREDICT} --output a.jsonl --shard 1/2");
    assert_eq!(bench.run(&shard).code, Some(0));
    let refused = |line: &str, says: &str| {
        let said = bench.run(line);
        assert_eq!(said.code, Some(3), "{line}: {said:?}");
        assert!(said.stderr.contains("holds answers of another prediction"), "{line}: {said:?}");
        assert!(said.stderr.contains(says), "{line}: {said:?}");
    };
    refused(&format!("{shard} --set evaluate.max_answer_length=5"), "max_answer_length: 8 → 5");
    let mut other = fs::read(bench.path("model/config.json")).unwrap();
    other.push(b'\n');
    fs::write(bench.path("model/config.json"), other).unwrap();
    refused(&shard, "input model: ");
    fs::write(bench.path("questions.jsonl"), questions(41)).unwrap();
    refused(&shard, "input file 1: ");
    let said = bench.run(&format!("{PREDICT} --output a.jsonl --force"));
    assert_eq!(said.code, Some(0), "{said:?}");
}

#[test]
fn a_question_that_cannot_be_asked_stands_in_its_place_with_the_reason() {
    let bench = bench();
    let row = |id: Value, question: String| {
        let mut row = json!({ "context": TEXT, "question": question });
        if !id.is_null() {
            row["id"] = id;
        }
        format!("{row}\n")
    };
    let who = || "Who?".to_owned();
    let lines =
        [row(json!(7), who()), row(json!("long"), "who ".repeat(90)), row(Value::Null, who())].concat();
    fs::write(bench.path("questions.jsonl"), &lines).unwrap();
    let said = bench.run(&format!("{PREDICT} --output -"));
    let rows = answers(&said);
    assert_eq!((&rows[0]["id"], &rows[1]["id"]), (&json!("7"), &json!("long")), "{said:?}");
    assert!(rows[0]["error"].is_null() && rows[0]["score"].is_f64() && rows[0].get("f1").is_none());
    assert_eq!(
        rows[1]["error"],
        json!(
            "the question has 90 tokens, but a window of this model holds only 61 besides the special tokens"
        )
    );
    assert_eq!((&rows[1]["prediction_text"], &rows[1]["score"]), (&json!(""), &Value::Null));
    assert_eq!(rows[2]["id"].as_str().unwrap().len(), 24);

    fs::write(bench.path("questions.jsonl"), format!("{lines}{}", row(json!("7"), who()))).unwrap();
    let said = bench.run(&format!("{PREDICT} --output a.json"));
    assert!(said.code == Some(3) && said.stderr.contains("two questions have the id \"7\""), "{said:?}");
    fs::write(bench.path("questions.jsonl"), &lines).unwrap();
    for (line, code, says) in [
        ("--output a.csv", 2, "unknown output format"),
        ("--output questions.jsonl", 2, "questions.jsonl is both input and output"),
        ("--output - --shard 1/2", 2, "--shard cannot be used with --output -"),
        ("--output a.json --shard 3/2", 2, "expected I/N"),
        ("missing.json --output a.json", 3, "missing.json (FILE) is missing"),
    ] {
        let said = bench.run(&format!("{PREDICT} {line}"));
        assert_eq!(said.code, Some(code), "{line}: {said:?}");
        assert!(said.stderr.contains(says), "{line}: {said:?}");
    }
    assert!(!Path::new(&bench.path("a.json")).exists());
}

#[test]
fn a_profile_has_every_length_that_the_model_takes() {
    let bench = bench();
    let profile =
        bench.json("distilburn profile --quiet --json --model model --seconds 0.5 --set run.threads=1");
    let lengths = profile["lengths"].as_array().unwrap();
    assert_eq!(lengths[0]["tokens"], 64, "{profile:#}");
    for length in lengths {
        assert!(length["single_stream"]["latency_ms"]["p50"].as_f64().unwrap() > 0.0, "{profile:#}");
        let batches: Vec<_> =
            length["offline"].as_array().unwrap().iter().map(|of| of["batch"].clone()).collect();
        assert_eq!(batches, [1, 8, 32], "{profile:#}");
    }
    assert_eq!(bench.run("distilburn profile --seconds 0").code, Some(2));
}
