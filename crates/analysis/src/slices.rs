//! The built-in slices of a dataset: what kind of question each one is.
//!
//! A question has one value in each slicing of [`SLICINGS`]; the questions with the same value are a slice, written
//! `question_word=why`. White space separates words; in scripts without spaces, every character is a word. Number
//! words, months, connecting and common words are English.
//!
//! Not here: slices by the audit's findings ([`AUDIT`]) and by lists of ids ([`OWN`]). They are [`Slice`]s too, and a question
//! may be in any number of them.

mod measures;

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use artifact::Finding;
use squad::LabelledAnswer;
use unicode_script::Script;

use crate::Error;
use crate::passage::Passage;
use measures::{answer_type, bucket, position, question_word, script, shared_words, words};

/// What the built-in slices look at.
#[derive(Clone, Copy, Debug)]
pub struct SlicedQuestion<'a> {
    pub question: &'a str,
    /// The text that holds the answer.
    pub context: &'a str,
    /// The gold answers; the first one decides.
    pub ground_truths: &'a [LabelledAnswer<'a>],
    /// How many windows the context needs.
    pub windows: usize,
    /// The article's title; empty if there is none.
    pub article: &'a str,
}

/// A slicing and one of its values, `question_word=why` as text.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Slice {
    /// The slicing: `question_word`.
    pub slicing: String,
    /// The value: `why`.
    pub value: String,
}

impl fmt::Display for Slice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}={}", self.slicing, self.value)
    }
}

impl FromStr for Slice {
    type Err = Error;

    /// Cuts at the first `=`; a value may hold more of them.
    fn from_str(text: &str) -> Result<Self, Error> {
        match text.split_once('=') {
            Some((slicing, value)) if !slicing.is_empty() && !value.is_empty() => {
                Ok(Self { slicing: slicing.to_owned(), value: value.to_owned() })
            }
            _ => Err(Error::NotASlice { found: text.to_owned() }),
        }
    }
}

impl Slice {
    /// Refuses a slice that no question of any data can be in. `own` are the names of the user's own slices. Only the
    /// data can tell whether an article exists, and whether a slice has questions.
    ///
    /// # Errors
    /// [`Error::UnknownSlicing`] or [`Error::UnknownValue`], which list what there is.
    pub fn check<'a>(&self, own: impl Iterator<Item = &'a str>) -> Result<(), Error> {
        let own: Vec<&str> = own.collect();
        let values = match self.slicing.as_str() {
            AUDIT => Finding::ALL.iter().map(|finding| finding.name()).collect(),
            OWN => own,
            SCRIPT if self.value == NO_SCRIPT || Script::from_full_name(&self.value).is_some() => {
                return Ok(());
            }
            ARTICLE => return Ok(()),
            name => {
                let Some(slicing) = SLICINGS.iter().find(|slicing| slicing.name == name) else {
                    let known = SLICINGS.iter().map(|slicing| slicing.name).chain([AUDIT, OWN]);
                    return Err(Error::UnknownSlicing {
                        slice: self.to_string(),
                        slicing: self.slicing.clone(),
                        known: known.collect::<Vec<_>>().join(", "),
                    });
                };
                slicing.values.to_vec()
            }
        };
        if values.contains(&self.value.as_str()) {
            return Ok(());
        }
        let remedy = match self.slicing.as_str() {
            OWN if values.is_empty() => {
                "name a file of question ids in the settings: [report] slices = { hard = \"hard.txt\" }"
                    .to_owned()
            }
            OWN => format!("`report.slices` names {}", values.join(", ")),
            SCRIPT => "write the full name of a script in Unicode, such as Latin or Han, or none".to_owned(),
            _ => format!("its values are {}", values.join(", ")),
        };
        let (slicing, value) = (self.slicing.clone(), self.value.clone());
        Err(Error::UnknownValue { slice: self.to_string(), slicing, value, remedy })
    }
}

/// A way to slice the questions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Slicing {
    /// Its stable name.
    pub name: &'static str,
    /// What people read.
    pub label: &'static str,
    /// Its values in the order of a table; empty if they come from the data.
    pub values: &'static [&'static str],
}

/// The slicing by what the audit found: `audit=answer_ends_inside_word`.
pub const AUDIT: &str = "audit";

/// The slicing by lists of ids: `own=medical`.
pub const OWN: &str = "own";

/// Slicings with values that come from the data.
const ARTICLE: &str = "article";
const SCRIPT: &str = "script";

/// The script of a context without letters.
const NO_SCRIPT: &str = "none";

/// The value of questions without a gold answer.
const NO_ANSWER: &str = "no answer";

/// The built-in slicings, in the order in which [`slices`] gives their values.
pub const SLICINGS: [Slicing; 9] = [
    Slicing {
        name: "question_word",
        label: "question word",
        values: &["what", "which", "who", "when", "where", "why", "how", "how many", "how much", "other"],
    },
    Slicing {
        name: "answer_type",
        label: "answer type",
        values: &["date", "name", "number", "other", NO_ANSWER],
    },
    Slicing {
        name: "answer_length",
        label: "answer length, words",
        values: &["1", "2", "3-5", "6-10", "11+", NO_ANSWER],
    },
    Slicing {
        name: "context_length",
        label: "context length, words",
        values: &["1-100", "101-150", "151-250", "251-500", "501+"],
    },
    Slicing { name: "windows", label: "windows", values: &["1", "2", "3+"] },
    Slicing {
        name: "answer_position",
        label: "answer's position in its context",
        values: &["first third", "middle third", "last third", NO_ANSWER],
    },
    Slicing {
        name: "shared_words",
        label: "question's words in the answer's sentence",
        values: &["none", "up to a third", "up to two thirds", "more", NO_ANSWER],
    },
    Slicing { name: ARTICLE, label: "article", values: &[] },
    Slicing { name: SCRIPT, label: "script", values: &[] },
];

/// The questions of every slice, by index, in the order of a table: first the built-in slicings and their values, then
/// those of the audit and the user's own. Values that come from the data are sorted by name.
#[must_use]
pub fn members<'a>(of_questions: impl Iterator<Item = &'a [Slice]>) -> Vec<(Slice, Vec<usize>)> {
    let mut members: BTreeMap<&Slice, Vec<usize>> = BTreeMap::new();
    for (index, slices) in of_questions.enumerate() {
        for slice in slices {
            members.entry(slice).or_default().push(index);
        }
    }
    let place = |slice: &Slice| {
        let others = [AUDIT, OWN].iter().position(|name| *name == slice.slicing);
        match SLICINGS.iter().position(|slicing| slicing.name == slice.slicing) {
            Some(at) => (at, SLICINGS[at].values.iter().position(|value| *value == slice.value)),
            None => (SLICINGS.len() + others.unwrap_or(0), None),
        }
    };
    let mut members: Vec<(Slice, Vec<usize>)> =
        members.into_iter().map(|(slice, members)| (slice.clone(), members)).collect();
    members.sort_by_key(|(slice, _)| place(slice));
    members
}

/// The slices that a question falls in: one for each of [`SLICINGS`], except `article` if it has no title.
///
/// - `question_word`: the first question word; *whom* and *whose* count as *who*, *how many* and *how much* are values of
///   their own.
/// - `answer_type`, the first that fits: *date*, with a month, a year (four digits from 1000 to 2099, or a decade such as
///   1990s) or *century*; *name*, capitalised words, possibly with numbers and connecting words between them; *number*,
///   with a digit anywhere or a number word first.
/// - `answer_position`: where the answer starts, in thirds of the context's characters.
/// - `shared_words`: how many of the question's words, except common words and question words, are in the sentences that
///   the answer touches.
/// - `script`: the script of most letters of the context, by its full name in Unicode; *none* without letters.
#[must_use]
pub fn slices(question: &SlicedQuestion<'_>) -> Vec<Slice> {
    let answer = question.ground_truths.first();
    let passage = Passage::new(question.context);
    let range = answer.and_then(|answer| passage.range_of(*answer));
    let of_answer = |value: Option<&'static str>| value.unwrap_or(NO_ANSWER);
    let values = [
        question_word(question.question),
        of_answer(answer.map(|answer| answer_type(answer.text))),
        of_answer(answer.map(|answer| {
            bucket(words(answer.text), &[(1, "1"), (2, "2"), (5, "3-5"), (10, "6-10")], "11+")
        })),
        bucket(
            words(question.context),
            &[(100, "1-100"), (150, "101-150"), (250, "151-250"), (500, "251-500")],
            "501+",
        ),
        bucket(question.windows, &[(1, "1"), (2, "2")], "3+"),
        of_answer(answer.map(|answer| position(answer.start, question.context))),
        of_answer(
            range.map(|range| shared_words(question.question, passage.text_of(passage.sentences_of(&range)))),
        ),
        question.article,
        script(question.context),
    ];
    let slices = SLICINGS.iter().zip(values);
    slices
        .filter(|(_, value)| !value.is_empty())
        .map(|(slicing, value)| Slice { slicing: slicing.name.to_owned(), value: value.to_owned() })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use miette::Diagnostic as _;
    use proptest::prelude::*;

    #[test]
    fn every_slicing_has_its_value() {
        let context = "The fox saw a river. It drank from the river near Rome in 1990. Then it slept.";
        let start = context.find("near").unwrap() as i32;
        let question = SlicedQuestion {
            question: "Where did the fox drink from the river?",
            context,
            ground_truths: &[LabelledAnswer { start, text: "near Rome" }],
            windows: 1,
            article: "Foxes=nice",
        };
        let found: Vec<_> = slices(&question).iter().map(ToString::to_string).collect();
        let expected = [
            "question_word=where",
            "answer_type=other",
            "answer_length=2",
            "context_length=1-100",
            "windows=1",
            "answer_position=middle third",
            // Of "fox", "drink" and "river", the sentence has only the last.
            "shared_words=up to a third",
            "article=Foxes=nice",
            "script=Latin",
        ];
        assert_eq!(found, expected);
    }

    #[test]
    fn a_question_without_answers_or_title_has_no_article_and_no_answer() {
        let question = SlicedQuestion {
            question: "誰?",
            context: "これは東京",
            ground_truths: &[],
            windows: 3,
            article: "",
        };
        let found: Vec<_> = slices(&question).iter().map(ToString::to_string).collect();
        let expected = [
            "question_word=other",
            "answer_type=no answer",
            "answer_length=no answer",
            "context_length=1-100",
            "windows=3+",
            "answer_position=no answer",
            "shared_words=no answer",
            "script=Hiragana",
        ];
        assert_eq!(found, expected);
    }

    #[test]
    fn text_without_a_slicing_or_a_value_is_no_slice() {
        for text in ["", "=why", "question_word=", "question_word"] {
            assert!(text.parse::<Slice>().is_err(), "{text}");
        }
        let error = "question_word".parse::<Slice>().unwrap_err();
        insta::assert_snapshot!(error, @r#"expected a slice such as `question_word=why`, found "question_word""#);
    }

    #[test]
    fn a_slice_that_cannot_have_questions_is_refused_with_what_there_is() {
        let check = |text: &str| text.parse::<Slice>().unwrap().check(["hard", "easy"].into_iter());
        for known in [
            "question_word=how many",
            "answer_type=no answer",
            "windows=3+",
            "article=any title",
            "script=Hiragana",
            "script=none",
            "audit=answer_ends_inside_word",
            "own=hard",
        ] {
            assert!(check(known).is_ok(), "{known}");
        }
        let refused = |text: &str| {
            let error = check(text).unwrap_err();
            format!("{error}; {}", error.help().unwrap())
        };
        insta::assert_snapshot!(
            ["questionword=why", "windows=4", "script=latin", "own=medical"].map(refused).join("\n"),
            @r#"
        questionword=why is not a slice: there is no slicing named "questionword"; the slicings are question_word, answer_type, answer_length, context_length, windows, answer_position, shared_words, article, script, audit, own
        windows=4 is not a slice: windows never has the value "4"; its values are 1, 2, 3+
        script=latin is not a slice: script never has the value "latin"; write the full name of a script in Unicode, such as Latin or Han, or none
        own=medical is not a slice: own never has the value "medical"; `report.slices` names hard, easy
        "#
        );
        assert!(refused("audit=no").contains("its values are answer_not_at_offset, "));
        let nobody = "own=hard".parse::<Slice>().unwrap().check(std::iter::empty()).unwrap_err();
        assert!(nobody.help().unwrap().to_string().contains("slices = { hard"), "{nobody}");
    }

    proptest! {
        #[test]
        fn values_are_those_that_the_slicing_lists_and_read_back(
            question in "\\PC{0,30}",
            context in "\\PC{0,60}",
            start in -2_i32..70,
            length in 0_usize..9,
            windows in 0_usize..5,
        ) {
            let text: String = context.chars().skip(start.max(0) as usize).take(length).collect();
            let truths = [LabelledAnswer { start, text: &text }];
            let found = slices(&SlicedQuestion {
                question: &question,
                context: &context,
                ground_truths: &truths,
                windows,
                article: "an article",
            });
            prop_assert_eq!(found.len(), SLICINGS.len());
            for (slice, slicing) in found.iter().zip(SLICINGS) {
                prop_assert_eq!(&slice.slicing, slicing.name);
                let is_listed = slicing.values.contains(&slice.value.as_str());
                prop_assert!(is_listed || slicing.values.is_empty(), "{}", slice);
                prop_assert_eq!(&slice.to_string().parse::<Slice>().unwrap(), slice);
                prop_assert!(slice.check(std::iter::empty()).is_ok(), "{}", slice);
            }
        }
    }
}
