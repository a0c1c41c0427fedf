use std::sync::mpsc::channel;
use std::thread;
use std::time::Duration;

use artifact::{
    Answer, Contexts, ContextsWriter, Example, Examples, ExamplesWriter, FeatureRow, Features, FeaturesWriter,
};
use distilbert::Runtime;
use tempfile::TempDir;

use super::*;
use crate::LongAnswers;
use crate::tests::tiny_model;

const SETTINGS: AnswerSettings = AnswerSettings {
    spans: SpanSettings { n_best: 100, max_answer_length: 3, null_threshold: 0.0 },
    f1_units: F1Units::Words,
};
const QUESTIONS: usize = 40;
/// The question that has none.
const NO_ANSWER: usize = 7;

/// Questions about one paragraph of letters, of one to three windows each.
fn split(dir: &TempDir) -> Split {
    let paths = ["contexts", "examples", "features"].map(|name| dir.path().join(name));
    let mut contexts = ContextsWriter::create(&paths[0], "f").unwrap();
    let context_id = contexts.push("letters", "a b c d e f g h").unwrap();
    contexts.finish().unwrap();
    let mut examples = ExamplesWriter::create(&paths[1], "f").unwrap();
    let mut features = FeaturesWriter::create(&paths[2], "f").unwrap();
    for index in 0..QUESTIONS {
        // The second is longer than any answer that may be given.
        let answers = match index {
            NO_ANSWER => vec![],
            _ => vec![Answer { text: "c", start: 4 }, Answer { text: "a b c d", start: 0 }],
        };
        let id = index.to_string();
        let is_impossible = answers.is_empty();
        let example = Example { id: &id, context_id, question: "?", answers, is_impossible };
        examples.push(&example).unwrap();
        for window in 0..=index % 3 {
            // [CLS], the question, four letters from the window's second letter on.
            let letters = 2 * window as u32..2 * window as u32 + 4;
            let token = |letter: u32| 10 + letter as i32;
            let input_ids: Vec<i32> =
                [1, 3 + index as i32 % 7].into_iter().chain(letters.clone().map(token)).collect();
            let offsets = letters.map(|letter| Some((2 * letter, 2 * letter + 1)));
            let offset_mapping: Vec<_> = [None, None].into_iter().chain(offsets).collect();
            let row = FeatureRow {
                example_index: index as u32,
                input_ids: &input_ids,
                offset_mapping: &offset_mapping,
                start_position: 0,
                end_position: 0,
            };
            features.push(&row).unwrap();
        }
    }
    examples.finish().unwrap();
    features.finish().unwrap();
    Split {
        contexts: Contexts::open(&paths[0]).unwrap(),
        examples: Examples::open(&paths[1]).unwrap(),
        features: Features::open(&paths[2]).unwrap(),
    }
}

fn predictor() -> Predictor {
    // As many threads for the spans.
    Predictor::new(&tiny_model(), &Runtime::cpu_fp32(4).unwrap())
}

#[test]
fn windows_of_one_question_in_two_batches_give_one_answer() {
    let dir = TempDir::new().unwrap();
    let (split, predictor) = (split(&dir), predictor());
    let answers = |batch_size| {
        let mut found = Vec::new();
        let score = answer_split(&predictor, &split, batch_size, &SETTINGS, |answered| {
            let candidates = answered.prediction.n_best.into_iter().map(|candidate| candidate.text);
            found.push((answered.example_index, answered.prediction.text, candidates.collect()));
            Ok::<(), ()>(())
        });
        (found, score.unwrap().score)
    };
    let (whole, score): (Vec<(usize, String, Vec<String>)>, _) = answers(1000);
    assert!(whole.iter().map(|(index, ..)| *index).eq(0..QUESTIONS), "{whole:?}");
    // The last letters stand in the third window alone.
    for (index, _, candidates) in &whole {
        assert_eq!(candidates.iter().any(|text| text == "g h"), index % 3 == 2, "{candidates:?}");
    }
    for batch_size in [1, 2, 5, 7] {
        let (found, of_batches) = answers(batch_size);
        assert_eq!(found, whole, "batches of {batch_size}");
        assert_eq!((of_batches.exact_match, of_batches.f1), (score.exact_match, score.f1));
        assert!((of_batches.loss - score.loss).abs() < 1e-5);
    }
}

#[test]
fn an_error_midway_is_the_result_and_nothing_hangs() {
    let (to_test, outcome) = channel();
    thread::spawn(move || {
        let dir = TempDir::new().unwrap();
        let mut seen = 0;
        let result = answer_split(&predictor(), &split(&dir), 1, &SETTINGS, |answered| {
            seen += 1;
            if answered.example_index == 2 { Err("enough") } else { Ok(()) }
        });
        to_test.send((result, seen)).unwrap();
    });
    let outcome = outcome.recv_timeout(Duration::from_mins(1)).expect("it ends");
    assert_eq!(outcome, (Err("enough"), 3));
}

#[test]
fn questions_without_an_answer_are_scored_apart() {
    let dir = TempDir::new().unwrap();
    let (split, predictor) = (split(&dir), predictor());
    assert_eq!(split.rules(), Rules::V2);
    let outcome = |null_threshold| {
        let settings =
            AnswerSettings { spans: SpanSettings { null_threshold, ..SETTINGS.spans }, ..SETTINGS };
        answer_split(&predictor, &split, 8, &settings, |_| Ok::<(), ()>(())).unwrap()
    };
    // No answer always wins: one question of forty is right, and the silence is noticed.
    let silent = outcome(-1e6);
    let parts = silent.parts.unwrap();
    assert_eq!((parts.has_answer.questions, parts.no_answer.questions), (QUESTIONS - 1, 1));
    assert_eq!((parts.has_answer.f1, parts.no_answer.f1), (0.0, 100.0));
    assert_eq!((silent.score.exact_match, silent.score.f1), (2.5, 2.5));
    assert_eq!(silent.only_answer.as_deref(), Some(""));
    // It never wins.
    let no_answer = outcome(1e6).parts.unwrap().no_answer;
    assert_eq!((no_answer.questions, no_answer.exact_match), (1, 0.0));
}

#[test]
fn two_different_answers_are_not_the_same_answer() {
    let mut only_answer = OnlyAnswer::default();
    only_answer.add("a");
    only_answer.add("a");
    assert_eq!(only_answer, OnlyAnswer::All("a".to_owned()));
    only_answer.add("b");
    only_answer.add("a");
    assert_eq!(only_answer, OnlyAnswer::Several);
}

#[test]
fn gold_answers_longer_than_any_prediction_are_counted() {
    let dir = TempDir::new().unwrap();
    let split = split(&dir);
    // "a b c d" stands whole in the first window, and in the union of all.
    assert_eq!(split.long_answers(4), LongAnswers::default());
    assert_eq!(split.long_answers(3), LongAnswers { answers: QUESTIONS - 1, questions: 0 });
    assert_eq!(split.long_answers(0), LongAnswers { answers: 2 * (QUESTIONS - 1), questions: QUESTIONS - 1 });
}
