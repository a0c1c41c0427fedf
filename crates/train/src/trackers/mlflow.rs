//! A run on an `MLflow` server, told over its REST interface from a thread of its own.
//!
//! Training puts rows into a bounded queue and never waits for the server. A server that is dead, slow or answers
//! with errors costs one warning; the thread keeps the values and tries again at growing intervals.

mod api;
mod worker;

use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::{Outcome, RunFacts};
use api::Metric;
use worker::Worker;

/// Rows that wait for the thread while a request is under way.
const QUEUE_ROWS: usize = 4096;

/// How long anything may take.
#[derive(Debug, Clone, Copy)]
struct Limits {
    /// One request, from the connection to the end of the answer.
    request: Duration,
    /// The end of training, for the server to take the last rows.
    finish: Duration,
    /// Between two requests while the server answers: a fast training does not flood it.
    interval: Duration,
    /// Between two attempts while it does not: doubled each time, up to the second.
    retry: [Duration; 2],
}

const LIMITS: Limits = Limits {
    request: Duration::from_secs(5),
    finish: Duration::from_secs(10),
    interval: Duration::from_secs(1),
    retry: [Duration::from_secs(2), Duration::from_mins(1)],
};

/// The training's side.
#[derive(Debug)]
pub(super) struct Mlflow {
    rows: SyncSender<Vec<Metric>>,
    /// Closed by the thread when it is done.
    done: Receiver<()>,
    end: Arc<Mutex<End>>,
    patience: Duration,
    dropped_rows: u64,
}

/// What the training tells the thread at last.
#[derive(Debug, Default)]
struct End {
    outcome: Option<Outcome>,
    /// No file of the artifact may change any more.
    sealed: bool,
}

impl Mlflow {
    /// Starts the thread; the server is asked there.
    pub(super) fn start(facts: &RunFacts<'_>) -> Self {
        Self::start_with(facts, LIMITS)
    }

    fn start_with(facts: &RunFacts<'_>, limits: Limits) -> Self {
        let (rows, queue) = sync_channel(QUEUE_ROWS);
        let (at_work, done) = sync_channel(0);
        let end = Arc::new(Mutex::new(End::default()));
        let worker = Worker::new(facts, limits, Arc::clone(&end));
        let work = move || {
            worker.work(&queue);
            drop::<SyncSender<()>>(at_work);
        };
        if let Err(error) = thread::Builder::new().name("mlflow".to_owned()).spawn(work) {
            tracing::warn!(%error, "nothing goes to MLflow");
        }
        Self { rows, done, end, patience: limits.finish, dropped_rows: 0 }
    }

    /// Never waits.
    pub(super) fn log(&mut self, global_step: u64, scalars: Vec<(&'static str, f64)>) {
        let timestamp = now_ms();
        let metric = |(key, value)| Metric { key, value, timestamp, step: global_step };
        if self.rows.try_send(scalars.into_iter().map(metric).collect()).is_err() {
            self.dropped_rows += 1;
        }
    }

    /// Says how training ended, and waits until the server knows, or its time is up.
    pub(super) fn finish(self, outcome: Outcome) {
        let Self { rows, done, end, patience, dropped_rows } = self;
        lock(&end).outcome = Some(outcome);
        drop(rows);
        // The only message is that the other side is closed.
        if done.recv_timeout(patience) == Err(std::sync::mpsc::RecvTimeoutError::Timeout) {
            tracing::warn!(waited_s = patience.as_secs(), "the MLflow server did not take the last values");
        }
        lock(&end).sealed = true;
        if dropped_rows > 0 {
            tracing::warn!(dropped_rows, "the MLflow server was too slow for these");
        }
    }
}

fn lock(end: &Mutex<End>) -> std::sync::MutexGuard<'_, End> {
    end.lock().unwrap_or_else(PoisonError::into_inner)
}

/// As `MLflow` counts time.
fn now_ms() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_millis() as u64
}

#[cfg(test)]
mod tests;
