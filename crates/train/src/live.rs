//! A line of `metrics.jsonl`: what a training says of itself while it runs.

use artifact::TimingRow;
use serde::{Deserialize, Serialize};

/// One line. What does not apply, or is no number, is null.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LiveRow {
    /// Steps attempted so far.
    pub global_step: u64,
    /// Updates made so far.
    pub optimizer_step: u64,
    /// From 1.
    pub epoch: u32,
    /// "train" or "validation".
    pub kind: String,
    /// Of the step, or mean over the validation features.
    pub loss: Option<f64>,
    /// Exponential mean of the training loss.
    pub loss_smoothed: Option<f64>,
    /// Of the step.
    pub learning_rate: Option<f64>,
    /// Global L2 norm of the gradients before clipping.
    pub grad_norm: Option<f64>,
    /// What the loss was multiplied by, in fp16.
    pub loss_scale: Option<f64>,
    /// Whether the step overflowed, in fp16.
    pub skipped: Option<bool>,
    /// 0–100.
    pub exact_match: Option<f64>,
    /// 0–100.
    pub f1: Option<f64>,
    /// Time spent training, validations left out.
    pub elapsed_ms: f64,
    /// Steps since the line before.
    pub steps: u64,
    /// Features of those.
    pub features: u64,
    /// Real tokens of those.
    pub tokens: u64,
    /// Features a second since the line before.
    pub features_per_s: f64,
    /// Real tokens a second since the line before.
    pub tokens_per_s: f64,
    /// Seconds to the last step at this speed, validations left out.
    pub eta_s: Option<f64>,
}

impl LiveRow {
    /// As it stands in the file.
    pub(crate) fn to_line(&self) -> String {
        let line = serde_json::to_string(self).expect("a struct of numbers and strings is JSON");
        line + "\n"
    }

    /// The row of `timing.arrow` that it belongs to.
    pub(crate) fn timing(&self) -> Option<TimingRow> {
        (self.steps > 0).then(|| TimingRow {
            global_step: self.global_step,
            elapsed_ms: self.elapsed_ms,
            features: self.features,
            tokens: self.tokens,
            step_ms: 1e3 * self.features as f64 / self.features_per_s / self.steps as f64,
        })
    }

    /// What a progress bar says beside its count.
    pub(crate) fn describe(&self, epochs: u32) -> String {
        let parts = [
            Some(format!("epoch {}/{epochs}", self.epoch)),
            self.loss_smoothed.map(|loss| format!("loss {loss:.3}")),
            self.learning_rate.map(|rate| format!("rate {rate:.2e}")),
            self.grad_norm.map(|norm| format!("gradient norm {norm:.2}")),
            self.loss_scale.map(|scale| format!("scale {scale}")),
            Some(format!("{:.1} features/s", self.features_per_s)),
            Some(format!("{:.0} tokens/s", self.tokens_per_s)),
        ];
        parts.into_iter().flatten().collect::<Vec<_>>().join(", ")
    }
}
