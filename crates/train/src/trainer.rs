//! The training loop: one step after the other, a validation or a training state where one is due.
//!
//! It holds no position but the counters: where in the data it is follows from the number of steps, so going on from
//! a training state and going on from the step before are the same thing.

mod validation;

use std::thread;
use std::time::{Duration, Instant};

use artifact::{HistoryKind, HistoryRow, StateName, file_name};
use burn::tensor::Tensor;
use distilbert::{DistilBertForQuestionAnswering, Parameter, Precision, Runtime, Split};
use stage::{Job, Progress};

use crate::Error;
use crate::batches::{BatchesAhead, StepBatches};
use crate::checkpoints::Checkpoints;
use crate::optimizer::AdamW;
use crate::recipe::Recipe;
use crate::records::Records;
use crate::scaler::{GradScaler, StepOutcome};
use crate::state::Counters;
use crate::step::{Step, train_step};
use crate::stop::{Reason, Stop};
use crate::trackers::RunFacts;

/// Of a training state for each parameter: its value, two moments, and the best value before, in f32.
const STATE_BYTES: f64 = 16.0;
/// What a slow disk writes, for the time to keep for the first state.
const DISK_BYTES_PER_S: f64 = 1e8;

/// A step whose loss and gradient norm were not read from the device yet.
struct Unread {
    row: HistoryRow,
    loss: Tensor<1>,
    grad_norm: Option<Tensor<1>>,
    /// Rows of its features, for the error message.
    features: Vec<usize>,
}

/// What a training learns and is scored on.
#[derive(Clone, Copy)]
pub(crate) struct Subject<'a> {
    pub(crate) model: &'a DistilBertForQuestionAnswering,
    pub(crate) runtime: &'a Runtime,
    pub(crate) train: &'a Split,
    pub(crate) validation: &'a Split,
}

/// A model in training.
pub(crate) struct Trainer<'a> {
    subject: Subject<'a>,
    recipe: Recipe,
    optimizer: AdamW,
    counters: Counters,
    unread: Vec<Unread>,
    records: Records,
    checkpoints: Checkpoints,
    stop: Stop,
    /// Where this start went on.
    resumed_from: StateName,
}

impl<'a> Trainer<'a> {
    /// Goes on from the newest training state in the job's folder; without one, starts.
    pub(crate) fn new(subject: Subject<'a>, recipe: Recipe, job: &Job) -> Result<Self, Error> {
        let n_layers = subject.model.config().n_layers;
        let mut optimizer = AdamW::new(subject.model.parameters(), n_layers, recipe.optimizer);
        let train = &job.settings.train;
        let parameters: usize = optimizer.states().iter().map(|state| state.param.handle.numel()).sum();
        let to_save = Duration::from_secs_f64(STATE_BYTES * parameters as f64 / DISK_BYTES_PER_S);
        let stop = Stop::new(job.interrupt(), job.started(), train.max_minutes, to_save);
        let dir = job.output().join(file_name::CHECKPOINTS);
        let mut checkpoints = Checkpoints::open(&dir, train.keep_checkpoints, recipe.checkpoint_every_steps)?;
        let fp16 = subject.runtime.precision() == Precision::Fp16;
        let scaler = fp16.then(|| GradScaler::new(GradScaler::INITIAL_SCALE));
        let mut counters = Counters { scaler, ..Counters::default() };
        let mut history = Vec::new();
        if let Some(state) = checkpoints.open_newest()? {
            state.restore(&mut optimizer)?;
            counters = state.counters.for_scaler(counters.scaler);
            history = state.history;
            tracing::info!(
                global_step = counters.global_step,
                total_steps = recipe.total_steps,
                "going on from a training state"
            );
        }
        checkpoints.note_start(counters.global_step)?;
        let facts = RunFacts {
            settings: &job.settings,
            dir: job.output(),
            fingerprint: job.fingerprint(),
            resumed_from_step: counters.global_step,
        };
        let records = Records::resume(&facts, history, (recipe.total_steps, recipe.epochs))?;
        let (unread, resumed_from) = (Vec::new(), counters.state());
        Ok(Self { subject, recipe, optimizer, counters, unread, records, checkpoints, stop, resumed_from })
    }

    /// Trains to the end of the schedule, or until it is asked to stop, and leaves the best model behind.
    pub(crate) fn fit(self, job: &mut Job) -> Result<(), Error> {
        let (train, recipe, global_step) = (self.subject.train, self.recipe, self.counters.global_step);
        thread::scope(|scope| {
            let batches = BatchesAhead::new(scope, &train.features, recipe, global_step);
            self.fit_on(batches, job)
        })
    }

    fn fit_on(mut self, mut batches: BatchesAhead<'_>, job: &mut Job) -> Result<(), Error> {
        let mut progress = Some(self.progress(job));
        loop {
            if self.validation_is_due() {
                // One bar at a time.
                progress = None;
                if let Some(reason) = self.validate(job)? {
                    return self.interrupted(job, reason);
                }
                let validated = Instant::now();
                let saved = self.save_if(self.recipe.checkpoint_every_steps > 0, job);
                self.records.leave_out(validated);
                if !self.is_done() {
                    saved?;
                } else if let Err(error) = saved {
                    // What is left to do needs less room than a state.
                    tracing::warn!(%error, "the last training state is not kept");
                }
            }
            if self.is_done() {
                break;
            }
            if let Some(reason) = self.stop.asked() {
                return self.interrupted(job, reason);
            }
            let progress = progress.get_or_insert_with(|| self.progress(job));
            let started = Instant::now();
            self.checkpoints.hold(self.counters.global_step)?;
            self.step(batches.next())?;
            let step_time = started.elapsed();
            progress.inc(1);
            if self.counters.global_step.is_multiple_of(self.recipe.log_every_steps) {
                self.read_losses()?;
                if let Some(line) = self.records.log(self.optimizer.optimizer_step())? {
                    progress.report(line.describe());
                }
            }
            // Where a validation follows, the state is taken after it.
            let due = self.checkpoints.is_due(self.counters.global_step, step_time);
            let due = due && !self.validation_is_due();
            self.save_if(due, job)?;
            self.stop.learn(started.elapsed() + self.checkpoints.last_seal);
        }
        self.finish(job)
    }

    fn progress(&self, job: &Job) -> Progress {
        let progress = job.progress("train", self.recipe.total_steps);
        progress.skip(self.counters.global_step);
        progress
    }

    fn validation_is_due(&self) -> bool {
        let Counters { global_step, validated_step, .. } = self.counters;
        validated_step != global_step && self.recipe.validates_after(global_step)
    }

    fn is_done(&self) -> bool {
        let patience = self.recipe.early_stopping_patience;
        self.counters.global_step == self.recipe.total_steps
            || (patience > 0 && self.counters.validations_since_best >= patience)
    }

    /// One optimizer step; without loss scaling nothing waits for a GPU here.
    fn step(&mut self, batches: StepBatches) -> Result<(), Error> {
        let Recipe { seed, activations, .. } = self.recipe;
        let StepBatches { epoch, rows, tokens, micro_batches } = batches;
        let global_step = self.counters.global_step;
        let loss_scale = self.counters.scaler.map(|scaler| scaler.scale());
        let (loss, gradients) = train_step(
            self.subject.model,
            &Step {
                micro_batches,
                dropout: Some((seed, global_step)),
                autocast: self.subject.runtime.autocast(),
                loss_scale,
                activations,
            },
        );
        let learning_rate = self.recipe.schedule.rate(self.optimizer.optimizer_step());
        let (outcome, grad_norm) = self.update(&gradients, learning_rate)?;
        self.counters.global_step += 1;
        self.checkpoints.note_step()?;
        let row = HistoryRow {
            global_step: self.counters.global_step,
            epoch,
            kind: HistoryKind::Train,
            loss: 0.0,
            learning_rate: Some(learning_rate),
            grad_norm: None,
            loss_scale,
            skipped: loss_scale.map(|_| outcome == StepOutcome::Skipped),
            exact_match: None,
            f1: None,
        };
        self.records.count(rows.len() as u64, tokens);
        self.unread.push(Unread { row, loss, grad_norm, features: rows });
        Ok(())
    }

    /// Updates the weights, or skips the step where float16 gradients overflowed. Returns the gradients' norm.
    fn update(
        &mut self,
        gradients: &[Parameter],
        learning_rate: f64,
    ) -> Result<(StepOutcome, Option<Tensor<1>>), Error> {
        let Some(scaler) = &mut self.counters.scaler else {
            return Ok((StepOutcome::Updated, Some(self.optimizer.update(gradients, learning_rate))));
        };
        let found_inf = torch_kernels::unscale(gradients.iter().map(|grad| &grad.handle), scaler.scale());
        // Waits for a GPU: the next learning rate depends on it.
        let overflowed = found_inf.into_scalar::<f32>() > 0.0;
        if !overflowed {
            scaler.update(StepOutcome::Updated);
            return Ok((StepOutcome::Updated, Some(self.optimizer.update(gradients, learning_rate))));
        }
        scaler.update(StepOutcome::Skipped);
        if scaler.skipped_in_a_row() >= GradScaler::SKIPS_ALLOWED {
            let parameter = gradients.iter().find(|grad| !grad.handle.is_finite());
            return Err(Error::Overflow {
                skipped: scaler.skipped_in_a_row(),
                global_step: self.counters.global_step + 1,
                loss_scale: scaler.scale(),
                parameter: parameter.map_or_else(String::new, |grad| grad.name.clone()),
            });
        }
        Ok((StepOutcome::Skipped, None))
    }

    /// Reads losses and norms off the device, which waits for it.
    fn read_losses(&mut self) -> Result<(), Error> {
        for Unread { mut row, loss, grad_norm, features } in std::mem::take(&mut self.unread) {
            row.loss = f64::from(loss.into_scalar::<f32>());
            row.grad_norm = grad_norm.map(|norm| f64::from(norm.into_scalar::<f32>()));
            let finite = row.loss.is_finite() && row.grad_norm.is_none_or(f64::is_finite);
            if !finite && row.skipped != Some(true) {
                let split = self.subject.train;
                let ids = features.iter().map(|&feature| {
                    let example_index = split.features.get(feature).example_index;
                    split.examples.get(example_index as usize).id
                });
                return Err(Error::NotFinite {
                    loss: row.loss,
                    grad_norm: row.grad_norm.unwrap_or(f64::NAN),
                    global_step: row.global_step,
                    examples: ids.collect::<Vec<_>>().join(", "),
                    good: self.newest_state(),
                });
            }
            self.records.push(row);
        }
        Ok(())
    }

    /// What a training that fails leaves to go on from, in words.
    fn newest_state(&mut self) -> String {
        if let Err(error) = self.checkpoints.wait() {
            tracing::error!(%error, "the newest training state is not on the disk");
        }
        match self.checkpoints.newest {
            Some(state) => format!("the newest training state is of step {}", state.global_step),
            None => "there is no training state yet".to_owned(),
        }
    }

    /// Takes a training state and has it written while training goes on.
    fn save_if(&mut self, due: bool, job: &Job) -> Result<(), Error> {
        if !due {
            return Ok(());
        }
        // Only good steps come into a state.
        self.read_losses()?;
        self.counters.optimizer_step = self.optimizer.optimizer_step();
        let (counters, history) = (self.counters.clone(), self.records.history());
        self.checkpoints.save(counters, history, &self.optimizer, job.fingerprint())
    }

    fn interrupted(mut self, job: &Job, reason: Reason) -> Result<(), Error> {
        let Counters { global_step, .. } = self.counters;
        self.read_losses()?;
        // Where the one before found no room, this one may.
        if let Err(error) = self.checkpoints.wait() {
            tracing::error!(%error, "the training state before is not on the disk");
        }
        if let Err(error) = self.save_if(true, job).and_then(|()| self.checkpoints.wait()) {
            let newest_step = self.checkpoints.newest_step();
            tracing::error!(global_step, newest_step, "interrupted; steps after the newest state are lost");
            return Err(error);
        }
        if let Err(error) = self.records.interrupted(self.optimizer.optimizer_step()) {
            tracing::warn!(%error, "the trackers do not say that it was interrupted");
        }
        let total_steps = self.recipe.total_steps;
        Err(match reason {
            Reason::Signal => Error::Interrupted { global_step, total_steps },
            Reason::TimeIsUp => {
                let max_minutes = job.settings.train.max_minutes;
                if self.counters.state() == self.resumed_from {
                    Error::TooLittleTime { global_step, max_minutes }
                } else {
                    Error::TimeIsUp { global_step, total_steps, max_minutes }
                }
            }
        })
    }

    fn finish(mut self, job: &mut Job) -> Result<(), Error> {
        if let Err(error) = self.checkpoints.wait() {
            tracing::warn!(%error, "the last training state is not on the disk");
        }
        let best = self.counters.best.expect("the last step is followed by a validation");
        self.checkpoints.check_best(best.global_step)?;
        // A second name for the same file: until the artifact is whole, the states refer to the first.
        let (from, to) =
            (self.checkpoints.best_path(best.global_step), job.output().join(file_name::CHECKPOINT));
        if to.exists() {
            fs_err::remove_file(&to)?;
        }
        fs_err::hard_link(&from, &to).or_else(|_| fs_err::copy(&from, &to).map(drop))?;
        self.records.finish()?;
        job.metric("steps", self.counters.global_step);
        job.metric("optimizer_steps", self.optimizer.optimizer_step());
        job.metric("best_step", best.global_step);
        job.metric("validation_loss", best.loss);
        job.metric("exact_match", best.exact_match);
        job.metric("f1", best.f1);
        let (resumed_from_steps, executed_steps) = self.checkpoints.starts()?;
        job.run_info("executed_steps", executed_steps);
        job.run_info("resumed_from_steps", resumed_from_steps);
        Ok(())
    }
}
