//! Questions and contexts as token windows: the features a model reads.
//!
//! Equal to `prepare_train_features` and `prepare_validation_features` of transformers' `run_qa.py` with a fast
//! tokenizer and no padding, at a fraction of the work: a context is tokenised once for all of its questions, a word
//! once for all texts, and windows are slices of a context's tokens. Not here: iterating over a split, in parallel or
//! not (the callers).

use crate::caught::caught;
use crate::error::{Error, Result};
use crate::labels::{ContextPart, LabelledAnswer, positions};
use crate::python;
use crate::tokens::{TextTokenizer, Tokens, beginning};
use crate::windows::{WindowSettings, Windows};
use std::sync::Arc;
use tokenizers::Tokenizer;

/// Turns questions and contexts into windows. Shared freely between threads.
pub struct FeatureTokenizer {
    texts: Arc<TextTokenizer>,
    settings: WindowSettings,
    template: PairTemplate,
}

/// A context's tokens, ready to be cut into windows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenizedContext {
    tokens: Tokens,
}

/// One feature, without padding: `[CLS] question [SEP] part of the context [SEP]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Window {
    /// The tokens, at most `max_length`.
    pub input_ids: Vec<i32>,
    /// For each token of the context, the start and end of its characters in the context; `None` for question and
    /// special tokens.
    pub offset_mapping: Vec<Option<(u32, u32)>>,
    /// The first token of the answer; 0, which is `[CLS]`, if the window does not hold the whole answer.
    pub start_position: i32,
    /// The last token of the answer, inclusive; 0 as for `start_position`.
    pub end_position: i32,
}

/// The special tokens around a pair of texts.
#[derive(Clone)]
struct PairTemplate {
    before_question: Vec<i32>,
    between: Vec<i32>,
    after_context: Vec<i32>,
}

impl FeatureTokenizer {
    /// Loads a `tokenizer.json`. Its truncation and padding are disabled, because windows are cut here.
    ///
    /// Fails if the file does not load, if the tokenizer does not combine pairs as BERT's does, and if the settings
    /// leave no room for any question.
    pub fn new(tokenizer_json: &[u8], settings: WindowSettings) -> Result<Self> {
        let (tokenizer, template) = caught(|| load(tokenizer_json)).unwrap_or_else(|_| {
            Err(Error::TokenizerFile { source: "its parts contradict one another".into() })
        })?;
        let texts = Arc::new(TextTokenizer::new(tokenizer));
        Self { texts, settings, template }.checked()
    }

    /// The same tokenizer for windows of another size.
    ///
    /// Fails on settings that leave no room for any question.
    pub fn with_windows(&self, settings: WindowSettings) -> Result<Self> {
        let (texts, template) = (Arc::clone(&self.texts), self.template.clone());
        Self { texts, settings, template }.checked()
    }

    fn checked(self) -> Result<Self> {
        let special_tokens = self.template.len();
        let WindowSettings { max_length, doc_stride } = self.settings;
        if max_length <= special_tokens + doc_stride {
            return Err(Error::WindowSettings { max_length, doc_stride, special_tokens });
        }
        Ok(self)
    }

    /// The id of the token for words that are not in the vocabulary.
    #[must_use]
    pub fn unknown_id(&self) -> Option<i32> {
        self.texts.unknown_id()
    }

    /// Tokenises a context, once for all questions about it.
    pub fn tokenize_context(&self, context: &str) -> Result<TokenizedContext> {
        Ok(TokenizedContext { tokens: self.texts.tokenize(context)? })
    }

    /// The windows of one question over its context, in order; at least one. `answer` labels them.
    ///
    /// Fails on a question that fills a window by itself, or leaves so little room that windows which overlap by
    /// `doc_stride` could not move on; the reference fails in the same cases. It never fails if question and context
    /// fit into one window.
    pub fn windows(
        &self,
        question: &str,
        context: &TokenizedContext,
        answer: Option<LabelledAnswer<'_>>,
    ) -> Result<Vec<Window>> {
        let question_ids = self.tokenize_question(question)?;
        let room = self.room_for_context(question, question_ids.len(), context.len())?;
        let ranges = Windows::new(context.len(), room, self.settings.doc_stride);
        let first = self.template.before_question.len() + question_ids.len() + self.template.between.len();
        let window = |range: std::ops::Range<usize>| {
            let window_length = first + range.len() + self.template.after_context.len();
            let offsets = &context.tokens.offsets[range.clone()];

            let mut input_ids = Vec::with_capacity(window_length);
            input_ids.extend_from_slice(&self.template.before_question);
            input_ids.extend_from_slice(&question_ids);
            input_ids.extend_from_slice(&self.template.between);
            input_ids.extend_from_slice(&context.tokens.input_ids[range]);
            input_ids.extend_from_slice(&self.template.after_context);

            let mut offset_mapping = Vec::with_capacity(window_length);
            offset_mapping.resize(first, None);
            offset_mapping.extend(offsets.iter().copied().map(Some));
            offset_mapping.resize(window_length, None);

            let part = ContextPart { offsets, first, window_length };
            let (start_position, end_position) = answer.map_or((0, 0), |answer| positions(&part, answer));
            Window { input_ids, offset_mapping, start_position, end_position }
        };
        Ok(ranges.map(window).collect())
    }

    fn tokenize_question(&self, question: &str) -> Result<Vec<i32>> {
        // As in run_qa: some of SQuAD's questions begin with many spaces.
        let question = question.trim_start_matches(python::is_space);
        Ok(self.texts.tokenize(question)?.input_ids)
    }

    /// How many tokens of context a window has. The conditions are those of `truncate_encodings` and
    /// `Encoding::truncate` of the tokenizers library.
    fn room_for_context(
        &self,
        question: &str,
        question_tokens: usize,
        context_tokens: usize,
    ) -> Result<usize> {
        let WindowSettings { max_length, doc_stride } = self.settings;
        let room = max_length - self.template.len();
        if question_tokens + context_tokens <= room {
            return Ok(room - question_tokens);
        }
        if question_tokens >= room {
            let question = beginning(question);
            return Err(Error::QuestionTooLong { question, tokens: question_tokens, room, max_length });
        }
        let room = room - question_tokens;
        if doc_stride >= room {
            return Err(Error::NoRoomForStride { question: beginning(question), room, doc_stride });
        }
        Ok(room)
    }
}

impl TokenizedContext {
    /// How many tokens the context has.
    #[must_use]
    pub fn len(&self) -> usize {
        self.tokens.input_ids.len()
    }

    /// The tokens.
    #[must_use]
    pub fn input_ids(&self) -> &[i32] {
        &self.tokens.input_ids
    }

    /// For each token, the start and end of its characters in the context.
    #[must_use]
    pub fn offsets(&self) -> &[(u32, u32)] {
        &self.tokens.offsets
    }

    /// Whether the context has no tokens: it is empty, or has only spaces and control characters.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.tokens.input_ids.is_empty()
    }
}

/// The tokenizer, and what it puts around a pair.
fn load(tokenizer_json: &[u8]) -> Result<(Tokenizer, PairTemplate)> {
    let mut tokenizer =
        Tokenizer::from_bytes(tokenizer_json).map_err(|source| Error::TokenizerFile { source })?;
    tokenizer.with_padding(None);
    tokenizer.with_truncation(None).map_err(|source| Error::TokenizerFile { source })?;
    let template = PairTemplate::of(&tokenizer)?;
    Ok((tokenizer, template))
}

impl PairTemplate {
    /// The tokens that the tokenizer puts around a pair, taken from an example.
    fn of(tokenizer: &Tokenizer) -> Result<Self> {
        let pair = tokenizer.encode(("a", "a"), true).map_err(|source| Error::TokenizerFile { source })?;
        let sequences = pair.get_sequence_ids();
        let place = |sequence| sequences.iter().position(|&id| id == Some(sequence));
        let (Some(question), Some(context)) = (place(0), place(1)) else {
            return Err(Error::PairTemplate { found: pair.get_tokens().to_vec() });
        };
        let special_tokens = |from: usize| -> Vec<i32> {
            let rest = sequences.iter().zip(pair.get_ids()).skip(from);
            rest.take_while(|(sequence, _)| sequence.is_none()).map(|(_, &id)| id as i32).collect()
        };
        let template = Self {
            before_question: special_tokens(0),
            between: special_tokens(question + 1),
            after_context: special_tokens(context + 1),
        };
        // Positions 0 and "the [SEP] after the context" in the labels depend on this form.
        let form = [&template.before_question, &template.between, &template.after_context].map(Vec::len);
        if form != [1, 1, 1] || question > context {
            return Err(Error::PairTemplate { found: pair.get_tokens().to_vec() });
        }
        Ok(template)
    }

    /// How many tokens it adds.
    fn len(&self) -> usize {
        self.before_question.len() + self.between.len() + self.after_context.len()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_pattern_that_gives_up_on_a_text_is_an_error() {
        let tokenizer = json!({
            "version": "1.0",
            "added_tokens": [],
            "pre_tokenizer": {
                "type": "Split", "pattern": {"Regex": "(?:a|aa|a+)+$"}, "behavior": "Isolated", "invert": false,
            },
            "post_processor": {
                "type": "BertProcessing", "cls": ["[CLS]", 1], "sep": ["[SEP]", 2],
            },
            "model": {
                "type": "WordPiece", "unk_token": "[UNK]", "continuing_subword_prefix": "##",
                "max_input_chars_per_word": 100, "vocab": { "[UNK]": 0, "[CLS]": 1, "[SEP]": 2 },
            },
        });
        let settings = WindowSettings { max_length: 16, doc_stride: 0 };
        let tokenizer = FeatureTokenizer::new(tokenizer.to_string().as_bytes(), settings).unwrap();
        assert_eq!(tokenizer.tokenize_context("short").unwrap().len(), 1);
        let refused = tokenizer.tokenize_context(&format!("{}b", "a".repeat(60))).unwrap_err();
        assert!(
            matches!(&refused, Error::GaveUp { reason, .. } if reason.contains("retry-limit")),
            "{refused}"
        );
    }

    #[test]
    fn a_template_of_tokens_that_it_does_not_list_is_refused() {
        let piece = |kind: &str, id: &str| json!({ kind: { "id": id, "type_id": 0 } });
        let tokenizer = json!({
            "version": "1.0",
            "added_tokens": [],
            "post_processor": {
                "type": "TemplateProcessing",
                "single": [piece("Sequence", "A")],
                "pair": [piece("SpecialToken", "[CLX]"), piece("Sequence", "A"), piece("Sequence", "B")],
                "special_tokens": {},
            },
            "model": {
                "type": "WordPiece", "unk_token": "a", "continuing_subword_prefix": "##",
                "max_input_chars_per_word": 100, "vocab": { "a": 0 },
            },
        });
        let settings = WindowSettings { max_length: 16, doc_stride: 0 };
        let refused = FeatureTokenizer::new(tokenizer.to_string().as_bytes(), settings).err().unwrap();
        assert!(matches!(refused, Error::TokenizerFile { .. }), "{refused}");
    }
}
