//! How many questions of a split can be used, and whether the others may be left out.

use std::collections::BTreeMap;

use artifact::Finding;
use question_files::Qa;
use stage::settings::OnInvalid;

use crate::error::{Error, Result};
use crate::verdict::{Verdict, has_edge_space};
use artifact::Listing;

/// The verdicts on the questions so far.
#[derive(Debug, Default)]
pub struct Tally {
    /// How many can be used.
    pub usable: usize,
    /// How many of those can be used only because their answers were moved.
    pub realigned: usize,
    /// How many questions have an answer without a text; it counts as no answer.
    pub empty_answers: usize,
    /// How many usable questions have an answer with white space at an edge, which is kept.
    pub edge_spaces: usize,
    /// How many cannot be used, by the name of the first rule that each breaks.
    pub skipped: BTreeMap<&'static str, usize>,
    broken: Listing,
}

impl Tally {
    /// Adds the verdict on the next question.
    pub fn take_in(&mut self, qa: &Qa, verdict: &Verdict<'_>) {
        match verdict {
            Verdict::Sound => {
                self.usable += 1;
                let has_edge_space = qa.answers().iter().any(|answer| has_edge_space(&answer.text));
                self.edge_spaces += usize::from(has_edge_space);
            }
            Verdict::Realigned(_) => {
                self.usable += 1;
                self.realigned += 1;
            }
            Verdict::Broken(reason) => {
                *self.skipped.entry(reason.finding().name()).or_default() += 1;
                self.broken.push(|| format!("{:?}: {reason}", qa.id));
            }
        }
    }

    /// How many cannot be used.
    #[must_use]
    pub fn skipped_count(&self) -> usize {
        self.skipped.values().sum()
    }

    #[must_use]
    pub fn questions(&self) -> usize {
        self.usable + self.skipped_count()
    }

    /// Refuses questions that cannot be used, unless the settings leave them out; `origin` is for the message.
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
            remedy: self.remedy(),
        })
    }

    fn remedy(&self) -> &'static str {
        let has = |finding: Finding| self.skipped.contains_key(finding.name());
        if self.skipped.get(Finding::Unlabelled.name()) == Some(&self.questions()) {
            "questions for training or validation need `answers`; write an empty list if there is no answer"
        } else if has(Finding::ImpossibleWithAnswers) {
            "correct them, or read them as questions without an answer with `--set ingest.plausible_answers=ignore`, or \
             leave them out with `--set ingest.on_invalid=skip`"
        } else if [Finding::AnswerNotAtOffset, Finding::OffsetOutsideContext, Finding::NoOffset]
            .into_iter()
            .any(has)
        {
            "correct them, or leave them out with `--set ingest.on_invalid=skip`; `--set ingest.on_invalid=realign` moves \
             answers to their places if there is no doubt, and leaves out the rest"
        } else {
            "correct them, or leave them out with `--set ingest.on_invalid=skip`"
        }
    }
}
