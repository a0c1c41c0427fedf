//! The chosen questions of a split as its two tables, written as they come.
//!
//! Only contexts that a question is asked about are written, and identical ones once.

use std::collections::hash_map::Entry;
use std::collections::{HashMap, HashSet};
use std::path::Path;

use artifact::{Answer, ContextsWriter, Example, ExamplesWriter};

use crate::check::Question;
use crate::error::Result;
use crate::hash::hash128;

/// What was written of a split.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Counts {
    /// Different titles.
    pub articles: usize,
    /// Rows of contexts.
    pub contexts: usize,
    /// Rows of examples.
    pub questions: usize,
}

/// Both tables in the making. Of what is written, hashes stay.
pub struct Tables {
    contexts: ContextsWriter,
    examples: ExamplesWriter,
    context_ids: HashMap<u128, u32>,
    articles: HashSet<u128>,
    /// The latest paragraph, which the next question most often shares.
    latest: Option<Latest>,
    questions: usize,
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
            questions: 0,
        })
    }

    /// Adds a question.
    pub fn push(&mut self, question: &Question<'_>) -> Result<()> {
        let Question { title, context, qa } = question;
        let context_id = self.context_id(title, context)?;
        let answers = qa.answers.iter();
        self.examples.push(&Example {
            id: &qa.id,
            context_id,
            question: &qa.question,
            answers: answers
                .map(|answer| Answer { text: &answer.text, start: answer.answer_start })
                .collect(),
            is_impossible: qa.is_impossible,
        })?;
        self.questions += 1;
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
        let (articles, contexts) = (self.articles.len(), self.context_ids.len());
        Ok(Counts { articles, contexts, questions: self.questions })
    }
}
