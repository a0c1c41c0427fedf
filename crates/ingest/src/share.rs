//! A share of the training contexts, set aside for validation.
//!
//! Contexts are drawn, so that no paragraph is in both parts. Contexts that differ only in case, signs or spaces count
//! as one. The draw depends on `ingest.seed` and is the same on every machine.

use std::collections::HashSet;

use foldhash::fast::FixedState;
use question_files::Article;

use crate::audit::Normalizer;
use crate::error::{Error, Result};
use crate::selection::random_subset;

/// Distinct contexts in the order of the data.
#[derive(Default)]
pub struct Contexts {
    normal: Normalizer,
    seen: HashSet<u64, FixedState>,
    in_order: Vec<u64>,
}

/// The contexts of both parts.
#[derive(Debug)]
pub struct Share {
    validation: HashSet<u64, FixedState>,
}

/// Which part of the training data a split is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    Train,
    Validation,
}

impl Contexts {
    /// Adds the contexts that have questions.
    pub fn push(&mut self, article: &Article) {
        for paragraph in article.paragraphs.iter().filter(|paragraph| !paragraph.qas.is_empty()) {
            let context = self.normal.hashes(&paragraph.context).normal;
            if self.seen.insert(context) {
                self.in_order.push(context);
            }
        }
    }

    /// Draws `percent` of them, at least one and not all; `origin` is for the message.
    pub fn draw(self, percent: f64, seed: u64, origin: &str) -> Result<Share> {
        let contexts = self.in_order.len();
        if contexts == 0 {
            return Err(Error::NoQuestions { origin: origin.to_owned(), split: "train" });
        }
        if contexts < 2 {
            return Err(Error::NoShare { origin: origin.to_owned(), contexts });
        }
        let count = (contexts as f64 * percent / 100.0).round() as usize;
        let drawn = random_subset(contexts, count.clamp(1, contexts - 1), seed);
        Ok(Share { validation: drawn.into_iter().map(|index| self.in_order[index]).collect() })
    }
}

impl Share {
    /// The paragraphs of an article that belong to a part.
    #[must_use]
    pub fn of(&self, article: &Article, part: Part) -> Article {
        let mut normal = Normalizer::default();
        let is_validation = part == Part::Validation;
        let mut belongs =
            |context: &str| self.validation.contains(&normal.hashes(context).normal) == is_validation;
        let paragraphs = article.paragraphs.iter().filter(|paragraph| belongs(&paragraph.context));
        Article { title: article.title.clone(), paragraphs: paragraphs.cloned().collect() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audit::tests::{dataset, qa};

    fn articles(contexts: &[&str]) -> Vec<Article> {
        let questions = contexts.iter().enumerate();
        dataset(
            questions.map(|(index, context)| (*context, vec![qa(&index.to_string(), "who?", &[])])).collect(),
        )
    }

    fn drawn(articles: &[Article], percent: f64, seed: u64) -> (Vec<String>, Vec<String>) {
        let mut contexts = Contexts::default();
        for article in articles {
            contexts.push(article);
        }
        let share = contexts.draw(percent, seed, "data").unwrap();
        let of = |part| {
            let parts = articles.iter().flat_map(|article| share.of(article, part).paragraphs);
            parts.map(|paragraph| paragraph.context).collect()
        };
        (of(Part::Train), of(Part::Validation))
    }

    #[test]
    fn every_context_is_in_one_part_alone_and_the_share_is_as_asked() {
        let texts: Vec<String> = (0..200).map(|number| format!("context {number}")).collect();
        let data = articles(&texts.iter().map(String::as_str).collect::<Vec<_>>());
        let (train, validation) = drawn(&data, 10.0, 0);
        assert_eq!((train.len(), validation.len()), (180, 20));
        assert!(validation.iter().all(|context| !train.contains(context)));
        assert_eq!(drawn(&data, 10.0, 0), (train, validation.clone()), "the same every time");
        assert_ne!(drawn(&data, 10.0, 1).1, validation);
    }

    #[test]
    fn contexts_that_differ_in_case_and_signs_stay_together() {
        for seed in 0..20 {
            let (train, validation) =
                drawn(&articles(&["A cat sat.", "a cat  SAT", "A dog ran."]), 50.0, seed);
            let cats = |part: &[String]| part.iter().filter(|context| context.contains("cat")).count();
            assert!(cats(&train) == 0 || cats(&validation) == 0, "{train:?} {validation:?}");
            assert!(!train.is_empty() && !validation.is_empty());
        }
    }

    #[test]
    fn one_context_cannot_be_shared() {
        let mut contexts = Contexts::default();
        contexts.push(&articles(&["A cat sat.", "a cat sat"])[0]);
        assert!(matches!(contexts.draw(10.0, 0, "data"), Err(Error::NoShare { contexts: 1, .. })));
    }
}
