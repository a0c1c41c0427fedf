//! The rules that a question must keep to be trained on or evaluated.
//!
//! An answer without its text at its offset would teach a wrong span, and a second question of an id would
//! make the scores ambiguous. Pure: what to do with the offenders is decided by [`Checked::accept`].

use std::collections::{BTreeMap, HashSet};
use std::fmt;

use squad::json::{Dataset, Qa};
use squad::offsets::{CharIndex, CharOffset};
use stage::settings::OnInvalid;

use crate::error::{Error, Result};

/// A question with the paragraph it is asked about.
#[derive(Debug, Clone, Copy)]
pub struct Question<'a> {
    /// Of the article.
    pub title: &'a str,
    /// The paragraph.
    pub context: &'a str,
    /// Id, question and answers.
    pub qa: &'a Qa,
}

/// A question that breaks a rule.
#[derive(Debug)]
pub struct Invalid<'a> {
    /// Its id.
    pub id: &'a str,
    /// The first rule it breaks.
    pub reason: Reason<'a>,
}

/// The questions of a dataset, in its order, sorted by whether they can be used.
#[derive(Debug, Default)]
pub struct Checked<'a> {
    /// Those that can.
    pub questions: Vec<Question<'a>>,
    /// Those that cannot.
    pub invalid: Vec<Invalid<'a>>,
}

/// How many questions were left out, by reason.
pub type Skipped = BTreeMap<&'static str, usize>;

/// Holds every question against the rules.
#[must_use]
pub fn check(dataset: &Dataset) -> Checked<'_> {
    let mut checked = Checked::default();
    let mut ids = HashSet::new();
    for article in &dataset.data {
        for paragraph in &article.paragraphs {
            let context = CharIndex::new(&paragraph.context);
            let context_is_empty = paragraph.context.trim().is_empty();
            for qa in &paragraph.qas {
                let repeated = !ids.insert(qa.id.as_str());
                let broken = if repeated {
                    Some(Reason::DuplicateId)
                } else {
                    broken_rule(qa, &context, context_is_empty)
                };
                match broken {
                    Some(reason) => checked.invalid.push(Invalid { id: &qa.id, reason }),
                    None => {
                        checked.questions.push(Question {
                            title: &article.title,
                            context: &paragraph.context,
                            qa,
                        });
                    }
                }
            }
        }
    }
    checked
}

impl<'a> Checked<'a> {
    /// The usable questions, if `on_invalid` lets the others pass; `origin` is for messages.
    pub fn accept(self, on_invalid: OnInvalid, origin: &str) -> Result<(Vec<Question<'a>>, Skipped)> {
        if on_invalid == OnInvalid::Error && !self.invalid.is_empty() {
            let questions = self.questions.len() + self.invalid.len();
            return Err(Error::invalid_questions(origin.to_owned(), questions, &self.invalid));
        }
        let mut skipped = Skipped::new();
        for invalid in &self.invalid {
            *skipped.entry(invalid.reason.name()).or_default() += 1;
        }
        Ok((self.questions, skipped))
    }
}

/// The first rule that a question of a new id breaks.
fn broken_rule<'a>(qa: &'a Qa, context: &CharIndex<'a>, context_is_empty: bool) -> Option<Reason<'a>> {
    if qa.id.is_empty() {
        return Some(Reason::EmptyId);
    }
    if context_is_empty {
        return Some(Reason::EmptyContext);
    }
    if qa.question.trim().is_empty() {
        return Some(Reason::EmptyQuestion);
    }
    if qa.is_impossible && !qa.answers.is_empty() {
        return Some(Reason::ImpossibleWithAnswers);
    }
    qa.answers.iter().find_map(|answer| misplaced(&answer.text, answer.answer_start, context))
}

/// What is wrong with an answer's place.
fn misplaced<'a>(text: &'a str, start: i32, context: &CharIndex<'a>) -> Option<Reason<'a>> {
    if text.trim().is_empty() {
        return Some(Reason::EmptyAnswer);
    }
    let context_chars = context.len().0;
    let Some(offset) = u32::try_from(start).ok().filter(|start| *start < context_chars) else {
        return Some(Reason::OffsetOutside { text, start, context_chars });
    };
    let answer_chars = if text.is_ascii() { text.len() } else { text.chars().count() };
    let end = offset.saturating_add(u32::try_from(answer_chars).unwrap_or(u32::MAX));
    let found = context.slice(CharOffset(offset), CharOffset(end));
    (found != text).then_some(Reason::Misplaced { text, start, found })
}

/// A rule, broken.
#[derive(Debug, PartialEq, Eq)]
pub enum Reason<'a> {
    /// The id is the empty string.
    EmptyId,
    /// An earlier question has the id.
    DuplicateId,
    /// Nothing but white space is asked about.
    EmptyContext,
    /// Nothing but white space is asked.
    EmptyQuestion,
    /// An answer without text.
    EmptyAnswer,
    /// An offset before the start or past the end of the context.
    OffsetOutside {
        /// The answer.
        text: &'a str,
        /// Its `answer_start`.
        start: i32,
        /// Characters in the context.
        context_chars: u32,
    },
    /// The context reads otherwise at the answer's offset.
    Misplaced {
        /// The answer.
        text: &'a str,
        /// Its `answer_start`.
        start: i32,
        /// What stands there, as long as the answer.
        found: &'a str,
    },
    /// `is_impossible`, and yet there are answers.
    ImpossibleWithAnswers,
}

impl Reason<'_> {
    /// The reason's name in metrics.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::EmptyId => "empty_id",
            Self::DuplicateId => "duplicate_id",
            Self::EmptyContext => "empty_context",
            Self::EmptyQuestion => "empty_question",
            Self::EmptyAnswer => "empty_answer",
            Self::OffsetOutside { .. } => "offset_outside_context",
            Self::Misplaced { .. } => "answer_not_at_offset",
            Self::ImpossibleWithAnswers => "impossible_with_answers",
        }
    }
}

impl fmt::Display for Reason<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::EmptyId => formatter.write_str("the id is empty"),
            Self::DuplicateId => formatter.write_str("an earlier question has this id"),
            Self::EmptyContext => formatter.write_str("the context is empty"),
            Self::EmptyQuestion => formatter.write_str("the question is empty"),
            Self::EmptyAnswer => formatter.write_str("an answer is empty"),
            Self::OffsetOutside { text, start, context_chars } => write!(
                formatter,
                "answer {text:?} starts at character {start}, outside its context of {context_chars} characters"
            ),
            Self::Misplaced { text, start, found } => {
                write!(
                    formatter,
                    "answer {text:?} is not at character {start} of its context, which reads {found:?}"
                )
            }
            Self::ImpossibleWithAnswers => formatter.write_str("it is_impossible and has answers"),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use squad::json::{Answer, Article, Paragraph};

    use super::*;
    use crate::error::tests::message;

    fn qa(id: &str, question: &str, answers: &[(&str, i32)]) -> Qa {
        let answers =
            answers.iter().map(|(text, start)| Answer { text: (*text).to_owned(), answer_start: *start });
        Qa {
            id: id.to_owned(),
            question: question.to_owned(),
            answers: answers.collect(),
            is_impossible: false,
        }
    }

    fn dataset(paragraphs: Vec<(&str, Vec<Qa>)>) -> Dataset {
        let paragraphs = paragraphs
            .into_iter()
            .map(|(context, qas)| Paragraph { context: context.to_owned(), qas })
            .collect();
        Dataset { version: None, data: vec![Article { title: "T".to_owned(), paragraphs }] }
    }

    /// One question of each kind that is refused, and two that are not.
    fn broken() -> Dataset {
        let impossible = Qa { is_impossible: true, ..qa("impossible", "who?", &[("cat", 4)]) };
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
        let (questions, skipped) = check(&dataset).accept(OnInvalid::Skip, "data.json").unwrap();
        assert_eq!(
            questions.iter().map(|question| question.qa.id.as_str()).collect::<Vec<_>>(),
            ["good", "unanswered"]
        );
        insta::assert_compact_debug_snapshot!(skipped, @r#"{"answer_not_at_offset": 2, "duplicate_id": 1, "empty_answer": 1, "empty_context": 1, "empty_id": 1, "empty_question": 1, "impossible_with_answers": 1, "offset_outside_context": 3}"#);
    }

    #[test]
    fn every_rule_names_what_it_found() {
        let dataset = broken();
        let error = check(&dataset).accept(OnInvalid::Error, "data.json").unwrap_err();
        insta::assert_snapshot!(message(&error, Path::new("/nowhere")), @r#"
          data.json: 11 of 13 questions cannot be used (answer_not_at_offset: 2, duplicate_id: 1, empty_answer: 1, empty_context: 1, empty_id: 1, empty_question: 1, impossible_with_answers: 1, offset_outside_context: 3)
            "good": an earlier question has this id
            "": the id is empty
            "no question": the question is empty
            "no text": an answer is empty
            "bytes": answer "here" starts at character 25, outside its context of 20 characters
            "before": answer "cät" starts at character -1, outside its context of 20 characters
            "after": answer "here" starts at character 2147483647, outside its context of 20 characters
            "shifted": answer "cät" is not at character 5 of its context, which reads "ät "
            "over the end": answer "here and there" is not at character 16 of its context, which reads "here"
            "impossible": it is_impossible and has answers
            … and 1 more
          help: correct them, or leave them out with `--set ingest.on_invalid=skip`
        "#);
        let reasons: Vec<String> =
            check(&dataset).invalid.iter().map(|invalid| invalid.reason.to_string()).collect();
        insta::assert_snapshot!(reasons.join("\n"), @r#"
          an earlier question has this id
          the id is empty
          the question is empty
          an answer is empty
          answer "here" starts at character 25, outside its context of 20 characters
          answer "cät" starts at character -1, outside its context of 20 characters
          answer "here" starts at character 2147483647, outside its context of 20 characters
          answer "cät" is not at character 5 of its context, which reads "ät "
          answer "here and there" is not at character 16 of its context, which reads "here"
          it is_impossible and has answers
          the context is empty
        "#);
    }
}
