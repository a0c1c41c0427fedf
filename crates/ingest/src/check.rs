//! The rules that a question must keep to be trained on or evaluated.
//!
//! An answer without its text at its offset would teach a wrong span, and a second question of an id would make the
//! scores ambiguous. Questions are checked one at a time, and only a hash of each id stays in memory. [`crate::tally`]
//! decides what to do with invalid questions, and [`crate::realign`] finds misplaced answers.

use std::borrow::Cow;
use std::collections::HashSet;

use foldhash::fast::FixedState;
use question_files::{Answer, Article, Qa};
use squad::offsets::{CharIndex, CharOffset};
use stage::settings::{Ingest, OnInvalid, PlausibleAnswers};

use crate::audit::SplitAudit;
use crate::error::Result;
use crate::hash::hash128;
use crate::realign::{Located, locate};
use crate::tally::Tally;
use crate::verdict::{Moved, Reason, Verdict, has_edge_space};

/// A question with its paragraph.
#[derive(Debug)]
pub struct Question<'a> {
    /// The title of the article.
    pub title: &'a str,
    /// The paragraph.
    pub context: &'a str,
    /// Id, question and answers; a copy if answers were moved.
    pub qa: Cow<'a, Qa>,
}

/// Takes a usable question, and may stop the reading.
pub type Visit<'a> = &'a mut dyn FnMut(&Question<'_>) -> Result<()>;

/// What the settings do with questions that break the rules.
#[derive(Debug, Clone, Copy)]
pub struct Rules {
    pub on_invalid: OnInvalid,
    pub plausible_answers: PlausibleAnswers,
}

impl From<&Ingest> for Rules {
    fn from(settings: &Ingest) -> Self {
        Self { on_invalid: settings.on_invalid, plausible_answers: settings.plausible_answers }
    }
}

/// Checks the questions of a split against the rules, one after another.
#[derive(Debug)]
pub struct Checker {
    rules: Rules,
    /// Hashes of the ids so far.
    ids: HashSet<u128, FixedState>,
    /// What was found so far.
    pub tally: Tally,
}

impl Checker {
    /// Begins a split.
    #[must_use]
    pub fn new(rules: Rules) -> Self {
        Self { rules, ids: HashSet::default(), tally: Tally::default() }
    }

    /// Checks the questions of an article. It passes each with its verdict to the audit, if there is one, and the
    /// usable questions to `visit`.
    pub fn article(
        &mut self,
        article: &Article,
        mut audit: Option<&mut SplitAudit<'_>>,
        visit: Visit<'_>,
    ) -> Result<()> {
        let Article { title, paragraphs } = article;
        for paragraph in paragraphs {
            let context = CharIndex::new(&paragraph.context);
            let mut audited = audit.as_mut().map(|audit| audit.paragraph(&paragraph.context, &context));
            for qa in &paragraph.qas {
                let qa = &*self.gold(qa);
                let verdict = self.judge(qa, &context);
                if let (Some(audit), Some(audited)) = (audit.as_mut(), audited.as_mut()) {
                    audit.question(audited, qa, &verdict)?;
                }
                self.tally.take_in(qa, &verdict);
                let qa = match verdict {
                    Verdict::Broken(_) => continue,
                    Verdict::Sound => Cow::Borrowed(qa),
                    Verdict::Realigned(moves) => Cow::Owned(realigned(qa, &moves)),
                };
                visit(&Question { title, context: &paragraph.context, qa })?;
            }
        }
        Ok(())
    }

    /// The question with the answers that count: those with a text, or none if the question is marked as impossible and
    /// such answers are ignored.
    fn gold<'a>(&mut self, qa: &'a Qa) -> Cow<'a, Qa> {
        let is_plausible =
            qa.is_impossible == Some(true) && self.rules.plausible_answers == PlausibleAnswers::Ignore;
        if !qa.has_empty_answer() && (!is_plausible || qa.answers().is_empty()) {
            return Cow::Borrowed(qa);
        }
        let mut qa = qa.clone();
        self.tally.empty_answers += usize::from(qa.has_empty_answer());
        if let Some(answers) = &mut qa.answers {
            answers.retain(|answer| !answer.is_empty() && !is_plausible);
        }
        Cow::Owned(qa)
    }

    fn judge<'a>(&mut self, qa: &'a Qa, context: &CharIndex<'a>) -> Verdict<'a> {
        if !self.ids.insert(hash128(&qa.id)) {
            return Verdict::Broken(Reason::DuplicateId);
        }
        if let Some(reason) = broken_rule(qa, context) {
            return Verdict::Broken(reason);
        }
        let mut moves = Vec::new();
        // If another answer has a place, an answer without one is another accepted wording, as in MRQA: it counts in
        // scores.
        let has_place = qa.answers().iter().any(|answer| answer.answer_start.is_some());
        for (answer_index, answer) in qa.answers().iter().enumerate() {
            if has_place && answer.answer_start.is_none() {
                continue;
            }
            let reason = misplaced(answer, context);
            if self.rules.on_invalid != OnInvalid::Realign {
                match reason {
                    Some(reason) => return Verdict::Broken(reason),
                    None => continue,
                }
            }
            let reason = reason.or_else(|| has_edge_space(&answer.text).then_some(Reason::EdgeSpace));
            let Some(reason) = reason else { continue };
            match locate(&answer.text, answer.answer_start, context) {
                Located::At(place, why) => moves.push(Moved { answer_index, reason, place, why }),
                _ => return Verdict::Broken(reason),
            }
        }
        if moves.is_empty() { Verdict::Sound } else { Verdict::Realigned(moves) }
    }
}

/// The question with its answers at their places.
fn realigned(qa: &Qa, moves: &[Moved<'_>]) -> Qa {
    let mut qa = qa.clone();
    for Moved { answer_index, place, .. } in moves {
        if let Some(answer) = qa.answers.as_mut().and_then(|answers| answers.get_mut(*answer_index)) {
            place.text.clone_into(&mut answer.text);
            answer.answer_start = Some(place.start);
        }
    }
    qa
}

/// The first rule that a question with a new id breaks, apart from the offsets of its answers.
fn broken_rule<'a>(qa: &'a Qa, context: &CharIndex<'a>) -> Option<Reason<'a>> {
    if qa.id.is_empty() {
        return Some(Reason::EmptyId);
    }
    if context.slice(CharOffset(0), context.len()).trim().is_empty() {
        return Some(Reason::EmptyContext);
    }
    if qa.question.trim().is_empty() {
        return Some(Reason::EmptyQuestion);
    }
    if qa.answers.is_none() {
        return Some(Reason::Unlabelled);
    }
    (qa.is_impossible == Some(true) && !qa.answers().is_empty()).then_some(Reason::ImpossibleWithAnswers)
}

/// What is wrong with an answer's place.
fn misplaced<'a>(answer: &'a Answer, context: &CharIndex<'a>) -> Option<Reason<'a>> {
    let text = answer.text.as_str();
    let Some(start) = answer.answer_start else { return Some(Reason::NoOffset { text }) };
    let context_chars = context.len().0;
    let Some(offset) = u32::try_from(start).ok().filter(|start| *start < context_chars) else {
        return Some(Reason::OffsetOutside { text, start, context_chars });
    };
    let answer_chars = if text.is_ascii() { text.len() } else { text.chars().count() };
    let end = offset.saturating_add(u32::try_from(answer_chars).unwrap_or(u32::MAX));
    let found = context.slice(CharOffset(offset), CharOffset(end));
    (found != text).then_some(Reason::Misplaced { text, start, found })
}

#[cfg(test)]
mod tests;
