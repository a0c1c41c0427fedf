//! Checks `forms.md`: every example on it is read.

use super::*;
use crate::parquet;

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

#[test]
fn the_limits_on_the_page_are_those_of_the_code() {
    let limits = PAGE.split_once("## Limits").unwrap().1;
    let limits = limits.split_once("\n## ").unwrap().0;
    for said in [
        format!("| a context | {} MiB |", crate::MAX_CONTEXT_MIB),
        format!("| {} MiB; {} fields", crate::json::MAX_LINE_MIB, grouped(crate::delimited::MAX_FIELDS)),
        format!("| {} MiB |", crate::json_text::MAX_VALUE_MIB),
        format!("| {} |", grouped(crate::json_text::MAX_PARTS)),
        format!("| {} times", crate::compression::MAX_RATIO),
        format!("| {} MiB |", (1_u64 << crate::compression::ZSTD_WINDOW_LOG) >> 20),
        format!("{} values of Parquet", grouped(parquet::MAX_ROW_VALUES)),
        format!("a record batch of Arrow | {} MiB |", crate::arrow_file::MAX_BATCH_MIB),
        format!("over all columns | {} MiB |", parquet::MAX_PAGES_MIB),
        format!("over all columns, {} beyond", grouped(parquet::MAX_FURTHER_VALUES as usize)),
        format!("{} MiB, {} structs", parquet::MAX_FOOTER_MIB, grouped(parquet::MAX_STRUCTS)),
    ] {
        assert!(limits.contains(&said), "{said}");
    }
}

/// 1,000,000.
fn grouped(number: usize) -> String {
    let digits = number.to_string();
    let groups = digits.as_bytes().rchunks(3).rev().map(|group| std::str::from_utf8(group).unwrap());
    groups.collect::<Vec<_>>().join(",")
}
