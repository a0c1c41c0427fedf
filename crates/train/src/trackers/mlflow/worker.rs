//! The thread that talks to the server.

use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::sync::{Arc, Mutex};
use std::time::Instant;

use serde_json::{Value, json};

use super::api::{Api, BATCH_METRICS, CallError, Metric, Named};
use super::{End, Limits, Outcome, RunFacts, lock, now_ms};

/// Values kept for a server that does not answer; the oldest go first.
const MAX_PENDING: usize = 100_000;

/// What the thread holds.
pub(super) struct Worker {
    api: Api,
    limits: Limits,
    experiment: String,
    run_name: String,
    params: Vec<Named>,
    tags: Vec<Named>,
    started_ms: u64,
    /// Where the run's id is kept for a training that is resumed.
    id_file: PathBuf,
    end: Arc<Mutex<End>>,
    run: Run,
    pending: VecDeque<Metric>,
    lost: u64,
    /// Attempts in vain since the last one that was not.
    failed: u32,
    warned: bool,
}

/// The run on the server.
enum Run {
    /// None yet.
    None,
    /// Made by an earlier start of this training; the server still takes it for ended.
    Ended(String),
    /// Made, but its parameters were not taken yet.
    Bare(String),
    /// Under way.
    Running(String),
}

impl Worker {
    pub(super) fn new(facts: &RunFacts<'_>, limits: Limits, end: Arc<Mutex<End>>) -> Self {
        let id_file = facts.dir.join(artifact::file_name::MLFLOW);
        let earlier = artifact::read_small(&id_file, artifact::SMALL_FILE_BYTES)
            .ok()
            .and_then(|text| serde_json::from_slice::<Value>(&text).ok());
        let earlier = earlier.and_then(|value| Some(value["run_id"].as_str()?.to_owned()));
        let tag = |key: &str, value: String| Named { key: key.to_owned(), value };
        let mut tags = vec![
            tag("mlflow.source.name", "distilburn train".to_owned()),
            tag("distilburn.fingerprint", facts.fingerprint.to_owned()),
        ];
        if facts.resumed_from_step > 0 {
            tags.push(tag("distilburn.resumed_from_step", facts.resumed_from_step.to_string()));
        }
        Self {
            api: Api::new(&facts.settings.train.mlflow_uri, limits.request),
            limits,
            experiment: facts.settings.train.mlflow_experiment.clone(),
            run_name: match facts.settings.run.name.as_str() {
                "" => format!("train-{}", facts.fingerprint.get(..12).unwrap_or(facts.fingerprint)),
                name => name.to_owned(),
            },
            params: params(&stage::TRAIN.settings_read(facts.settings)),
            tags,
            started_ms: now_ms(),
            id_file,
            end,
            run: earlier.map_or(Run::None, Run::Ended),
            pending: VecDeque::new(),
            lost: 0,
            failed: 0,
            warned: false,
        }
    }

    /// Works until the training's side of the queue is closed.
    pub(super) fn work(mut self, queue: &Receiver<Vec<Metric>>) {
        self.attempt();
        let mut next = self.next();
        loop {
            match queue.recv_timeout(next.saturating_duration_since(Instant::now())) {
                Ok(row) => self.keep(row),
                Err(RecvTimeoutError::Timeout) => {
                    if !(self.pending.is_empty() && matches!(self.run, Run::Running(_))) {
                        self.attempt();
                    }
                    next = self.next();
                }
                Err(RecvTimeoutError::Disconnected) => break,
            }
        }
        self.close();
    }

    fn keep(&mut self, row: Vec<Metric>) {
        self.pending.extend(row);
        while self.pending.len() > MAX_PENDING {
            self.pending.pop_front();
            self.lost += 1;
        }
    }

    fn next(&self) -> Instant {
        let [first, longest] = self.limits.retry;
        let wait = match self.failed {
            0 => self.limits.interval,
            failed => first.saturating_mul(2_u32.saturating_pow(failed - 1)).min(longest),
        };
        Instant::now() + wait
    }

    /// Sends what there is to send; what cannot be sent is kept.
    fn attempt(&mut self) -> bool {
        match self.begin().and_then(|run_id| self.send(&run_id)) {
            Ok(()) => {
                if std::mem::take(&mut self.failed) > 0 {
                    tracing::info!("the MLflow server answers again");
                }
                true
            }
            Err(error) => {
                self.failed += 1;
                if std::mem::replace(&mut self.warned, true) {
                    tracing::debug!(%error, "MLflow is still out of reach");
                } else {
                    tracing::warn!(%error, "MLflow is out of reach: training goes on without it, and tries again");
                }
                false
            }
        }
    }

    /// The id of the run, which is made, or taken up again, if need be.
    fn begin(&mut self) -> Result<String, CallError> {
        loop {
            self.run = match std::mem::replace(&mut self.run, Run::None) {
                Run::Running(run_id) => {
                    self.run = Run::Running(run_id.clone());
                    return Ok(run_id);
                }
                Run::Ended(run_id) => match self.api.set_status(&run_id, "RUNNING", None) {
                    Ok(()) => Run::Running(run_id),
                    // Deleted meanwhile.
                    Err(error) if error.is_final() => Run::None,
                    Err(error) => {
                        self.run = Run::Ended(run_id);
                        return Err(error);
                    }
                },
                Run::Bare(run_id) => match self.api.log_params(&run_id, &self.params) {
                    Ok(()) => Run::Running(run_id),
                    Err(error) => {
                        self.run = Run::Bare(run_id);
                        return Err(error);
                    }
                },
                Run::None => {
                    let experiment_id = self.api.experiment(&self.experiment)?;
                    let run = (self.started_ms, &self.tags[..]);
                    let run_id = self.api.create_run(&experiment_id, &self.run_name, run)?;
                    self.remember(&experiment_id, &run_id);
                    Run::Bare(run_id)
                }
            }
        }
    }

    fn send(&mut self, run_id: &str) -> Result<(), CallError> {
        while !self.pending.is_empty() {
            let count = self.pending.len().min(BATCH_METRICS);
            self.api.log_metrics(run_id, &self.pending.make_contiguous()[..count])?;
            self.pending.drain(..count);
        }
        Ok(())
    }

    fn remember(&self, experiment_id: &str, run_id: &str) {
        let end = lock(&self.end);
        if end.sealed {
            return;
        }
        let text = format!("{}\n", json!({ "experiment_id": experiment_id, "run_id": run_id }));
        if let Err(error) = fs_err::write(&self.id_file, text) {
            tracing::warn!(%error, "a resumed training will be another MLflow run");
        }
    }

    /// A last attempt, and the end of the run.
    fn close(&mut self) {
        let status = match lock(&self.end).outcome {
            Some(Outcome::Finished) => "FINISHED",
            Some(Outcome::Interrupted) => "KILLED",
            Some(Outcome::Failed) | None => "FAILED",
        };
        if self.attempt()
            && let Run::Running(run_id) = &self.run
            && let Err(error) = self.api.set_status(run_id, status, Some(now_ms()))
        {
            tracing::warn!(%error, status, "the MLflow run was left open");
        }
        let unsent = self.lost + self.pending.len() as u64;
        if unsent > 0 {
            tracing::warn!(unsent, "values that MLflow did not get; metrics.jsonl has them");
        }
    }
}

/// The settings that decide the training, by `table.key`.
fn params(settings: &Value) -> Vec<Named> {
    let settings = settings.as_object().into_iter().flatten();
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    settings.map(|(key, value)| Named { key: key.clone(), value: text(value) }).collect()
}
