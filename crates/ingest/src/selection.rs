//! Chooses which of the usable questions are kept.
//!
//! The random subset is the same on every machine and in every later version: `squad::SplitMix64` draws for a
//! Fisher–Yates shuffle that stops after the questions that are kept. It needs the number of questions, which is known
//! only after a pass over the data; every other choice is made question by question.

use std::collections::HashMap;
use std::iter::Peekable;
use std::path::PathBuf;
use std::vec::IntoIter;

use squad::SplitMix64;

use crate::error::{Error, Result};
use artifact::Listing;

/// A way to choose questions; the ones chosen stay in the order of the dataset.
#[derive(Debug)]
pub enum Selection {
    /// Every one.
    All,
    First(usize),
    /// This many, drawn without replacement.
    Random {
        count: usize,
        /// The seed of the draw.
        seed: u64,
    },
    /// Exactly these.
    Ids {
        /// The list.
        path: PathBuf,
        /// What it holds.
        ids: Vec<String>,
    },
}

/// A choice in progress: called for every usable question, in order.
#[derive(Debug)]
pub enum Choice {
    /// So many more.
    Next(usize),
    /// The questions with these numbers, ascending.
    Drawn {
        /// The number of the next question.
        number: usize,
        /// The numbers that are still to come.
        wanted: Peekable<IntoIter<usize>>,
    },
    /// The questions with these ids.
    Ids {
        /// The list.
        path: PathBuf,
        /// What it holds.
        ids: Vec<String>,
        /// Its ids, and whether there is such a question.
        found: HashMap<String, bool>,
    },
}

impl Selection {
    /// Begins the choice; `None` if it needs the number of usable questions and `usable` does not give it.
    #[must_use]
    pub fn begin(&self, usable: Option<usize>) -> Option<Choice> {
        Some(match self {
            Self::All => Choice::Next(usize::MAX),
            Self::First(count) => Choice::Next(*count),
            Self::Random { count, seed } => {
                let wanted = random_subset(usable?, *count, *seed).into_iter().peekable();
                Choice::Drawn { number: 0, wanted }
            }
            Self::Ids { path, ids } => {
                let found = ids.iter().map(|id| (id.clone(), false)).collect();
                Choice::Ids { path: path.clone(), ids: ids.clone(), found }
            }
        })
    }
}

impl Choice {
    /// Whether the next usable question, with this id, is kept.
    pub fn keeps(&mut self, id: &str) -> bool {
        match self {
            Self::Next(more) => {
                let keeps = *more > 0;
                *more = more.saturating_sub(1);
                keeps
            }
            Self::Drawn { number, wanted } => {
                *number += 1;
                wanted.next_if_eq(&(*number - 1)).is_some()
            }
            Self::Ids { found, .. } => found.get_mut(id).map(|found| *found = true).is_some(),
        }
    }

    /// Refuses ids that no question had; `origin` and `split` are for the message.
    pub fn finish(self, origin: &str, split: &'static str) -> Result<()> {
        let Self::Ids { path, ids, found } = self else { return Ok(()) };
        let unknown: Vec<&String> = ids.iter().filter(|id| !found[*id]).collect();
        if unknown.is_empty() {
            return Ok(());
        }
        Err(Error::UnknownIds {
            path,
            origin: origin.to_owned(),
            split,
            count: unknown.len(),
            ids: ids.len(),
            listing: unknown.into_iter().map(|id| format!("{id:?}")).collect::<Listing>().to_string(),
        })
    }
}

/// `count` of the numbers below `len`, ascending; all of them if `len` is not larger.
pub fn random_subset(len: usize, count: usize, seed: u64) -> Vec<usize> {
    let count = count.min(len);
    let mut indices: Vec<usize> = (0..len).collect();
    let mut random = SplitMix64::new(seed);
    for place in 0..count {
        let drawn = place + random.below((len - place) as u64) as usize;
        indices.swap(place, drawn);
    }
    indices.truncate(count);
    indices.sort_unstable();
    indices
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn random_subset_never_changes() {
        assert_eq!(random_subset(100, 8, 0), random_subset(100, 8, 0));
        assert_ne!(random_subset(100, 8, 0), random_subset(100, 8, 1));
        insta::assert_compact_debug_snapshot!(random_subset(100, 8, 0), @"[4, 14, 22, 36, 43, 78, 88, 97]");
    }

    #[test]
    fn random_subset_holds_each_index_once_and_in_order() {
        for (len, count) in [(0, 5), (5, 0), (5, 5), (5, 9), (1000, 300)] {
            let subset = random_subset(len, count, 7);
            assert_eq!(subset.len(), count.min(len));
            assert!(subset.windows(2).all(|pair| pair[0] < pair[1]));
            assert!(subset.iter().all(|index| *index < len));
        }
    }

    #[test]
    fn a_choice_keeps_what_the_selection_says() {
        let kept = |selection: &Selection| -> Vec<usize> {
            let mut choice = selection.begin(Some(100)).unwrap();
            (0..100).filter(|number| choice.keeps(&number.to_string())).collect()
        };
        assert_eq!(kept(&Selection::All).len(), 100);
        assert_eq!(kept(&Selection::First(3)), [0, 1, 2]);
        let random = Selection::Random { count: 8, seed: 0 };
        assert_eq!(kept(&random), random_subset(100, 8, 0));
        assert!(random.begin(None).is_none(), "how many there are must be known");
        let ids = ["7", "3", "7"].map(str::to_owned).to_vec();
        assert_eq!(kept(&Selection::Ids { path: PathBuf::new(), ids }), [3, 7]);
    }
}
