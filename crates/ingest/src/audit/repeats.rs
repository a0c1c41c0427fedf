//! What was asked before: hashes of contexts, questions and their pairs, with the questions' ids.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use foldhash::fast::FixedState;

use super::normal::Hashes;

/// The questions of a split so far.
#[derive(Debug, Default)]
pub(super) struct Asked {
    /// Every id, one after another, and where each ends.
    ids: String,
    ends: Vec<usize>,
    pub contexts: Seen,
    /// Question texts.
    pub questions: Seen,
    /// Question texts with their contexts.
    pub pairs: Seen,
}

impl Asked {
    /// The number of the next question.
    pub fn number(&mut self, id: &str) -> u32 {
        let number = self.ends.len() as u32;
        self.ids.push_str(id);
        self.ends.push(self.ids.len());
        number
    }

    /// The id of a question by its number.
    pub fn id(&self, number: u32) -> &str {
        let number = number as usize;
        let start = if number == 0 { 0 } else { self.ends[number - 1] };
        &self.ids[start..self.ends[number]]
    }
}

/// Texts seen so far, with the first question of each normal form.
#[derive(Debug, Default)]
pub(super) struct Seen(HashMap<u64, First, FixedState>);

#[derive(Debug, Clone, Copy)]
struct First {
    number: u32,
    /// The lower half of the exact hash.
    exact: u32,
}

/// A text that was seen before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Repeat {
    /// The question that had it first.
    pub number: u32,
    /// Whether the text was identical.
    pub exact: bool,
}

impl Seen {
    /// Whether a text was seen before.
    pub fn find(&self, hashes: Hashes) -> Option<Repeat> {
        self.0.get(&hashes.normal).map(|first| first.repeat(hashes))
    }

    /// The same, and remembers the text if it is new.
    pub fn note(&mut self, hashes: Hashes, number: u32) -> Option<Repeat> {
        match self.0.entry(hashes.normal) {
            Entry::Occupied(first) => Some(first.get().repeat(hashes)),
            Entry::Vacant(new) => {
                new.insert(First { number, exact: hashes.exact as u32 });
                None
            }
        }
    }
}

impl First {
    fn repeat(self, hashes: Hashes) -> Repeat {
        Repeat { number: self.number, exact: self.exact == hashes.exact as u32 }
    }
}
