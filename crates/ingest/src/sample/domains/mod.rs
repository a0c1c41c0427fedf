//! What accounts are about: for each domain its topics, and for each topic four facts of one kind.
//!
//! To answer a question, a model must distinguish the four relations of a topic. Each relation has four words. In the
//! validation split the text takes one of the first two and the question one of the others; in training both use any
//! word, often the same one. Without such easy cases, a small model only learns to guess among the four.

mod background;
mod company;
mod expedition;
mod school;
mod ship;

use super::Split;
use super::random::Random;
use super::vocabulary::Kind;

pub(super) use background::BACKGROUND;

/// Every domain.
pub(super) const DOMAINS: &[Domain] = &[company::COMPANY, expedition::EXPEDITION, ship::SHIP, school::SCHOOL];

/// One in this many training questions uses the text's word on purpose. (Others may do so by chance.)
const SAME_WORD_ONCE_IN: usize = 2;

/// A kind of subject, and what can be said about it. All texts are templates.
pub(super) struct Domain {
    /// The subject's own name, from its `{root}`.
    pub(super) name: &'static str,
    /// First sentences; besides the `{name}` they may have a `{person}`, `{place}`, `{year}` or `{number}`
    /// that nothing is asked about.
    pub(super) introduction: Wordings,
    pub(super) topics: &'static [Topic],
}

/// Four relations whose values are of one kind; years pass in their order.
pub(super) struct Topic {
    pub(super) kind: Kind,
    /// Questions, with a relation's `{word}` and, there or in it, the subject's `{name}`.
    pub(super) asked: Wordings,
    pub(super) relations: [Relation; 4],
}

/// What a fact says about the subject.
pub(super) struct Relation {
    /// Sentences with the `{value}` and a `{word}`.
    pub(super) told: Wordings,
    /// Each word in the form for a sentence, and in the form for a question.
    pub(super) words: [(&'static str, &'static str); 4],
}

impl Relation {
    /// The index of the word that a text of `split` uses.
    pub(super) fn told_word(&self, split: Split, random: &mut Random) -> usize {
        random.below(match split {
            Split::Train => self.words.len(),
            Split::Validation => self.words.len() / 2,
        })
    }

    /// The index of the word that a question of `split` uses about a text with the word `told`.
    pub(super) fn asked_word(&self, told: usize, split: Split, random: &mut Random) -> usize {
        let all = self.words.len();
        match split {
            Split::Train if random.below(SAME_WORD_ONCE_IN) == 0 => told,
            Split::Train => random.below(all),
            Split::Validation => all / 2 + random.below(all / 2),
        }
    }
}

/// The wordings of each split.
pub(super) struct Wordings {
    pub(super) train: &'static [&'static str],
    pub(super) validation: &'static [&'static str],
}

impl Wordings {
    pub(super) fn of(&self, split: Split) -> &'static [&'static str] {
        match split {
            Split::Train => self.train,
            Split::Validation => self.validation,
        }
    }
}

const WHO: Wordings = wordings(
    &[
        "Who {word} {name}?",
        "Which person {word} {name}?",
        "What is the name of the person who {word} {name}?",
    ],
    &["Who was it that {word} {name}?", "Can you name the person who {word} {name}?"],
);
const WHEN: Wordings = wordings(
    &["When {word}?", "In what year {word}?", "Around what year {word}?"],
    &["In which year {word}?", "During which year {word}?"],
);
const WHICH_DAY: Wordings = wordings(
    &["When {word}?", "On what date {word}?", "On what day {word}?"],
    &["On which day {word}?", "On which date {word}?"],
);
const WHERE: Wordings = wordings(
    &["Where {word}?", "In which place {word}?", "In what town {word}?"],
    &["At which place {word}?", "In which town {word}?"],
);
const WHAT: Wordings = wordings(
    &["What {word}?", "Which subject {word}?", "Which lessons {word}?"],
    &["What subject {word}?", "Which kind of lessons {word}?"],
);
const HOW_MANY: Wordings = wordings(
    &[
        "How many people {word} on the {name}?",
        "How many members of the {name} {word}?",
        "How many {word} with the {name}?",
    ],
    &["What number of people {word} on the {name}?", "In the {name}, how many {word}?"],
);

const fn topic(kind: Kind, asked: Wordings, relations: [Relation; 4]) -> Topic {
    Topic { kind, asked, relations }
}

const fn relation(words: [(&'static str, &'static str); 4], told: Wordings) -> Relation {
    Relation { told, words }
}

const fn wordings(train: &'static [&'static str], validation: &'static [&'static str]) -> Wordings {
    Wordings { train, validation }
}
