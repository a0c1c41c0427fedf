//! What training says while it runs and leaves behind: history, timing, live metrics, the best weights.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Instant;

use answerer::SplitScore;
use artifact::{
    HistoryKind, HistoryRow, LiveRow, TensorsWriter, TimingRow, file_name, read_live, replace_file,
    write_history, write_timing,
};
use distilbert::DistilBertForQuestionAnswering;
use fs_err::OpenOptions;

use crate::Error;
use crate::trackers::{Outcome, RunFacts, Trackers};

/// How much of the smoothed loss is left after one more step.
const SMOOTHING: f64 = 0.95;

/// A clock that stood still would make speeds infinite.
const SHORTEST_S: f64 = 1e-6;

/// The files of a train artifact but for the weights, as they grow.
pub(crate) struct Records {
    dir: PathBuf,
    fingerprint: String,
    history: Vec<HistoryRow>,
    timing: Vec<TimingRow>,
    live: fs_err::File,
    trackers: Trackers,
    /// When this start began, later by what was spent on validations.
    started: Instant,
    /// Time spent training by the starts before.
    earlier_ms: f64,
    since_last: Work,
    smoothed: Smoothed,
    divergence: Divergence,
    /// Steps and epochs in all.
    planned: (u64, u32),
}

/// Work since the last line.
#[derive(Clone, Copy, Default)]
struct Work {
    steps: u64,
    features: u64,
    tokens: u64,
}

impl Records {
    /// Goes on from `history`, which ends at the step that training is resumed from; lines of later steps are dropped.
    /// `planned`: steps and epochs in all.
    pub(crate) fn resume(
        facts: &RunFacts<'_>,
        history: Vec<HistoryRow>,
        planned: (u64, u32),
    ) -> Result<Self, Error> {
        let path = facts.dir.join(file_name::METRICS);
        let mut kept = match read_live(&path) {
            Ok(lines) => lines,
            Err(artifact::Error::Io(error)) if error.kind() == std::io::ErrorKind::NotFound => Vec::new(),
            Err(error) => return Err(error.into()),
        };
        // A validation that the checkpoint does not know of is made again.
        let is_known = |line: &LiveRow| {
            line.kind == HistoryKind::Train
                || history
                    .iter()
                    .rev()
                    .any(|row| row.kind == line.kind && row.global_step == line.global_step)
        };
        kept.retain(|line| line.global_step <= facts.resumed_from_step && is_known(line));
        let text: String = kept.iter().map(LiveRow::to_line).collect();
        replace_file(&path, text.as_bytes())?;
        let elapsed_ms = kept.last().map_or(0.0, |line| line.elapsed_ms);
        let (mut smoothed, mut divergence) = (Smoothed::default(), Divergence::of(planned.0));
        for row in history.iter().filter(|row| row.kind == HistoryKind::Train) {
            smoothed.add(row.loss);
            divergence.first_time(row.loss, smoothed);
        }
        Ok(Self {
            dir: facts.dir.to_owned(),
            fingerprint: facts.fingerprint.to_owned(),
            history,
            timing: kept.iter().filter_map(LiveRow::timing).collect(),
            live: OpenOptions::new().append(true).open(path)?,
            trackers: Trackers::start(facts),
            started: Instant::now(),
            earlier_ms: elapsed_ms,
            since_last: Work::default(),
            smoothed,
            divergence,
            planned,
        })
    }

    pub(crate) fn history(&self) -> &[HistoryRow] {
        &self.history
    }

    /// A step or validation that was measured.
    pub(crate) fn push(&mut self, row: HistoryRow) {
        if row.kind == HistoryKind::Train {
            self.smoothed.add(row.loss);
            if self.divergence.first_time(row.loss, self.smoothed) {
                tracing::warn!(
                    global_step = row.global_step,
                    loss_smoothed = self.smoothed.value(),
                    loss_at_start = self.divergence.first,
                    learning_rate = row.learning_rate,
                    "the training diverges: its loss has risen far above its start; lower train.learning_rate, or raise \
                     train.warmup_steps"
                );
            }
        }
        self.history.push(row);
    }

    /// A step that was started.
    pub(crate) fn count(&mut self, features: u64, tokens: u64) {
        self.since_last.steps += 1;
        self.since_last.features += features;
        self.since_last.tokens += tokens;
    }

    /// Writes the newest history row live, with the speed since the last call, and tells the trackers. Returns what
    /// was written.
    pub(crate) fn log(&mut self, optimizer_step: u64) -> Result<Option<LiveRow>, Error> {
        let Some(row) = self.history.last() else { return Ok(None) };
        let elapsed_ms = self.earlier_ms + self.started.elapsed().as_secs_f64() * 1e3;
        let passed_s = (elapsed_ms - self.timing.last().map_or(0.0, |row| row.elapsed_ms)) / 1e3;
        let passed_s = passed_s.max(SHORTEST_S);
        let Work { steps, features, tokens } = std::mem::take(&mut self.since_last);
        let (total_steps, epochs) = self.planned;
        let left = total_steps.saturating_sub(row.global_step);
        let line = LiveRow {
            global_step: row.global_step,
            total_steps,
            optimizer_step,
            epoch: row.epoch,
            epochs,
            kind: row.kind,
            loss: Some(row.loss).filter(|loss| loss.is_finite()),
            loss_smoothed: self.smoothed.value(),
            learning_rate: row.learning_rate,
            grad_norm: row.grad_norm.filter(|norm| norm.is_finite()),
            loss_scale: row.loss_scale,
            skipped: row.skipped,
            exact_match: row.exact_match,
            f1: row.f1,
            elapsed_ms,
            steps,
            features,
            tokens,
            features_per_s: (steps > 0).then(|| features as f64 / passed_s),
            tokens_per_s: (steps > 0).then(|| tokens as f64 / passed_s),
            eta_s: (steps > 0).then(|| left as f64 * passed_s / steps as f64),
        };
        // One write, so that whoever follows the file sees whole lines.
        self.live.write_all(line.to_line().as_bytes())?;
        self.timing.extend(line.timing());
        self.trackers.log(&line);
        Ok(Some(line))
    }

    /// Leaves what was done since then, which was no step, out of the speed.
    pub(crate) fn leave_out(&mut self, since: Instant) {
        self.started += since.elapsed();
    }

    pub(crate) fn finish(self) -> Result<(), Error> {
        write_history(&self.dir.join(file_name::HISTORY), &self.fingerprint, &self.history)?;
        write_timing(&self.dir.join(file_name::TIMING), &self.fingerprint, &self.timing)?;
        self.trackers.finish(Outcome::Finished);
        Ok(())
    }

    /// Writes the line of the last steps, and leaves everything as it is until training goes on.
    pub(crate) fn interrupted(mut self, optimizer_step: u64) -> Result<(), Error> {
        if self.since_last.steps > 0 {
            self.log(optimizer_step)?;
        }
        self.trackers.finish(Outcome::Interrupted);
        Ok(())
    }
}

/// An exponential mean that is not drawn towards its start: Adam's bias correction.
#[derive(Clone, Copy, Debug, Default)]
struct Smoothed {
    sum: f64,
    weight: f64,
}

impl Smoothed {
    fn add(&mut self, loss: f64) {
        if loss.is_finite() {
            self.sum = SMOOTHING * self.sum + (1.0 - SMOOTHING) * loss;
            self.weight = SMOOTHING * self.weight + (1.0 - SMOOTHING);
        }
    }

    fn value(self) -> Option<f64> {
        (self.weight > 0.0).then(|| self.sum / self.weight)
    }
}

/// Tells a training that diverges from one that learns slowly, or not at all.
#[derive(Clone, Copy, Debug)]
struct Divergence {
    /// The loss of the first step, which no update has touched yet.
    first: Option<f64>,
    losses: u64,
    /// Losses that the smoothed one must stand on.
    enough: u64,
    found: bool,
}

impl Divergence {
    /// Single batches of a fine-tuned model differ by several nats: eight of them hardly do.
    const ENOUGH: u64 = 8;
    /// A uniform guess over a window costs ln(384) ≈ 6 nats. A training from a fresh head begins there, so twice its
    /// start and 2 is out of the reach of one that merely does not learn.
    const TIMES: f64 = 2.0;
    const ABOVE: f64 = 2.0;
    /// A trained model may begin near 0, where twice is nothing; no ordinary one goes on to lose 4 nats on average.
    const LEAST: f64 = 4.0;

    fn of(total_steps: u64) -> Self {
        Self { first: None, losses: 0, enough: Self::ENOUGH.min(total_steps), found: false }
    }

    /// Whether the loss that was just smoothed shows it, and none before did.
    fn first_time(&mut self, loss: f64, smoothed: Smoothed) -> bool {
        if !loss.is_finite() {
            return false;
        }
        self.losses += 1;
        let first = *self.first.get_or_insert(loss);
        let limit = (Self::TIMES * first + Self::ABOVE).max(Self::LEAST);
        let found = self.losses >= self.enough && smoothed.value().is_some_and(|value| value > limit);
        found && !std::mem::replace(&mut self.found, true)
    }
}

/// Writes weights: all parameters in f32 under their names.
pub(crate) fn write_weights(
    path: &Path,
    fingerprint: &str,
    model: &DistilBertForQuestionAnswering,
    (global_step, score): (u64, SplitScore),
) -> Result<(), Error> {
    let metadata = BTreeMap::from([
        ("global_step".to_owned(), global_step.to_string()),
        ("exact_match".to_owned(), score.exact_match.to_string()),
        ("f1".to_owned(), score.f1.to_string()),
    ]);
    let mut writer = TensorsWriter::create_as(path, fingerprint, &artifact::WEIGHTS, metadata)?;
    for parameter in model.parameters() {
        let shape: Vec<i64> = parameter.shape.iter().map(|&size| size as i64).collect();
        writer.push_f32(&parameter.name, &shape, &parameter.handle.to_vec())?;
    }
    Ok(writer.finish()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// At which of the losses divergence is found.
    fn found(losses: impl IntoIterator<Item = f64>) -> Vec<usize> {
        let losses: Vec<f64> = losses.into_iter().collect();
        let (mut smoothed, mut divergence) = (Smoothed::default(), Divergence::of(losses.len() as u64));
        let mut shows = |loss| {
            smoothed.add(loss);
            divergence.first_time(loss, smoothed)
        };
        (0..losses.len()).filter(|&step| shows(losses[step])).collect()
    }

    #[test]
    fn a_loss_far_above_its_start_is_found_once() {
        let exploding = (0..200).map(|step| if step < 20 { 5.9 } else { 300.0 });
        assert_eq!(found(exploding), [20]);
        // Without a warm-up the second step is past saving; a short training is no exception.
        assert_eq!(found((0..100).map(|step| if step == 0 { 5.9 } else { 90.0 })), [7]);
        assert_eq!(found([5.9, 90.0, 95.0]), [2]);
    }

    #[test]
    fn a_trained_model_that_forgets_everything_is_found() {
        assert_eq!(found((0..200).map(|step| if step < 30 { 0.7 } else { 5.9 })).len(), 1);
    }

    #[test]
    fn ordinary_trainings_are_left_alone() {
        // Learning, not learning at all, a bump of the warm-up, single batches of a trained model, one bad batch.
        let noise = |step: i32| f64::from(step * 7919 % 13) / 13.0;
        assert!(found((0..500).map(|step| 5.9 * (-f64::from(step) / 100.0).exp() + noise(step))).is_empty());
        assert!(found((0..500).map(|step| 5.9 + noise(step))).is_empty());
        assert!(found((0..500).map(|step| 5.9 + 4.0 * (f64::from(step) / 50.0).sin().max(0.0))).is_empty());
        assert!(found((0..500).map(|step| if step % 5 == 1 { 12.0 } else { 0.2 })).is_empty());
        assert!(found((0..500).map(|step| if step == 9 { 20.0 } else { 1.0 })).is_empty());
        assert!(found([5.9, f64::INFINITY, 5.8]).is_empty());
    }
}
