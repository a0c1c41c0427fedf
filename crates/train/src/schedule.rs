//! The learning rate as a function of the optimizer step.

/// Linear warm-up from 0 and linear decay to 0, as transformers' `get_linear_schedule_with_warmup`.
#[derive(Clone, Copy, Debug)]
pub struct LinearSchedule {
    /// The rate at the end of warm-up.
    pub learning_rate: f64,
    /// Optimizer steps of warm-up.
    pub warmup_steps: u64,
    /// Optimizer steps in all; the rate would be 0 at this one.
    pub total_steps: u64,
}

impl LinearSchedule {
    /// The rate of the update after `optimizer_step` earlier ones; the very first is 0 where there is warm-up.
    #[must_use]
    pub fn rate(&self, optimizer_step: u64) -> f64 {
        let factor = if optimizer_step < self.warmup_steps {
            optimizer_step as f64 / self.warmup_steps.max(1) as f64
        } else {
            let left = self.total_steps.saturating_sub(optimizer_step);
            left as f64 / self.total_steps.saturating_sub(self.warmup_steps).max(1) as f64
        };
        self.learning_rate * factor
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rate_climbs_from_zero_peaks_after_warmup_and_falls_to_zero() {
        let schedule = LinearSchedule { learning_rate: 3e-5, warmup_steps: 100, total_steps: 380 };
        for (step, factor) in
            [(0, 0.0), (1, 0.01), (99, 0.99), (100, 1.0), (240, 0.5), (379, 1.0 / 280.0), (380, 0.0)]
        {
            assert!((schedule.rate(step) - 3e-5 * factor).abs() < 1e-18, "step {step}");
        }
    }

    #[test]
    fn warmup_longer_than_training_never_peaks() {
        let schedule = LinearSchedule { learning_rate: 1.0, warmup_steps: 100, total_steps: 10 };
        assert_eq!((schedule.rate(9), schedule.rate(0)), (0.09, 0.0));
    }
}
