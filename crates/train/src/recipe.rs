//! The numbers of a training, settled from the settings and the number of features.

use answerer::SplitScore;
use distilbert::Activations;
use stage::Settings;
use stage::settings::{Metric, Schedule as Decays};

use crate::Error;
use crate::optimizer::OptimizerSettings;
use crate::schedule::{Decay, Schedule};

/// What the training loop goes by.
#[derive(Clone, Copy, Debug)]
pub struct Recipe {
    pub(crate) seed: u64,
    pub(crate) epochs: u32,
    pub(crate) steps_per_epoch: u64,
    /// Steps in all, attempts that an overflow made void included.
    pub(crate) total_steps: u64,
    pub(crate) batch_size: usize,
    pub(crate) gradient_accumulation_steps: usize,
    pub(crate) eval_batch_size: usize,
    pub(crate) eval_every_steps: u64,
    pub(crate) metric_for_best: Metric,
    /// Validations in a row without a better score that end the training; 0 = none do.
    pub(crate) early_stopping_patience: u64,
    pub(crate) activations: Activations,
    pub(crate) log_every_steps: u64,
    pub(crate) checkpoint_every_steps: u64,
    pub(crate) schedule: Schedule,
    pub(crate) optimizer: OptimizerSettings,
}

impl Recipe {
    /// A step takes `batch_size` × `gradient_accumulation_steps` features; an epoch's last one what is left.
    ///
    /// # Errors
    /// [`Error::NeverAtPeak`] where the learning rate would climb to the last step.
    pub fn new(settings: &Settings, features: usize) -> Result<Self, Error> {
        let train = &settings.train;
        let per_step = train.batch_size * train.gradient_accumulation_steps;
        let steps_per_epoch = features.div_ceil(per_step) as u64;
        let all_steps = u64::from(train.epochs) * steps_per_epoch;
        let total_steps = if train.max_steps == 0 { all_steps } else { all_steps.min(train.max_steps) };
        // Rounded up, as transformers' Trainer does, but never all of them.
        let warmup_steps = match train.warmup_ratio {
            ratio if ratio > 0.0 => ((total_steps as f64 * ratio).ceil() as u64).min(total_steps - 1),
            _ => train.warmup_steps,
        };
        if warmup_steps >= total_steps {
            return Err(Error::NeverAtPeak { warmup_steps, total_steps });
        }
        Ok(Self {
            seed: settings.run.seed,
            epochs: train.epochs,
            steps_per_epoch,
            total_steps,
            batch_size: train.batch_size,
            gradient_accumulation_steps: train.gradient_accumulation_steps,
            eval_batch_size: train.eval_batch_size,
            eval_every_steps: train.eval_every_steps,
            metric_for_best: train.metric_for_best,
            early_stopping_patience: train.early_stopping_patience,
            activations: if train.gradient_checkpointing {
                Activations::Recompute
            } else {
                Activations::Keep
            },
            log_every_steps: train.log_every_steps,
            checkpoint_every_steps: train.checkpoint_every_steps,
            schedule: Schedule {
                learning_rate: train.learning_rate,
                warmup_steps,
                total_steps,
                decay: match train.schedule {
                    Decays::Linear => Decay::Linear,
                    Decays::Cosine => Decay::Cosine,
                    Decays::Constant => Decay::Constant,
                },
            },
            optimizer: OptimizerSettings {
                betas: train.betas,
                epsilon: train.epsilon,
                weight_decay: train.weight_decay,
                max_grad_norm: train.max_grad_norm,
                layerwise_lr_decay: train.layerwise_lr_decay,
            },
        })
    }

    pub(crate) fn features_per_step(&self) -> usize {
        self.batch_size * self.gradient_accumulation_steps
    }

    /// The epoch, from 1, that the step after `global_step` earlier ones belongs to, and its place in it.
    pub(crate) fn place_of_step(&self, global_step: u64) -> (u32, usize) {
        let (epoch, step) = (global_step / self.steps_per_epoch, global_step % self.steps_per_epoch);
        (epoch as u32 + 1, step as usize)
    }

    /// The epoch that the last of `global_step` steps belongs to.
    pub(crate) fn epoch_after(&self, global_step: u64) -> u32 {
        self.place_of_step(global_step.saturating_sub(1)).0
    }

    /// Whether the model is validated after `global_step` steps.
    pub(crate) fn validates_after(&self, global_step: u64) -> bool {
        let every = |steps: u64| steps > 0 && global_step.is_multiple_of(steps);
        let at_an_end = global_step == self.total_steps || every(self.steps_per_epoch);
        global_step > 0 && (at_an_end || every(self.eval_every_steps))
    }

    /// Whether `score` is better than `best` by the metric that decides.
    pub(crate) fn is_better(&self, score: &SplitScore, best: &SplitScore) -> bool {
        match self.metric_for_best {
            Metric::F1 => score.f1 > best.f1,
            Metric::ExactMatch => score.exact_match > best.exact_match,
            Metric::Loss => score.loss < best.loss,
        }
    }
}
