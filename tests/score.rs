//! `distilburn score`, on a few questions and on all of SQuAD's.

use std::fs;
use std::io::Write;
use std::path::PathBuf;

use flate2::Compression;
use flate2::write::GzEncoder;
use insta::assert_snapshot;
use serde_json::{Value, json};

use crate::bench::Bench;

/// The official script and this one add the same numbers in another order.
const TOLERANCE: f64 = 1e-9;

pub fn dataset() -> String {
    let qa = |id: &str, answers: &[&str]| {
        let answers: Vec<Value> =
            answers.iter().map(|text| json!({ "text": text, "answer_start": 0 })).collect();
        json!({ "id": id, "question": "?", "answers": answers })
    };
    let qas = [qa("a", &["the Denver Broncos", "Broncos"]), qa("b", &["1999"]), qa("c", &["in the city"])];
    json!({ "version": "1.1", "data": [{ "title": "t", "paragraphs": [{ "context": "c", "qas": qas }] }] })
        .to_string()
}

#[test]
fn every_form_scores_alike() {
    let bench = Bench::new();
    fs::write(bench.path("dev.json"), dataset()).unwrap();
    let file = fs::File::create(bench.path("dev.json.gz")).unwrap();
    let mut gzip = GzEncoder::new(file, Compression::fast());
    gzip.write_all(dataset().as_bytes()).unwrap();
    gzip.finish().unwrap();
    // One right, one not answered, one of two words right; d is no question.
    fs::write(bench.path("predictions.json"), r#"{"a": "broncos!", "c": "city", "d": "x"}"#).unwrap();
    for file in ["dev.json", "dev.json.gz"] {
        let score =
            bench.json(&format!("distilburn score --dataset {file} --predictions predictions.json --json"));
        let expected = (100.0 / 3.0, (1.0 + 2.0 / 3.0) * 100.0 / 3.0);
        assert!((score["exact_match"].as_f64().unwrap() - expected.0).abs() < TOLERANCE, "{score}");
        assert!((score["f1"].as_f64().unwrap() - expected.1).abs() < TOLERANCE, "{score}");
        assert_eq!((&score["questions"], &score["unanswered"]), (&json!(3), &json!(1)));
        assert_eq!(score["unknown_ids"], json!(["d"]));
    }
    let by_object = bench.json("distilburn score --dataset dev.json --predictions predictions.json --json");
    let lines = r#"{"id": "a", "prediction_text": "broncos!", "no_answer_probability": 0.0}

{"prediction_text": "city", "id": "c"}
{"id": "d", "prediction_text": "x"}"#;
    fs::write(bench.path("predictions.jsonl"), lines).unwrap();
    let by_line = bench.json("distilburn score --dataset dev.json --predictions predictions.jsonl --json");
    assert_eq!(by_line, by_object);
    let said = bench.run("distilburn score --dataset dev.json --predictions predictions.json");
    assert_eq!(said.stdout, "exact match 33.33, F1 55.56 (3 questions)\n");
    assert!(said.stderr.contains("unanswered=1") && said.stderr.contains("first=\"d\""), "{said:?}");
}

/// Rows of the same questions, as pandas writes them.
const ROWS: &str = r#"[{"id": "a", "context": "c", "question": "?", "answers": ["the Denver Broncos", "Broncos"]},
 {"id": "b", "context": "c", "question": "?", "answer": 1999},
 {"id": "c", "context": "c", "question": "?", "answer_text": "in the city", "answer_start": "0"}]"#;

#[test]
fn score_takes_what_ingest_takes() {
    let bench = Bench::new();
    let write = |name: &str, contents: &str| {
        fs::write(bench.path(name), contents).unwrap();
        name.to_owned()
    };
    let lines = ROWS.trim_start_matches('[').trim_end_matches(']').replace("},", "}");
    let datasets = [
        write("dev.json", &dataset()),
        write("bom.json", &format!("\u{feff}{}", dataset())),
        write("list.json", ROWS),
        write("lines.jsonl", &lines),
        write(
            "table.csv",
            "id,context,question,answers\na,c,?,\"[\"\"the Denver Broncos\"\",\"\"Broncos\"\"]\"\nb,c,?,1999\nc,c,?,in the city\n",
        ),
    ];
    let predictions = [
        write("p.json", r#"{"a": "broncos!", "c": "city"}"#),
        write("bom.p.json", "\u{feff}{\"a\": \"broncos!\", \"c\": \"city\"}"),
        write(
            "list.p.json",
            r#"[{"id": "a", "prediction_text": "broncos!"}, {"id": "c", "prediction_text": "city"}]"#,
        ),
        write("p.csv", "id,prediction_text\na,broncos!\nc,city\n"),
    ];
    let score = |dataset: &str, predictions: &str| {
        bench.json(&format!("distilburn score --dataset {dataset} --predictions {predictions} --json"))
    };
    let expected = score(&datasets[0], &predictions[0]);
    assert_eq!(expected["exact_match"].as_f64().map(f64::round), Some(33.0));
    for dataset in &datasets {
        for predictions in &predictions {
            assert_eq!(score(dataset, predictions), expected, "{dataset}, {predictions}");
        }
    }
}

/// The official v2.0 script drops golds without text, and scores a question without golds by an empty prediction.
#[test]
fn a_question_without_answer_scores_alike_however_the_file_says_so() {
    let bench = Bench::new();
    fs::write(bench.path("p.json"), r#"{"a": "", "b": "x"}"#).unwrap();
    for none in
        [r#""answers": []"#, r#""answers": [{"text": ""}]"#, r#""answers": null, "is_impossible": true"#]
    {
        let row = |id: &str| format!(r#"{{"id": "{id}", "context": "c", "question": "?", {none}}}"#);
        fs::write(bench.path("dev.jsonl"), [row("a"), row("b")].join("\n")).unwrap();
        let score = bench.json("distilburn score --dataset dev.jsonl --predictions p.json --json");
        assert_eq!((&score["exact_match"], &score["f1"]), (&json!(50.0), &json!(50.0)), "{none}");
    }
}

#[test]
fn questions_without_an_answer_bring_version_2_and_stand_apart() {
    let bench = Bench::new();
    let with_none = dataset().replace(r#""answers":[{"text":"1999","answer_start":0}]"#, r#""answers":[]"#);
    assert_ne!(with_none, dataset());
    fs::write(bench.path("dev.json"), with_none).unwrap();
    fs::write(bench.path("predictions.json"), r#"{"a": "broncos!", "b": "the", "c": "x"}"#).unwrap();
    let said = bench.run("distilburn score --dataset dev.json --predictions predictions.json");
    let expected = "exact match 66.67, F1 66.67 (3 questions)\n\
                    with an answer: exact match 50.00, F1 50.00 (2 questions)\n\
                    without: exact match 100.00, F1 100.00 (1 questions)\n";
    assert_eq!(said.stdout, expected);
}

#[test]
fn f1_counts_characters_where_it_is_asked_to() {
    let bench = Bench::new();
    fs::write(bench.path("dev.json"), dataset().replace("1999", "東京都")).unwrap();
    fs::write(bench.path("predictions.json"), r#"{"a": "broncos!", "b": "東京", "c": "in city"}"#).unwrap();
    let f1 = |units: &str| {
        let score = bench.json(&format!(
            "distilburn score --json --dataset dev.json --predictions predictions.json --f1-units {units}"
        ));
        score["f1"].as_f64().unwrap()
    };
    // Two of the three characters: 0.8.
    assert!((f1("words") - 200.0 / 3.0).abs() < TOLERANCE);
    assert!((f1("characters") - 280.0 / 3.0).abs() < TOLERANCE);
}

#[test]
fn files_that_cannot_be_scored_are_refused() {
    let bench = Bench::new();
    fs::write(bench.path("dev.json"), dataset()).unwrap();
    fs::write(bench.path("list.json"), "[1]").unwrap();
    fs::write(bench.path("empty.json"), r#"{"data": []}"#).unwrap();
    fs::write(bench.path("cut.gz"), [0x1f, 0x8b, 8, 0]).unwrap();
    fs::write(bench.path("twice.json"), dataset().replace("\"id\":\"c\"", "\"id\":\"a\"")).unwrap();
    fs::write(bench.path("keys.json"), r#"{"a": "1", "b": "2", "a": "1"}"#).unwrap();
    let line = |id: &str| format!("{{\"id\": \"{id}\", \"prediction_text\": \"1\"}}\n");
    fs::write(bench.path("lines.jsonl"), line("a") + &line("b") + &line("a")).unwrap();
    fs::write(bench.path("misspelt.jsonl"), line("a") + "{\"id\": \"b\", \"text\": \"1\"}\n").unwrap();
    fs::write(bench.path("line.json"), r#"{"id": "a", "prediction": "1999"}"#).unwrap();
    fs::write(bench.path("one.jsonl"), line("q1") + &line("q2") + &line("q3") + &line("q4")).unwrap();
    fs::write(bench.path("unlabelled.json"), r#"[{"id": "a", "context": "c", "question": "?"}]"#).unwrap();
    fs::write(bench.path("pointer.json"), "version https://git-lfs.github.com/spec/v1\noid sha256:0\n")
        .unwrap();
    let cases = [
        ("list.json", "list.json"),
        ("dev.json", "list.json"),
        ("empty.json", "empty.json"),
        ("none.json", "x"),
        ("cut.gz", "x"),
        ("twice.json", "x"),
        ("dev.json", "keys.json"),
        ("dev.json", "lines.jsonl"),
        ("dev.json", "misspelt.jsonl"),
        ("dev.json", "line.json"),
        ("dev.json", "one.jsonl"),
        ("unlabelled.json", "x"),
        ("pointer.json", "x"),
    ];
    let mut all = String::new();
    for (dataset, predictions) in cases {
        fs::write(bench.path("x"), "{}").unwrap();
        let predictions = if dataset == "empty.json" { "x" } else { predictions };
        let said = bench.run(&format!("distilburn score --dataset {dataset} --predictions {predictions}"));
        assert_eq!(said.code, Some(3), "{said:?}");
        all.push_str(&said.stderr);
    }
    assert_snapshot!(all);
}

#[test]
fn published_predictions_score_as_the_official_script_scores_them() {
    let Some(data) = real_data() else {
        eprintln!("skipped: neither DISTILBURN_DATA nor ../shared/data is there");
        return;
    };
    let bench = Bench::new();
    let scores: Value =
        serde_json::from_slice(&fs::read(data.join("predictions/scores.json")).unwrap()).unwrap();
    for (name, expected) in scores.as_object().unwrap() {
        let dataset = data.join("squad/dev-open.json.gz");
        let predictions = data.join(format!("predictions/{name}.json"));
        let score = bench.json(&format!(
            "distilburn score --json --quiet --dataset {} --predictions {}",
            dataset.display(),
            predictions.display()
        ));
        for metric in ["exact_match", "f1"] {
            let (found, expected) = (score[metric].as_f64().unwrap(), expected[metric].as_f64().unwrap());
            assert!((found - expected).abs() < TOLERANCE, "{name}: {metric} {found}, expected {expected}");
        }
    }
}

/// SQuAD and published predictions, which are not part of the repository.
pub fn real_data() -> Option<PathBuf> {
    let beside = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/data"));
    let folder = std::env::var_os("DISTILBURN_DATA").map_or(beside, PathBuf::from);
    folder.join("predictions/scores.json").is_file().then_some(folder)
}
