//! Which of the usable questions are kept.
//!
//! The random subset is the same on every machine and in every later version: `squad::SplitMix64` draws for a
//! Fisher–Yates shuffle that stops after the questions that are kept.

use std::collections::HashSet;
use std::path::PathBuf;

use squad::SplitMix64;

use crate::check::Question;
use crate::error::{Error, Result, listing};

/// A way to choose questions; the ones chosen stay in the order of the dataset.
#[derive(Debug)]
pub enum Selection {
    /// Every one.
    All,
    /// The first so many.
    First(usize),
    /// So many, drawn without replacement.
    Random {
        /// How many.
        count: usize,
        /// Of the draw.
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

impl Selection {
    /// The chosen ones among `questions`; `origin` and `split` are for messages.
    pub fn choose<'a>(
        &self,
        questions: Vec<Question<'a>>,
        origin: &str,
        split: &'static str,
    ) -> Result<Vec<Question<'a>>> {
        match self {
            Self::All => Ok(questions),
            Self::First(count) => Ok(questions.into_iter().take(*count).collect()),
            Self::Random { count, seed } => Ok(random_subset(questions.len(), *count, *seed)
                .into_iter()
                .map(|index| questions[index])
                .collect()),
            Self::Ids { path, ids } => {
                let known: HashSet<&str> = questions.iter().map(|question| question.qa.id.as_str()).collect();
                let unknown: Vec<&String> = ids.iter().filter(|id| !known.contains(id.as_str())).collect();
                if !unknown.is_empty() {
                    return Err(Error::UnknownIds {
                        path: path.clone(),
                        origin: origin.to_owned(),
                        split,
                        count: unknown.len(),
                        ids: ids.len(),
                        listing: listing(unknown.into_iter().map(|id| format!("{id:?}"))),
                    });
                }
                let wanted: HashSet<&str> = ids.iter().map(String::as_str).collect();
                Ok(questions
                    .into_iter()
                    .filter(|question| wanted.contains(question.qa.id.as_str()))
                    .collect())
            }
        }
    }
}

/// `count` of the numbers below `len`, ascending; all of them where there are not more.
fn random_subset(len: usize, count: usize, seed: u64) -> Vec<usize> {
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
}
