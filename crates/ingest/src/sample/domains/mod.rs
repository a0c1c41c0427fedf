//! What accounts are about: for each domain the sentences that state its facts and the questions about them.
//!
//! Three values of a kind stand in one sentence, so a question is answered by telling relations apart. In the
//! validation split sentences use one expression for a relation (`opened the first workshop`) and questions
//! another (`founder`). In training, sentences use both in turn and one wording of each question is in the
//! sentence's own words. Without such easy cases a small model only learns to guess among the three.

mod background;
mod company;
mod expedition;
mod school;
mod ship;

use super::Split;
use super::vocabulary::Kind;

pub(super) use background::BACKGROUND;

/// Every domain.
pub(super) const DOMAINS: &[Domain] = &[company::COMPANY, expedition::EXPEDITION, ship::SHIP, school::SCHOOL];

/// A sort of subject, and what can be told of it. All texts are templates.
pub(super) struct Domain {
    /// The subject's own name, from its `{root}`.
    pub(super) name: &'static str,
    pub(super) introduction: Passage,
    /// Each states its share of the relations, all of them together every relation once.
    pub(super) passages: &'static [Passage],
    /// Those with a year in chronological order.
    pub(super) relations: &'static [Relation],
}

/// Wordings of one sentence.
pub(super) struct Passage {
    pub(super) train: &'static [&'static str],
    pub(super) validation: &'static [&'static str],
}

impl Passage {
    pub(super) fn sentences(&self, split: Split) -> &'static [&'static str] {
        match split {
            Split::Train => self.train,
            Split::Validation => self.validation,
        }
    }
}

/// What a fact says of the subject, and wordings of the question about it.
pub(super) struct Relation {
    pub(super) slot: &'static str,
    pub(super) kind: Kind,
    pub(super) train: &'static [&'static str],
    pub(super) validation: &'static [&'static str],
}

impl Relation {
    pub(super) fn wordings(&self, split: Split) -> &'static [&'static str] {
        match split {
            Split::Train => self.train,
            Split::Validation => self.validation,
        }
    }
}

const fn ask(
    slot: &'static str,
    kind: Kind,
    train: &'static [&'static str],
    validation: &'static [&'static str],
) -> Relation {
    Relation { slot, kind, train, validation }
}
