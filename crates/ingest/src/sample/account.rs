//! An account: one paragraph about one invented subject, and the places of its facts.

use super::Split;
use super::domains::{Domain, Relation, Topic};
use super::random::Random;
use super::template::choose;
use super::vocabulary::{Kind, root, value};

/// Facts have this year or a later one; years in an introduction are earlier.
const EARLIEST_YEAR: u32 = 1780;

/// A paragraph that introduces a subject and states the four facts of one of its topics.
pub(super) struct Account {
    pub(super) name: String,
    pub(super) text: String,
    /// In the order of the text.
    pub(super) facts: Vec<Fact>,
    topic: &'static Topic,
}

/// The value of a relation, and the character of the text at which it starts.
pub(super) struct Fact {
    pub(super) text: String,
    pub(super) start: usize,
    relation: &'static Relation,
    /// The relation's word that the text uses.
    word: usize,
}

impl Account {
    /// Writes an account of `domain`, on any of its topics.
    pub(super) fn write(domain: &'static Domain, split: Split, random: &mut Random) -> Self {
        let name = choose(domain.name, random).replace("{root}", &root(split, random));
        let topic = &domain.topics[random.below(domain.topics.len())];
        let mut taken = Vec::new();
        let introduction = choose(random.pick(domain.introduction.of(split)), random);
        let asides = [
            ("{person}", Kind::Person),
            ("{place}", Kind::Place),
            ("{year}", Kind::Year),
            ("{number}", Kind::Number(12, 900)),
        ];
        let text = asides.into_iter().fold(introduction.replace("{name}", &name), |text, (slot, kind)| {
            let earlier = random.between(EARLIEST_YEAR - 90, EARLIEST_YEAR - 1);
            text.replace(slot, &unlike(&mut taken, || value(kind, earlier, split, random)))
        });
        let mut account = Self { name, text, facts: Vec::new(), topic };
        let mut year = random.between(EARLIEST_YEAR, 1900);
        for relation in &topic.relations {
            year += random.between(1, 9);
            let text = unlike(&mut taken, || value(topic.kind, year, split, random));
            let word = relation.told_word(split, random);
            account.facts.push(Fact { text, start: 0, relation, word });
        }
        random.shuffle(&mut account.facts);
        for fact in &mut account.facts {
            account.text.push(' ');
            fact.tell(split, &mut account.text, random);
        }
        account
    }

    /// A question about `fact`.
    pub(super) fn question(&self, fact: &Fact, split: Split, random: &mut Random) -> String {
        let (_, word) = fact.relation.words[fact.relation.asked_word(fact.word, split, random)];
        let wording = random.pick(self.topic.asked.of(split)).replace("{word}", word);
        wording.replace("{name}", &self.name)
    }
}

impl Fact {
    /// Appends the sentence that states the fact.
    fn tell(&mut self, split: Split, text: &mut String, random: &mut Random) {
        let (word, _) = self.relation.words[self.word];
        let wording = choose(random.pick(self.relation.told.of(split)), random).replace("{word}", word);
        let (before, after) = wording.split_once("{value}").expect("a test looks at every template");
        text.push_str(before);
        self.start = text.chars().count();
        text.push_str(&self.text);
        text.push_str(after);
    }
}

/// The first text of `draw` that resembles none of those in `taken`; it is added to them.
fn unlike(taken: &mut Vec<String>, mut draw: impl FnMut() -> String) -> String {
    loop {
        let text = draw();
        if !taken.iter().any(|other| resemble(other, &text)) {
            taken.push(text.clone());
            return text;
        }
    }
}

/// Whether two values begin or end with the same word, or end with names of the same root: one must not be
/// half an answer for the other.
fn resemble(one: &str, other: &str) -> bool {
    let first = |text: &str| text.split(' ').next().map(str::to_owned);
    let last = |text: &str| text.rsplit(' ').next().unwrap_or_default().to_owned();
    let root = |text: &str| {
        last(text).get(..3).filter(|root| !root.starts_with(|c: char| c.is_ascii_digit())).map(str::to_owned)
    };
    let alike = |one: Option<String>, other| one.is_some() && one == other;
    alike(first(one), first(other)) || last(one) == last(other) || alike(root(one), root(other))
}
