//! What the built-in slices look at: words, kinds of answers, positions and scripts of a text.

use std::collections::BTreeMap;

use squad::{python, units_of};
use time::Month;
use unicode_script::UnicodeScript as _;

use super::NO_SCRIPT;

/// The first bucket that includes the number.
pub(super) fn bucket(number: usize, buckets: &[(usize, &'static str)], more: &'static str) -> &'static str {
    buckets.iter().find(|(most, _)| number <= *most).map_or(more, |(_, name)| name)
}

pub(super) fn words(text: &str) -> usize {
    let words = text.split(python::is_space).filter(|word| !word.is_empty());
    words.map(|word| units_of(word).len()).sum()
}

/// Runs of letters and digits in lower case.
fn lower_case_words(text: &str) -> Vec<String> {
    let words = text.split(|character| !python::is_word(character)).filter(|word| !word.is_empty());
    words.map(str::to_lowercase).collect()
}

pub(super) fn question_word(question: &str) -> &'static str {
    let words = lower_case_words(question);
    let found = words.iter().enumerate().find_map(|(index, word)| {
        Some(match word.as_str() {
            "what" => "what",
            "which" => "which",
            "who" | "whom" | "whose" => "who",
            "when" => "when",
            "where" => "where",
            "why" => "why",
            "how" => match words.get(index + 1).map(String::as_str) {
                Some("many") => "how many",
                Some("much") => "how much",
                _ => "how",
            },
            _ => return None,
        })
    });
    found.unwrap_or("other")
}

/// Lower-case words that can be in the middle of a name.
const CONNECTING: [&str; 14] =
    ["of", "the", "and", "for", "in", "on", "at", "to", "a", "de", "la", "du", "van", "von"];

const NUMBER_WORDS: [&str; 33] = [
    "zero",
    "one",
    "two",
    "three",
    "four",
    "five",
    "six",
    "seven",
    "eight",
    "nine",
    "ten",
    "eleven",
    "twelve",
    "thirteen",
    "fourteen",
    "fifteen",
    "sixteen",
    "seventeen",
    "eighteen",
    "nineteen",
    "twenty",
    "thirty",
    "forty",
    "fifty",
    "sixty",
    "seventy",
    "eighty",
    "ninety",
    "hundred",
    "thousand",
    "million",
    "billion",
    "half",
];

pub(super) fn answer_type(answer: &str) -> &'static str {
    let words = answer.split(python::is_space).map(|word| word.trim_matches(|c: char| !python::is_word(c)));
    let words: Vec<&str> = words.filter(|word| !word.is_empty()).collect();
    let is_number_word = |word: &str| {
        let lower = word.to_lowercase();
        lower.split('-').next().is_some_and(|first| NUMBER_WORDS.contains(&first))
    };
    let has_digit = |word: &str| word.contains(char::is_numeric);
    let is_capitalised = |word: &str| word.starts_with(char::is_uppercase) && !is_number_word(word);
    let in_name = |word: &str| is_capitalised(word) || has_digit(word) || CONNECTING.contains(&word);
    if words.iter().any(|word| is_date_word(word)) {
        "date"
    } else if words.iter().any(|word| is_capitalised(word)) && words.iter().all(|word| in_name(word)) {
        "name"
    } else if words.iter().any(|word| has_digit(word))
        || words.first().is_some_and(|word| is_number_word(word))
    {
        "number"
    } else {
        "other"
    }
}

fn is_date_word(word: &str) -> bool {
    let year = word.strip_suffix('s').unwrap_or(word);
    let is_year = year.len() == 4 && year.parse().is_ok_and(|year| (1000..2100).contains(&year));
    is_year
        || word.parse::<Month>().is_ok()
        || matches!(word.to_lowercase().as_str(), "century" | "centuries")
}

pub(super) fn position(start: i32, context: &str) -> &'static str {
    let thirds = 3 * i64::from(start) / (context.chars().count() as i64).max(1);
    match thirds {
        ..=0 => "first third",
        1 => "middle third",
        2.. => "last third",
    }
}

/// Words that say nothing about what a question is about.
const COMMON: [&str; 52] = [
    "a", "about", "an", "and", "are", "as", "at", "be", "been", "by", "can", "could", "did", "do", "does",
    "for", "from", "had", "has", "have", "how", "in", "into", "is", "it", "its", "many", "much", "of", "on",
    "or", "s", "that", "the", "their", "there", "this", "to", "was", "were", "what", "when", "where",
    "which", "who", "whom", "whose", "why", "will", "with", "would", "you",
];

pub(super) fn shared_words(question: &str, sentences: &str) -> &'static str {
    let mut asked = lower_case_words(question);
    asked.retain(|word| !COMMON.contains(&word.as_str()));
    asked.sort_unstable();
    asked.dedup();
    let said = lower_case_words(sentences);
    match (asked.iter().filter(|word| said.contains(word)).count(), asked.len()) {
        (0, _) => "none",
        (shared, asked) if 3 * shared <= asked => "up to a third",
        (shared, asked) if 3 * shared <= 2 * asked => "up to two thirds",
        _ => "more",
    }
}

pub(super) fn script(context: &str) -> &'static str {
    let mut letters: BTreeMap<&'static str, usize> = BTreeMap::new();
    for letter in context.chars().filter(|character| character.is_alphabetic()) {
        *letters.entry(letter.script().full_name()).or_default() += 1;
    }
    let most = letters.into_iter().max_by_key(|(_, letters)| *letters);
    most.map_or(NO_SCRIPT, |(script, _)| script)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_question_word_counts_in_any_case() {
        for (question, expected) in [
            ("What's this?", "what"),
            ("In WHICH year?", "which"),
            ("To whom did he write?", "who"),
            ("How many?", "how many"),
            ("How  much is it?", "how much"),
            ("How is it?", "how"),
            ("The man did what when?", "what"),
            ("Name the somewhat.", "other"),
            ("", "other"),
        ] {
            assert_eq!(question_word(question), expected, "{question}");
        }
    }

    #[test]
    fn answers_are_dates_names_numbers_or_other_in_this_order() {
        for (answer, expected) in [
            ("March 3", "date"),
            ("in 1990", "date"),
            ("the 1920s", "date"),
            ("19th century", "date"),
            ("march of progress", "other"),
            ("Denver Broncos", "name"),
            ("Super Bowl 50", "name"),
            ("University of Chicago", "name"),
            ("Émile", "name"),
            ("$5,000 a year", "number"),
            ("Five million", "number"),
            ("twenty-two", "number"),
            ("9999", "number"),
            ("a Denver team", "other"),
            ("none", "other"),
            ("東京", "other"),
            ("1984年", "number"),
            ("", "other"),
        ] {
            assert_eq!(answer_type(answer), expected, "{answer}");
        }
    }

    #[test]
    fn scripts_without_spaces_count_characters() {
        assert_eq!(words("東京 Tokyo は"), 4);
    }
}
