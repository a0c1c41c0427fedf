//! Examines the data, one question at a time.
//!
//! Findings go to `audit.arrow` as they come. Of each text, only its hashes, its question's id and its length are kept.
//! The audit changes nothing: [`crate::check`] decides which questions are used.

mod boundaries;
mod normal;
mod repeats;
mod rows;
mod summary;

use std::path::Path;

use artifact::{AuditWriter, Finding, Outcome, file_name};
use question_files::Qa;
use serde_json::{Map, Value};
use squad::offsets::CharIndex;

use self::boundaries::Boundaries;
use self::normal::Hashes;
use self::repeats::{Asked, Repeat};
use self::rows::Rows;
use self::summary::Summary;

pub use self::normal::Normalizer;
use crate::error::Result;
use crate::verdict::{Verdict, has_edge_space};

/// A context with more characters is a finding: about 2,000 tokens, nine windows of 384 / 128.
const OVERSIZED_CONTEXT: u32 = 10_000;
/// A question with more characters is a finding: about 60 tokens, a sixth of a window.
const OVERSIZED_QUESTION: u32 = 300;
/// An answer with more characters is a finding: more than the 30 tokens that `evaluate` considers.
const OVERSIZED_ANSWER: u32 = 200;

/// Warn if a split shares more than one context in this many with an earlier split.
const LEAK_PERCENT: u64 = 100;

/// The audit of all splits, training first, test last.
pub struct Audit {
    writer: AuditWriter,
    boundaries: Boundaries,
    /// What the earlier splits asked, to check this split for leaks: training, then validation.
    earlier: Vec<Asked>,
    summaries: Map<String, Value>,
}

impl Audit {
    /// Begins `audit.arrow` in `output`; `tokenizer_json` is the base model's.
    pub fn create(output: &Path, fingerprint: &str, tokenizer_json: &[u8]) -> Result<Self> {
        Ok(Self {
            writer: AuditWriter::create(&output.join(file_name::AUDIT), fingerprint)?,
            boundaries: Boundaries::new(tokenizer_json, output)?,
            earlier: Vec::new(),
            summaries: Map::new(),
        })
    }

    /// Begins a split. Later splits are checked for leaks from the first one.
    pub fn split(&mut self, name: &'static str) -> SplitAudit<'_> {
        let rows = Rows::new(name, &mut self.writer);
        SplitAudit {
            rows,
            boundaries: &self.boundaries,
            earlier: &mut self.earlier,
            asked: Asked::default(),
            summary: Summary::default(),
            summaries: &mut self.summaries,
        }
    }

    /// Completes the table; returns the summary of each split.
    pub fn finish(self) -> Result<Value> {
        self.writer.finish()?;
        Ok(Value::Object(self.summaries))
    }
}

/// The audit of the present split.
pub struct SplitAudit<'a> {
    rows: Rows<'a>,
    boundaries: &'a Boundaries,
    earlier: &'a mut Vec<Asked>,
    asked: Asked,
    summary: Summary,
    summaries: &'a mut Map<String, Value>,
}

/// The paragraph of the next questions.
pub struct Paragraph<'a> {
    text: &'a str,
    context: &'a CharIndex<'a>,
    hashes: Hashes,
    /// Whether a question about it has been seen: before that, there is no id to report it by.
    opened: bool,
}

impl SplitAudit<'_> {
    /// Begins a paragraph. A repeated paragraph, as in data with a context in every record, counts once.
    #[must_use]
    pub fn paragraph<'a>(&mut self, text: &'a str, context: &'a CharIndex<'a>) -> Paragraph<'a> {
        Paragraph { text, context, hashes: self.summary.normal.hashes(text), opened: false }
    }

    /// Adds a question about the paragraph, with the verdict of the rules.
    pub fn question(&mut self, paragraph: &mut Paragraph<'_>, qa: &Qa, verdict: &Verdict<'_>) -> Result<()> {
        let number = self.asked.number(&qa.id);
        if !std::mem::replace(&mut paragraph.opened, true) {
            self.open(paragraph, qa, number)?;
        }
        let question_chars = qa.question.chars().count() as u32;
        self.summary.question(qa, question_chars, verdict);
        if question_chars > OVERSIZED_QUESTION {
            self.rows.oversized(&qa.id, Finding::OversizedQuestion, "question", question_chars)?;
        }
        match verdict {
            Verdict::Broken(reason) => return self.rows.broken(qa, reason, paragraph.context),
            Verdict::Realigned(moves) => self.rows.realigned(qa, moves)?,
            Verdict::Sound => {}
        }
        self.repeated(paragraph, qa, number)?;
        self.answers(paragraph, qa, verdict)
    }

    /// Ends the split, and logs warnings for the user.
    pub fn finish(self) {
        let Self { rows, earlier, asked, summary, summaries, .. } = self;
        let split = rows.split;
        let of = |finding| rows.counts.get(&finding).copied().unwrap_or(0);
        let (contexts, in_train) = (summary.contexts(), of(Finding::ContextInTrain));
        if in_train * LEAK_PERCENT > contexts {
            tracing::warn!(
                split,
                contexts,
                in_train,
                questions_in_train = of(Finding::QuestionInTrain),
                "contexts are also in the training data: the scores will be too high"
            );
        }
        let in_validation = of(Finding::ContextInValidation);
        if in_validation * LEAK_PERCENT > contexts {
            tracing::warn!(
                split,
                contexts,
                in_validation,
                "contexts are also in the validation data, which chooses the weights: the scores may be too high"
            );
        }
        if let Some((script, share)) = summary.unspaced_script() {
            tracing::warn!(
                split,
                script,
                contexts = %format!("{:.0} %", 100.0 * share),
                "has no spaces between words, but F1 counts words; `--set evaluate.f1_units=characters` counts characters"
            );
        }
        summaries.insert(split.to_owned(), summary.to_json(&rows.counts));
        earlier.push(asked);
    }

    /// The findings about a paragraph itself.
    fn open(&mut self, paragraph: &Paragraph<'_>, qa: &Qa, number: u32) -> Result<()> {
        if self.asked.contexts.note(paragraph.hashes, number).is_some() {
            return Ok(());
        }
        let chars = paragraph.context.len().0;
        self.summary.context(paragraph.text, chars);
        if chars > OVERSIZED_CONTEXT {
            self.rows.oversized(&qa.id, Finding::OversizedContext, "context", chars)?;
        }
        for (split, finding) in
            self.earlier.iter().zip([Finding::ContextInTrain, Finding::ContextInValidation])
        {
            if let Some(repeat) = split.contexts.find(paragraph.hashes) {
                self.rows.repeat(qa, finding, "context", split, repeat)?;
            }
        }
        Ok(())
    }

    /// Questions that were asked before.
    fn repeated(&mut self, paragraph: &Paragraph<'_>, qa: &Qa, number: u32) -> Result<()> {
        let question = self.summary.normal.hashes(&qa.question);
        let pair = question.of(paragraph.hashes);
        let earlier: Option<Repeat> = self.asked.pairs.note(pair, number);
        if let Some(repeat) = earlier {
            self.rows.repeat(qa, Finding::DuplicateQuestion, "question", &self.asked, repeat)?;
        }
        let Some(train) = self.earlier.first() else {
            self.asked.questions.note(question, number);
            return Ok(());
        };
        if let Some(repeat) = train.pairs.find(pair) {
            self.rows.repeat(qa, Finding::QuestionInTrain, "question", train, repeat)
        } else if let Some(repeat) = train.questions.find(question) {
            self.rows.repeat(qa, Finding::QuestionTextInTrain, "question", train, repeat)
        } else {
            Ok(())
        }
    }

    /// Lengths and edges of the answers, at their places after any move; equal answers count once.
    fn answers(&mut self, paragraph: &Paragraph<'_>, qa: &Qa, verdict: &Verdict<'_>) -> Result<()> {
        let moves = if let Verdict::Realigned(moves) = verdict { &moves[..] } else { &[] };
        for (answer_index, answer) in qa.answers().iter().enumerate() {
            let its_move = moves.iter().find(|moved| moved.answer_index == answer_index);
            let (text, start) = its_move.map_or((&*answer.text, answer.answer_start.unwrap_or(0)), |moved| {
                (moved.place.text, moved.place.start)
            });
            let chars = text.chars().count() as u32;
            self.summary.answer(chars);
            if answer.answer_start.is_none() && its_move.is_none() {
                continue;
            }
            if qa.answers()[..answer_index].contains(answer) {
                continue;
            }
            let outcome = if its_move.is_some() { Outcome::Realigned } else { Outcome::Kept };
            if has_edge_space(text) {
                self.rows.edge_space(qa, answer_index)?;
            }
            if chars > OVERSIZED_ANSWER {
                self.rows.oversized(&qa.id, Finding::OversizedAnswer, "answers", chars)?;
            }
            let edges = self.boundaries.cut(paragraph.text, paragraph.context, start as u32, chars)?;
            for edge in edges {
                self.rows.edge(qa, answer_index, outcome, edge)?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
pub(crate) mod tests;
