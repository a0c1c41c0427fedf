//! The chosen questions of a split as its two tables.
//!
//! Only contexts that a question is asked about are written, and identical ones once.

use std::collections::hash_map::Entry;
use std::collections::{HashMap, HashSet};
use std::path::Path;

use artifact::{Answer, ContextsWriter, Example, ExamplesWriter};

use crate::check::Question;
use crate::error::Result;

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

/// Writes both tables in the order of `questions`.
pub fn write_split(
    questions: &[Question<'_>],
    contexts: &Path,
    examples: &Path,
    fingerprint: &str,
) -> Result<Counts> {
    let mut contexts = ContextsWriter::create(contexts, fingerprint)?;
    let mut examples = ExamplesWriter::create(examples, fingerprint)?;
    let mut context_ids = HashMap::new();
    let mut articles = HashSet::new();
    for Question { title, context, qa } in questions {
        articles.insert(*title);
        let context_id = match context_ids.entry(*context) {
            Entry::Occupied(known) => *known.get(),
            Entry::Vacant(new) => *new.insert(contexts.push(title, context)?),
        };
        let answers = qa.answers.iter();
        examples.push(&Example {
            id: &qa.id,
            context_id,
            question: &qa.question,
            answers: answers
                .map(|answer| Answer { text: &answer.text, start: answer.answer_start })
                .collect(),
            is_impossible: qa.is_impossible,
        })?;
    }
    contexts.finish()?;
    examples.finish()?;
    Ok(Counts { articles: articles.len(), contexts: context_ids.len(), questions: questions.len() })
}
