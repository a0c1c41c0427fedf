//! An account: one paragraph about one invented subject, and where its facts stand.

use super::Split;
use super::domains::{Domain, Passage, Relation};
use super::random::Random;
use super::template::{choose, fill};
use super::vocabulary::{root, value};

/// A paragraph and its facts, one for each of its domain's relations.
pub(super) struct Account {
    pub(super) name: String,
    pub(super) text: String,
    pub(super) facts: Vec<Fact>,
    domain: &'static Domain,
}

/// The value of a relation, and the character of the text at which it starts.
pub(super) struct Fact {
    pub(super) relation: &'static Relation,
    pub(super) text: String,
    pub(super) start: usize,
}

impl Account {
    /// Writes an account: an introduction, then the domain's passages in any order.
    pub(super) fn write(domain: &'static Domain, split: Split, random: &mut Random) -> Self {
        let name = choose(domain.name, random).replace("{root}", &root(split, random));
        let facts = invent_facts(domain, split, random);
        let mut account = Self { name, text: String::new(), facts, domain };
        let mut passages: Vec<_> = domain.passages.iter().collect();
        random.shuffle(&mut passages);
        account.push(&domain.introduction, split, random);
        for passage in passages {
            account.push(passage, split, random);
        }
        account
    }

    /// A question about the fact `index`.
    pub(super) fn question(&self, index: usize, split: Split, random: &mut Random) -> String {
        let mut question = String::new();
        let wording = random.pick(self.facts[index].relation.wordings(split));
        fill(&choose(wording, random), |slot| self.value(slot), &mut question, |_, _| {});
        question
    }

    fn push(&mut self, passage: &Passage, split: Split, random: &mut Random) {
        let sentence = choose(random.pick(passage.sentences(split)), random);
        let mut text = std::mem::take(&mut self.text);
        if !text.is_empty() {
            text.push(' ');
        }
        let mut starts = Vec::new();
        fill(&sentence, |slot| self.value(slot), &mut text, |slot, start| starts.push((slot, start)));
        for (slot, start) in starts {
            if let Some(fact) = self.facts.iter_mut().find(|fact| fact.relation.slot == slot) {
                fact.start = start;
            }
        }
        self.text = text;
    }

    fn value(&self, slot: &str) -> String {
        match self.facts.iter().find(|fact| fact.relation.slot == slot) {
            Some(fact) => fact.text.clone(),
            None if slot == "name" => self.name.clone(),
            None => unreachable!("{} has no slot {slot}: a test fills every template", self.domain.name),
        }
    }
}

/// A value for every relation, no two alike; years pass in the order of the relations.
fn invent_facts(domain: &'static Domain, split: Split, random: &mut Random) -> Vec<Fact> {
    let mut facts: Vec<Fact> = Vec::new();
    let mut year = random.between(1780, 1900);
    for relation in domain.relations {
        year += random.between(1, 9);
        let mut text = value(relation.kind, year, split, random);
        while facts.iter().any(|fact| resemble(&fact.text, &text)) {
            text = value(relation.kind, year, split, random);
        }
        facts.push(Fact { relation, text, start: 0 });
    }
    facts
}

/// Whether two values begin or end with the same word, or end with names of the same root: one must not be
/// half an answer for the other.
fn resemble(one: &str, other: &str) -> bool {
    let first = |text: &str| text.split(' ').next().filter(|&word| word != "the").map(str::to_owned);
    let last = |text: &str| text.rsplit(' ').next().unwrap_or_default().to_owned();
    let root = |text: &str| {
        last(text).get(..3).filter(|root| !root.starts_with(|c: char| c.is_ascii_digit())).map(str::to_owned)
    };
    let alike = |one: Option<String>, other| one.is_some() && one == other;
    alike(first(one), first(other)) || last(one) == last(other) || alike(root(one), root(other))
}
