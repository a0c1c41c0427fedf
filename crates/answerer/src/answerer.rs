//! A model that is loaded once and answers many questions.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use distilbert::{Config, DistilBertForQuestionAnswering, Predictor, QaLogits, Runtime, Weights};
use pretrained::{ModelFolder, UseConfig};
use squad::{
    FeatureLogits, FeatureTokenizer, SpanPrediction, SpanSettings, TokenizedContext, WindowSettings,
    select_spans,
};

use crate::Error;
use crate::pipeline::{Run, answer_all};

/// How a model is asked.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Usage {
    /// How texts are cut into windows.
    pub windows: WindowSettings,
    /// How answers are chosen.
    pub spans: SpanSettings,
    /// Whether it may leave a question unanswered.
    pub no_answer: bool,
    /// The temperature: scores are divided by it before they become probabilities.
    pub temperature: f64,
}

impl Usage {
    /// What the model's folder says; for a model of another tool, the values of transformers' pipeline (5.2).
    #[must_use]
    pub fn of(said: Option<&UseConfig>, positions: usize) -> Self {
        if let Some(said) = said {
            return Self {
                windows: WindowSettings {
                    max_length: said.windows.max_length,
                    doc_stride: said.windows.doc_stride,
                },
                spans: SpanSettings {
                    n_best: said.spans.n_best.max(1),
                    max_answer_length: said.spans.max_answer_length.max(1),
                    null_threshold: said.spans.null_threshold,
                },
                no_answer: said.no_answer,
                temperature: said.temperature,
            };
        }
        let max_length = positions.min(384);
        Self {
            windows: WindowSettings { max_length, doc_stride: (max_length / 2).min(128) },
            spans: SpanSettings { n_best: 20, max_answer_length: 30, null_threshold: 0.0 },
            no_answer: false,
            temperature: 1.0,
        }
    }
}

/// What a model consists of.
pub struct Parts<'a> {
    /// Its sizes.
    pub config: &'a Config,
    /// The weights, with the question-answering head.
    pub weights: &'a dyn Weights,
    /// `tokenizer.json`.
    pub tokenizer_json: &'a [u8],
}

/// A model, ready to answer.
pub struct Answerer {
    pub(crate) predictor: Arc<Predictor>,
    tokenizer: FeatureTokenizer,
    usage: Usage,
    vocab_size: usize,
    folder: PathBuf,
    precision: &'static str,
    positions: usize,
}

/// A question about a context, cut into windows. The caller chooses `key`.
#[derive(Debug)]
pub struct Question<K> {
    /// The caller's key.
    pub key: K,
    context: Arc<str>,
    windows: Vec<squad::Window>,
    group: u64,
}

impl<K> Question<K> {
    /// Puts it into a group: [`Answerer::answer_all`] never runs two groups in one batch. The other windows of a batch
    /// change the last bits of a question's scores, so a group of its own gets the same answers whatever comes before
    /// and after it.
    #[must_use]
    pub fn in_group(self, group: u64) -> Self {
        Self { group, ..self }
    }

    /// The tokens of all its windows.
    #[must_use]
    pub fn tokens(&self) -> usize {
        self.windows.iter().map(|window| window.input_ids.len()).sum()
    }

    /// How many windows it has; at least one.
    #[must_use]
    pub fn windows(&self) -> usize {
        self.windows.len()
    }

    /// Its windows, in order; at least one.
    #[must_use]
    pub fn into_windows(self) -> Vec<squad::Window> {
        self.windows
    }
}

impl Answerer {
    /// Loads the model in a folder: one that distilburn exported, or any DistilBERT or BERT with a question-answering
    /// head. `adjust` changes the folder's settings for asking it.
    ///
    /// # Errors
    /// [`Error`], each with its remedy.
    pub fn open(
        folder: &Path,
        adjust: impl FnOnce(&mut Usage, &Config),
        runtime: &Runtime,
    ) -> Result<Self, Error> {
        let path = folder.to_owned();
        let folder = ModelFolder::open(folder)?;
        if !folder.has_qa_head() {
            return Err(Error::NoHead { path: folder.weights_path().to_owned() });
        }
        let config = Config::from_json(&folder.config_json())?;
        let mut usage = Usage::of(folder.use_config(), config.max_position_embeddings);
        adjust(&mut usage, &config);
        let weights = folder.tensors()?;
        let parts = Parts { config: &config, weights: &weights, tokenizer_json: folder.tokenizer_json() };
        Ok(Self { folder: path, ..Self::of(&parts, usage, runtime)? })
    }

    /// The model made of `parts`.
    ///
    /// # Errors
    /// [`Error`], each with its remedy.
    pub fn of(parts: &Parts<'_>, usage: Usage, runtime: &Runtime) -> Result<Self, Error> {
        runtime.check_fits(parts.config)?;
        let model = DistilBertForQuestionAnswering::new(parts.config, parts.weights, runtime.device())?;
        Ok(Self {
            predictor: Arc::new(Predictor::new(&model, runtime)),
            tokenizer: FeatureTokenizer::new(parts.tokenizer_json, usage.windows)?,
            usage,
            vocab_size: parts.config.vocab_size,
            folder: PathBuf::new(),
            precision: runtime.precision_name(),
            positions: parts.config.max_position_embeddings,
        })
    }

    /// The same model with other settings for asking it.
    ///
    /// # Errors
    /// [`Error::Tokenize`] if windows of that size leave no room for a question.
    pub fn asked(&self, usage: Usage) -> Result<Self, Error> {
        Ok(Self {
            predictor: Arc::clone(&self.predictor),
            tokenizer: self.tokenizer.with_windows(usage.windows)?,
            usage,
            vocab_size: self.vocab_size,
            folder: self.folder.clone(),
            precision: self.precision,
            positions: self.positions,
        })
    }

    /// The longest window that the model takes, in tokens.
    #[must_use]
    pub fn positions(&self) -> usize {
        self.positions
    }

    /// How many tokens a batch is best made of.
    #[must_use]
    pub fn batch_tokens(&self) -> usize {
        self.predictor.batch_tokens()
    }

    /// "fp32", "bf16", "fp16" or "int8".
    #[must_use]
    pub fn precision(&self) -> &'static str {
        self.precision
    }

    /// The folder that it was read from.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// How it is asked.
    #[must_use]
    pub fn usage(&self) -> &Usage {
        &self.usage
    }

    /// Tokenizes a context, for one question or many.
    ///
    /// # Errors
    /// [`Error::Tokenize`].
    pub fn tokenize(&self, context: &str) -> Result<TokenizedContext, Error> {
        Ok(self.tokenizer.tokenize_context(context)?)
    }

    /// Cuts a question into windows. `tokens` are those of its context.
    ///
    /// # Errors
    /// [`Error::LongQuestion`], and [`Error::TokenId`] if tokenizer and weights belong to different models.
    pub fn prepare<K>(
        &self,
        key: K,
        question: &str,
        context: Arc<str>,
        tokens: &TokenizedContext,
    ) -> Result<Question<K>, Error> {
        let windows = self.tokenizer.windows(question, tokens, None).map_err(|error| match error {
            squad::Error::QuestionTooLong { tokens, room, .. } => Error::LongQuestion { tokens, room },
            error => error.into(),
        })?;
        // The embeddings have no row for other ids.
        let has_row = |id: i32| usize::try_from(id).is_ok_and(|id| id < self.vocab_size);
        match windows.iter().flat_map(|window| &window.input_ids).find(|&&id| !has_row(id)) {
            Some(&id) => Err(Error::TokenId { id, vocab_size: self.vocab_size }),
            None => Ok(Question { key, context, windows, group: 0 }),
        }
    }

    /// Answers one question about one context.
    ///
    /// # Errors
    /// Those of [`Self::tokenize`] and [`Self::prepare`].
    pub fn answer(&self, question: &str, context: &str) -> Result<SpanPrediction, Error> {
        let question = self.prepare((), question, context.into(), &self.tokenize(context)?)?;
        let mut found = None;
        self.answer_all(std::iter::once(question), |(), prediction| {
            found = Some(prediction);
            Ok::<(), std::convert::Infallible>(())
        })
        .unwrap_or_else(|never| match never {});
        Ok(found.expect("a question has at least one window"))
    }

    /// Answers questions as they come and passes each answer to `each`, in the same order, until `each` returns an
    /// error.
    ///
    /// # Errors
    /// What `each` returns.
    pub fn answer_all<K: Clone + Send + Sync, E>(
        &self,
        questions: impl Iterator<Item = Question<K>> + Send,
        each: impl FnMut(K, SpanPrediction) -> Result<(), E>,
    ) -> Result<(), E> {
        self.answer_watched(questions, || (), each)
    }

    /// [`Self::answer_all`], and calls `window` for each window as the model takes it.
    ///
    /// # Errors
    /// What `each` returns.
    pub fn answer_watched<K: Clone + Send + Sync, E>(
        &self,
        questions: impl Iterator<Item = Question<K>> + Send,
        window: impl Fn() + Send,
        mut each: impl FnMut(K, SpanPrediction) -> Result<(), E>,
    ) -> Result<(), E> {
        let windows = questions.enumerate().flat_map(|(index, question)| {
            let Question { key, context, windows, group } = question;
            let of = Arc::new((index, key, context));
            windows.into_iter().map(move |window| OwnedWindow { of: Arc::clone(&of), group, window })
        });
        answer_all(
            &self.predictor,
            windows.inspect(move |_| window()),
            self.batch_tokens(),
            |windows| {
                let (_, key, context) = &*windows[0].0.of;
                (key.clone(), self.select(context, windows))
            },
            |(key, prediction)| each(key, prediction),
        )
    }

    fn select<K>(&self, context: &str, windows: &[(OwnedWindow<K>, QaLogits)]) -> SpanPrediction {
        self.select_of(context, windows.iter().map(|(window, logits)| (&window.window, logits)))
    }

    /// How many batches should run at once, each on a thread that has [become a worker](Self::become_worker).
    #[must_use]
    pub fn workers(&self) -> usize {
        self.predictor.workers()
    }

    /// Prepares the calling thread to run batches.
    pub fn become_worker(&self) {
        self.predictor.become_worker();
    }

    /// Runs windows, of one or several questions, as one batch.
    #[must_use]
    pub fn logits(&self, windows: &[&squad::Window]) -> Vec<QaLogits> {
        let input_ids: Vec<&[i32]> = windows.iter().map(|window| window.input_ids.as_slice()).collect();
        self.predictor.logits(&input_ids)
    }

    /// The answer to a question about `context`, whose windows are all of these.
    pub fn select_of<'a>(
        &self,
        context: &str,
        windows: impl Iterator<Item = (&'a squad::Window, &'a QaLogits)>,
    ) -> SpanPrediction {
        let features: Vec<FeatureLogits<'_>> = windows
            .map(|(window, logits)| FeatureLogits {
                offset_mapping: &window.offset_mapping,
                start_logits: &logits.start_logits,
                end_logits: &logits.end_logits,
            })
            .collect();
        let mut prediction = select_spans(context, &features, &self.usage.spans, self.usage.no_answer);
        prediction.set_temperature(self.usage.temperature);
        prediction
    }
}

/// A window with the question it belongs to: its number, key and context.
struct OwnedWindow<K> {
    of: Arc<(usize, K, Arc<str>)>,
    group: u64,
    window: squad::Window,
}

impl<K: Send + Sync> Run for OwnedWindow<K> {
    fn input_ids(&self) -> &[i32] {
        &self.window.input_ids
    }

    fn has_same_question(&self, other: &Self) -> bool {
        self.of.0 == other.of.0
    }

    fn may_share_batch(&self, later: &Self) -> bool {
        self.group == later.group
    }
}

#[cfg(test)]
mod tests;
