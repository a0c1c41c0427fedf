//! The learning rate as a function of the optimizer step.

/// How the rate falls after the warm-up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decay {
    /// In a straight line to 0: transformers' `get_linear_schedule_with_warmup`.
    Linear,
    /// Along half a cosine to 0: transformers' `get_cosine_schedule_with_warmup`.
    Cosine,
    /// Not at all: transformers' `get_constant_schedule_with_warmup`.
    Constant,
}

/// Linear warm-up from 0, then decay.
#[derive(Clone, Copy, Debug)]
pub struct Schedule {
    /// The rate at the end of warm-up.
    pub learning_rate: f64,
    /// Optimizer steps of warm-up.
    pub warmup_steps: u64,
    /// Optimizer steps in all; a rate that decays would be 0 at this one.
    pub total_steps: u64,
    /// What follows the warm-up.
    pub decay: Decay,
}

impl Schedule {
    /// The rate of the update after `optimizer_step` earlier ones; the very first is 0 where there is warm-up.
    #[must_use]
    pub fn rate(&self, optimizer_step: u64) -> f64 {
        if optimizer_step < self.warmup_steps {
            return self.learning_rate * optimizer_step as f64 / self.warmup_steps as f64;
        }
        let after_warmup = self.total_steps.saturating_sub(self.warmup_steps).max(1) as f64;
        let left = self.total_steps.saturating_sub(optimizer_step) as f64 / after_warmup;
        self.learning_rate
            * match self.decay {
                Decay::Linear => left,
                Decay::Cosine => 0.5 * (1.0 + (std::f64::consts::PI * (1.0 - left)).cos()),
                Decay::Constant => 1.0,
            }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SCHEDULE: Schedule =
        Schedule { learning_rate: 3e-5, warmup_steps: 100, total_steps: 380, decay: Decay::Linear };

    fn assert_factors(schedule: Schedule, factors: &[(u64, f64)]) {
        for &(step, factor) in factors {
            let found = schedule.rate(step);
            assert!((found - 3e-5 * factor).abs() < 1e-18, "step {step}: {found}");
        }
    }

    #[test]
    fn rate_climbs_from_zero_peaks_after_warmup_and_falls_to_zero() {
        let warmup = [(0, 0.0), (1, 0.01), (99, 0.99), (100, 1.0)];
        assert_factors(SCHEDULE, &warmup);
        assert_factors(SCHEDULE, &[(240, 0.5), (379, 1.0 / 280.0), (380, 0.0)]);
        let cosine = Schedule { decay: Decay::Cosine, ..SCHEDULE };
        assert_factors(cosine, &warmup);
        assert_factors(cosine, &[(170, 0.5 + 0.5_f64.sqrt() / 2.0), (240, 0.5), (380, 0.0)]);
        let constant = Schedule { decay: Decay::Constant, ..SCHEDULE };
        assert_factors(constant, &warmup);
        assert_factors(constant, &[(240, 1.0), (379, 1.0)]);
    }

    #[test]
    fn warmup_longer_than_training_never_peaks() {
        let schedule = Schedule { learning_rate: 1.0, warmup_steps: 100, total_steps: 10, ..SCHEDULE };
        assert_eq!((schedule.rate(9), schedule.rate(0)), (0.09, 0.0));
    }

    #[test]
    fn without_warmup_the_first_rate_is_the_peak() {
        let schedule = Schedule { learning_rate: 1.0, warmup_steps: 0, total_steps: 10, ..SCHEDULE };
        assert_eq!((schedule.rate(0), schedule.rate(5)), (1.0, 0.5));
    }
}
