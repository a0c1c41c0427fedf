//! Turns the examples of one split into features, in order.

use artifact::{Contexts, Example, Examples};
use squad::{FeatureTokenizer, LabelledAnswer, TokenizedContext, Window};

use crate::blocks::Blocks;
use crate::error::{Error, Result};
use crate::ordered::in_order;
use crate::unknown::OfQuestion;

/// The inputs of a split, and its name for messages.
#[derive(Debug)]
pub struct Split {
    /// `train` or `validation`.
    pub name: &'static str,
    /// Its paragraphs.
    pub contexts: Contexts,
    /// Its questions.
    pub examples: Examples,
}

/// A question's windows, with its row in examples.
pub struct ExampleWindows<'a> {
    /// The row.
    pub example_index: u32,
    /// The question.
    pub example: Example<'a>,
    /// At least one.
    pub windows: Vec<Window>,
    /// How many tokens of its context and answers are not in the vocabulary.
    pub unknown: OfQuestion,
}

impl Split {
    /// Cuts all questions into windows on `threads` threads and passes them to `consume` in order.
    ///
    /// The windows depend only on the split and the tokenizer, not on the number of threads. The first error, in the
    /// order of the examples, ends it, and so does `stop`, which is checked before each question.
    pub fn tokenize<'a>(
        &'a self,
        tokenizer: &FeatureTokenizer,
        threads: usize,
        stop: &(dyn Fn() -> bool + Sync),
        mut consume: impl FnMut(ExampleWindows<'a>) -> Result<()>,
    ) -> Result<()> {
        let blocks = Blocks::new(self.examples.iter().map(|example| example.context_id));
        let work = |block: usize| self.tokenize_block(block, &blocks, tokenizer, stop);
        in_order(blocks.ranges.len(), threads, work, |block| {
            let (done, error) = block;
            done.into_iter().try_for_each(&mut consume)?;
            error.map_or(Ok(()), Err)
        })
    }

    /// The windows of a block, up to the first error.
    fn tokenize_block(
        &self,
        block: usize,
        blocks: &Blocks,
        tokenizer: &FeatureTokenizer,
        stop: &(dyn Fn() -> bool + Sync),
    ) -> (Vec<ExampleWindows<'_>>, Option<Error>) {
        let range = blocks.ranges[block].clone();
        let mut done = Vec::with_capacity(range.len());
        // The tokens of the previous example's context; the next example usually has the same.
        let mut latest: Option<(u32, TokenizedContext)> = None;
        for index in range {
            // One context of many megabytes takes minutes with its questions.
            if stop() {
                return (done, Some(Error::Interrupted));
            }
            let example = self.examples.get(index);
            let windows = self.context_tokens(&example, blocks, &mut latest, tokenizer).and_then(|context| {
                let answer = example.answers.first();
                let answer = answer.map(|answer| LabelledAnswer { start: answer.start, text: answer.text });
                let unknown = OfQuestion::of(&example, context, tokenizer.unknown_id());
                Ok((tokenizer.windows(example.question, context, answer)?, unknown))
            });
            match windows {
                Ok((windows, unknown)) => {
                    done.push(ExampleWindows { example_index: index as u32, example, windows, unknown });
                }
                Err(source) => return (done, Some(Error::question(example.id, self.name, source))),
            }
        }
        (done, None)
    }

    fn context_tokens<'b>(
        &self,
        example: &Example<'_>,
        blocks: &'b Blocks,
        latest: &'b mut Option<(u32, TokenizedContext)>,
        tokenizer: &FeatureTokenizer,
    ) -> squad::Result<&'b TokenizedContext> {
        let context_id = example.context_id;
        let tokenize = || tokenizer.tokenize_context(self.contexts.get(context_id).context);
        if let Some(shared) = blocks.recurring.get(&context_id) {
            if let Some(context) = shared.get() {
                return Ok(context);
            }
            let context = tokenize()?;
            return Ok(shared.get_or_init(|| context));
        }
        if latest.as_ref().is_none_or(|(latest_id, _)| *latest_id != context_id) {
            *latest = Some((context_id, tokenize()?));
        }
        Ok(latest.as_ref().map(|(_, context)| context).expect("filled just above"))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use artifact::{ContextsWriter, ExamplesWriter};
    use squad::WindowSettings;

    use super::*;

    fn tokenizer() -> FeatureTokenizer {
        let json = crate::word_piece::tokenizer_json(&["[UNK]", "[CLS]", "[SEP]", "a"]);
        FeatureTokenizer::new(json.to_string().as_bytes(), WindowSettings { max_length: 16, doc_stride: 2 })
            .unwrap()
    }

    #[test]
    fn a_signal_ends_the_work_between_two_questions_about_one_context() {
        let folder = tempfile::tempdir().unwrap();
        let paths = ["contexts", "examples"].map(|name| folder.path().join(name));
        let mut contexts = ContextsWriter::create(&paths[0], "f").unwrap();
        contexts.push("title", &"a ".repeat(1000)).unwrap();
        contexts.finish().unwrap();
        let mut examples = ExamplesWriter::create(&paths[1], "f").unwrap();
        for id in ["1", "2", "3", "4", "5"] {
            let example = Example { id, context_id: 0, question: "a", answers: vec![], is_impossible: true };
            examples.push(&example).unwrap();
        }
        examples.finish().unwrap();
        let split = Split {
            name: "train",
            contexts: Contexts::open(&paths[0]).unwrap(),
            examples: Examples::open(&paths[1]).unwrap(),
        };
        let asked = AtomicUsize::new(0);
        let stop = || asked.fetch_add(1, Ordering::Relaxed) == 3;
        let mut done = 0;
        let ended = split.tokenize(&tokenizer(), 2, &stop, |_| {
            done += 1;
            Ok(())
        });
        assert!(matches!(ended, Err(Error::Interrupted)));
        assert_eq!((done, asked.into_inner()), (3, 4));
    }
}
