//! From texts to answers: this tokenizes the texts, the workers behind the queue run the windows, and this selects the
//! answers.

use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Instant;

use answerer::Answerer;
use squad::{SpanPrediction, Window};
use tokio::time::timeout_at;

use crate::queue::{Failed, Queue, QueueLimits, Refused};
use crate::refusal::{ErrorType, Refusal};
use crate::telemetry;

/// Bytes of text below which the HTTP threads do the work themselves: about a millisecond.
const FEW_BYTES: usize = 16 << 10;

/// A model behind its queue.
pub(crate) struct Engine {
    answerer: Arc<Answerer>,
    queue: Queue,
    limits: QueueLimits,
    workers: Mutex<Vec<JoinHandle<()>>>,
}

/// Questions about contexts.
pub(crate) struct Asked {
    pub(crate) contexts: Vec<Arc<str>>,
    /// A question, and the number of its context.
    pub(crate) questions: Vec<(String, usize)>,
    /// Questions are cut off after this many tokens.
    pub(crate) max_question_len: Option<usize>,
    /// The field of a question, for messages.
    pub(crate) field: fn(usize) -> String,
}

/// A question's context, and how many windows it has.
type Cut = (Arc<str>, usize);

impl Engine {
    /// Starts the workers.
    pub(crate) fn start(answerer: Answerer, limits: QueueLimits) -> Arc<Self> {
        let engine = Arc::new(Self {
            answerer: Arc::new(answerer),
            queue: Queue::new(limits),
            limits,
            workers: Mutex::default(),
        });
        let start = |_| {
            let engine = Arc::clone(&engine);
            thread::spawn(move || {
                engine.answerer.become_worker();
                engine.queue.work(|windows| engine.answerer.logits(windows));
            })
        };
        let workers = (0..engine.answerer.workers()).map(start).collect();
        *engine.workers() = workers;
        engine
    }

    fn workers(&self) -> std::sync::MutexGuard<'_, Vec<JoinHandle<()>>> {
        self.workers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn answerer(&self) -> &Arc<Answerer> {
        &self.answerer
    }

    /// Ends the workers and waits for their last batches, which may be of clients that have gone. A process that ends while a
    /// thread is in LibTorch crashes.
    pub(crate) fn close(&self) {
        self.queue.close();
        for worker in std::mem::take(&mut *self.workers()) {
            // One that panicked has ended as well.
            let _ = worker.join();
        }
    }

    /// Answers all questions, in order, with the settings of `asked_as`.
    pub(crate) async fn answer(
        &self,
        asked: Asked,
        asked_as: Option<Answerer>,
        deadline: tokio::time::Instant,
    ) -> Result<Vec<SpanPrediction>, Refusal> {
        let answerer = asked_as.map_or_else(|| Arc::clone(&self.answerer), Arc::new);
        let bytes: usize = asked.contexts.iter().map(|context| context.len()).sum();
        let is_small = bytes < FEW_BYTES && asked.questions.len() < 16;
        let late = || Refusal::new(ErrorType::Timeout, "the request took too long");

        let started = Instant::now();
        let tokenizing = Arc::clone(&answerer);
        let cut = aside(is_small, move || cut(&tokenizing, &asked));
        let (cuts, windows) = timeout_at(deadline, cut).await.map_err(|_| late())??;
        telemetry::tokenized(started.elapsed());

        let replied = self.queue.push(windows).map_err(|refused| match refused {
            Refused::Full => Refusal::new(ErrorType::Overloaded, "the queue is full: try again in a moment"),
            Refused::TooLarge { tokens } => {
                let limit = self.limits.request;
                Refusal::new(
                    ErrorType::TooLarge,
                    format!("the request has {tokens} tokens, the limit is {limit}: send it in pieces"),
                )
            }
        })?;
        let internal = || Refusal::new(ErrorType::Internal, "the model failed to answer this request");
        let Ok(replied) = timeout_at(deadline, replied).await else { return Err(late()) };
        let windows = replied.unwrap_or(Err(Failed)).map_err(|Failed| internal())?;

        let selected = aside(is_small, move || {
            let mut windows = windows.iter();
            let select = |(context, count): &Cut| {
                let own = windows.by_ref().take(*count).map(|(window, logits)| (window, logits));
                answerer.select_of(context, own)
            };
            Ok(cuts.iter().map(select).collect::<Vec<_>>())
        });
        let predictions = selected.await?;
        if predictions.iter().all(|prediction| prediction.score.is_finite()) {
            Ok(predictions)
        } else {
            Err(Refusal::new(ErrorType::Internal, "the model has no finite score: its weights are damaged"))
        }
    }
}

/// Runs long work on a separate thread.
async fn aside<T: Send + 'static>(
    is_small: bool,
    work: impl FnOnce() -> Result<T, Refusal> + Send + 'static,
) -> Result<T, Refusal> {
    if is_small {
        return work();
    }
    let done = tokio::task::spawn_blocking(work).await;
    done.unwrap_or_else(|_| {
        Err(Refusal::new(ErrorType::Internal, "the server failed to answer this request"))
    })
}

fn cut(answerer: &Answerer, asked: &Asked) -> Result<(Vec<Cut>, Vec<Window>), Refusal> {
    let refuse = |number: usize, error: answerer::Error| match error {
        answerer::Error::TokenId { .. } => Refusal::new(ErrorType::Internal, error.to_string()),
        error => Refusal::field(&(asked.field)(number), &error.to_string()),
    };
    let mut tokens = vec![None; asked.contexts.len()];
    let (mut cuts, mut all) = (Vec::new(), Vec::new());
    for (number, (question, context)) in asked.questions.iter().enumerate() {
        let text = &asked.contexts[*context];
        if tokens[*context].is_none() {
            tokens[*context] = Some(answerer.tokenize(text).map_err(|error| refuse(number, error))?);
        }
        let tokens = tokens[*context].as_ref().expect("it was tokenized above");
        let question = match asked.max_question_len {
            Some(limit) => shortened(answerer, question, limit).map_err(|error| refuse(number, error))?,
            None => question.clone(),
        };
        let prepared = answerer.prepare((), &question, Arc::clone(text), tokens);
        let windows = prepared.map_err(|error| refuse(number, error))?.into_windows();
        cuts.push((Arc::clone(text), windows.len()));
        all.extend(windows);
    }
    Ok((cuts, all))
}

/// The first tokens of a question, this many.
fn shortened(answerer: &Answerer, question: &str, limit: usize) -> Result<String, answerer::Error> {
    let tokens = answerer.tokenize(question)?;
    let Some((_, end)) = tokens.offsets().get(limit - 1).filter(|_| tokens.len() > limit) else {
        return Ok(question.to_owned());
    };
    Ok(question.chars().take(*end as usize).collect())
}
