//! Windows and labels against Hugging Face's fast tokenizer, and properties that hold for any text.

use super::{cases, root};
use distilburn_squad::{Error, FeatureTokenizer, LabelledAnswer, Window, WindowSettings};
use proptest::prelude::*;
use serde::Deserialize;
use std::sync::LazyLock;
use tokenizers::Tokenizer;

#[derive(Deserialize)]
struct Case {
    name: String,
    max_length: usize,
    doc_stride: usize,
    question: String,
    context: String,
    answer: Option<Answer>,
    /// What Hugging Face makes of it, or
    features: Option<Vec<Feature>>,
    /// why it makes nothing.
    error: Option<String>,
}

#[derive(Deserialize)]
struct Answer {
    text: String,
    start: i32,
}

#[derive(Deserialize)]
struct Feature {
    input_ids: Vec<i32>,
    offset_mapping: Vec<Option<(u32, u32)>>,
    start_positions: i32,
    end_positions: i32,
}

/// The tokenizer of the default base model, whose vocabulary is that of bert-base-uncased.
static TOKENIZER_JSON: LazyLock<Vec<u8>> = LazyLock::new(|| {
    let path = root().join(".cache/models/all-MiniLM-L6-v2/tokenizer.json");
    std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}; run scripts/setup", path.display()))
});

fn tokenizer(max_length: usize, doc_stride: usize) -> FeatureTokenizer {
    FeatureTokenizer::new(&TOKENIZER_JSON, WindowSettings { max_length, doc_stride }).unwrap()
}

fn windows_of(case: &Case) -> distilburn_squad::Result<Vec<Window>> {
    let tokenizer = tokenizer(case.max_length, case.doc_stride);
    let answer =
        case.answer.as_ref().map(|answer| LabelledAnswer { start: answer.start, text: &answer.text });
    tokenizer.windows(&case.question, &tokenizer.tokenize_context(&case.context)?, answer)
}

#[test]
fn features_equal_hugging_face() {
    for case in cases::<Case>("features.json") {
        let Some(features) = &case.features else { continue };
        let expected: Vec<_> = features
            .iter()
            .map(|feature| Window {
                input_ids: feature.input_ids.clone(),
                offset_mapping: feature.offset_mapping.clone(),
                start_position: feature.start_positions,
                end_position: feature.end_positions,
            })
            .collect();
        assert_eq!(windows_of(&case).unwrap(), expected, "{}", case.name);
    }
}

#[test]
fn where_hugging_face_fails_the_error_says_why() {
    for case in cases::<Case>("features.json") {
        let Some(reason) = &case.error else { continue };
        let error = windows_of(&case).unwrap_err();
        let expected = if reason.starts_with("Truncation error") {
            matches!(error, Error::QuestionTooLong { .. })
        } else {
            reason.starts_with("`stride`") && matches!(error, Error::NoRoomForStride { .. })
        };
        assert!(expected, "{}: {reason} became {error}", case.name);
    }
}

#[test]
fn an_answer_to_an_empty_context_is_labelled_cls() {
    let tokenizer = tokenizer(32, 8);
    let context = tokenizer.tokenize_context("").unwrap();
    let answer = LabelledAnswer { start: 0, text: "x" };
    let windows = tokenizer.windows("Which?", &context, Some(answer)).unwrap();
    assert!(context.is_empty());
    assert_eq!((windows.len(), windows[0].start_position, windows[0].end_position), (1, 0, 0));
}

#[test]
fn every_error_says_what_to_do() {
    let long = "why ".repeat(40);
    let tokenizer = tokenizer(32, 20);
    let context = tokenizer.tokenize_context(&"because ".repeat(40)).unwrap();
    let settings = WindowSettings { max_length: 131, doc_stride: 128 };
    let errors = [
        FeatureTokenizer::new(b"{}", settings).err().unwrap(),
        FeatureTokenizer::new(&TOKENIZER_JSON, settings).err().unwrap(),
        tokenizer.windows(&long, &context, None).unwrap_err(),
        tokenizer.windows(&long[..40], &context, None).unwrap_err(),
    ];
    let shown = errors.map(|error| {
        let help = miette::Diagnostic::help(&error).unwrap();
        format!("{error}\n  help: {help}\n")
    });
    insta::assert_snapshot!(shown.concat(), @r#"
    the tokenizer does not load
      help: `tokenizer.json` must be the fast tokenizer's own file, as published with the base model
    a doc_stride of 128 and 3 special tokens leave no room in a max_length of 131
      help: set tokenize-features.doc_stride below 128, or raise max_length
    the question "why why why why why why why why why why why why why why why …" has 40 tokens, but a max_length of 32 has room for only 29 of question and context
      help: raise tokenize-features.max_length to at least 44, or shorten the question
    the question "why why why why why why why why why why " leaves 19 tokens for the context, no more than the doc_stride of 20
      help: set tokenize-features.doc_stride below 19, or raise max_length by at least 2
    "#);
}

/// Any text, with what is special to BERT in it more often than chance has it.
fn any_text() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        4 => "[a-z]{1,9}",
        2 => any::<char>().prop_map(String::from),
        2 => prop::sample::select(vec![
            " ", "  ", "\n", "\u{a0}", "\u{1c}", "\0", "[SEP]", "[MASK]", "[", "##", "e\u{301}", "한", "京", "İ", "😀", "\u{200d}", "."
        ]).prop_map(str::to_owned),
    ];
    prop::collection::vec(piece, 0..30).prop_map(|pieces| pieces.concat())
}

/// One for all cases of a property: loading takes longer than they do.
static NARROW: LazyLock<FeatureTokenizer> = LazyLock::new(|| tokenizer(48, 7));
static WIDE: LazyLock<FeatureTokenizer> = LazyLock::new(|| tokenizer(4096, 128));
static HUGGING_FACE: LazyLock<Tokenizer> = LazyLock::new(|| {
    let mut tokenizer = Tokenizer::from_bytes(&*TOKENIZER_JSON).unwrap();
    tokenizer.with_padding(None).with_truncation(None).unwrap();
    tokenizer
});

proptest! {
    #[test]
    fn any_pair_tokenises_as_the_library_tokenises_it(question in any_text(), context in any_text()) {
        let windows = WIDE.windows(&question, &WIDE.tokenize_context(&context).unwrap(), None).unwrap();
        let pair = HUGGING_FACE.encode_char_offsets((question.as_str(), context.as_str()), true).unwrap();
        let ids: Vec<_> = pair.get_ids().iter().map(|&id| id as i32).collect();
        let offsets = pair.get_offsets().iter().map(|&(start, end)| (start as u32, end as u32));
        let sequences = pair.get_sequence_ids();
        let offset_mapping: Vec<_> = offsets.zip(sequences).map(|(token, id)| (id == Some(1)).then_some(token)).collect();
        prop_assert_eq!(windows.len(), 1);
        prop_assert_eq!(&windows[0].input_ids, &ids);
        prop_assert_eq!(&windows[0].offset_mapping, &offset_mapping);
    }

    #[test]
    fn windows_hold_the_context_in_order(question in any_text(), context in any_text()) {
        let tokenized = NARROW.tokenize_context(&context).unwrap();
        let Ok(windows) = NARROW.windows(&question, &tokenized, None) else { return Ok(()) };
        let chars = context.chars().count() as u32;
        let mut covered: Vec<(i32, (u32, u32))> = Vec::new();
        for (number, window) in windows.iter().enumerate() {
            prop_assert!(window.input_ids.len() <= 48);
            prop_assert_eq!(window.input_ids.len(), window.offset_mapping.len());
            prop_assert_eq!((window.start_position, window.end_position), (0, 0));
            let tokens = window.input_ids.iter().zip(&window.offset_mapping);
            let part: Vec<_> = tokens.filter_map(|(&id, &offsets)| Some((id, offsets?))).collect();
            prop_assert!(part.iter().all(|(_, (start, end))| start <= end && *end <= chars));
            let shared = if number == 0 { 0 } else { 7 };
            prop_assert_eq!(&covered[covered.len() - shared..], &part[..shared]);
            covered.extend_from_slice(&part[shared..]);
        }
        prop_assert_eq!(covered.len(), tokenized.len());
    }

    #[test]
    fn offsets_slice_the_words_back(words in prop::collection::vec("[a-zäéß東]{1,8}", 1..20)) {
        let context = words.join(" ");
        let windows = WIDE.windows("?", &WIDE.tokenize_context(&context).unwrap(), None).unwrap();
        let chars: Vec<char> = context.chars().collect();
        let slices = windows[0].offset_mapping.iter().flatten();
        let text: String = slices.flat_map(|&(start, end)| &chars[start as usize..end as usize]).collect();
        prop_assert_eq!(text, words.concat());
    }
}
