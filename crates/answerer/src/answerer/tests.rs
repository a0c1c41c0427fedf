use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use super::*;
use crate::tests::tiny_model;

const WORDS: [&str; 9] = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "who", "sat", "cat", "dog", "mat"];

fn answerer() -> Answerer {
    let runtime = Runtime::cpu_fp32(2).unwrap();
    let usage = Usage {
        windows: WindowSettings { max_length: 12, doc_stride: 2 },
        spans: SpanSettings { n_best: 20, max_answer_length: 3, null_threshold: 0.0 },
        no_answer: true,
        temperature: 1.0,
    };
    let json = crate::word_piece::tokenizer_json(&WORDS).to_string();
    Answerer {
        predictor: Arc::new(Predictor::new(&tiny_model(), &runtime)),
        tokenizer: FeatureTokenizer::new(json.as_bytes(), usage.windows).unwrap(),
        usage,
        vocab_size: 32,
        folder: PathBuf::from("tiny"),
        precision: "fp32",
        positions: 64,
    }
}

/// Contexts of one to about twenty windows.
fn context(index: usize) -> String {
    ["cat", "dog", "sat", "mat"].map(|word| format!("{word} ")).concat().repeat(1 + 7 * (index % 5))
}

/// The last bits of f32 sums depend on the threads and on the number of rows of a product.
const TOLERANCE: f64 = 1e-5;

#[test]
fn many_questions_get_the_answers_of_each_alone_in_order() {
    let answerer = answerer();
    let questions = (0..60).map(|index| {
        let context = context(index);
        let tokens = answerer.tokenize(&context).unwrap();
        answerer.prepare(index, "who sat", context.as_str().into(), &tokens).unwrap()
    });
    let mut found = Vec::new();
    let outcome = answerer.answer_all(questions, |index, prediction| {
        found.push((index, prediction));
        Ok::<(), ()>(())
    });
    assert_eq!(outcome, Ok(()));
    assert!(found.iter().map(|(index, _)| *index).eq(0..60));
    for (index, prediction) in found {
        let alone = answerer.answer("who sat", &context(index)).unwrap();
        assert_eq!((&prediction.text, prediction.start_char), (&alone.text, alone.start_char), "{index}");
        assert!((prediction.score - alone.score).abs() < TOLERANCE, "{index}");
    }
}

#[test]
fn every_window_is_counted_once_before_its_answer_comes() {
    let answerer = answerer();
    let prepare = |index| {
        let tokens = answerer.tokenize(&context(index)).unwrap();
        answerer.prepare(index, "who sat", context(index).as_str().into(), &tokens).unwrap()
    };
    let questions: Vec<_> = (0..10).map(prepare).collect();
    let windows: Vec<usize> = questions.iter().map(Question::windows).collect();
    let counted = AtomicUsize::new(0);
    let count = || {
        counted.fetch_add(1, Ordering::Relaxed);
    };
    let outcome = answerer.answer_watched(questions.into_iter(), count, |index, _| {
        assert!(counted.load(Ordering::Relaxed) >= windows[..=index].iter().sum());
        Ok::<(), ()>(())
    });
    assert_eq!((outcome, counted.into_inner()), (Ok(()), windows.iter().sum()));
}

#[test]
fn a_group_gets_the_same_bits_whatever_stands_before_it() {
    let answerer = answerer();
    let answers = |first: usize| {
        let questions = (first..200).map(|index| {
            let context = context(index);
            let tokens = answerer.tokenize(&context).unwrap();
            let question = answerer.prepare(index, "who sat", context.as_str().into(), &tokens).unwrap();
            question.in_group(index as u64 / 50)
        });
        let mut found = Vec::new();
        let outcome = answerer.answer_all(questions, |index, prediction| {
            found.push((index, prediction));
            Ok::<(), ()>(())
        });
        outcome.unwrap();
        found
    };
    assert_eq!(answers(0)[150..], answers(150));
}

#[test]
fn the_same_model_is_asked_in_another_way() {
    let answerer = answerer();
    let mut usage = *answerer.usage();
    usage.spans.max_answer_length = 1;
    usage.windows = WindowSettings { max_length: 16, doc_stride: 4 };
    let other = answerer.asked(usage).unwrap();
    let prediction = other.answer("who sat", &context(4)).unwrap();
    assert!(prediction.n_best.iter().all(|candidate| !candidate.text.contains(' ')), "{prediction:?}");
    usage.windows.doc_stride = 13;
    assert!(answerer.asked(usage).is_err());
}

#[test]
fn an_error_of_the_caller_ends_it() {
    let answerer = answerer();
    let tokens = answerer.tokenize("cat").unwrap();
    let questions = (0..1000).map(|index| answerer.prepare(index, "who", "cat".into(), &tokens).unwrap());
    let outcome = answerer.answer_all(questions, |index, _| if index == 3 { Err("enough") } else { Ok(()) });
    assert_eq!(outcome, Err("enough"));
}

#[test]
fn a_profile_has_both_scenarios_end_to_end_and_for_the_model_alone() {
    let answerer = answerer();
    let context = context(1);
    let rows = answerer.profile(&[("who sat", &context)], Duration::from_millis(40)).unwrap();
    let value = |scenario: &str, scope: &str, measure: &str| {
        let is_it = |row: &&artifact::ProfileRow| {
            (row.scenario.as_str(), row.scope.as_str(), row.measure.as_str()) == (scenario, scope, measure)
        };
        rows.iter().find(is_it).map_or_else(|| panic!("{measure}: {rows:?}"), |row| row.value)
    };
    let tokens = answerer.tokenize(&context).unwrap();
    let tokens = answerer.prepare((), "who sat", context.as_str().into(), &tokens).unwrap().tokens();
    for scope in ["end to end", "model"] {
        assert!(value("SingleStream", scope, "p50_ms") > 0.0);
        let rate = value("Offline", scope, "tokens_per_s") / value("Offline", scope, "questions_per_s");
        assert!((rate - tokens as f64).abs() < 1e-6, "{rate} against {tokens}");
    }
    assert_eq!(answerer.profile(&[], Duration::from_millis(40)).unwrap(), []);
}

#[test]
fn a_question_as_long_as_a_window_and_an_id_without_an_embedding_are_refused() {
    let mut answerer = answerer();
    let error = answerer.answer(&"who ".repeat(9), "cat").unwrap_err();
    assert!(matches!(error, Error::LongQuestion { tokens: 9, .. }), "{error}");
    answerer.vocab_size = 6;
    let error = answerer.answer("who", "dog").unwrap_err();
    assert!(matches!(error, Error::TokenId { id: 7, vocab_size: 6 }), "{error}");
}
