//! What can be wrong with a tokenizer file, the window settings, or a question.

use miette::Diagnostic;
use thiserror::Error;

/// The result of this crate's fallible functions.
pub type Result<T> = std::result::Result<T, Error>;

/// An error of this crate. It knows texts and settings but no files; the callers name those.
#[derive(Debug, Error, Diagnostic)]
pub enum Error {
    /// The bytes are not a `tokenizer.json` of the tokenizers library.
    #[error("the tokenizer does not load")]
    #[diagnostic(help(
        "`tokenizer.json` must be the fast tokenizer's own file, as published with the base model"
    ))]
    TokenizerFile {
        /// What the tokenizers library says.
        #[source]
        source: tokenizers::Error,
    },

    /// The tokenizer loads but does not combine a pair of texts as BERT's does.
    #[error("the tokenizer's pair template is not `[CLS] question [SEP] context [SEP]` but {found:?}")]
    #[diagnostic(help("use a base model with a BERT or DistilBERT tokenizer"))]
    PairTemplate {
        /// The tokens the tokenizer gave for the pair ("a", "a").
        found: Vec<String>,
    },

    /// The tokenizer refused a text.
    #[error("{text:?} cannot be tokenized")]
    #[diagnostic(help(
        "the tokenizer's vocabulary lacks its unknown token: use the base model's own `tokenizer.json`"
    ))]
    Tokenize {
        /// The beginning of the text.
        text: String,
        /// What the tokenizers library says.
        #[source]
        source: tokenizers::Error,
    },

    /// The tokenizer gave up on a text.
    #[error("the tokenizer gives up on {text:?}: {reason}")]
    #[diagnostic(help(
        "a pattern of its pre_tokenizer takes too long on this text: shorten the text, or use the base model's own \
         `tokenizer.json`"
    ))]
    GaveUp {
        /// The beginning of the text.
        text: String,
        /// What the tokenizers library says.
        reason: String,
    },

    /// Even with the shortest question, windows would not move on.
    #[error(
        "a doc_stride of {doc_stride} and {special_tokens} special tokens leave no room in a max_length of {max_length}"
    )]
    #[diagnostic(help("set tokenize-features.doc_stride below {}, or raise max_length", max_length.saturating_sub(*special_tokens)))]
    WindowSettings {
        /// The setting `max_length`.
        max_length: usize,
        /// The setting `doc_stride`.
        doc_stride: usize,
        /// How many tokens the pair template adds.
        special_tokens: usize,
    },

    /// The question alone fills the window; only the context may be cut.
    #[error(
        "the question {question:?} has {tokens} tokens, but a max_length of {max_length} has room for only {room} of \
         question and context"
    )]
    #[diagnostic(help("raise tokenize-features.max_length to at least {}, or shorten the question", tokens + (max_length - room) + 1))]
    QuestionTooLong {
        /// The beginning of the question.
        question: String,
        tokens: usize,
        /// The room that the special tokens leave.
        room: usize,
        /// The setting `max_length`.
        max_length: usize,
    },

    /// With this question the windows would not move on.
    #[error(
        "the question {question:?} leaves {room} tokens for the context, no more than the doc_stride of {doc_stride}"
    )]
    #[diagnostic(help("set tokenize-features.doc_stride below {room}, or raise max_length by at least {}", doc_stride + 1 - room))]
    NoRoomForStride {
        /// The beginning of the question.
        question: String,
        /// The room that the question and the special tokens leave for the context.
        room: usize,
        /// The setting `doc_stride`.
        doc_stride: usize,
    },
}
