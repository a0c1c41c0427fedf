//! `forms.md` says what is so: every example on it is read.

use super::*;

static PAGE: &str = include_str!("../../forms.md");

/// Every example with the line under it.
fn examples() -> Vec<(&'static str, &'static str)> {
    let blocks = PAGE.split("\n```").skip(1).step_by(2);
    let examples: Vec<_> = blocks
        .map(|block| {
            let example = block.split_once('\n').unwrap().1;
            let after = &PAGE[example.as_ptr() as usize - PAGE.as_ptr() as usize + example.len()..];
            let line = after.lines().find(|line| line.starts_with("> ")).unwrap();
            (example, &line[2..])
        })
        .collect();
    assert_eq!(examples.len(), PAGE.matches("\n> ").count());
    examples
}

#[test]
fn every_example_on_the_page_is_the_same_two_questions() {
    assert!(examples().len() > 8);
    for (example, line) in examples() {
        for bytes in
            [example.into(), [b"\xef\xbb\xbf", example.as_bytes()].concat(), gzip(example.as_bytes())]
        {
            let (articles, understood) = read_understood(&bytes);
            assert_eq!(understood, [line], "{example}");
            let has_places = !line.contains("without answer_start");
            let questions: Vec<_> = flat(&articles)
                .into_iter()
                .map(|(_, context, mut qa)| {
                    qa.answers.as_mut().unwrap().retain(|answer| !answer.is_empty());
                    assert!(line.contains("made") || ["a", "7"].contains(&qa.id.as_str()), "{example}");
                    (context, qa.question, qa.answers.unwrap())
                })
                .collect();
            let cat = Answer { text: "cat".to_owned(), answer_start: has_places.then_some(4) };
            let expected = [("who sat?", vec![cat]), ("who ran?", Vec::new())]
                .map(|(question, answers)| ("the cat sat".to_owned(), question.to_owned(), answers));
            assert_eq!(questions, expected, "{example}");
        }
    }
}
