//! One split of the data as a model reads it: questions, contexts and features, memory-mapped.

use std::collections::BTreeSet;

use artifact::{Answer, Artifact, Contexts, Examples, Features, SplitName};
use distilbert::Config;
use squad::Rules;

use crate::Error;

/// The tables of a split.
pub struct Split {
    /// Paragraphs.
    pub contexts: Contexts,
    /// Questions with their answers.
    pub examples: Examples,
    /// Token windows, in the order of the questions; the windows of one question follow one another.
    pub features: Features,
}

impl Split {
    /// The tables of a split in an ingest and a tokenize-features artifact.
    ///
    /// # Errors
    /// If a table cannot be opened, or the tables do not belong together.
    pub fn open(name: SplitName, ingest: &Artifact, features: &Artifact) -> Result<Self, Error> {
        let split = Self {
            contexts: Contexts::open(&ingest.file(name.contexts())?)?,
            examples: Examples::open(&ingest.file(name.examples())?)?,
            features: Features::open(&features.file(name.features())?)?,
        };
        split.examples.check_contexts(&split.contexts)?;
        split.features.check_examples(&split.examples)?;
        Ok(split)
    }

    /// Checks that the model has a position and an embedding for every token, and that the features are in order.
    ///
    /// # Errors
    /// [`Error::Feature`] names the first feature that does not fit.
    pub fn check_fits(&self, config: &Config) -> Result<(), Error> {
        for (index, feature) in self.features.iter().enumerate() {
            let tokens = feature.input_ids.len();
            if tokens == 0 || tokens > config.max_position_embeddings {
                let reason =
                    format!("has {tokens} tokens, the model takes 1 to {}", config.max_position_embeddings);
                return Err(Error::Feature { index, reason });
            }
            let positions = [feature.start_position, feature.end_position];
            if let Some(position) =
                positions.iter().find(|&&position| position < 0 || position as usize >= tokens)
            {
                let reason = format!("has its answer at token {position}, but only {tokens} tokens");
                return Err(Error::Feature { index, reason });
            }
            if index > 0 && feature.example_index < self.features.get(index - 1).example_index {
                let reason = "belongs to an earlier question than the feature before it".to_owned();
                return Err(Error::Feature { index, reason });
            }
            if let Some(id) = feature.input_ids.iter().find(|&&id| id < 0 || id as usize >= config.vocab_size)
            {
                let reason = format!("has token id {id}, the model's vocabulary has {}", config.vocab_size);
                return Err(Error::Feature { index, reason });
            }
        }
        Ok(())
    }

    /// How answers are scored, and whether "no answer" is possible: v2.0's rules if any question has no answers.
    #[must_use]
    pub fn rules(&self) -> Rules {
        Rules::of(self.examples.iter().map(|example| example.answers.len()))
    }

    /// The gold answers that cover more than `max_answer_length` tokens: no prediction can match them.
    #[must_use]
    pub fn long_answers(&self, max_answer_length: usize) -> LongAnswers {
        let mut found = LongAnswers::default();
        let mut features = self.features.iter().peekable();
        for (index, example) in self.examples.iter().enumerate() {
            // Neighbouring windows share tokens.
            let mut tokens = BTreeSet::new();
            while let Some(feature) = features.next_if(|feature| feature.example_index as usize <= index) {
                tokens.extend(feature.offset_mapping.iter().flatten());
            }
            let covered = |answer: &Answer<'_>| {
                // An accepted answer that is not in the context covers no tokens.
                let Ok(start) = u32::try_from(answer.start) else { return 0 };
                let end = start.saturating_add(answer.text.chars().count() as u32);
                tokens.range(..(end, 0)).rev().take_while(|token| token.1 > start).count()
            };
            let long = example.answers.iter().filter(|answer| covered(answer) > max_answer_length).count();
            found.answers += long;
            found.questions += usize::from(long > 0 && long == example.answers.len());
        }
        found
    }
}

/// Gold answers longer than any prediction.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LongAnswers {
    pub answers: usize,
    /// Questions without a shorter gold answer.
    pub questions: usize,
}
