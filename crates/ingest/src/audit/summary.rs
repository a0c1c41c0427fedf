//! The figures of a split: lengths, scripts and languages, for the manifest.
//!
//! A context's script is that of most of its letters (Unicode's Script property). Its language is a guess by whatlang
//! from its beginning, for the first contexts and then for a sample. This answers "is this the language that I
//! expect?", but is not reliable for single short texts or closely related languages. A guess that whatlang itself
//! doubts counts as `unsure`.

use std::collections::BTreeMap;

use artifact::Finding;
use question_files::Qa;
use serde_json::{Value, json};
use unicode_script::{Script, UnicodeScript as _};

use super::normal::Normalizer;
use crate::verdict::Verdict;

/// The language of each of this many contexts is guessed; after them, that of one in [`LANGUAGE_SAMPLE`].
const LANGUAGE_FIRST: u64 = 128;
const LANGUAGE_SAMPLE: u64 = 128;
/// Bytes of a context that the guess uses.
const LANGUAGE_BYTES: usize = 400;

/// Scripts written without spaces between words, and Hangul, whose words take suffixes: F1 is counted in characters
/// there.
const UNSPACED: [&str; 8] = ["Han", "Hiragana", "Katakana", "Thai", "Lao", "Khmer", "Myanmar", "Hangul"];

/// The figures so far.
#[derive(Debug, Default)]
pub(super) struct Summary {
    pub normal: Normalizer,
    questions: u64,
    skipped: u64,
    realigned: u64,
    answerable: u64,
    unanswerable: u64,
    context_chars: Lengths,
    question_chars: Lengths,
    answer_chars: Lengths,
    context_scripts: BTreeMap<&'static str, u64>,
    question_scripts: BTreeMap<&'static str, u64>,
    languages: BTreeMap<&'static str, u64>,
}

impl Summary {
    /// Adds a new context.
    pub fn context(&mut self, text: &str, chars: u32) {
        let number = self.context_chars.count;
        self.context_chars.push(chars);
        *self.context_scripts.entry(script(text)).or_default() += 1;
        if number < LANGUAGE_FIRST || number.is_multiple_of(LANGUAGE_SAMPLE) {
            let beginning = &text[..text.floor_char_boundary(LANGUAGE_BYTES)];
            let guess = whatlang::detect(beginning);
            let language =
                guess.filter(whatlang::Info::is_reliable).map_or("unsure", |guess| guess.lang().code());
            *self.languages.entry(language).or_default() += 1;
        }
    }

    /// Adds a question.
    pub fn question(&mut self, qa: &Qa, chars: u32, verdict: &Verdict<'_>) {
        self.questions += 1;
        match verdict {
            Verdict::Sound => {}
            Verdict::Realigned(_) => self.realigned += 1,
            Verdict::Broken(_) => self.skipped += 1,
        }
        if !matches!(verdict, Verdict::Broken(_)) {
            let is_answerable = !qa.answers().is_empty();
            self.answerable += u64::from(is_answerable);
            self.unanswerable += u64::from(!is_answerable);
        }
        self.question_chars.push(chars);
        *self.question_scripts.entry(script(&qa.question)).or_default() += 1;
    }

    /// Adds an answer.
    pub fn answer(&mut self, chars: u32) {
        self.answer_chars.push(chars);
    }

    /// How many different contexts there are.
    pub fn contexts(&self) -> u64 {
        self.context_chars.count
    }

    /// The most frequent script without spaces between words, and its share of the contexts, if that is large.
    pub fn unspaced_script(&self) -> Option<(&'static str, f64)> {
        /// Below this share, the other contexts decide the score.
        const SHARE: f64 = 0.1;
        let unspaced = self.context_scripts.iter().filter(|(script, _)| UNSPACED.contains(script));
        let all: u64 = unspaced.clone().map(|(_, contexts)| contexts).sum();
        let share = all as f64 / self.contexts().max(1) as f64;
        let (script, _) = unspaced.max_by_key(|(_, contexts)| **contexts)?;
        (share >= SHARE).then_some((*script, share))
    }

    /// For the manifest.
    pub fn to_json(&self, findings: &BTreeMap<Finding, u64>) -> Value {
        let findings: serde_json::Map<_, _> =
            findings.iter().map(|(finding, count)| (finding.name().to_owned(), (*count).into())).collect();
        json!({
            "questions": self.questions,
            "skipped": self.skipped,
            "realigned": self.realigned,
            "answerable": self.answerable,
            "unanswerable": self.unanswerable,
            "findings": findings,
            "characters": {
                "context": self.context_chars.to_json(),
                "question": self.question_chars.to_json(),
                "answer": self.answer_chars.to_json(),
            },
            "scripts": { "context": self.context_scripts, "question": self.question_scripts },
            "languages": {
                "contexts": self.languages,
                "of_contexts": self.languages.values().sum::<u64>(),
            },
        })
    }
}

/// The number of texts of each length.
#[derive(Debug, Default)]
struct Lengths {
    count: u64,
    by_length: BTreeMap<u32, u64>,
}

impl Lengths {
    fn push(&mut self, length: u32) {
        self.count += 1;
        *self.by_length.entry(length).or_default() += 1;
    }

    /// The lengths that this share of the texts do not exceed (nearest rank).
    fn percentile(&self, percent: u64) -> u32 {
        let rank = (self.count * percent).div_ceil(100).max(1);
        let mut seen = 0;
        let reaches = |(_, texts): &(&u32, &u64)| {
            seen += **texts;
            seen >= rank
        };
        self.by_length.iter().find(reaches).map_or(0, |(length, _)| *length)
    }

    fn to_json(&self) -> Value {
        let total: u64 = self.by_length.iter().map(|(length, texts)| u64::from(*length) * texts).sum();
        let mean = if self.count == 0 { 0.0 } else { total as f64 / self.count as f64 };
        json!({
            "count": self.count,
            "mean": (mean * 10.0).round() / 10.0,
            "min": self.percentile(0),
            "p50": self.percentile(50),
            "p90": self.percentile(90),
            "p99": self.percentile(99),
            "max": self.percentile(100),
        })
    }
}

/// The script of most of a text's letters, by its Unicode name; `none` without letters.
fn script(text: &str) -> &'static str {
    if text.is_ascii() {
        let has_letters = text.bytes().any(|byte| byte.is_ascii_alphabetic());
        return if has_letters { Script::Latin.full_name() } else { "none" };
    }
    let mut ascii = 0_u32;
    let mut others: Vec<(Script, u32)> = Vec::new();
    for character in text.chars() {
        if character.is_ascii() {
            ascii += u32::from(character.is_ascii_alphabetic());
        } else if character.is_alphabetic() {
            let script = character.script();
            match others.iter_mut().find(|(known, _)| *known == script) {
                Some((_, letters)) => *letters += 1,
                None => others.push((script, 1)),
            }
        }
    }
    match others.iter_mut().find(|(script, _)| *script == Script::Latin) {
        Some((_, letters)) => *letters += ascii,
        None => others.push((Script::Latin, ascii)),
    }
    others.retain(|(script, letters)| *letters > 0 && !matches!(script, Script::Common | Script::Inherited));
    others.iter().max_by_key(|(_, letters)| *letters).map_or("none", |(script, _)| script.full_name())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_script_is_that_of_most_letters() {
        for (text, expected) in [
            ("naïve 東京", "Latin"),
            ("東京 is 日本国の首都", "Han"),
            ("これはペンです", "Hiragana"),
            ("한국어", "Hangul"),
            ("שלום 1948", "Hebrew"),
            ("القاهرة", "Arabic"),
            ("नमस्ते", "Devanagari"),
            ("Москва", "Cyrillic"),
            ("1948 – 🦀?", "none"),
        ] {
            assert_eq!(script(text), expected, "{text}");
        }
    }

    #[test]
    fn percentiles_are_lengths_that_occur() {
        let mut lengths = Lengths::default();
        for length in 1..=200 {
            lengths.push(length);
        }
        let of = |percent| lengths.percentile(percent);
        assert_eq!([of(0), of(50), of(90), of(99), of(100)], [1, 100, 180, 198, 200]);
        assert_eq!(Lengths::default().to_json()["max"], 0);
    }

    #[test]
    fn a_context_s_language_is_guessed() {
        let mut summary = Summary::default();
        for text in [
            "The university was founded in the nineteenth century and has always been open to everyone.",
            "Die Universität wurde im neunzehnten Jahrhundert gegründet und steht seither allen offen.",
            "Университет был основан в девятнадцатом веке и всегда был открыт для всех желающих.",
            "42",
        ] {
            summary.context(text, 0);
        }
        insta::assert_compact_debug_snapshot!(summary.languages);
    }
}
