//! The training loop: one step after the other, a validation or a checkpoint where one is due.
//!
//! It holds no position but the counters: where in the data it is follows from the number of steps, so going on from
//! a checkpoint and resuming from the step before are the same thing.

mod steps;
mod validation;

use std::thread;
use std::time::{Duration, Instant};

use answerer::Split;
use artifact::{CheckpointName, TrainMetrics, file_name};
use distilbert::{DistilBertForQuestionAnswering, ModelCopies, Precision, Runtime};
use stage::Job;

use crate::Error;
use crate::batches::BatchesAhead;
use crate::checkpoint::Counters;
use crate::checkpoints::Checkpoints;
use crate::optimizer::AdamW;
use crate::recipe::Recipe;
use crate::records::Records;
use crate::scaler::GradScaler;
use crate::stop::{Reason, Stop};
use crate::trackers::RunFacts;
use crate::trainer::steps::Unread;

/// Of a checkpoint for each parameter: its value, two moments, and the best value before, in f32.
const STATE_BYTES: f64 = 16.0;
/// What a slow disk writes, for the time to keep for the first checkpoint.
const DISK_BYTES_PER_S: f64 = 1e8;

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
    copies: Option<ModelCopies>,
    counters: Counters,
    unread: Vec<Unread>,
    records: Records,
    checkpoints: Checkpoints,
    stop: Stop,
    /// Where this start went on.
    resumed_from: CheckpointName,
}

impl<'a> Trainer<'a> {
    /// Resumes from the newest checkpoint in the job's folder; without one, starts.
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
        if let Some(checkpoint) = checkpoints.open_newest()? {
            checkpoint.restore(&mut optimizer)?;
            counters = checkpoint.counters.for_scaler(counters.scaler);
            history = checkpoint.history;
            tracing::info!(
                global_step = counters.global_step,
                total_steps = recipe.total_steps,
                "resuming from a checkpoint"
            );
        }
        // Of the weights that the checkpoint brought.
        let copies = subject.model.copies(subject.runtime.autocast());
        checkpoints.note_start(counters.global_step)?;
        let facts = RunFacts {
            settings: &job.settings,
            dir: job.output(),
            fingerprint: job.fingerprint(),
            resumed_from_step: counters.global_step,
        };
        let records = Records::resume(&facts, history, (recipe.total_steps, recipe.epochs))?;
        let (unread, resumed_from) = (Vec::new(), counters.name());
        Ok(Self {
            subject,
            recipe,
            optimizer,
            copies,
            counters,
            unread,
            records,
            checkpoints,
            stop,
            resumed_from,
        })
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
        let progress = job.progress("train", self.recipe.total_steps);
        progress.skip(self.counters.global_step);
        loop {
            if self.validation_is_due() {
                if let Some(reason) = self.validate(job)? {
                    return self.interrupted(job, reason);
                }
                let validated = Instant::now();
                let saved = self.save_if(self.recipe.checkpoint_every_steps > 0, job);
                self.records.leave_out(validated);
                if !self.is_done() {
                    saved?;
                } else if let Err(error) = saved {
                    // What is left to do needs less room than a checkpoint.
                    tracing::warn!(%error, "the last checkpoint is not kept");
                }
                // The time that it took is none of the steps'.
                progress.skip(self.counters.global_step);
            }
            if self.is_done() {
                break;
            }
            if let Some(reason) = self.stop.asked() {
                return self.interrupted(job, reason);
            }
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
            // Where a validation follows, the checkpoint is taken after it.
            let due = self.checkpoints.is_due(self.counters.global_step, step_time);
            let due = due && !self.validation_is_due();
            self.save_if(due, job)?;
            self.stop.learn(started.elapsed() + self.checkpoints.last_seal);
        }
        self.finish(job)
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

    /// What a training that fails leaves to resume from, in words.
    fn newest_state(&mut self) -> String {
        if let Err(error) = self.checkpoints.wait() {
            tracing::error!(%error, "the newest checkpoint is not on the disk");
        }
        match self.checkpoints.newest {
            Some(newest) => format!("the newest checkpoint is of step {}", newest.global_step),
            None => "there is no checkpoint yet".to_owned(),
        }
    }

    /// Takes a checkpoint and has it written while training goes on.
    fn save_if(&mut self, due: bool, job: &Job) -> Result<(), Error> {
        if !due {
            return Ok(());
        }
        // Only good steps come into a checkpoint.
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
            tracing::error!(%error, "the checkpoint before is not on the disk");
        }
        if let Err(error) = self.save_if(true, job).and_then(|()| self.checkpoints.wait()) {
            let newest_step = self.checkpoints.newest_step();
            tracing::error!(
                global_step,
                newest_step,
                "interrupted; steps after the newest checkpoint are lost"
            );
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
                if self.counters.name() == self.resumed_from {
                    Error::TooLittleTime { global_step, max_minutes }
                } else {
                    Error::TimeIsUp { global_step, total_steps, max_minutes }
                }
            }
        })
    }

    fn finish(mut self, job: &mut Job) -> Result<(), Error> {
        if let Err(error) = self.checkpoints.wait() {
            tracing::warn!(%error, "the last checkpoint is not on the disk");
        }
        let best = self.counters.best.expect("the last step is followed by a validation");
        self.checkpoints.check_best(best.global_step)?;
        // A second name for the same file: until the artifact is whole, the checkpoints refer to the first.
        let (from, to) =
            (self.checkpoints.best_path(best.global_step), job.output().join(file_name::WEIGHTS));
        if to.exists() {
            fs_err::remove_file(&to)?;
        }
        fs_err::hard_link(&from, &to).or_else(|_| fs_err::copy(&from, &to).map(drop))?;
        self.records.finish()?;
        job.metrics(&TrainMetrics {
            windows: job.input("tokenize-features").manifest.parts["settings"].clone(),
            no_answer: self.subject.train.rules() == squad::Rules::V2,
            steps: self.counters.global_step,
            optimizer_steps: self.optimizer.optimizer_step(),
            best_step: best.global_step,
            validation_loss: best.loss,
            exact_match: best.exact_match,
            f1: best.f1,
        });
        let (resumed_from_steps, executed_steps) = self.checkpoints.starts()?;
        job.run_info("executed_steps", executed_steps);
        job.run_info("resumed_from_steps", resumed_from_steps);
        Ok(())
    }
}
