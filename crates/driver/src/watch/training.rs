//! What the files of a training say.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use artifact::{HistoryKind, LiveRow, PARTIAL_PREFIX, file_name};

use super::curve::Point;
use crate::Error;
use crate::running::{Running, last_line};

/// The state of a training.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    /// A process is running it.
    Running,
    /// No process is, and it is not finished: the same command resumes it.
    Stopped,
    /// Its artifact is sealed.
    Finished,
}

impl State {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Stopped => "stopped",
            Self::Finished => "finished",
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Validation {
    pub(super) global_step: u64,
    pub(super) loss: Option<f64>,
    pub(super) exact_match: f64,
    pub(super) f1: f64,
}

/// The state of a training at one moment, from its files.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Training {
    pub(super) dir: PathBuf,
    pub(super) state: State,
    /// The process that runs it.
    pub(super) running: Option<Running>,
    /// The step of the newest checkpoint.
    pub(super) checkpoint: Option<u64>,
    /// The time since the last line was written.
    pub(super) age: Option<Duration>,
    /// The newest line of all.
    pub(super) last: Option<LiveRow>,
    /// The newest line of a training step.
    pub(super) step: Option<LiveRow>,
    /// Over `global_step`.
    pub(super) loss: Vec<Point>,
    pub(super) learning_rate: Vec<Point>,
    pub(super) validations: Vec<Validation>,
}

impl Training {
    /// Reads the folder. A finished training has every step in `history.arrow`; before that, there is a line every
    /// `train.log_every_steps` steps.
    pub(super) fn read(dir: &Path) -> Result<Self, Error> {
        let rows = match artifact::read_live(&dir.join(file_name::METRICS)) {
            Ok(rows) => rows,
            // Renamed at this moment.
            Err(artifact::Error::Io(error)) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
            Err(error) => return Err(error.into()),
        };
        let state = state(dir);
        let mut training = Self::of_rows(dir, state, rows);
        training.age = age(dir);
        training.running = Running::at(dir);
        training.checkpoint = checkpoint(dir);
        if state == State::Finished {
            let steps = artifact::read_history(&dir.join(file_name::HISTORY))?.into_iter();
            let steps: Vec<_> = steps.filter(|row| row.kind == HistoryKind::Train).collect();
            training.loss = steps.iter().map(|row| (row.global_step as f64, row.loss)).collect();
            training.learning_rate =
                steps.iter().filter_map(|row| Some((row.global_step as f64, row.learning_rate?))).collect();
        }
        Ok(training)
    }

    pub(super) fn of_rows(dir: &Path, state: State, rows: Vec<LiveRow>) -> Self {
        let steps = || rows.iter().filter(|row| row.kind == HistoryKind::Train);
        let validation = |row: &LiveRow| {
            let (exact_match, f1) = (row.exact_match?, row.f1?);
            Some(Validation { global_step: row.global_step, loss: row.loss, exact_match, f1 })
        };
        let points = |value: fn(&LiveRow) -> Option<f64>| {
            steps().filter_map(|row| Some((row.global_step as f64, value(row)?))).collect()
        };
        Self {
            dir: dir.to_owned(),
            state,
            running: None,
            checkpoint: None,
            age: None,
            loss: points(|row| row.loss),
            learning_rate: points(|row| row.learning_rate),
            validations: rows.iter().filter_map(validation).collect(),
            step: steps().next_back().cloned(),
            last: rows.into_iter().next_back(),
        }
    }

    /// The folder's name without the prefix of unfinished ones; fingerprints are shortened.
    pub(super) fn name(&self) -> String {
        let name = self.dir.canonicalize().unwrap_or_else(|_| self.dir.clone());
        let name = name.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let name = name.strip_prefix(PARTIAL_PREFIX).unwrap_or(&name);
        let is_fingerprint = name.len() == 32 && name.bytes().all(|byte| byte.is_ascii_hexdigit());
        if is_fingerprint { name[..12].to_owned() } else { name.to_owned() }
    }

    /// What is known before a step is logged: `metrics.jsonl` exists, so the model and the data are loaded.
    pub(super) fn before_the_first_line(&self) -> Vec<String> {
        let by = self.running.as_ref().map_or_else(String::new, |running| format!(" ({running})"));
        let mut lines = match self.state {
            State::Running => vec![
                format!("the model and the data are loaded, and steps run{by}"),
                "no step is logged yet: there is a line every `train.log_every_steps` steps".to_owned(),
            ],
            State::Stopped => vec![
                "it stopped before a step was logged".to_owned(),
                "the command that started it resumes it".to_owned(),
            ],
            State::Finished => vec!["it has no logged steps".to_owned()],
        };
        lines.extend(self.checkpoint.map(|step| format!("the newest checkpoint is of step {step}")));
        lines
    }

    /// The validation with the highest F1; the earliest if several are equal.
    pub(super) fn best(&self) -> Option<&Validation> {
        self.validations.iter().rev().max_by(|a, b| a.f1.total_cmp(&b.f1))
    }

    /// Steps that changed no weight.
    pub(super) fn skipped_steps(&self) -> u64 {
        self.last.as_ref().map_or(0, |row| row.global_step.saturating_sub(row.optimizer_step))
    }

    /// Seconds left: the estimate of the last step's line, minus the time since then.
    pub(super) fn eta(&self) -> Option<Duration> {
        let at_last_line = Duration::try_from_secs_f64(self.step.as_ref()?.eta_s?).ok()?;
        (self.state == State::Running).then(|| at_last_line.saturating_sub(self.age.unwrap_or_default()))
    }
}

fn checkpoint(dir: &Path) -> Option<u64> {
    let sealed = artifact::sealed_checkpoints(&dir.join(file_name::CHECKPOINTS)).ok()?;
    Some(sealed.last()?.global_step)
}

fn age(dir: &Path) -> Option<Duration> {
    last_line(dir)?.elapsed().ok()
}

fn state(dir: &Path) -> State {
    // Sealed, but not renamed yet.
    let is_partial = dir.file_name().is_some_and(|name| name.to_string_lossy().starts_with(PARTIAL_PREFIX));
    if !is_partial && dir.join(file_name::MANIFEST).is_file() {
        State::Finished
    } else if Running::at(dir).is_some() {
        State::Running
    } else {
        State::Stopped
    }
}
