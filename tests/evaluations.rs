//! What is made of an evaluation: a test split, errors, comparisons and gates, on the tiny model and on published answers.

use std::collections::BTreeMap;
use std::fs;

use serde_json::{Value, json};

use crate::bench::Bench;
use crate::score::real_data;
use crate::tiny::{self, DATA};
use crate::whole::{alone, copy_folder};

/// Sixteen questions about eight paragraphs, each with its answer.
fn questions() -> String {
    let paragraph = |index: usize| {
        let place = ["mat", "roof", "sofa", "stairs", "table", "chair", "bed", "floor"][index];
        let context =
            format!("Number {index}: the cat sat on the {place}. It slept for {} hours.", index + 2);
        let start = context.find(place).unwrap();
        let number = (index + 2).to_string();
        let hours = context.rfind(&number).unwrap();
        json!({ "context": context, "qas": [
            { "id": format!("{index}-where"), "question": "Where did the cat sit?",
              "answers": [{ "text": place, "answer_start": start }] },
            { "id": format!("{index}-how"), "question": "How many hours did it sleep?",
              "answers": [{ "text": number, "answer_start": hours }] },
        ]})
    };
    let article = json!({ "title": "cats", "paragraphs": (0..8).map(paragraph).collect::<Vec<_>>() });
    json!({ "version": "1.1", "data": [article] }).to_string()
}

fn bench() -> (Bench, String) {
    let bench = tiny::bench();
    fs::write(bench.path("test.json"), questions()).unwrap();
    let settings = format!(
        "{DATA} --set ingest.test=test.json --set train.epochs=1 --set train.batch_size=4 --set train.warmup_steps=0"
    );
    (bench, settings)
}

#[test]
fn the_test_split_is_scored_once_and_apart_and_gates_go_by_it() {
    let _alone = alone();
    let (bench, settings) = bench();
    let said = bench.run(&format!("distilburn run --quiet {settings} --require f1=0"));
    assert_eq!(said.code, Some(0), "{said:?}");
    assert!(
        said.stdout.contains("\ntest: exact match ") && said.stdout.contains(" on 16 questions\n"),
        "{said:?}"
    );
    assert!(!said.stdout.contains("validation chose the best weights"), "{said:?}");
    let answer = bench.json(&format!("distilburn run --quiet --json {settings}"));
    assert_eq!(answer["test"]["questions"], 16);
    let interval = &answer["test"]["f1_interval"];
    let (low, high) = (interval["low"].as_f64().unwrap(), interval["high"].as_f64().unwrap());
    let f1 = answer["test"]["f1"].as_f64().unwrap();
    assert!(low <= f1 && f1 <= high, "{answer}");

    let gate = |gate: &str| bench.run(&format!("distilburn run --quiet {settings} --require {gate}"));
    let missed = gate("exact_match=100");
    assert_eq!(missed.code, Some(5), "{missed:?}");
    assert!(missed.stderr.contains("exact match on 16 test questions is"), "{missed:?}");
    assert_eq!(gate("f1[answer_type=number]=0").code, Some(0));
    let missed = gate("exact_match[answer_type=number]=100");
    assert!(missed.code == Some(5) && missed.stderr.contains("of answer_type=number on 8"), "{missed:?}");
    // A slice that nothing is in, scores that are none, and an evaluation that is not made.
    for refused in ["f1[question_word=why]=1", "f1[nothing=at all]=1", "f1=101", "bleu=3", "f1=1 --to train"]
    {
        let said = gate(refused);
        assert_eq!(said.code, Some(2), "{refused}: {said:?}");
    }
}

#[test]
fn errors_are_told_apart_and_sum_up() {
    let _alone = alone();
    let (bench, settings) = bench();
    bench.run(&format!("distilburn run --quiet {settings} --to evaluate"));
    let errors = |rest: &str| bench.json(&format!("distilburn errors --quiet --json {settings} {rest}"));
    let all = errors("--top 99");
    let wrong = all["wrong"].as_u64().unwrap();
    assert_eq!((&all["split"], &all["questions"]), (&json!("test"), &json!(16)));
    assert_eq!(all["errors"].as_array().unwrap().len() as u64, wrong);
    let categories: BTreeMap<String, u64> = serde_json::from_value(all["categories"].clone()).unwrap();
    assert_eq!(categories.values().sum::<u64>(), wrong, "{all}");
    for (category, count) in &categories {
        assert_eq!(errors(&format!("--category {category}"))["wrong"], json!(count));
    }
    let weight =
        |error: &Value| error["confidence"].as_f64().unwrap() * (1.0 - error["f1"].as_f64().unwrap() / 100.0);
    let weights: Vec<f64> = all["errors"].as_array().unwrap().iter().map(weight).collect();
    assert!(weights.is_sorted_by(|a, b| a >= b), "{weights:?}");
    let where_alone = errors("--slice question_word=where");
    assert_eq!(where_alone["questions"], 8);
    let text = bench.run(&format!("distilburn errors --quiet {settings} --slice question_word=where"));
    assert!(
        text.code == Some(0) && text.stdout.contains(" of 8 test questions are answered wrongly"),
        "{text:?}"
    );
    for refused in ["--slice question_word=why", "--slice why", "--category unheard_of"] {
        assert_eq!(bench.run(&format!("distilburn errors {settings} {refused}")).code, Some(2), "{refused}");
    }
    let said = bench.run(&format!("distilburn errors {settings} nowhere"));
    assert!(said.code == Some(3) && said.stderr.contains("is not an evaluation"), "{said:?}");
}

#[test]
fn a_run_equals_itself_and_other_questions_cannot_be_compared() {
    let _alone = alone();
    let (bench, settings) = bench();
    let run = |more: &str| {
        let settings = format!("{settings}{more}");
        let said = bench.run(&format!("distilburn run --quiet --to evaluate {settings}"));
        assert_eq!(said.code, Some(0), "{said:?}");
        let path = |stage: &str| bench.run(&format!("distilburn path {stage} {settings}")).stdout;
        (path("evaluate").trim().to_owned(), path("train").trim().to_owned())
    };
    let (first, training) = run("");
    assert!(bench.path(&first).join("profile.arrow").is_file());
    let same = bench.run(&format!("distilburn compare --quiet {first} {training}"));
    assert!(same.code == Some(0) && same.stdout.contains("the same answers"), "{same:?}");
    let (other, _) = run(" --set run.seed=7");
    let compared = bench.json(&format!("distilburn compare --quiet --json {first} {other}"));
    let comparison = &compared["comparisons"][0];
    assert_eq!(comparison["differs"], json!(["train: run.seed: 42 → 7"]), "{compared}");
    let [a, b, difference] = ["a", "b", "difference"].map(|key| comparison["f1"][key].as_f64().unwrap());
    assert!((b - a - difference).abs() < 1e-9, "{compared}");
    let seeds = bench.run(&format!("distilburn compare --quiet {first},{other} {other},{first}"));
    assert!(
        seeds.stdout.contains("smaller than the spread between seeds") || (a - b).abs() < 1e-9,
        "{seeds:?}"
    );

    // A copy of an exported model has no evaluation here: with questions, it answers them first.
    let model = bench.run(&format!("distilburn run --quiet --to export {settings}"));
    assert_eq!(model.code, Some(0), "{model:?}");
    let exported = bench.run(&format!("distilburn path export {settings}")).stdout;
    let away = bench.path("away");
    copy_folder(&bench.path(exported.trim()).join("model"), &away);
    let dataset = "--dataset test.json --artifacts elsewhere";
    let said = bench.run(&format!("distilburn compare --quiet {first} away {dataset} --json"));
    assert_eq!(said.code, Some(0), "{said:?}");
    let compared: Value = serde_json::from_str(&said.stdout).unwrap();
    assert_eq!(compared["comparisons"][0]["same_answers"], true, "{compared}");
    let said = bench.run("distilburn compare away away --artifacts elsewhere");
    assert!(said.code == Some(3) && said.stderr.contains("--dataset"), "{said:?}");
    let said = bench.run(&format!("distilburn compare --quiet away bin {dataset}"));
    assert!(said.code == Some(3) && said.stderr.contains("bin has not answered"), "{said:?}");

    fs::write(bench.path("test.json"), questions().replace("mat", "rug")).unwrap();
    let (changed, _) = run("");
    let said = bench.run(&format!("distilburn compare {first} {changed}"));
    assert!(said.code == Some(3) && said.stderr.contains("cannot be compared"), "{said:?}");
    assert_eq!(bench.run(&format!("distilburn compare {first} {other} --html page.csv")).code, Some(2));

    // A table that was changed since is not compared.
    let table = bench.path(&other).join("predictions-test.arrow");
    let mut bytes = fs::read(&table).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&table, bytes).unwrap();
    let said = bench.run(&format!("distilburn compare {first} {other}"));
    assert!(said.code == Some(3) && said.stderr.contains("predictions-test.arrow"), "{said:?}");
}

#[test]
fn published_systems_differ_as_their_official_scores_do() {
    let Some(data) = real_data() else {
        eprintln!("skipped: neither DISTILBURN_DATA nor ../shared/data is there");
        return;
    };
    let bench = Bench::new();
    let scores: Value =
        serde_json::from_slice(&fs::read(data.join("predictions/scores.json")).unwrap()).unwrap();
    let file = |name: &str| data.join(format!("predictions/{name}.json")).display().to_string();
    let dataset = data.join("squad/dev-open.json.gz").display().to_string();
    let (worse, better) = ("dynamic-chunk-reader", "r-net");
    let compare = |a: &str, b: &str, rest: &str| {
        format!("distilburn compare --quiet {} {} --dataset {dataset} {rest}", file(a), file(b))
    };
    let compared = bench.json(&compare(worse, better, "--json"));
    let comparison = &compared["comparisons"][0];
    for metric in ["exact_match", "f1"] {
        let official = |name: &str| scores[name][metric].as_f64().unwrap();
        let difference = comparison[metric]["difference"].as_f64().unwrap();
        assert!((difference - (official(better) - official(worse))).abs() < 1e-9, "{metric}: {comparison}");
        assert!(comparison[metric]["p_value"].as_f64().unwrap() < 0.001, "{comparison}");
    }
    // Questions that flip one way less those that flip the other are the difference in exact match.
    let flips = comparison["gained"].as_f64().unwrap() - comparison["lost"].as_f64().unwrap();
    let exact_match = comparison["exact_match"]["difference"].as_f64().unwrap();
    assert!((100.0 * flips / 5397.0 - exact_match).abs() < 1e-9, "{comparison}");
    assert_eq!(bench.run(&compare(worse, better, "--html page.html")).code, Some(0));
    let page = fs::read_to_string(bench.path("page.html")).unwrap();
    let f1 = |key: &str| comparison["f1"][key].as_f64().unwrap();
    for cell in [format!("{:.1}", f1("a")), format!("{:.1}", f1("b")), format!("{:+.1}", f1("difference"))] {
        assert!(page.contains(&format!("<td class=\"n\">{cell}</td>")), "{cell}");
    }
    assert!(page.contains("<figure id=\"b1-question_word\">") && page.contains("B is better in F1"));
    assert_eq!(bench.run(&compare(worse, better, "--fail-if-worse 0")).code, Some(0));
    assert_eq!(bench.run(&compare(better, worse, "--fail-if-worse 0.5")).code, Some(5));
    assert_eq!(bench.run(&compare(better, worse, "--fail-if-worse 4")).code, Some(0));
    for sides in [", ,", "a,, b", "a ,"] {
        assert_eq!(bench.run(&format!("distilburn compare {sides}")).code, Some(2), "{sides}");
    }
    let said = bench.run(&format!("distilburn compare {} {}", file(worse), file(better)));
    assert!(said.code == Some(2) && said.stderr.contains("--dataset FILE"), "{said:?}");
}
