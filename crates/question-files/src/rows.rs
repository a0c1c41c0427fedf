//! The column form of `datasets`: one question a row, with its context. Neighbouring rows about the same context
//! become one paragraph.

use crate::question::{Answer, Article, Paragraph, Qa};

use crate::Visit;
use crate::error::{Error, Result};

/// Questions on one context after which it is handed on all the same.
const MAX_QUESTIONS: usize = 4096;

/// One row.
#[derive(Debug, serde::Deserialize)]
#[serde(expecting = "a row: {\"id\": …, \"context\": …, \"question\": …, \"answers\": …}")]
pub(super) struct Row {
    pub(super) id: String,
    #[serde(default)]
    pub(super) title: Option<String>,
    pub(super) context: String,
    pub(super) question: String,
    pub(super) answers: Answers,
    #[serde(default)]
    pub(super) is_impossible: Option<bool>,
}

/// The answers of a row, as two lists of the same length.
#[derive(Debug, serde::Deserialize)]
#[serde(expecting = "answers: {\"text\": […], \"answer_start\": […]}")]
pub(super) struct Answers {
    pub(super) text: Vec<String>,
    pub(super) answer_start: Vec<i32>,
}

/// Gathers rows.
pub(super) struct Rows<'a, 'b> {
    name: &'a str,
    visit: Visit<'b>,
    pending: Option<(String, Paragraph)>,
}

impl<'a, 'b> Rows<'a, 'b> {
    pub(super) fn new(name: &'a str, visit: Visit<'b>) -> Self {
        Self { name, visit, pending: None }
    }

    /// Takes the next row; `number` counts from 1.
    pub(super) fn push(&mut self, row: Row, number: usize) -> Result<()> {
        let Row { id, title, context, question, answers: Answers { text, answer_start }, is_impossible } =
            row;
        if text.len() != answer_start.len() {
            let (texts, starts) = (text.len(), answer_start.len());
            return Err(Error::Row {
                name: self.name.to_owned(),
                row: number,
                message: format!(
                    "question {id:?} has {texts} answers.text and {starts} answers.answer_start"
                ),
            });
        }
        let answers: Vec<Answer> = text
            .into_iter()
            .zip(answer_start)
            .map(|(text, answer_start)| Answer { text, answer_start: Some(answer_start) })
            .collect();
        let qa = Qa { id, question, answers: Some(answers), is_impossible };
        let title = title.unwrap_or_default();
        match &mut self.pending {
            Some((same_title, paragraph))
                if *same_title == title
                    && paragraph.context == context
                    && paragraph.qas.len() < MAX_QUESTIONS =>
            {
                paragraph.qas.push(qa);
            }
            _ => {
                self.flush()?;
                self.pending = Some((title, Paragraph { context, qas: vec![qa] }));
            }
        }
        Ok(())
    }

    /// Hands the last ones on.
    pub(super) fn flush(&mut self) -> Result<()> {
        match self.pending.take() {
            Some((title, paragraph)) => (self.visit)(Article { title, paragraphs: vec![paragraph] }),
            None => Ok(()),
        }
    }
}
