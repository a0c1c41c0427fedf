//! Where the numbers of a training go beside its own files: `TensorBoard`'s event files and an `MLflow` server.
//!
//! Neither can stop or slow a training: what goes wrong is warned of once. What is measured, and when, is the
//! business of `records`.

mod mlflow;
mod tensorboard;

use std::path::Path;

use artifact::{HistoryKind, LiveRow};
use stage::Settings;

use mlflow::Mlflow;
use tensorboard::EventFile;

/// What the trackers are told of a training when it starts.
#[derive(Debug, Clone, Copy)]
pub struct RunFacts<'a> {
    /// All settings; those that the train stage declares become the run's parameters.
    pub settings: &'a Settings,
    /// The artifact's folder in the making.
    pub dir: &'a Path,
    /// The artifact's fingerprint.
    pub fingerprint: &'a str,
    /// The step that training resumes from; 0 = the beginning.
    pub resumed_from_step: u64,
}

/// How a training ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// It came to its end.
    Finished,
    /// It was stopped, and can be gone on with.
    Interrupted,
    /// An error ended it.
    Failed,
}

/// The trackers of one training. Dropped without [`Trackers::finish`], they say that it failed.
#[derive(Debug)]
pub struct Trackers {
    tensorboard: Option<EventFile>,
    mlflow: Option<Mlflow>,
}

impl Trackers {
    /// Begins an event file in the artifact's folder, and a run on the server of `train.mlflow_uri` if there is
    /// one; goes on with the one that is there when training is resumed.
    #[must_use]
    pub fn start(facts: &RunFacts<'_>) -> Self {
        let folder = facts.dir.join(artifact::file_name::TENSORBOARD);
        let tensorboard = EventFile::create(&folder, facts.resumed_from_step).and_then(|mut file| {
            file.write_settings(name(facts), &stage::TRAIN.settings_read(facts.settings))?;
            Ok(file)
        });
        let tensorboard = tensorboard.map_err(no_events).ok();
        let mlflow = (!facts.settings.train.mlflow_uri.is_empty()).then(|| Mlflow::start(facts));
        Self { tensorboard, mlflow }
    }

    /// Hands on a line of `metrics.jsonl`.
    pub fn log(&mut self, row: &LiveRow) {
        let scalars = scalars(row);
        if let Some(Err(error)) = self.tensorboard.as_mut().map(|file| file.write(row.global_step, &scalars))
        {
            no_events(error);
            self.tensorboard = None;
        }
        if let Some(mlflow) = &mut self.mlflow {
            mlflow.log(row.global_step, scalars);
        }
    }

    /// Closes everything. A server gets a few seconds to take what it has not taken yet.
    pub fn finish(mut self, outcome: Outcome) {
        if let Some(mlflow) = self.mlflow.take() {
            mlflow.finish(outcome);
        }
    }
}

impl Drop for Trackers {
    fn drop(&mut self) {
        if let Some(mlflow) = self.mlflow.take() {
            mlflow.finish(Outcome::Failed);
        }
    }
}

/// What people call the run.
fn name<'a>(facts: &RunFacts<'a>) -> &'a str {
    if facts.settings.run.name.is_empty() { facts.fingerprint } else { &facts.settings.run.name }
}

#[expect(clippy::needless_pass_by_value, reason = "used as the argument of map_err")]
fn no_events(error: std::io::Error) {
    tracing::warn!(%error, "no TensorBoard events from here on");
}

/// The numbers of a line under the names that `TensorBoard` and `MLflow` group them by.
fn scalars(row: &LiveRow) -> Vec<(&'static str, f64)> {
    let skipped_steps = row.loss_scale.map(|_| row.global_step.saturating_sub(row.optimizer_step) as f64);
    let named: &[(&str, Option<f64>)] = match row.kind {
        HistoryKind::Train => &[
            ("train/loss", row.loss),
            ("train/learning_rate", row.learning_rate),
            ("train/grad_norm", row.grad_norm),
            ("train/loss_scale", row.loss_scale),
            ("train/skipped_steps", skipped_steps),
            ("speed/features_per_s", row.features_per_s),
            ("speed/tokens_per_s", row.tokens_per_s),
        ],
        HistoryKind::Validation => &[
            ("validation/loss", row.loss),
            ("validation/exact_match", row.exact_match),
            ("validation/f1", row.f1),
        ],
    };
    named.iter().filter_map(|(name, value)| Some((*name, (*value)?))).collect()
}
