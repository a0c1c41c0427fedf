//! The windows that wait for the model. Requests take turns, a few windows each, so that a book does not hold up a
//! sentence. A worker takes a batch when it is free, full or not. Requests whose client has disconnected are skipped.

use std::collections::VecDeque;
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use distilbert::QaLogits;
use squad::Window;
use tokio::sync::oneshot;

use crate::telemetry;

/// Windows of a request in one turn. Most questions have no more. With one window per turn, a question with three
/// windows waited for the queue three times.
const TURN_WINDOWS: usize = 4;

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
    turns: VecDeque<Turn>,
    /// Tokens of the next turn of every request: what a new request waits for.
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
    /// Tokens of the next turn of every waiting request.
    pub(crate) queued: usize,
    /// Tokens of a request.
    pub(crate) request: usize,
}

/// A request, and the windows that run in its turn.
#[derive(Debug)]
struct Turn {
    request: Arc<Request>,
    windows: Range<usize>,
}

/// A request and one of its windows.
type Taken = (Arc<Request>, usize);

impl Turn {
    /// The turn that begins with this window; none if there is no such window.
    fn from(request: Arc<Request>, first: usize) -> Option<Self> {
        let windows = first..request.windows.len().min(first + TURN_WINDOWS);
        (!windows.is_empty()).then_some(Self { request, windows })
    }

    fn tokens(&self) -> usize {
        self.windows.clone().map(|window| self.request.tokens_of(window)).sum()
    }
}

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
        let turn = Turn::from(Arc::new(request), 0).expect("a request has a window");
        let first = turn.tokens();
        let mut waiting = self.waiting();
        let has_room =
            |waiting: &Waiting| waiting.turns.is_empty() || waiting.round + first <= self.limits.queued;
        if !has_room(&waiting) {
            waiting.drop_gone();
        }
        if !has_room(&waiting) {
            return Err(Refused::Full);
        }
        waiting.push_back(turn);
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

    fn next_batch(&self) -> Option<Vec<Taken>> {
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
    /// The next windows, turn by turn, at most `max_tokens` in total; a longer window is a batch of its own.
    fn take_batch(&mut self, max_tokens: usize) -> Vec<Taken> {
        let (mut batch, mut tokens) = (Vec::new(), 0);
        while let Some(mut turn) = self.turns.pop_front() {
            self.round -= turn.tokens();
            if turn.request.is_gone() {
                continue;
            }
            while !turn.windows.is_empty() {
                let next = turn.request.tokens_of(turn.windows.start);
                if !batch.is_empty() && tokens + next > max_tokens {
                    self.round += turn.tokens();
                    self.turns.push_front(turn);
                    return batch;
                }
                tokens += next;
                batch.push((Arc::clone(&turn.request), turn.windows.start));
                turn.windows.start += 1;
            }
            if let Some(next) = Turn::from(turn.request, turn.windows.end) {
                self.push_back(next);
            }
        }
        batch
    }

    fn push_back(&mut self, turn: Turn) {
        self.round += turn.tokens();
        self.turns.push_back(turn);
    }

    fn drop_gone(&mut self) {
        self.turns.retain(|turn| !turn.request.is_gone());
        self.round = self.turns.iter().map(Turn::tokens).sum();
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
    fn requests_take_turns_of_a_few_windows() {
        let queue = queue(30, 1000);
        let replies = [windows(1, &[10; 9]), windows(2, &[10]), windows(3, &[10, 10])]
            .map(|it| queue.push(it).unwrap());
        assert_eq!(queue.waiting().round, 70);
        let batches: Vec<_> =
            std::iter::from_fn(|| Some(batch(&queue)).filter(|it| !it.is_empty())).collect();
        assert_eq!(batches, [vec![1, 1, 1], vec![1, 2, 3], vec![3, 1, 1], vec![1, 1, 1]]);
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
        let queue = queue(30, 90);
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
