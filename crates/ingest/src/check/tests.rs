use std::path::Path;

use super::*;
use crate::audit::tests::{checked, dataset, qa};
use crate::message::message;

/// One question of each kind that is refused, and two that are not.
fn broken() -> Vec<Article> {
    let impossible = Qa { is_impossible: Some(true), ..qa("impossible", "who?", &[("cat", 4)]) };
    dataset(vec![
        (
            "the cät sat 👩‍🔬 here",
            vec![
                qa("good", "who?", &[("cät", 4), ("here", 16)]),
                qa("unanswered", "why?", &[]),
                qa("good", "who?", &[("cät", 4)]),
                qa("", "who?", &[]),
                qa("no question", " \t", &[("cät", 4)]),
                qa("no text", "who?", &[("", 4)]),
                Qa { answers: None, ..qa("unlabelled", "who?", &[]) },
                qa("bytes", "where?", &[("here", 25)]),
                qa("before", "who?", &[("cät", -1)]),
                qa("after", "who?", &[("here", i32::MAX)]),
                qa("shifted", "who?", &[("cät", 4), ("cät", 5)]),
                qa("over the end", "where?", &[("here and there", 16)]),
                impossible,
            ],
        ),
        (" \n", vec![qa("no context", "who?", &[])]),
    ])
}

#[test]
fn questions_that_keep_the_rules_pass() {
    let dataset = broken();
    let (tally, questions) = checked(&dataset, OnInvalid::Skip);
    tally.accept(OnInvalid::Skip, "data.json").unwrap();
    assert_eq!(
        questions.iter().map(|qa| qa.id.as_str()).collect::<Vec<_>>(),
        ["good", "unanswered", "no text"]
    );
    insta::assert_compact_debug_snapshot!(tally.skipped, @r#"{"answer_not_at_offset": 2, "duplicate_id": 1, "empty_context": 1, "empty_id": 1, "empty_question": 1, "impossible_with_answers": 1, "offset_outside_context": 3, "unlabelled": 1}"#);
}

#[test]
fn every_rule_names_what_it_found() {
    let dataset = broken();
    let (tally, _) = checked(&dataset, OnInvalid::Error);
    let error = tally.accept(OnInvalid::Error, "data.json").unwrap_err();
    insta::assert_snapshot!(message(&error, Path::new("/nowhere")), @r#"
      data.json: 11 of 14 questions cannot be used (answer_not_at_offset: 2, duplicate_id: 1, empty_context: 1, empty_id: 1, empty_question: 1, impossible_with_answers: 1, offset_outside_context: 3, unlabelled: 1)
        "good": an earlier question has this id
        "": the id is empty
        "no question": the question is empty
        "unlabelled": it has no `answers`: it is unlabelled
        "bytes": answer "here" starts at character 25, outside its context of 20 characters
        "before": answer "cät" starts at character -1, outside its context of 20 characters
        "after": answer "here" starts at character 2147483647, outside its context of 20 characters
        "shifted": answer "cät" is not at character 5 of its context, which reads "ät "
        "over the end": answer "here and there" is not at character 16 of its context, which reads "here"
        "impossible": is_impossible is true, but it has answers
        … and 1 more
      help: correct them, or read them as questions without an answer with `--set ingest.plausible_answers=ignore`, or leave them out with `--set ingest.on_invalid=skip`
    "#);
}

#[test]
fn realign_is_proposed_only_where_an_answer_is_misplaced() {
    let twice =
        dataset(vec![("the cat", vec![qa("a", "who?", &[("cat", 4)]), qa("a", "who?", &[("cat", 4)])])]);
    let (tally, _) = checked(&twice, OnInvalid::Error);
    let said = message(&tally.accept(OnInvalid::Error, "data.json").unwrap_err(), Path::new("/nowhere"));
    assert!(said.contains("ingest.on_invalid=skip") && !said.contains("realign"), "{said}");
}
