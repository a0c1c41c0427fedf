//! The shape of a SQuAD file, v1.1 and v2.0. Other fields are ignored. Not here: whether starts and texts fit the
//! context (the callers check it).

use serde::{Deserialize, Serialize};

/// A whole SQuAD file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Dataset {
    /// `1.1` or `v2.0`; some files in SQuAD's shape have none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    pub data: Vec<Article>,
}

/// An article and its paragraphs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(expecting = "an article: {\"title\": …, \"paragraphs\": […]}")]
pub struct Article {
    /// The article's name; empty if the file gives none.
    #[serde(default)]
    pub title: String,
    pub paragraphs: Vec<Paragraph>,
}

/// A context and the questions about it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(expecting = "a paragraph: {\"context\": …, \"qas\": […]}")]
pub struct Paragraph {
    /// The text that holds the answers.
    pub context: String,
    /// The questions.
    pub qas: Vec<Qa>,
}

/// A question with its answers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(expecting = "a question: {\"id\": …, \"question\": …, \"answers\": […]}")]
pub struct Qa {
    /// Unique within the file.
    pub id: String,
    pub question: String,
    /// One answer in the training split, several in the validation split, none if the context has none. A file that
    /// leaves the key out may have misspelt it.
    pub answers: Vec<Answer>,
    /// v2.0: whether the context has no answer. In v1.1 files the key is missing, which means false.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_impossible: bool,
}

/// An answer: a piece of the context.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(expecting = "an answer: {\"text\": …, \"answer_start\": …}")]
pub struct Answer {
    /// The piece.
    pub text: String,
    /// Where it starts in the context, in characters.
    pub answer_start: i32,
}

impl Dataset {
    /// Every question with the paragraph it is about, in the file's order.
    pub fn questions(&self) -> impl Iterator<Item = (&Paragraph, &Qa)> {
        let paragraphs = self.data.iter().flat_map(|article| &article.paragraphs);
        paragraphs.flat_map(|paragraph| paragraph.qas.iter().map(move |qa| (paragraph, qa)))
    }

    /// Every question's id and answer texts, in the file's order: the input of [`crate::score`].
    #[must_use]
    pub fn ground_truths<'a>(&'a self) -> Vec<(&'a str, Vec<&'a str>)> {
        let ground_truths = |qa: &'a Qa| {
            let texts = qa.answers.iter().map(|answer| answer.text.as_str());
            (qa.id.as_str(), texts.collect())
        };
        self.questions().map(|(_, qa)| ground_truths(qa)).collect()
    }
}
