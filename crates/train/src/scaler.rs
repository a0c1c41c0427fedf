//! The scale of a float16 loss.

use serde::{Deserialize, Serialize};

/// What became of a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StepOutcome {
    /// The weights were updated.
    Updated,
    /// A gradient was infinite or NaN: nothing changed.
    Skipped,
}

/// Dynamic loss scaling with the rules and constants of `torch.amp.GradScaler`: an overflow halves the scale at once,
/// 2,000 steps in a row without one double it.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct GradScaler {
    scale: f32,
    /// Steps since the last overflow or growth.
    growth_tracker: u64,
    /// Overflows since the last update.
    skipped_in_a_row: u64,
}

impl GradScaler {
    /// Scale of the first step.
    pub const INITIAL_SCALE: f32 = 65_536.0;
    /// What the scale is multiplied by when it grows.
    pub const GROWTH_FACTOR: f32 = 2.0;
    /// What the scale is multiplied by after an overflow.
    pub const BACKOFF_FACTOR: f32 = 0.5;
    /// Steps in a row without an overflow after which the scale grows.
    pub const GROWTH_INTERVAL: u64 = 2_000;
    /// Overflows in a row after which training ends: from the initial scale, 16 of them bring it to 1, so what still
    /// overflows then is not the scale's fault.
    pub const SKIPS_ALLOWED: u64 = 24;

    /// Starts at `scale`; training starts at [`Self::INITIAL_SCALE`].
    #[must_use]
    pub fn new(scale: f32) -> Self {
        Self { scale, growth_tracker: 0, skipped_in_a_row: 0 }
    }

    /// What the next loss is multiplied by.
    #[must_use]
    pub fn scale(&self) -> f64 {
        f64::from(self.scale)
    }

    /// Overflows since the last update of the weights.
    #[must_use]
    pub fn skipped_in_a_row(&self) -> u64 {
        self.skipped_in_a_row
    }

    /// Adapts the scale to what became of a step.
    pub fn update(&mut self, outcome: StepOutcome) {
        match outcome {
            StepOutcome::Skipped => {
                self.scale *= Self::BACKOFF_FACTOR;
                self.growth_tracker = 0;
                self.skipped_in_a_row += 1;
            }
            StepOutcome::Updated => {
                self.skipped_in_a_row = 0;
                self.growth_tracker += 1;
                if self.growth_tracker == Self::GROWTH_INTERVAL {
                    self.growth_tracker = 0;
                    let grown = self.scale * Self::GROWTH_FACTOR;
                    if grown.is_finite() {
                        self.scale = grown;
                    }
                }
            }
        }
    }
}
