//! The questions of a prediction, read as a stream: once to check them, before hours of work, and once to answer them.

use std::collections::HashSet;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::vec;

use answerer::{Answerer, Question};
use question_files::{Answer, Articles, Paragraph, Qa, QuestionFile};
use serde::{Deserialize, Serialize};
use squad::{Rules, TokenizedContext};
use stage::{Interrupt, Progress};

use super::part::PART_QUESTIONS;
use crate::Error;

/// What the files hold together.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Census {
    pub(crate) questions: u64,
    /// Those that the files give the answers of, or say that there is none.
    pub(crate) labelled: u64,
    /// Labelled questions without an answer.
    pub(crate) unanswerable: u64,
}

impl Census {
    /// The rules by which answers are scored: v2.0's where a question has no answer.
    pub(crate) fn rules(&self) -> Rules {
        if self.unanswerable > 0 { Rules::V2 } else { Rules::V1 }
    }

    /// How many parts the questions are cut into.
    pub(crate) fn parts(&self) -> u64 {
        self.questions.div_ceil(PART_QUESTIONS)
    }

    /// Reads all questions: they can be read, and no id comes twice.
    pub(crate) fn take(files: &[PathBuf], progress: &Progress, interrupt: &Interrupt) -> Result<Self, Error> {
        let mut articles = question_files::articles(question_files(files));
        // 64 bits of a hash: an id of a billion would be taken for another once in 37 times.
        let mut ids: HashSet<u64> = HashSet::new();
        let mut census = Self::default();
        while articles.wait(&|| interrupt.seen()) {
            let Some(article) = articles.next() else { break };
            for qa in article?.paragraphs.into_iter().flat_map(|paragraph| paragraph.qas) {
                let hash = blake3::hash(qa.id.as_bytes());
                let hash = hash.as_bytes().first_chunk().map(|bytes| u64::from_le_bytes(*bytes));
                if !ids.insert(hash.expect("a BLAKE3 hash has 32 bytes")) {
                    return Err(Error::DuplicateId { id: qa.id });
                }
                census.questions += 1;
                census.labelled += u64::from(qa.answers.is_some());
                census.unanswerable += u64::from(golds(&qa).is_some_and(|golds| golds.is_empty()));
                progress.inc(1);
            }
        }
        if interrupt.seen() {
            return Err(Error::Interrupted { kept: None });
        }
        for file in articles.understood().iter().filter(|file| !file.is_plain()) {
            tracing::info!(%file, "read the questions");
        }
        if census.questions == 0 { Err(Error::NoQuestions) } else { Ok(census) }
    }
}

fn question_files(files: &[PathBuf]) -> Vec<QuestionFile> {
    let named = |path: &PathBuf| QuestionFile {
        path: path.clone(),
        name: path.display().to_string(),
        asked_by: "FILE",
    };
    files.iter().map(named).collect()
}

/// The texts of the gold answers; `None` for an unlabelled question. One without text says that there is no answer.
fn golds(qa: &Qa) -> Option<Vec<String>> {
    let texts = |answers: &Vec<Answer>| {
        answers.iter().filter(|answer| !answer.is_empty()).map(|answer| answer.text.clone()).collect()
    };
    qa.answers.as_ref().map(texts)
}

/// A question on its way through the model.
#[derive(Debug)]
pub(crate) struct Asked {
    /// From 0, over all files.
    pub(crate) number: u64,
    pub(crate) id: String,
    pub(crate) golds: Option<Vec<String>>,
    /// Why it cannot be asked.
    pub(crate) refused: Option<String>,
}

/// The questions of some parts, ready to be answered.
pub(crate) struct Stream<'a> {
    articles: Articles,
    answerer: &'a Answerer,
    wants_part: &'a (dyn Fn(u64) -> bool + Sync),
    interrupt: &'a Interrupt,
    /// What ended it early.
    outcome: &'a Mutex<Result<(), Error>>,
    number: u64,
    paragraphs: vec::IntoIter<Paragraph>,
    context: Arc<str>,
    /// Once a question needs them.
    tokens: Option<TokenizedContext>,
    qas: vec::IntoIter<Qa>,
}

impl<'a> Stream<'a> {
    pub(crate) fn new(
        files: &[PathBuf],
        answerer: &'a Answerer,
        wants_part: &'a (dyn Fn(u64) -> bool + Sync),
        interrupt: &'a Interrupt,
        outcome: &'a Mutex<Result<(), Error>>,
    ) -> Self {
        Self {
            articles: question_files::articles(question_files(files)),
            answerer,
            wants_part,
            interrupt,
            outcome,
            number: 0,
            paragraphs: Vec::new().into_iter(),
            context: "".into(),
            tokens: None,
            qas: Vec::new().into_iter(),
        }
    }

    /// The next question of a part that is wanted; its context is the present one.
    fn next_qa(&mut self) -> Result<Option<(u64, Qa)>, Error> {
        loop {
            for qa in self.qas.by_ref() {
                let number = self.number;
                self.number += 1;
                if (self.wants_part)(number / PART_QUESTIONS) {
                    return Ok(Some((number, qa)));
                }
            }
            if let Some(Paragraph { context, qas }) = self.paragraphs.next() {
                (self.context, self.tokens, self.qas) = (context.into(), None, qas.into_iter());
            } else {
                if !self.articles.wait(&|| self.interrupt.seen()) {
                    return Ok(None);
                }
                let Some(article) = self.articles.next() else { return Ok(None) };
                self.paragraphs = article?.paragraphs.into_iter();
            }
        }
    }

    fn prepare(&mut self, number: u64, qa: Qa) -> Result<Question<Arc<Asked>>, Error> {
        let golds = golds(&qa);
        let asked = |refused| Arc::new(Asked { number, id: qa.id.clone(), golds: golds.clone(), refused });
        if self.tokens.is_none() {
            self.tokens = self.answerer.tokenize(&self.context).map(Some).or_else(is_of_question)?;
        }
        let prepared = match &self.tokens {
            Some(tokens) => {
                let context = Arc::clone(&self.context);
                self.answerer.prepare(asked(None), &qa.question, context, tokens).map_err(|error| match error
                {
                    error @ answerer::Error::TokenId { .. } => Err(Error::from(error)),
                    error => Ok(error.to_string()),
                })
            }
            None => Err(Ok("the tokenizer gives up on the context".to_owned())),
        };
        let question = match prepared {
            Ok(question) => question,
            Err(refused) => {
                // In its place goes a question that is answered at once, so that answers stay in order.
                let reason = refused?;
                tracing::warn!(id = qa.id, reason, "this question cannot be asked and gets no answer");
                let nothing = self.answerer.tokenize("")?;
                self.answerer.prepare(asked(Some(reason)), "", "".into(), &nothing)?
            }
        };
        Ok(question.in_group(number / PART_QUESTIONS))
    }
}

/// Whether an error of the tokenizer is of this context alone.
fn is_of_question(error: answerer::Error) -> Result<Option<TokenizedContext>, Error> {
    match error {
        answerer::Error::Tokenize(_) => Ok(None),
        error => Err(error.into()),
    }
}

impl Iterator for Stream<'_> {
    type Item = Question<Arc<Asked>>;

    fn next(&mut self) -> Option<Self::Item> {
        let next =
            self.next_qa().and_then(|next| next.map(|(number, qa)| self.prepare(number, qa)).transpose());
        next.unwrap_or_else(|error| {
            *self.outcome.lock().unwrap_or_else(PoisonError::into_inner) = Err(error);
            None
        })
    }
}
