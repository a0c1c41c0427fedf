//! Training and validation: where each comes from, which of its questions are kept, where they go.

use std::path::{Path, PathBuf};

use artifact::file_name;
use squad::json::Dataset;
use stage::settings::{Ingest, Source, Subset};

use crate::check::{Question, Skipped, check};
use crate::error::{Error, Result};
use crate::selection::Selection;
use crate::{sample, source};

/// One of the two splits, with the settings that are its own.
#[derive(Debug)]
pub struct Split<'a> {
    /// `train` or `validation`.
    pub name: &'static str,
    setting: &'static str,
    source: &'a Source,
    max_examples: usize,
    ids: Option<&'a PathBuf>,
    ids_setting: &'static str,
    /// Name of its table of contexts.
    pub contexts: &'static str,
    /// Name of its table of examples.
    pub examples: &'static str,
}

/// The questions of a split that are kept, in the order of its dataset.
#[derive(Debug)]
pub struct Chosen<'a> {
    /// Those questions.
    pub questions: Vec<Question<'a>>,
    /// How many were left out because they break a rule.
    pub skipped: Skipped,
    /// Questions of the dataset.
    pub available: usize,
}

impl<'a> Split<'a> {
    /// Both splits that the settings describe.
    #[must_use]
    pub fn both(settings: &'a Ingest) -> [Self; 2] {
        let train = Self {
            name: "train",
            setting: "ingest.train",
            source: &settings.train,
            max_examples: settings.max_train_examples,
            ids: settings.train_ids.as_ref(),
            ids_setting: "ingest.train_ids",
            contexts: file_name::CONTEXTS_TRAIN,
            examples: file_name::EXAMPLES_TRAIN,
        };
        let validation = Self {
            name: "validation",
            setting: "ingest.validation",
            source: &settings.validation,
            max_examples: settings.max_validation_examples,
            ids: settings.validation_ids.as_ref(),
            ids_setting: "ingest.validation_ids",
            contexts: file_name::CONTEXTS_VALIDATION,
            examples: file_name::EXAMPLES_VALIDATION,
        };
        [train, validation]
    }

    /// Everything its source holds; `seed` is the generated corpus's.
    pub fn read(&self, seed: u64) -> Result<Dataset> {
        match self.source {
            Source::Sample => {
                let sample = sample::generate(seed);
                Ok(if self.name == "train" { sample.train } else { sample.validation })
            }
            Source::File(path) => source::read_squad(path, self.setting),
        }
    }

    /// Those questions of `dataset` that keep the rules and that the settings choose; at least one.
    pub fn choose<'data>(&self, dataset: &'data Dataset, settings: &Ingest) -> Result<Chosen<'data>> {
        let origin = self.origin();
        let checked = check(dataset);
        let available = checked.questions.len() + checked.invalid.len();
        let (usable, skipped) = checked.accept(settings.on_invalid, &origin)?;
        let skipped_count = skipped.values().sum();
        let questions = self.selection(settings)?.choose(usable, &origin, self.name)?;
        if questions.is_empty() {
            return Err(Error::NoQuestions {
                origin,
                split: self.name,
                questions: available,
                skipped: skipped_count,
            });
        }
        tracing::info!(
            split = self.name,
            source = origin,
            questions = available,
            kept = questions.len(),
            skipped = skipped_count,
            "read the questions"
        );
        Ok(Chosen { questions, skipped, available })
    }

    fn origin(&self) -> String {
        match self.source {
            Source::Sample => "the generated corpus".to_owned(),
            Source::File(path) => path.display().to_string(),
        }
    }

    /// A list of ids goes before a number of questions.
    fn selection(&self, settings: &Ingest) -> Result<Selection> {
        if let Some(path) = self.ids {
            return Ok(Selection::Ids { path: path.clone(), ids: source::read_ids(path, self.ids_setting)? });
        }
        Ok(match (self.max_examples, settings.subset) {
            (0, _) => Selection::All,
            (count, Subset::First) => Selection::First(count),
            (count, Subset::Random) => Selection::Random { count, seed: settings.seed },
        })
    }

    /// Where its tables go in `output`: contexts, examples.
    #[must_use]
    pub fn paths(&self, output: &Path) -> (PathBuf, PathBuf) {
        (output.join(self.contexts), output.join(self.examples))
    }
}
