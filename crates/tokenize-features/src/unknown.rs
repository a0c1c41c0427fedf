//! Counts unknown tokens: `[UNK]` in questions, contexts and gold answers.

use std::collections::HashSet;

use artifact::Example;
use serde_json::{Value, json};
use squad::{TokenizedContext, Window};

/// Above this share, the data may be in another language, or the tokenizer is not the model's own.
const MOST: f64 = 0.02;

/// Tokens, and how many of them are `[UNK]`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Count {
    tokens: u64,
    unknown: u64,
}

impl Count {
    fn of(input_ids: &[i32], unknown_id: Option<i32>) -> Self {
        let unknown = input_ids.iter().filter(|id| Some(**id) == unknown_id).count();
        Self { tokens: input_ids.len() as u64, unknown: unknown as u64 }
    }

    fn add(&mut self, other: Self) {
        self.tokens += other.tokens;
        self.unknown += other.unknown;
    }

    fn share(self) -> f64 {
        if self.tokens == 0 { 0.0 } else { self.unknown as f64 / self.tokens as f64 }
    }
}

/// The counts of one question.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct OfQuestion {
    context: Count,
    /// The counts of all its gold answers.
    answers: Count,
}

impl OfQuestion {
    /// Counts the whole context, and for each gold answer the tokens that it covers.
    pub fn of(example: &Example<'_>, context: &TokenizedContext, unknown_id: Option<i32>) -> Self {
        let mut answers = Count::default();
        for answer in &example.answers {
            // -1: an accepted answer that is not in the context.
            let Ok(start) = u32::try_from(answer.start) else { continue };
            let end = start.saturating_add(answer.text.chars().count() as u32);
            let first = context.offsets().partition_point(|token| token.1 <= start);
            let last = context.offsets().partition_point(|token| token.0 < end);
            answers.add(Count::of(context.input_ids().get(first..last).unwrap_or_default(), unknown_id));
        }
        Self { context: Count::of(context.input_ids(), unknown_id), answers }
    }
}

/// The counts of a split.
#[derive(Debug, Default)]
pub struct UnknownTokens {
    questions: Count,
    contexts: Count,
    answers: Count,
    /// Contexts that have been counted.
    seen: HashSet<u32>,
}

impl UnknownTokens {
    /// Counts a question, given one of its windows, and its context unless an earlier question had the same.
    pub fn count(&mut self, context_id: u32, window: &Window, of: OfQuestion, unknown_id: Option<i32>) {
        let question = window.input_ids.iter().zip(&window.offset_mapping).skip(1);
        // Up to the `[SEP]` after it; an empty context has a second one right after.
        let special_tokens = if window.offset_mapping.iter().any(Option::is_some) { 1 } else { 2 };
        let ids: Vec<i32> = question.take_while(|(_, offset)| offset.is_none()).map(|(id, _)| *id).collect();
        self.questions.add(Count::of(&ids[..ids.len().saturating_sub(special_tokens)], unknown_id));
        if self.seen.insert(context_id) {
            self.contexts.add(of.context);
        }
        self.answers.add(of.answers);
    }

    fn parts(&self) -> [(&'static str, Count); 3] {
        [("questions", self.questions), ("contexts", self.contexts), ("answers", self.answers)]
    }

    /// For the manifest.
    pub fn metrics(&self) -> Value {
        let part = |count: Count| json!({ "tokens": count.tokens, "unknown": count.unknown, "share": count.share() });
        self.parts()
            .into_iter()
            .map(|(name, count)| (name.to_owned(), part(count)))
            .collect::<serde_json::Map<_, _>>()
            .into()
    }

    /// Warns if the vocabulary may not fit the split.
    pub fn warn(&self, split: &str) {
        if self.parts().iter().all(|(_, count)| count.share() <= MOST) {
            return;
        }
        let percent = |count: Count| format!("{:.1} %", 100.0 * count.share());
        tracing::warn!(
            split,
            questions = percent(self.questions),
            contexts = percent(self.contexts),
            answers = percent(self.answers),
            "some characters of the data are not in the base model's vocabulary: it reads them as [UNK]. If the data is in \
             another language than the base model, use a base model for that language"
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `[UNK]` is 1, `[CLS]` 2, `[SEP]` 3.
    fn window(question: &[i32], context: &[i32]) -> Window {
        let input_ids = [&[2], question, &[3], context, &[3]].concat();
        let offset = |index: usize| {
            let place = index.checked_sub(question.len() + 2).filter(|place| *place < context.len());
            place.map(|place| (place as u32, place as u32 + 1))
        };
        Window {
            offset_mapping: (0..input_ids.len()).map(offset).collect(),
            input_ids,
            start_position: 0,
            end_position: 0,
        }
    }

    #[test]
    fn a_context_counts_once_and_a_question_without_its_special_tokens() {
        let of =
            OfQuestion { context: Count { tokens: 4, unknown: 2 }, answers: Count { tokens: 1, unknown: 1 } };
        let mut counts = UnknownTokens::default();
        counts.count(0, &window(&[5, 1, 6], &[1, 7, 1, 8]), of, Some(1));
        counts.count(0, &window(&[5], &[1, 7, 1, 8]), of, Some(1));
        // Of an empty context.
        counts.count(1, &window(&[5, 5], &[]), OfQuestion::default(), Some(1));
        assert_eq!(counts.questions, Count { tokens: 6, unknown: 1 });
        assert_eq!(counts.contexts, Count { tokens: 4, unknown: 2 });
        assert_eq!(counts.metrics()["answers"], json!({ "tokens": 2, "unknown": 2, "share": 1.0 }));
    }
}
