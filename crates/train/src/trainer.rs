//! The training loop.

use std::time::Instant;

use artifact::{HistoryKind, HistoryRow, file_name};
use burn::tensor::Tensor;
use burn_dataset::Dataset;
use distilbert::{
    Autocast, DistilBertForQuestionAnswering, DropoutSeed, Mode, PackedBatch, Parameter, Predictor,
    QaTargets, Runtime, Split, SplitScore, answer_split, qa_loss,
};
use squad::SpanSettings;
use stage::{Job, Settings};

use crate::Error;
use crate::data::{FeatureDataset, TrainFeature, epoch_order};
use crate::optimizer::{AdamW, OptimizerSettings};
use crate::records::{Records, write_checkpoint};
use crate::schedule::LinearSchedule;

/// How validation selects spans: `run_qa`'s defaults, so that no setting of evaluate retrains.
const VALIDATION_SPANS: SpanSettings =
    SpanSettings { n_best: 20, max_answer_length: 30, null_threshold: 0.0 };

/// The numbers of a training, settled from the settings and the number of features.
#[derive(Clone, Copy, Debug)]
pub struct Recipe {
    seed: u64,
    epochs: u32,
    batch_size: usize,
    eval_batch_size: usize,
    gradient_accumulation_steps: usize,
    log_every_steps: u64,
    schedule: LinearSchedule,
    optimizer: OptimizerSettings,
}

impl Recipe {
    /// A step takes `batch_size` × `gradient_accumulation_steps` features; an epoch's last one what is left.
    #[must_use]
    pub fn new(settings: &Settings, features: usize) -> Self {
        let train = &settings.train;
        let per_step = train.batch_size * train.gradient_accumulation_steps;
        let all_steps = u64::from(train.epochs) * features.div_ceil(per_step) as u64;
        let total_steps = if train.max_steps == 0 { all_steps } else { all_steps.min(train.max_steps) };
        Self {
            seed: settings.run.seed,
            epochs: train.epochs,
            batch_size: train.batch_size,
            eval_batch_size: train.eval_batch_size,
            gradient_accumulation_steps: train.gradient_accumulation_steps,
            log_every_steps: train.log_every_steps.max(1),
            schedule: LinearSchedule {
                learning_rate: train.learning_rate,
                warmup_steps: train.warmup_steps,
                total_steps,
            },
            optimizer: OptimizerSettings {
                betas: train.betas,
                epsilon: train.epsilon,
                weight_decay: train.weight_decay,
                max_grad_norm: train.max_grad_norm,
            },
        }
    }
}

/// Features of one optimizer step, and what its dropout is drawn from (`None`: no dropout).
pub struct Step<'a> {
    /// The batches whose gradients are averaged over all their features.
    pub micro_batches: Vec<&'a [TrainFeature<'a>]>,
    /// Seed and step of the dropout masks.
    pub dropout: Option<(u64, u64)>,
}

/// Forward and backward over all batches of one step. Returns the mean loss over its features, on the device,
/// and the gradients of that mean.
#[must_use]
pub fn train_step(
    model: &DistilBertForQuestionAnswering,
    autocast: Autocast,
    step: &Step<'_>,
) -> (Tensor<1>, Vec<Parameter>) {
    let features: usize = step.micro_batches.iter().map(|batch| batch.len()).sum();
    let mut total: Option<(Tensor<1>, Vec<Parameter>)> = None;
    for (micro_step, micro_batch) in step.micro_batches.iter().enumerate() {
        let input_ids: Vec<&[i32]> = micro_batch.iter().map(|feature| feature.input_ids).collect();
        let batch = PackedBatch::pack(&input_ids);
        let targets = QaTargets {
            start_positions: micro_batch.iter().map(|feature| feature.start_position).collect(),
            end_positions: micro_batch.iter().map(|feature| feature.end_position).collect(),
        };
        let mode = step.dropout.map_or(Mode::Inference, |(seed, global_step)| {
            Mode::Training(DropoutSeed { seed, global_step, micro_step: micro_step as u64 })
        });
        let loss = qa_loss(model.forward(&batch, autocast, mode), &batch, &targets, features);
        let gradients = model.gradients(&loss.backward());
        let loss = loss.without_autodiff();
        total = Some(match total {
            None => (loss, gradients),
            Some((earlier_loss, mut sum)) => {
                for (sum, gradient) in sum.iter_mut().zip(&gradients) {
                    sum.handle.add_assign(&gradient.handle);
                }
                (earlier_loss + loss, sum)
            }
        });
    }
    total.expect("a step has at least one batch")
}

/// A step whose loss and gradient norm were not read from the device yet.
struct Unread {
    row: HistoryRow,
    loss: Tensor<1>,
    grad_norm: Tensor<1>,
    /// Rows of its features, for the error message.
    features: Vec<usize>,
}

/// A model in training.
pub(crate) struct Trainer<'a> {
    model: &'a DistilBertForQuestionAnswering,
    runtime: &'a Runtime,
    recipe: Recipe,
    train: &'a Split,
    validation: &'a Split,
    optimizer: AdamW,
    global_step: u64,
    unread: Vec<Unread>,
    best: Option<(u64, SplitScore)>,
}

impl<'a> Trainer<'a> {
    pub(crate) fn new(
        model: &'a DistilBertForQuestionAnswering,
        runtime: &'a Runtime,
        recipe: Recipe,
        [train, validation]: [&'a Split; 2],
    ) -> Self {
        let LinearSchedule { warmup_steps, total_steps, .. } = recipe.schedule;
        if warmup_steps >= total_steps {
            tracing::warn!(
                warmup_steps,
                total_steps,
                "the learning rate never reaches its peak: lower train.warmup_steps"
            );
        }
        let optimizer = AdamW::new(model.parameters(), recipe.optimizer);
        Self {
            model,
            runtime,
            recipe,
            train,
            validation,
            optimizer,
            global_step: 0,
            unread: Vec::new(),
            best: None,
        }
    }

    /// Trains to the end of the schedule and leaves the best model behind.
    pub(crate) fn fit(mut self, job: &mut Job) -> Result<(), Error> {
        let Recipe { epochs, seed, schedule, .. } = self.recipe;
        let total_steps = schedule.total_steps;
        let per_step = self.recipe.batch_size * self.recipe.gradient_accumulation_steps;
        let dataset = FeatureDataset(&self.train.features);
        let mut records = Records::create(job.output(), job.fingerprint())?;
        let progress = job.progress("train", total_steps);

        for epoch in 1..=epochs {
            let order = epoch_order(dataset.len(), seed, epoch);
            for rows in order.chunks(per_step) {
                if self.global_step == total_steps {
                    break;
                }
                if job.interrupted() {
                    return Err(Error::Interrupted { global_step: self.global_step, total_steps });
                }
                let features: Vec<TrainFeature<'_>> =
                    rows.iter().map(|&row| dataset.get(row).unwrap_or_else(|never| match never {})).collect();
                self.step(epoch, rows, &features);
                records.count(
                    features.len() as u64,
                    features.iter().map(|feature| feature.input_ids.len() as u64).sum(),
                );
                progress.inc(1);
                if self.global_step.is_multiple_of(self.recipe.log_every_steps) {
                    self.read_losses(&mut records)?;
                    let features_per_s = records.log()?;
                    progress.message(self.describe(epoch, &records.history, features_per_s));
                }
            }
            self.read_losses(&mut records)?;
            self.validate(epoch, job, &mut records)?;
            if self.global_step == total_steps {
                break;
            }
        }
        progress.finish();

        let (best_step, score) = self.best.expect("at least one epoch was validated");
        job.metric("steps", self.global_step);
        job.metric("best_step", best_step);
        job.metric("validation_loss", score.loss);
        job.metric("exact_match", score.exact_match);
        job.metric("f1", score.f1);
        job.run_info("executed_steps", self.global_step);
        records.finish()
    }

    /// One optimizer step; nothing waits for a GPU here.
    fn step(&mut self, epoch: u32, rows: &[usize], features: &[TrainFeature<'_>]) {
        let step = Step {
            micro_batches: features.chunks(self.recipe.batch_size).collect(),
            dropout: Some((self.recipe.seed, self.global_step)),
        };
        let (loss, gradients) = train_step(self.model, self.runtime.autocast(), &step);
        let learning_rate = self.recipe.schedule.rate(self.optimizer.optimizer_step());
        let grad_norm = self.optimizer.update(&gradients, learning_rate);
        self.global_step += 1;
        let row = HistoryRow {
            global_step: self.global_step,
            epoch,
            kind: HistoryKind::Train,
            loss: 0.0,
            learning_rate: Some(learning_rate),
            grad_norm: None,
            loss_scale: None,
            skipped: None,
            exact_match: None,
            f1: None,
        };
        self.unread.push(Unread { row, loss, grad_norm, features: rows.to_vec() });
    }

    /// Reads losses and norms off the device, which waits for it.
    fn read_losses(&mut self, records: &mut Records) -> Result<(), Error> {
        for Unread { mut row, loss, grad_norm, features } in self.unread.drain(..) {
            row.loss = f64::from(loss.into_scalar::<f32>());
            row.grad_norm = Some(f64::from(grad_norm.into_scalar::<f32>()));
            if !row.loss.is_finite() || !row.grad_norm.is_some_and(f64::is_finite) {
                let ids = features.iter().map(|&feature| {
                    let example_index = self.train.features.get(feature).example_index;
                    self.train.examples.get(example_index as usize).id
                });
                let examples = ids.collect::<Vec<_>>().join(", ");
                let HistoryRow { loss, grad_norm, global_step, .. } = row;
                let grad_norm = grad_norm.unwrap_or(f64::NAN);
                return Err(Error::NotFinite { loss, grad_norm, global_step, examples });
            }
            records.history.push(row);
        }
        Ok(())
    }

    /// Scores the model on the validation split and keeps it if it is the best so far, by F1.
    fn validate(&mut self, epoch: u32, job: &Job, records: &mut Records) -> Result<(), Error> {
        let started = Instant::now();
        let progress = job.progress("validation", self.validation.examples.len() as u64);
        let predictor = Predictor::new(self.model, self.runtime);
        let total_steps = self.recipe.schedule.total_steps;
        let score = answer_split(
            &predictor,
            self.validation,
            self.recipe.eval_batch_size,
            &VALIDATION_SPANS,
            |_| -> Result<(), Error> {
                progress.inc(1);
                if job.interrupted() {
                    return Err(Error::Interrupted { global_step: self.global_step, total_steps });
                }
                Ok(())
            },
        )?;
        progress.finish();
        tracing::info!(
            epoch,
            global_step = self.global_step,
            loss = score.loss,
            exact_match = score.exact_match,
            f1 = score.f1,
            "validated"
        );
        records.history.push(HistoryRow {
            global_step: self.global_step,
            epoch,
            kind: HistoryKind::Validation,
            loss: score.loss,
            learning_rate: None,
            grad_norm: None,
            loss_scale: None,
            skipped: None,
            exact_match: Some(score.exact_match),
            f1: Some(score.f1),
        });
        records.pause(started.elapsed().as_secs_f64());
        records.log()?;
        if self.best.is_none_or(|(_, best)| score.f1 > best.f1) {
            self.best = Some((self.global_step, score));
            let path = job.output().join(file_name::CHECKPOINT);
            write_checkpoint(&path, job.fingerprint(), self.model, (self.global_step, score))?;
        }
        Ok(())
    }

    fn describe(&self, epoch: u32, history: &[HistoryRow], features_per_s: f64) -> String {
        let recent = history.iter().rev().filter(|row| row.kind == HistoryKind::Train).take(20);
        let (sum, count) = recent.fold((0.0, 0_u32), |(sum, count), row| (sum + row.loss, count + 1));
        let rate = self.recipe.schedule.rate(self.optimizer.optimizer_step().saturating_sub(1));
        format!(
            "epoch {epoch}/{}, loss {:.3}, rate {rate:.2e}, {features_per_s:.1} features/s",
            self.recipe.epochs,
            sum / f64::from(count.max(1)),
        )
    }
}
