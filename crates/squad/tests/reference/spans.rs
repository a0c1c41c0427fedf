//! Span selection against transformers' question answering example.

use super::cases;
use distilburn_squad::{FeatureLogits, SpanCandidate, SpanSettings, select_spans};
use proptest::prelude::*;
use serde::Deserialize;

/// The reference takes its softmax in f32 or f64, as it happens; the fixture has nine decimals.
const PROBABILITY_TOLERANCE: f64 = 1e-6;

#[derive(Deserialize)]
struct Case {
    name: String,
    context: String,
    settings: Settings,
    version_2: bool,
    features: Vec<Feature>,
    expected: Expected,
}

#[derive(Deserialize)]
struct Settings {
    n_best: usize,
    max_answer_length: usize,
    null_threshold: f64,
}

#[derive(Clone, Debug, Deserialize)]
struct Feature {
    offset_mapping: Vec<Option<(u32, u32)>>,
    start_logits: Vec<f32>,
    end_logits: Vec<f32>,
}

#[derive(Deserialize)]
struct Expected {
    text: String,
    null_score: Option<f32>,
    n_best: Vec<Candidate>,
}

#[derive(Deserialize)]
struct Candidate {
    text: String,
    start_char: i32,
    end_char: i32,
    score: f32,
    probability: f64,
}

fn logits(features: &[Feature]) -> Vec<FeatureLogits<'_>> {
    let each = features.iter().map(|feature| FeatureLogits {
        offset_mapping: &feature.offset_mapping,
        start_logits: &feature.start_logits,
        end_logits: &feature.end_logits,
    });
    each.collect()
}

#[test]
fn spans_equal_postprocess_qa_predictions() {
    for case in cases::<Case>("spans.json") {
        let Settings { n_best, max_answer_length, null_threshold } = case.settings;
        let settings = SpanSettings { n_best, max_answer_length, null_threshold };
        let found = select_spans(&case.context, &logits(&case.features), &settings, case.version_2);
        let name = &case.name;
        assert_eq!(found.text, case.expected.text, "{name}");
        assert_eq!(found.null_score, case.expected.null_score.map(f64::from), "{name}");
        assert_eq!(found.n_best.len(), case.expected.n_best.len(), "{name}");
        for (ours, expected) in found.n_best.iter().zip(&case.expected.n_best) {
            let SpanCandidate { text, start_char, end_char, score, probability } = ours;
            assert_eq!(
                (text, start_char, end_char),
                (&expected.text, &expected.start_char, &expected.end_char),
                "{name}"
            );
            assert!((score - f64::from(expected.score)).abs() < f64::EPSILON, "{name}: {score}");
            assert!(
                (probability - expected.probability).abs() < PROBABILITY_TOLERANCE,
                "{name}: {probability}"
            );
        }
    }
}

#[test]
fn logits_that_are_not_numbers_show_in_the_score() {
    let offsets = [None, Some((0, 1)), Some((2, 3))];
    let feature = FeatureLogits {
        offset_mapping: &offsets,
        start_logits: &[0.0, f32::NAN, 1.0],
        end_logits: &[0.0; 3],
    };
    let settings = SpanSettings { n_best: 20, max_answer_length: 30, null_threshold: 0.0 };
    assert!(select_spans("a b", &[feature], &settings, false).score.is_nan());
}

#[test]
fn a_question_without_windows_gets_the_stand_in() {
    let settings = SpanSettings { n_best: 20, max_answer_length: 30, null_threshold: 0.0 };
    let found = select_spans("a b", &[], &settings, true);
    assert_eq!(
        (found.text.as_str(), found.start_char, found.end_char, found.null_score),
        ("empty", -1, -1, None)
    );
}

fn any_feature() -> impl Strategy<Value = Feature> {
    let offsets = prop::collection::vec(prop::option::of((0_u32..20, 0_u32..20)), 0..12);
    let logits = || prop::collection::vec(any::<f32>(), 0..12);
    (offsets, logits(), logits()).prop_map(|(offset_mapping, start_logits, end_logits)| Feature {
        offset_mapping,
        start_logits,
        end_logits,
    })
}

proptest! {
    #[test]
    fn any_logits_give_an_answer(
        context in ".{0,15}",
        features in prop::collection::vec(any_feature(), 0..4),
        n_best in 0_usize..6,
        max_answer_length in prop_oneof![0_usize..6, Just(usize::MAX)],
        version_2: bool,
    ) {
        let settings = SpanSettings { n_best, max_answer_length, null_threshold: 0.0 };
        let found = select_spans(&context, &logits(&features), &settings, version_2);
        prop_assert!(found.n_best.len() <= n_best + 2);
        prop_assert!(found.text == "empty" || context.contains(&found.text));
    }
}
