//! How many questions of a split can be used, and whether the others may be left out.

use std::collections::BTreeMap;

use stage::settings::OnInvalid;

use crate::check::Verdict;
use crate::error::{Error, Listing, Result};

/// What the rules said of the questions so far.
#[derive(Debug, Default)]
pub struct Tally {
    /// How many can be used.
    pub usable: usize,
    /// How many of those only because their answers were moved.
    pub realigned: usize,
    /// How many cannot be used, by the name of the first rule that each breaks.
    pub skipped: BTreeMap<&'static str, usize>,
    broken: Listing,
}

impl Tally {
    /// Takes in the verdict on the next question.
    pub fn take_in(&mut self, id: &str, verdict: &Verdict<'_>) {
        match verdict {
            Verdict::Sound => self.usable += 1,
            Verdict::Realigned(_) => {
                self.usable += 1;
                self.realigned += 1;
            }
            Verdict::Broken(reason) => {
                *self.skipped.entry(reason.finding().name()).or_default() += 1;
                self.broken.push(|| format!("{id:?}: {reason}"));
            }
        }
    }

    /// How many cannot be used.
    #[must_use]
    pub fn skipped_count(&self) -> usize {
        self.skipped.values().sum()
    }

    /// How many questions there are.
    #[must_use]
    pub fn questions(&self) -> usize {
        self.usable + self.skipped_count()
    }

    /// Refuses questions that cannot be used where they are not to be left out; `origin` is for the message.
    pub fn accept(&self, on_invalid: OnInvalid, origin: &str) -> Result<()> {
        if on_invalid != OnInvalid::Error || self.skipped.is_empty() {
            return Ok(());
        }
        let reasons: Vec<String> =
            self.skipped.iter().map(|(name, count)| format!("{name}: {count}")).collect();
        Err(Error::InvalidQuestions {
            origin: origin.to_owned(),
            count: self.skipped_count(),
            questions: self.questions(),
            reasons: reasons.join(", "),
            listing: self.broken.to_string(),
        })
    }
}
