//! The windows that wait for the model. Requests take turns, one window each, so that a book does not hold up a
//! sentence. A worker takes a batch when it is free, full or not. Requests whose client has disconnected are skipped.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use distilbert::QaLogits;
use squad::Window;
use tokio::sync::oneshot;

use crate::telemetry;

/// The windows of a request, and their logits as they come.
#[derive(Debug)]
struct Request {
    windows: Vec<Window>,
    since: Instant,
    progress: Mutex<Progress>,
}

#[derive(Debug)]
struct Progress {
    logits: Vec<Option<QaLogits>>,
    /// Windows without logits.
    left: usize,
    has_started: bool,
    /// `None` once it was used.
    reply: Option<oneshot::Sender<Reply>>,
}

/// All windows of a request with their logits, in order, or nothing if the batch of one of them failed.
pub(crate) type Reply = Result<Vec<(Window, QaLogits)>, Failed>;

/// The model failed at a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Failed;

/// Why a request is not accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refused {
    /// Others go first.
    Full,
    /// More than a request may have.
    TooLarge { tokens: usize },
}

/// What waits.
#[derive(Debug, Default)]
struct Waiting {
    /// A waiting request, and its first window that no worker has taken.
    turns: VecDeque<Turn>,
    /// Tokens of the next windows, one of each request: about what a new request waits for.
    round: usize,
    is_closed: bool,
}

/// The queue between requests and workers.
#[derive(Debug)]
pub(crate) struct Queue {
    waiting: Mutex<Waiting>,
    wake: Condvar,
    limits: QueueLimits,
}

/// What the queue holds.
#[derive(Debug, Clone, Copy)]
pub(crate) struct QueueLimits {
    /// Tokens in a batch.
    pub(crate) batch: usize,
    /// Tokens of the next window of every waiting request.
    pub(crate) queued: usize,
    /// Tokens of a request.
    pub(crate) request: usize,
}

/// A request and one of its windows.
type Turn = (Arc<Request>, usize);

impl Request {
    fn progress(&self) -> MutexGuard<'_, Progress> {
        self.progress.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn is_gone(&self) -> bool {
        self.progress().reply.as_ref().is_none_or(oneshot::Sender::is_closed)
    }

    fn tokens_of(&self, window: usize) -> usize {
        self.windows[window].input_ids.len()
    }

    fn start(&self) {
        let mut progress = self.progress();
        if !progress.has_started {
            progress.has_started = true;
            telemetry::queued(self.since.elapsed());
        }
    }

    fn put(&self, window: usize, logits: QaLogits) {
        let mut progress = self.progress();
        progress.logits[window] = Some(logits);
        progress.left -= 1;
        if progress.left > 0 {
            return;
        }
        let logits: Option<Vec<QaLogits>> = std::mem::take(&mut progress.logits).into_iter().collect();
        let logits = logits.expect("none is left");
        if let Some(reply) = progress.reply.take() {
            // The client may have disconnected.
            let _ = reply.send(Ok(self.windows.iter().cloned().zip(logits).collect()));
        }
    }

    fn fail(&self) {
        if let Some(reply) = self.progress().reply.take() {
            let _ = reply.send(Err(Failed));
        }
    }
}

impl Queue {
    pub(crate) fn new(limits: QueueLimits) -> Self {
        Self { waiting: Mutex::default(), wake: Condvar::new(), limits }
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds a request; dropping the receiver removes it.
    pub(crate) fn push(&self, windows: Vec<Window>) -> Result<oneshot::Receiver<Reply>, Refused> {
        let (reply, replied) = oneshot::channel();
        let left = windows.len();
        let progress = Progress { logits: vec![None; left], left, has_started: false, reply: Some(reply) };
        let request = Request { windows, since: Instant::now(), progress: Mutex::new(progress) };
        let tokens = request.windows.iter().map(|window| window.input_ids.len()).sum();
        if tokens > self.limits.request {
            return Err(Refused::TooLarge { tokens });
        }
        let first = request.tokens_of(0);
        let mut waiting = self.waiting();
        let has_room =
            |waiting: &Waiting| waiting.turns.is_empty() || waiting.round + first <= self.limits.queued;
        if !has_room(&waiting) {
            waiting.drop_gone();
        }
        if !has_room(&waiting) {
            return Err(Refused::Full);
        }
        waiting.push_back((Arc::new(request), 0));
        waiting.measure();
        drop(waiting);
        self.wake.notify_one();
        Ok(replied)
    }

    /// Ends the workers once nothing waits.
    pub(crate) fn close(&self) {
        self.waiting().is_closed = true;
        self.wake.notify_all();
    }

    /// Runs batches until the queue is closed. If a batch fails, only its own requests fail.
    pub(crate) fn work(&self, model: impl Fn(&[&Window]) -> Vec<QaLogits>) {
        while let Some(batch) = self.next_batch() {
            let windows: Vec<&Window> =
                batch.iter().map(|(request, window)| &request.windows[*window]).collect();
            for (request, _) in &batch {
                request.start();
            }
            let started = Instant::now();
            let outcome = catch_unwind(AssertUnwindSafe(|| model(&windows)));
            let tokens = windows.iter().map(|window| window.input_ids.len()).sum();
            telemetry::batch(windows.len(), tokens, started.elapsed());
            match outcome {
                Ok(logits) => {
                    for ((request, window), logits) in batch.iter().zip(logits) {
                        request.put(*window, logits);
                    }
                }
                Err(_) => batch.iter().for_each(|(request, _)| request.fail()),
            }
        }
    }

    fn next_batch(&self) -> Option<Vec<Turn>> {
        let mut waiting = self.waiting();
        loop {
            let batch = waiting.take_batch(self.limits.batch);
            waiting.measure();
            if !batch.is_empty() {
                if !waiting.turns.is_empty() {
                    self.wake.notify_one();
                }
                return Some(batch);
            }
            if waiting.is_closed {
                return None;
            }
            waiting = self.wake.wait(waiting).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

impl Waiting {
    /// The next window of each request in turn, at most `max_tokens` in total; a longer window is a batch of its own.
    fn take_batch(&mut self, max_tokens: usize) -> Vec<Turn> {
        let (mut batch, mut tokens) = (Vec::new(), 0);
        while let Some((request, window)) = self.turns.pop_front() {
            let next = request.tokens_of(window);
            self.round -= next;
            if request.is_gone() {
                continue;
            }
            if !batch.is_empty() && tokens + next > max_tokens {
                self.round += next;
                self.turns.push_front((request, window));
                break;
            }
            tokens += next;
            batch.push((Arc::clone(&request), window));
            if window + 1 < request.windows.len() {
                self.push_back((request, window + 1));
            }
        }
        batch
    }

    fn push_back(&mut self, (request, window): Turn) {
        self.round += request.tokens_of(window);
        self.turns.push_back((request, window));
    }

    fn drop_gone(&mut self) {
        self.turns.retain(|(request, _)| !request.is_gone());
        self.round = self.turns.iter().map(|(request, window)| request.tokens_of(*window)).sum();
    }

    fn measure(&self) {
        telemetry::queue_length(self.turns.len(), self.round);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn windows(first: i32, lengths: &[usize]) -> Vec<Window> {
        let window = |length: &usize| Window {
            input_ids: vec![first; *length],
            offset_mapping: vec![None; *length],
            start_position: 0,
            end_position: 0,
        };
        lengths.iter().map(window).collect()
    }

    fn queue(batch: usize, queued: usize) -> Queue {
        Queue::new(QueueLimits { batch, queued, request: 100 })
    }

    /// First tokens of the windows of a batch.
    fn batch(queue: &Queue) -> Vec<i32> {
        let batch = queue.waiting().take_batch(queue.limits.batch);
        batch.iter().map(|(request, window)| request.windows[*window].input_ids[0]).collect()
    }

    fn echo(windows: &[&Window]) -> Vec<QaLogits> {
        let logits = |window: &&Window| {
            assert_ne!(window.input_ids[0], 13, "a window that the model cannot run");
            let logits = vec![window.input_ids[0] as f32];
            QaLogits { start_logits: logits.clone(), end_logits: logits }
        };
        windows.iter().map(logits).collect()
    }

    #[test]
    fn requests_take_turns_window_by_window() {
        let queue = queue(30, 1000);
        let replies = [windows(1, &[10; 5]), windows(2, &[10]), windows(3, &[10, 10])]
            .map(|it| queue.push(it).unwrap());
        let batches: Vec<_> =
            std::iter::from_fn(|| Some(batch(&queue)).filter(|it| !it.is_empty())).collect();
        assert_eq!(batches, [vec![1, 2, 3], vec![1, 3, 1], vec![1, 1]]);
        assert_eq!(queue.waiting().round, 0);
        drop(replies);
    }

    #[test]
    fn a_window_longer_than_a_batch_runs_alone() {
        let queue = queue(30, 1000);
        let replies =
            [windows(1, &[10]), windows(2, &[40]), windows(3, &[10])].map(|it| queue.push(it).unwrap());
        assert_eq!([batch(&queue), batch(&queue), batch(&queue)], [[1], [2], [3]]);
        drop(replies);
    }

    #[test]
    fn who_has_gone_is_passed_over_and_makes_room() {
        let queue = queue(30, 60);
        let first = queue.push(windows(1, &[30, 30])).unwrap();
        let second = queue.push(windows(2, &[30])).unwrap();
        assert_eq!(queue.push(windows(3, &[30])).unwrap_err(), Refused::Full);
        assert_eq!(queue.push(windows(3, &[101])).unwrap_err(), Refused::TooLarge { tokens: 101 });
        drop(first);
        let third = queue.push(windows(3, &[30])).unwrap();
        assert_eq!(batch(&queue), [2]);
        drop(second);
        assert_eq!(batch(&queue), [3]);
        assert_eq!(queue.waiting().round, 0);
        drop(third);
    }

    #[test]
    fn a_batch_that_fails_fails_alone() {
        let queue = queue(20, 1000);
        // The bad one shares its batch with the second.
        let mut replies =
            [windows(13, &[10]), windows(2, &[10]), windows(3, &[10, 10])].map(|it| queue.push(it).unwrap());
        queue.close();
        queue.work(echo);
        let [bad, neighbour, good] = &mut replies;
        assert_eq!(bad.try_recv().unwrap().unwrap_err(), Failed);
        assert_eq!(neighbour.try_recv().unwrap().unwrap_err(), Failed);
        let answered = good.try_recv().unwrap().unwrap();
        assert!(answered.iter().map(|(_, logits)| logits.start_logits[0]).eq([3.0, 3.0]));
    }
}
