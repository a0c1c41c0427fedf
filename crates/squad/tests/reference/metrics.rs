//! Exact match and F1 against the official scripts, and F1 over characters against MLQA's.

use super::{cases, root};
use distilburn_squad::{F1Units, Rules, Scoring, json, normalize_answer, score};
use serde::Deserialize;
use std::collections::HashMap;
use std::fs::File;
use std::path::{Path, PathBuf};

/// Both sides compute in f64 in the same order; what may differ is the last bit of a sum.
const TOLERANCE: f64 = 1e-9;

#[derive(Debug, Deserialize)]
struct Case {
    prediction: String,
    ground_truths: Vec<String>,
    normalized: String,
    exact_match: f64,
    f1: f64,
    /// By the rules of `evaluate-v2.0.py`.
    exact_match_v2: f64,
    f1_v2: f64,
    /// By MLQA's rules, for the scripts that [`F1Units::Characters`] names.
    characters_f1: f64,
}

#[test]
fn metrics_equal_the_official_scripts() {
    for case in cases::<Case>("metrics.json") {
        let ground_truths: Vec<_> = case.ground_truths.iter().map(String::as_str).collect();
        let scoring = |rules, f1_units| Scoring { rules, f1_units }.score(&case.prediction, &ground_truths);
        let equal =
            |found: f64, expected: f64| assert!((found - expected).abs() < TOLERANCE, "{found}: {case:?}");
        if !ground_truths.is_empty() {
            let found = scoring(Rules::V1, F1Units::Words);
            equal(found.exact_match, case.exact_match);
            equal(found.f1, case.f1);
        }
        let found = scoring(Rules::V2, F1Units::Words);
        equal(found.exact_match, case.exact_match_v2);
        equal(found.f1, case.f1_v2);
        assert_eq!(normalize_answer(&case.prediction), case.normalized, "{:?}", case.prediction);
    }
}

#[test]
fn f1_over_characters_equals_the_rules_of_mlqa() {
    for case in cases::<Case>("metrics.json") {
        let ground_truths: Vec<_> = case.ground_truths.iter().map(String::as_str).collect();
        let found = Scoring { rules: Rules::V2, f1_units: F1Units::Characters }
            .score(&case.prediction, &ground_truths);
        assert!((found.f1 - case.characters_f1).abs() < TOLERANCE, "{}: {case:?}", found.f1);
        assert!((found.exact_match - case.exact_match_v2).abs() < TOLERANCE, "{case:?}");
    }
}

#[derive(Deserialize)]
struct Published {
    exact_match: f64,
    f1: f64,
    predictions: usize,
    unanswered: usize,
}

#[test]
fn published_systems_score_as_the_official_script_scores_them() {
    let Some(data) = data() else { return };
    let dataset: json::Dataset = {
        let file = File::open(data.join("squad/dev-open.json.gz")).unwrap();
        serde_json::from_reader(flate2::read::GzDecoder::new(file)).unwrap()
    };
    let scores: HashMap<String, Published> = read(&data.join("predictions/scores.json"));
    assert_eq!(scores.len(), 3);
    for (system, published) in scores {
        let predictions: HashMap<String, String> = read(&data.join(format!("predictions/{system}.json")));
        let found = score(&dataset.ground_truths(), &predictions, F1Units::Words);
        assert!(
            (found.exact_match - published.exact_match).abs() < TOLERANCE,
            "{system}: {}",
            found.exact_match
        );
        assert!((found.f1 - published.f1).abs() < TOLERANCE, "{system}: {}", found.f1);
        assert_eq!(found.unanswered, published.unanswered, "{system}");
        let answered = found.questions - found.unanswered;
        assert_eq!(answered + found.unknown_ids.len(), published.predictions, "{system}");
    }
}

/// The folder with SQuAD and published predictions, which the tree does not carry.
fn data() -> Option<PathBuf> {
    let given = std::env::var_os("DISTILBURN_DATA").map(PathBuf::from);
    let folder = given.unwrap_or_else(|| root().join("../shared/data"));
    let there = folder.join("predictions/scores.json").is_file();
    if !there {
        println!("skipped: {} holds no predictions/scores.json; set DISTILBURN_DATA", folder.display());
    }
    there.then_some(folder)
}

fn read<T: serde::de::DeserializeOwned>(path: &Path) -> T {
    serde_json::from_reader(std::io::BufReader::new(File::open(path).unwrap())).unwrap()
}
