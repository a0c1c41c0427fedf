//! `metrics.jsonl`: the metrics of a running training, one JSON object per line.
//!
//! Each line is complete in itself, so a reader can begin anywhere.

use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::{HistoryKind, Result, TimingRow, read_small};

/// The most bytes that are read: a row has about 500 bytes, and a training writes at most one row per step.
const MAX_BYTES: u64 = 1 << 30;

/// One line. Values that do not apply or are not finite are null.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LiveRow {
    /// Steps attempted so far.
    pub global_step: u64,
    /// Steps of the schedule; early stopping may end the training before.
    pub total_steps: u64,
    /// Updates made so far: `global_step` less the skipped ones.
    pub optimizer_step: u64,
    pub epoch: u32,
    /// How many there will be.
    pub epochs: u32,
    /// Step or validation.
    pub kind: HistoryKind,
    /// The loss of the step, or the mean over the validation features.
    pub loss: Option<f64>,
    /// Exponential mean of the training loss.
    pub loss_smoothed: Option<f64>,
    /// The rate of the step.
    pub learning_rate: Option<f64>,
    /// Global L2 norm of the gradients before clipping.
    pub grad_norm: Option<f64>,
    /// What the loss was multiplied by, in fp16.
    pub loss_scale: Option<f64>,
    /// Whether the step overflowed, in fp16.
    pub skipped: Option<bool>,
    /// 0–100, of a validation.
    pub exact_match: Option<f64>,
    /// 0–100, of a validation.
    pub f1: Option<f64>,
    /// Time spent training, without validations.
    pub elapsed_ms: f64,
    /// Steps since the line before.
    pub steps: u64,
    /// Features of those.
    pub features: u64,
    /// Real tokens of those.
    pub tokens: u64,
    /// Features per second since the line before; null if there was no step.
    pub features_per_s: Option<f64>,
    /// Real tokens per second since the line before; null if there was no step.
    pub tokens_per_s: Option<f64>,
    /// Seconds to the last step at this speed, without validations; null if there was no step.
    pub eta_s: Option<f64>,
}

impl LiveRow {
    /// The line as written in the file, with its line break.
    #[must_use]
    pub fn to_line(&self) -> String {
        let line = serde_json::to_string(self).expect("a struct of numbers and words is JSON");
        line + "\n"
    }

    /// What a progress line says besides its count of steps.
    #[must_use]
    pub fn describe(&self) -> String {
        let parts = [
            Some(format!("epoch {}/{}", self.epoch, self.epochs)),
            self.loss_smoothed.map(|loss| format!("loss {loss:.3}")),
            self.learning_rate.map(|rate| format!("rate {rate:.2e}")),
            self.grad_norm.map(|norm| format!("gradient norm {norm:.2}")),
            self.loss_scale.map(|scale| format!("scale {scale}")),
            self.features_per_s.map(|speed| format!("{speed:.1} features/s")),
            self.tokens_per_s.map(|speed| format!("{speed:.0} tokens/s")),
        ];
        parts.into_iter().flatten().collect::<Vec<_>>().join(", ")
    }

    /// The matching row of `timing.arrow`; none if there was no step.
    #[must_use]
    pub fn timing(&self) -> Option<TimingRow> {
        let features_per_s = self.features_per_s.filter(|_| self.steps > 0)?;
        Some(TimingRow {
            global_step: self.global_step,
            elapsed_ms: self.elapsed_ms,
            features: self.features,
            tokens: self.tokens,
            step_ms: 1e3 * self.features as f64 / features_per_s / self.steps as f64,
        })
    }
}

/// The complete lines of the file. A last line that is still being written, or that a killed process left unfinished,
/// is left out.
pub fn read_live(path: &Path) -> Result<Vec<LiveRow>> {
    let bytes = read_small(path, MAX_BYTES)?;
    Ok(bytes.split(|&byte| byte == b'\n').filter_map(|line| serde_json::from_slice(line).ok()).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row() -> LiveRow {
        LiveRow {
            global_step: 20,
            total_steps: 30,
            optimizer_step: 19,
            epoch: 2,
            epochs: 3,
            kind: HistoryKind::Train,
            loss: Some(0.1 + 0.2),
            loss_smoothed: Some(0.5),
            learning_rate: Some(3e-7),
            grad_norm: None,
            loss_scale: Some(65536.0),
            skipped: Some(false),
            exact_match: None,
            f1: None,
            elapsed_ms: 4000.0,
            steps: 10,
            features: 80,
            tokens: 16_000,
            features_per_s: Some(40.0),
            tokens_per_s: Some(8000.0),
            eta_s: Some(2.0),
        }
    }

    #[test]
    fn lines_come_back_and_the_unfinished_one_is_left_out() {
        let dir = tempfile::TempDir::new().unwrap();
        let path = dir.path().join("metrics.jsonl");
        let line = row().to_line();
        // Cut inside a character, as after an interrupted write.
        let cut = [line.as_bytes(), line.as_bytes(), br#"{"global_step": 30, "kind": "tr"#, "é".as_bytes()];
        let cut = cut.concat();
        fs_err::write(&path, &cut[..cut.len() - 1]).unwrap();
        assert_eq!(read_live(&path).unwrap(), [row(), row()]);
        fs_err::write(&path, "").unwrap();
        assert_eq!(read_live(&path).unwrap(), []);
    }

    #[test]
    fn a_progress_line_leaves_out_what_does_not_apply() {
        let text = "epoch 2/3, loss 0.500, rate 3.00e-7, scale 65536, 40.0 features/s, 8000 tokens/s";
        assert_eq!(row().describe(), text);
        let fp32 = LiveRow { loss_scale: None, grad_norm: Some(1.234), ..row() };
        let text = "epoch 2/3, loss 0.500, rate 3.00e-7, gradient norm 1.23, 40.0 features/s, 8000 tokens/s";
        assert_eq!(fp32.describe(), text);
    }

    #[test]
    fn the_timing_of_a_line_is_the_mean_of_its_steps() {
        assert!((row().timing().unwrap().step_ms - 200.0).abs() < 1e-9);
        let validation = LiveRow { steps: 0, features: 0, tokens: 0, features_per_s: None, ..row() };
        assert_eq!(validation.timing(), None);
    }
}
