//! Writes the chosen questions of a split to its two tables as they come.
//!
//! Only contexts with questions are written, and identical contexts only once.

use std::collections::hash_map::Entry;
use std::collections::{HashMap, HashSet};
use std::path::Path;

use artifact::{Answer, ContextsWriter, Example, ExamplesWriter};

use crate::check::Question;
use crate::error::Result;
use crate::hash::hash128;

/// What was written for a split.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Different titles.
    pub articles: usize,
    /// Rows of contexts.
    pub contexts: usize,
    /// Rows of examples.
    pub questions: usize,
    /// How many of those have no answer.
    pub unanswerable: usize,
    /// How many of those have more than one.
    pub several_answers: usize,
}

/// Both tables, not yet finished. Only hashes of the written texts stay in memory.
pub struct Tables {
    contexts: ContextsWriter,
    examples: ExamplesWriter,
    context_ids: HashMap<u128, u32>,
    articles: HashSet<u128>,
    /// The latest paragraph; the next question usually has the same.
    latest: Option<Latest>,
    counts: Counts,
}

struct Latest {
    title: String,
    context: String,
    context_id: u32,
}

impl Tables {
    /// Begins both tables; they are at their paths once finished.
    pub fn create(contexts: &Path, examples: &Path, fingerprint: &str) -> Result<Self> {
        Ok(Self {
            contexts: ContextsWriter::create(contexts, fingerprint)?,
            examples: ExamplesWriter::create(examples, fingerprint)?,
            context_ids: HashMap::new(),
            articles: HashSet::new(),
            latest: None,
            counts: Counts::default(),
        })
    }

    /// Adds a question.
    pub fn push(&mut self, question: &Question<'_>) -> Result<()> {
        let Question { title, context, qa } = question;
        let context_id = self.context_id(title, context)?;
        // Training takes the first: one with a place.
        let (placed, unplaced): (Vec<_>, Vec<_>) =
            qa.answers().iter().partition(|answer| answer.answer_start.is_some());
        let answers = placed.into_iter().chain(unplaced);
        self.examples.push(&Example {
            id: &qa.id,
            context_id,
            question: &qa.question,
            answers: answers
                .map(|answer| Answer { text: &answer.text, start: answer.answer_start.unwrap_or(-1) })
                .collect(),
            // The file's own statement is not used: the official v2.0 script goes by the answers.
            is_impossible: qa.answers().is_empty(),
        })?;
        self.counts.questions += 1;
        self.counts.unanswerable += usize::from(qa.answers().is_empty());
        self.counts.several_answers += usize::from(qa.answers().len() > 1);
        Ok(())
    }

    fn context_id(&mut self, title: &str, context: &str) -> Result<u32> {
        if let Some(latest) =
            self.latest.as_ref().filter(|latest| latest.title == title && latest.context == context)
        {
            return Ok(latest.context_id);
        }
        self.articles.insert(hash128(title));
        let context_id = match self.context_ids.entry(hash128(context)) {
            Entry::Occupied(known) => *known.get(),
            Entry::Vacant(new) => *new.insert(self.contexts.push(title, context)?),
        };
        self.latest = Some(Latest { title: title.to_owned(), context: context.to_owned(), context_id });
        Ok(context_id)
    }

    /// Completes both tables.
    pub fn finish(self) -> Result<Counts> {
        self.contexts.finish()?;
        self.examples.finish()?;
        Ok(Counts { articles: self.articles.len(), contexts: self.context_ids.len(), ..self.counts })
    }
}
