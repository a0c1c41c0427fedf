//! What training says while it runs and leaves behind: history, timing, live metrics, the best weights.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Instant;

use artifact::{HistoryRow, TensorsWriter, TimingRow, file_name, write_history, write_timing};
use distilbert::{DistilBertForQuestionAnswering, SplitScore};
use fs_err::File;
use serde_json::json;

use crate::Error;

/// The files of a train artifact but for the checkpoint, as they grow.
pub(crate) struct Records {
    dir: PathBuf,
    fingerprint: String,
    pub(crate) history: Vec<HistoryRow>,
    timing: Vec<TimingRow>,
    live: File,
    started: Instant,
    since_last: Work,
}

/// Work since the last timing row.
#[derive(Clone, Copy, Default)]
pub(crate) struct Work {
    pub(crate) steps: u64,
    pub(crate) features: u64,
    pub(crate) tokens: u64,
}

impl Records {
    pub(crate) fn create(dir: &Path, fingerprint: &str) -> Result<Self, Error> {
        Ok(Self {
            dir: dir.to_owned(),
            fingerprint: fingerprint.to_owned(),
            history: Vec::new(),
            timing: Vec::new(),
            live: File::create(dir.join(file_name::METRICS))?,
            started: Instant::now(),
            since_last: Work::default(),
        })
    }

    pub(crate) fn count(&mut self, features: u64, tokens: u64) {
        self.since_last.steps += 1;
        self.since_last.features += features;
        self.since_last.tokens += tokens;
    }

    /// Writes the newest history row live, with the speed since the last call. Returns features a second.
    pub(crate) fn log(&mut self) -> Result<f64, Error> {
        let Some(row) = self.history.last() else { return Ok(0.0) };
        let elapsed_ms = self.started.elapsed().as_secs_f64() * 1e3;
        let passed_ms = elapsed_ms - self.timing.last().map_or(0.0, |row| row.elapsed_ms);
        let work = std::mem::take(&mut self.since_last);
        let features_per_s = work.features as f64 / (passed_ms / 1e3);
        let line = json!({
            "global_step": row.global_step, "epoch": row.epoch, "kind": row.kind.as_str(), "loss": row.loss,
            "learning_rate": row.learning_rate, "grad_norm": row.grad_norm, "exact_match": row.exact_match,
            "f1": row.f1, "elapsed_ms": elapsed_ms, "features_per_s": features_per_s,
            "tokens_per_s": work.tokens as f64 / (passed_ms / 1e3),
        });
        writeln!(self.live, "{line}")?;
        if work.steps > 0 {
            self.timing.push(TimingRow {
                global_step: row.global_step,
                elapsed_ms,
                features: work.features,
                tokens: work.tokens,
                step_ms: passed_ms / work.steps as f64,
            });
        }
        Ok(features_per_s)
    }

    /// Leaves validation out of the next row's speed.
    pub(crate) fn pause(&mut self, seconds: f64) {
        self.started += std::time::Duration::from_secs_f64(seconds);
    }

    pub(crate) fn finish(self) -> Result<(), Error> {
        write_history(&self.dir.join(file_name::HISTORY), &self.fingerprint, &self.history)?;
        write_timing(&self.dir.join(file_name::TIMING), &self.fingerprint, &self.timing)?;
        Ok(())
    }
}

/// Writes `checkpoint.arrow`: all parameters in f32 under their checkpoint names.
pub(crate) fn write_checkpoint(
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
    let mut writer = TensorsWriter::create_as(path, fingerprint, &artifact::TENSORS, metadata)?;
    for parameter in model.parameters() {
        let shape: Vec<i64> = parameter.shape.iter().map(|&size| size as i64).collect();
        writer.push_f32(&parameter.name, &shape, &parameter.handle.to_vec())?;
    }
    Ok(writer.finish()?)
}
