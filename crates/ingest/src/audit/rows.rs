//! Findings as rows of `audit.arrow`, counted.

use std::collections::BTreeMap;

use artifact::{AuditRow, AuditWriter, Finding, Outcome};
use question_files::{Answer, Qa};
use squad::offsets::CharIndex;

use super::boundaries::{Cut, Side, What};
use super::repeats::{Asked, Repeat};
use crate::error::Result;
use crate::realign::{Located, locate};
use crate::verdict::{Moved, Reason};

/// Writes the rows of a split.
pub(super) struct Rows<'a> {
    /// `train`, `validation` or `test`.
    pub split: &'static str,
    pub counts: BTreeMap<Finding, u64>,
    writer: &'a mut AuditWriter,
}

impl<'a> Rows<'a> {
    pub fn new(split: &'static str, writer: &'a mut AuditWriter) -> Self {
        Self { split, counts: BTreeMap::new(), writer }
    }

    /// A question that cannot be used.
    pub fn broken(&mut self, qa: &Qa, reason: &Reason<'_>, context: &CharIndex<'_>) -> Result<()> {
        let field = match reason {
            Reason::EmptyId | Reason::DuplicateId => "id",
            Reason::EmptyContext => "context",
            Reason::EmptyQuestion => "question",
            _ => "answers",
        };
        let mut row = self.row(&qa.id, reason.finding(), Outcome::Skipped, field);
        let misplaced = match reason {
            Reason::OffsetOutside { text, start, .. } | Reason::Misplaced { text, start, .. } => {
                Some((*text, Some(*start)))
            }
            Reason::NoOffset { text } => Some((*text, None)),
            _ => None,
        };
        if let Some((text, start)) = misplaced {
            let is_it = |answer: &Answer| answer.text == text && answer.answer_start == start;
            row.answer_index = qa.answers().iter().position(is_it).map(|index| index as u32);
            row.answer_text = Some(text.to_owned());
            row.answer_start = start;
            match locate(text, start, context) {
                Located::At(place, why) => {
                    row.found_text = Some(place.text.to_owned());
                    row.found_start = Some(place.start);
                    row.detail = Some(format!("realign would move it: {why}"));
                }
                Located::Several(place, places) => {
                    row.found_text = Some(place.text.to_owned());
                    row.found_start = Some(place.start);
                    row.detail = Some(format!("the nearest of {places} places"));
                }
                Located::Nowhere => row.detail = Some("nowhere in its context".to_owned()),
            }
        }
        self.push(row)
    }

    /// A question whose answers were moved.
    pub fn realigned(&mut self, qa: &Qa, moves: &[Moved<'_>]) -> Result<()> {
        for Moved { answer_index, reason, place, why } in moves {
            let mut row = self.row(&qa.id, reason.finding(), Outcome::Realigned, "answers");
            answer_of(&mut row, qa, *answer_index);
            row.found_text = Some(place.text.to_owned());
            row.found_start = Some(place.start);
            row.detail = Some(why.clone());
            self.push(row)?;
        }
        Ok(())
    }

    /// A text that is too long to be likely.
    pub fn oversized(&mut self, id: &str, finding: Finding, field: &str, chars: u32) -> Result<()> {
        let mut row = self.row(id, finding, Outcome::Kept, field);
        row.detail = Some(format!("{chars} characters"));
        self.push(row)
    }

    /// A context or question that is already in `asked`.
    pub fn repeat(
        &mut self,
        qa: &Qa,
        finding: Finding,
        field: &str,
        asked: &Asked,
        repeat: Repeat,
    ) -> Result<()> {
        let mut row = self.row(&qa.id, finding, Outcome::Kept, field);
        row.other_id = Some(asked.id(repeat.number).to_owned());
        row.detail = Some(if repeat.exact { "to the letter" } else { "normalised" }.to_owned());
        self.push(row)
    }

    /// An answer's edge that cuts a word or a token.
    pub fn edge(&mut self, qa: &Qa, answer_index: usize, outcome: Outcome, cut: Cut<'_>) -> Result<()> {
        let finding = match (cut.what, cut.side) {
            (What::Word, Side::Start) => Finding::AnswerStartsInsideWord,
            (What::Word, Side::End) => Finding::AnswerEndsInsideWord,
            (What::Token, Side::Start) => Finding::AnswerStartsInsideToken,
            (What::Token, Side::End) => Finding::AnswerEndsInsideToken,
        };
        let mut row = self.row(&qa.id, finding, outcome, "answers");
        answer_of(&mut row, qa, answer_index);
        row.found_text = Some(cut.text.to_owned());
        row.found_start = Some(cut.start as i32);
        self.push(row)
    }

    /// White space at an answer's edge.
    pub fn edge_space(&mut self, qa: &Qa, answer_index: usize) -> Result<()> {
        let mut row = self.row(&qa.id, Finding::AnswerHasEdgeSpace, Outcome::Kept, "answers");
        answer_of(&mut row, qa, answer_index);
        row.detail = Some("realign would trim it".to_owned());
        self.push(row)
    }

    fn row(&self, id: &str, finding: Finding, outcome: Outcome, field: &str) -> AuditRow {
        AuditRow {
            split: self.split.to_owned(),
            id: id.to_owned(),
            finding,
            outcome,
            field: field.to_owned(),
            answer_index: None,
            answer_text: None,
            answer_start: None,
            found_text: None,
            found_start: None,
            other_id: None,
            detail: None,
        }
    }

    fn push(&mut self, row: AuditRow) -> Result<()> {
        *self.counts.entry(row.finding).or_default() += 1;
        Ok(self.writer.push(row)?)
    }
}

/// Writes an answer of the question into the row.
fn answer_of(row: &mut AuditRow, qa: &Qa, answer_index: usize) {
    let answer = &qa.answers()[answer_index];
    row.answer_index = Some(answer_index as u32);
    row.answer_text = Some(answer.text.clone());
    row.answer_start = answer.answer_start;
}
