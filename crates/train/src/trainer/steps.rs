//! One step: forward and backward, the update or its omission, and what is read off the device later.

use artifact::{HistoryKind, HistoryRow};
use burn::tensor::Tensor;
use distilbert::Parameter;

use super::Trainer;
use crate::Error;
use crate::batches::StepBatches;
use crate::recipe::Recipe;
use crate::scaler::{GradScaler, StepOutcome};
use crate::step::{Step, train_step};

/// A step whose loss and gradient norm were not read from the device yet.
pub(super) struct Unread {
    row: HistoryRow,
    loss: Tensor<1>,
    grad_norm: Option<Tensor<1>>,
    /// Rows of its features, for the error message.
    features: Vec<usize>,
}

impl Trainer<'_> {
    /// One optimizer step; without loss scaling nothing waits for a GPU here.
    pub(super) fn step(&mut self, batches: StepBatches) -> Result<(), Error> {
        let Recipe { seed, activations, .. } = self.recipe;
        let StepBatches { epoch, rows, tokens, micro_batches } = batches;
        let global_step = self.counters.global_step;
        let loss_scale = self.counters.scaler.map(|scaler| scaler.scale());
        let (loss, gradients) = train_step(
            self.subject.model,
            self.copies.as_ref(),
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
        if let Some(copies) = &mut self.copies {
            copies.fill();
        }
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
    pub(super) fn read_losses(&mut self) -> Result<(), Error> {
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
}
