//! From windows to answers: batches by tokens, logits from the model's workers, answers from other threads.

use std::ops::ControlFlow;
use std::sync::mpsc::{Receiver, Sender, channel, sync_channel};
use std::thread;

use distilbert::{Predictor, QaLogits};
use rayon::ThreadPoolBuilder;
use rayon::prelude::*;

/// Batches of logits that may wait for their answers to be selected.
const BATCHES_AHEAD: usize = 2;

/// A window to run. The windows of one question follow one another.
pub(crate) trait Run: Send + Sync {
    fn input_ids(&self) -> &[i32];
    fn has_same_question(&self, other: &Self) -> bool;
    /// Whether it may share a batch with a later window.
    fn may_share_batch(&self, _later: &Self) -> bool {
        true
    }
}

/// Consecutive windows of at most `max_tokens` in total; a longer window is a batch of its own.
pub(crate) fn by_tokens<W: Run>(
    windows: impl Iterator<Item = W>,
    max_tokens: usize,
) -> impl Iterator<Item = Vec<W>> {
    let mut windows = windows.peekable();
    std::iter::from_fn(move || {
        let first = windows.next()?;
        let mut tokens = first.input_ids().len();
        let mut batch = vec![first];
        while let Some(next) = windows
            .next_if(|next| tokens + next.input_ids().len() <= max_tokens && batch[0].may_share_batch(next))
        {
            tokens += next.input_ids().len();
            batch.push(next);
        }
        Some(batch)
    })
}

/// Runs `windows` and passes the answer to every question to `each`, in order, until `each` returns an error.
///
/// `answer` gets all windows of a question with their logits, on threads other than the model's. `each` runs on the
/// caller's thread, a few batches behind the model, so its error stops the model a few batches late. Memory holds only
/// a few batches of logits and the windows of one question at a time.
pub(crate) fn answer_all<W: Run, A: Send, E>(
    predictor: &Predictor,
    windows: impl Iterator<Item = W> + Send,
    max_tokens: usize,
    answer: impl Fn(&[(W, QaLogits)]) -> A + Sync,
    mut each: impl FnMut(A) -> Result<(), E>,
) -> Result<(), E> {
    let pool = ThreadPoolBuilder::new().num_threads(torch_kernels::threads()).build();
    let pool = pool.expect("the system gives as many threads to this as to the model");
    let mut take = |answers: Vec<A>| answers.into_iter().try_for_each(&mut each);
    thread::scope(|scope| {
        let (to_worker, batches) = sync_channel(BATCHES_AHEAD);
        let (to_caller, answers) = channel();
        let (pool, answer) = (&pool, &answer);
        scope.spawn(move || pool.install(|| select_behind(answer, batches, to_caller)));
        let mut outcome = Ok(());
        predictor.logits_of_batches(by_tokens(windows, max_tokens), W::input_ids, |batch| {
            if to_worker.send(batch).is_err() {
                // It panicked: the end of the scope reports that.
                return ControlFlow::Break(());
            }
            outcome = answers.try_iter().try_for_each(&mut take);
            if outcome.is_err() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        });
        outcome?;
        drop(to_worker);
        answers.iter().try_for_each(&mut take)
    })
}

/// Answers questions until there are no more batches, or nobody receives the answers. After each batch, it answers in
/// parallel the questions whose last window was in it.
fn select_behind<W: Run, A: Send>(
    answer: &(impl Fn(&[(W, QaLogits)]) -> A + Sync),
    batches: Receiver<Vec<(W, QaLogits)>>,
    to_caller: Sender<Vec<A>>,
) {
    let same_question = |a: &(W, QaLogits), b: &(W, QaLogits)| a.0.has_same_question(&b.0);
    let answer_each = |windows: &[(W, QaLogits)]| -> Vec<A> {
        let questions: Vec<&[(W, QaLogits)]> = windows.chunk_by(same_question).collect();
        questions.into_par_iter().map(answer).collect()
    };
    let mut windows: Vec<(W, QaLogits)> = Vec::new();
    for batch in batches {
        windows.extend(batch);
        // The last question may continue in the next batch.
        let last = windows.chunk_by(same_question).next_back().map_or(0, <[_]>::len);
        let complete = windows.len() - last;
        if to_caller.send(answer_each(&windows[..complete])).is_err() {
            return;
        }
        windows.drain(..complete);
    }
    // Nobody receives it after an error.
    let _ = to_caller.send(answer_each(&windows));
}
