//! Inventing values: names, dates, numbers and phrases, from the split's own words.

use super::Split;
use super::random::Random;
use super::words::{
    CRAFTS, GIVEN_NAMES, MANNERS, MONTHS, PLACE_ENDINGS, ROOTS, SUBJECT_ENDINGS, SURNAME_ENDINGS, Words,
};

/// The kind of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    Person,
    Place,
    Year,
    /// Day, month and year.
    Date,
    /// From, to.
    Number(u32, u32),
    /// What a school teaches.
    Lesson,
}

/// An invented value of `kind`; `year` is for the kinds that have one.
pub(super) fn value(kind: Kind, year: u32, split: Split, random: &mut Random) -> String {
    let mut two = |first: &Words, second: &Words, between: &str| {
        let first = first.pick(split, random);
        format!("{first}{between}{}", second.pick(split, random))
    };
    match kind {
        Kind::Person => {
            let given_name = two(&GIVEN_NAMES, &ROOTS, " ");
            format!("{given_name}{}", random.pick(SURNAME_ENDINGS))
        }
        Kind::Place => format!("{}{}", ROOTS.pick(split, random), random.pick(PLACE_ENDINGS)),
        Kind::Year => year.to_string(),
        Kind::Date => format!("{} {} {year}", random.between(1, 28), random.pick(MONTHS)),
        Kind::Number(low, high) => random.between(low, high).to_string(),
        Kind::Lesson => two(&MANNERS, &CRAFTS, " "),
    }
}

/// The invented root of a subject's own name.
pub(super) fn root(split: Split, random: &mut Random) -> String {
    format!("{}{}", ROOTS.pick(split, random), random.pick(SUBJECT_ENDINGS))
}
