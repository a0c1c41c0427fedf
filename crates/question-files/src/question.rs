//! Questions as all formats give them: the same meaning for every kind of file.
//!
//! It keeps what a file says. Not here: whether a question can be used (the callers decide).

use serde::Serialize;
use squad::json;

/// An article and its paragraphs.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Article {
    /// Empty if the file gives none.
    pub title: String,
    pub paragraphs: Vec<Paragraph>,
}

/// A context and the questions about it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Paragraph {
    pub context: String,
    pub qas: Vec<Qa>,
}

/// A question with its answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Qa {
    pub id: String,
    pub question: String,
    /// Gold answers. An empty list means that the context has no answer; `None` means that the file does not say, so
    /// the question is unlabelled.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub answers: Option<Vec<Answer>>,
    /// What the file says, if it says anything. `answers` decides, as in the official v2.0 script.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub is_impossible: Option<bool>,
}

/// An answer: a piece of the context.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Answer {
    pub text: String,
    /// Where it starts in the context, in characters; `None` if the file does not say.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub answer_start: Option<i32>,
}

impl Qa {
    /// The gold answers; also empty for an unlabelled question.
    #[must_use]
    pub fn answers(&self) -> &[Answer] {
        self.answers.as_deref().unwrap_or_default()
    }

    /// Its approximate size in memory.
    pub(crate) fn text_bytes(&self) -> usize {
        let answers = self.answers().iter().map(|answer| size_of::<Answer>() + answer.text.len());
        self.id.len() + self.question.len() + answers.sum::<usize>()
    }

    /// Whether an answer has no text: one way in which files say that there is none.
    #[must_use]
    pub fn has_empty_answer(&self) -> bool {
        self.answers().iter().any(Answer::is_empty)
    }
}

impl Answer {
    /// Whether its text is only white space.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.text.trim().is_empty()
    }
}

impl From<json::Article> for Article {
    fn from(json::Article { title, paragraphs }: json::Article) -> Self {
        let paragraphs = paragraphs.into_iter().map(|json::Paragraph { context, qas }| Paragraph {
            context,
            qas: qas.into_iter().map(Qa::from).collect(),
        });
        Self { title, paragraphs: paragraphs.collect() }
    }
}

impl From<json::Qa> for Qa {
    fn from(json::Qa { id, question, answers, is_impossible }: json::Qa) -> Self {
        let answers = answers
            .into_iter()
            .map(|json::Answer { text, answer_start }| Answer { text, answer_start: Some(answer_start) });
        Self { id, question, answers: Some(answers.collect()), is_impossible: Some(is_impossible) }
    }
}
