//! All questions of a file with their gold answers, in memory, to score predictions against.

use std::collections::{HashMap, HashSet};
use std::path::Path;
use std::sync::Arc;

use crate::{Answer, Article, Error, Paragraph, QuestionFile, Result, articles};

/// A question with the gold answers that have a text; none if the context has no answer.
pub struct LabelledQuestion {
    pub id: String,
    pub question: String,
    /// The title of its article.
    pub title: String,
    pub context: Arc<str>,
    /// Equal for questions about equal contexts, counted from 0.
    pub context_index: u32,
    pub answers: Vec<Answer>,
}

/// The questions of `path`, each id once. A question without a list of answers is refused; an empty list says that there
/// is none.
pub fn labelled_questions(path: &Path, asked_by: &'static str) -> Result<Vec<LabelledQuestion>> {
    let name = path.display().to_string();
    let mut articles = articles(vec![QuestionFile { path: path.to_owned(), name: name.clone(), asked_by }]);
    let (mut questions, mut ids, mut contexts) =
        (Vec::new(), HashSet::new(), HashMap::<Arc<str>, u32>::new());
    for article in &mut articles {
        let Article { title, paragraphs } = article?;
        for Paragraph { context, qas } in paragraphs {
            let (context, next): (Arc<str>, u32) = (context.into(), contexts.len() as u32);
            let context_index = *contexts.entry(Arc::clone(&context)).or_insert(next);
            for qa in qas {
                let Some(answers) = qa.answers else { return Err(Error::Unlabelled { name, id: qa.id }) };
                if !ids.insert(qa.id.clone()) {
                    return Err(Error::DuplicateId { name, id: qa.id });
                }
                questions.push(LabelledQuestion {
                    id: qa.id,
                    question: qa.question,
                    title: title.clone(),
                    context: Arc::clone(&context),
                    context_index,
                    answers: answers.into_iter().filter(|answer| !answer.is_empty()).collect(),
                });
            }
        }
    }
    for file in articles.understood().iter().filter(|file| !file.is_plain()) {
        tracing::info!(%file, "read the data set");
    }
    if questions.is_empty() {
        return Err(Error::NoQuestions { name });
    }
    Ok(questions)
}
