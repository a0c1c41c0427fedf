use artifact::{AuditRow, read_audit};
use question_files::{Answer, Article};
use serde_json::json;
use squad::offsets::CharOffset;
use stage::settings::{OnInvalid, PlausibleAnswers};

use super::*;
use crate::check::{Checker, Rules};
use crate::tally::Tally;

/// A BERT tokenizer of a few words, the letters, and the pieces "##s", "##tion", "##ひ", "##ら".
pub(crate) fn tokenizer_json() -> Vec<u8> {
    let special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"].map(str::to_owned);
    let words = ["the", "cat", "##s", "##tion", "ひら", "##がな", "##1950", "日", "本"].map(str::to_owned);
    let letters = ('a'..='z').flat_map(|letter| [letter.to_string(), format!("##{letter}")]);
    let digits = ('0'..='9').flat_map(|digit| [digit.to_string(), format!("##{digit}")]);
    let mut vocab = Map::new();
    for token in special.into_iter().chain(words).chain(letters).chain(digits) {
        let id = vocab.len();
        vocab.entry(token).or_insert_with(|| id.into());
    }
    serde_json::to_vec(&json!({
        "version": "1.0",
        "added_tokens": [],
        "normalizer": {"type": "BertNormalizer", "clean_text": true, "handle_chinese_chars": true,
            "strip_accents": null, "lowercase": true},
        "pre_tokenizer": {"type": "BertPreTokenizer"},
        "post_processor": {"type": "BertProcessing", "sep": ["[SEP]", 3], "cls": ["[CLS]", 2]},
        "model": {"type": "WordPiece", "unk_token": "[UNK]", "continuing_subword_prefix": "##",
            "max_input_chars_per_word": 100, "vocab": vocab},
    }))
    .unwrap()
}

pub(crate) fn qa(id: &str, question: &str, answers: &[(&str, i32)]) -> Qa {
    let answers =
        answers.iter().map(|(text, start)| Answer { text: (*text).to_owned(), answer_start: Some(*start) });
    let answers = Some(answers.collect());
    Qa { id: id.to_owned(), question: question.to_owned(), answers, is_impossible: None }
}

pub(crate) fn dataset(paragraphs: Vec<(&str, Vec<Qa>)>) -> Vec<Article> {
    let paragraphs = paragraphs
        .into_iter()
        .map(|(context, qas)| question_files::Paragraph { context: context.to_owned(), qas })
        .collect();
    vec![Article { title: "T".to_owned(), paragraphs }]
}

/// What the rules say of a split, and its usable questions with their contexts; its audit is thrown away.
pub(crate) fn checked_in_context(dataset: &[Article], on_invalid: OnInvalid) -> (Tally, Vec<(String, Qa)>) {
    let folder = tempfile::tempdir().unwrap();
    let mut audit = Audit::create(folder.path(), "f", &tokenizer_json()).unwrap();
    check(dataset, on_invalid, &mut audit.split("train"))
}

/// The same without the contexts.
pub(crate) fn checked(dataset: &[Article], on_invalid: OnInvalid) -> (Tally, Vec<Qa>) {
    let (tally, questions) = checked_in_context(dataset, on_invalid);
    (tally, questions.into_iter().map(|(_, qa)| qa).collect())
}

fn check(
    dataset: &[Article],
    on_invalid: OnInvalid,
    audit: &mut SplitAudit<'_>,
) -> (Tally, Vec<(String, Qa)>) {
    let mut checker = Checker::new(Rules { on_invalid, plausible_answers: PlausibleAnswers::Error });
    let mut questions = Vec::new();
    let mut keep = |question: &crate::check::Question<'_>| {
        questions.push((question.context.to_owned(), question.qa.clone().into_owned()));
        Ok(())
    };
    for article in dataset {
        checker.article(article, Some(&mut *audit), &mut keep).unwrap();
    }
    (checker.tally, questions)
}

/// The findings about both splits, and the summary.
fn audit(train: &[Article], validation: &[Article], on_invalid: OnInvalid) -> (Vec<AuditRow>, Value) {
    audit_of(&[("train", train), ("validation", validation)], on_invalid)
}

fn audit_of(splits: &[(&'static str, &[Article])], on_invalid: OnInvalid) -> (Vec<AuditRow>, Value) {
    let folder = tempfile::tempdir().unwrap();
    let mut audit = Audit::create(folder.path(), "f", &tokenizer_json()).unwrap();
    for &(name, dataset) in splits {
        let mut split = audit.split(name);
        check(dataset, on_invalid, &mut split);
        split.finish();
    }
    let summary = audit.finish().unwrap();
    let rows = read_audit(&folder.path().join(file_name::AUDIT)).unwrap();
    (rows.map(std::result::Result::unwrap).collect(), summary)
}

/// What a person would want to know of the rows.
fn listed(rows: &[AuditRow]) -> String {
    let line = |row: &AuditRow| {
        let answer = row.answer_text.as_ref().map(|text| format!(" {text:?}@{}", row.answer_start.unwrap()));
        let found = row.found_text.as_ref().map(|text| format!(" → {text:?}@{}", row.found_start.unwrap()));
        let other = row.other_id.as_ref().map(|other| format!(" = {other}"));
        let detail = row.detail.as_ref().map(|detail| format!(" ({detail})"));
        let rest = [answer, found, other, detail].into_iter().flatten().collect::<String>();
        format!("{} {} {} {}{rest}", row.split, row.id, row.finding.name(), row.outcome.name())
    };
    rows.iter().map(line).collect::<Vec<_>>().join("\n")
}

fn found_in(train: &[Article]) -> String {
    listed(&audit(train, &dataset(Vec::new()), OnInvalid::Skip).0)
}

const EMOJI: &str = "👩‍🔬 ran and 👩‍🔬 ran";

fn misplaced() -> Vec<Article> {
    dataset(vec![
        (EMOJI, vec![qa("utf-16", "did?", &[("ran", 20)]), qa("bytes", "did?", &[("ran", 12)])]),
        (
            "cat dog cat dog, cafe\u{301}",
            vec![
                qa("two places", "who?", &[("cat", 2)]),
                qa("nowhere", "who?", &[("bird", 2)]),
                qa("composed", "where?", &[("café", 17), ("dog", 4)]),
            ],
        ),
        ("עיר הבירה היא ירושלים", vec![qa("rtl", "מהי?", &[("ירושלים", -3)])]),
        ("日本の首都は東京です", vec![qa("cjk", "首都?", &[("東京", 99)])]),
    ])
}

#[test]
fn misplaced_answers_are_skipped_with_their_place() {
    insta::assert_snapshot!(found_in(&misplaced()));
}

#[test]
fn misplaced_answers_are_moved_with_both_places() {
    let data = misplaced();
    let (rows, summary) = audit(&data, &dataset(Vec::new()), OnInvalid::Realign);
    insta::assert_snapshot!(listed(&rows));
    assert_eq!((&summary["train"]["realigned"], &summary["train"]["skipped"]), (&json!(5), &json!(2)));

    let (tally, questions) = checked_in_context(&data, OnInvalid::Realign);
    assert_eq!((tally.usable, tally.realigned, tally.skipped["answer_not_at_offset"]), (5, 5, 2));
    tally.accept(OnInvalid::Realign, "data.json").unwrap();
    for (context, qa) in &questions {
        let context = CharIndex::new(context);
        for Answer { text, answer_start } in qa.answers() {
            let start = answer_start.unwrap() as u32;
            let end = start + text.chars().count() as u32;
            assert_eq!(context.slice(CharOffset(start), CharOffset(end)), text, "{}", qa.id);
        }
    }
}

#[test]
fn repeats_within_a_split_are_found() {
    let (one, same) = ("The cat sat. It was 5 o'clock.", "the CAT sat:  it was 5 o’clock");
    insta::assert_snapshot!(found_in(&dataset(vec![
        (
            one,
            vec![
                qa("a", "Who sat?", &[("cat", 4)]),
                qa("b", "Who sat?", &[("cat", 4)]),
                qa("c", "who  SAT", &[("cat", 4)]),
                qa("d", "When?", &[]),
                qa("a", "What?", &[]),
            ],
        ),
        (same, vec![qa("e", "Who sat?", &[])]),
        ("Another cat sat.", vec![qa("f", "Who sat?", &[])]),
    ])));
}

#[test]
fn validation_that_stands_in_training_is_found() {
    let train = dataset(vec![
        ("Zürich is a city.", vec![qa("t1", "Where?", &[]), qa("t2", "What is it?", &[])]),
        ("A dog ran.", vec![qa("t3", "Who ran?", &[])]),
    ]);
    let validation = dataset(vec![
        (
            "Zürich is a city.",
            vec![qa("v1", "Where?", &[]), qa("v2", "Why?", &[]), qa("v3", "WHAT is it", &[])],
        ),
        ("Zu\u{308}rich is a city.", vec![qa("v4", "Where?", &[])]),
        ("A dog ran!", vec![qa("v5", "How far?", &[])]),
        ("A cat ran.", vec![qa("v6", "Who ran?", &[]), qa("v7", "Who sat?", &[])]),
    ]);
    let (rows, summary) = audit(&train, &validation, OnInvalid::Error);
    insta::assert_snapshot!(listed(&rows));
    assert_eq!(summary["train"]["findings"], json!({}));
    assert_eq!(summary["validation"]["findings"]["context_in_train"], 2);
}

#[test]
fn test_contexts_of_either_earlier_split_are_found() {
    let train = dataset(vec![("A dog ran.", vec![qa("t", "Who ran?", &[])])]);
    let validation = dataset(vec![("A cat sat.", vec![qa("v", "Who sat?", &[])])]);
    let test = dataset(vec![
        ("a  cat sat", vec![qa("of validation", "Where?", &[])]),
        ("A dog ran.", vec![qa("of train", "Where?", &[])]),
        ("A bird flew.", vec![qa("new", "Where?", &[])]),
    ]);
    let splits = [("train", &*train), ("validation", &*validation), ("test", &*test)];
    let (rows, summary) = audit_of(&splits, OnInvalid::Error);
    let found: Vec<_> = rows
        .iter()
        .map(|row| (row.id.as_str(), row.finding, row.other_id.as_deref().unwrap_or_default()))
        .collect();
    assert_eq!(
        found,
        [("of validation", Finding::ContextInValidation, "v"), ("of train", Finding::ContextInTrain, "t")]
    );
    assert_eq!(summary["test"]["findings"], json!({ "context_in_train": 1, "context_in_validation": 1 }));
}

#[test]
fn edges_inside_words_and_tokens_are_found() {
    insta::assert_snapshot!(found_in(&dataset(vec![
        (
            "The cats' nation (since 1950s) won 3.14, café-cats.",
            vec![
                qa("word ends, token does not", "?", &[("cat", 4)]),
                qa("both", "?", &[("ca", 4), ("ca", 4)]),
                qa("piece", "?", &[("na", 10), ("tion", 12)]),
                qa("decimal", "?", &[("14", 37)]),
                qa("punctuation", "?", &[("cats", 4), ("since 1950s", 18), ("café", 41), ("cats", 46)]),
            ],
        ),
        ("the e\u{301}e\u{301} 👩‍🔬", vec![qa("mark", "?", &[("e", 4)]), qa("emoji", "?", &[("🔬", 11)])]),
        ("日本は ひらがな", vec![qa("han", "?", &[("本", 1)]), qa("kana", "?", &[("ら", 5), ("ひら", 4)])]),
        ("ביתשלום", vec![qa("hebrew", "?", &[("שלום", 3)])]),
    ])));
}

#[test]
fn empty_and_oversized_fields_are_found() {
    let long = "long words ".repeat(1000);
    insta::assert_snapshot!(found_in(&dataset(vec![
        (&long, vec![qa("answer", &"why ".repeat(80), &[(long[..208].trim_end(), 0)]), qa("", "why?", &[])]),
        (" \n", vec![qa("context", "why?", &[])]),
        ("a cat", vec![qa("question", "\t", &[]), qa("no answer", "why?", &[("", 2)])]),
    ])));
}

#[test]
fn the_summary_counts_each_context_once_and_every_question() {
    let data = dataset(vec![
        ("The cat sat on the mat.", vec![qa("a", "Who sat?", &[("cat", 4)]), qa("b", "东京?", &[])]),
        ("The cat sat on the mat.", vec![qa("c", "Кто?", &[("The cat", 0)])]),
        ("Nobody asks about this.", vec![]),
    ]);
    let (_, summary) = audit(&data, &data, OnInvalid::Error);
    insta::assert_snapshot!(format!("{:#}", summary["train"]));
}
