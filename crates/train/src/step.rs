//! Forward and backward over the batches of one optimizer step.

use burn::tensor::Tensor;
use distilbert::{
    Activations, Autocast, DistilBertForQuestionAnswering, DropoutSeed, LossInput, Mode, PackedBatch,
    Parameter, QaTargets,
};

use crate::data::TrainFeature;

/// Features of one optimizer step, and how its gradients are taken.
pub struct Step<'a> {
    /// The batches whose gradients are averaged over all their features.
    pub micro_batches: Vec<&'a [TrainFeature<'a>]>,
    /// Seed and step of the dropout masks (`None`: no dropout).
    pub dropout: Option<(u64, u64)>,
    /// The precision.
    pub autocast: Autocast,
    /// What the loss is multiplied by before the backward pass, for float16.
    pub loss_scale: Option<f64>,
    /// What is kept for the backward pass.
    pub activations: Activations,
}

impl<'a> Step<'a> {
    /// A step in `autocast` without dropout, scaling or recomputation.
    #[must_use]
    pub fn plain(micro_batches: Vec<&'a [TrainFeature<'a>]>, autocast: Autocast) -> Self {
        Self { micro_batches, dropout: None, autocast, loss_scale: None, activations: Activations::Keep }
    }
}

/// Forward and backward over all batches of one step. Returns the mean loss over its features, on the device,
/// and the gradients of `loss_scale` times that mean.
#[must_use]
pub fn train_step(model: &DistilBertForQuestionAnswering, step: &Step<'_>) -> (Tensor<1>, Vec<Parameter>) {
    let features: usize = step.micro_batches.iter().map(|batch| batch.len()).sum();
    let losses = step.micro_batches.iter().enumerate().map(|(micro_step, micro_batch)| {
        let input_ids: Vec<&[i32]> = micro_batch.iter().map(|feature| feature.input_ids).collect();
        let targets = QaTargets {
            start_positions: micro_batch.iter().map(|feature| feature.start_position).collect(),
            end_positions: micro_batch.iter().map(|feature| feature.end_position).collect(),
        };
        let mode = step.dropout.map_or(Mode::Inference, |(seed, global_step)| {
            Mode::Training(DropoutSeed { seed, global_step, micro_step: micro_step as u64 })
        });
        model.loss_and_gradients(&LossInput {
            batch: &PackedBatch::pack(&input_ids),
            targets: &targets,
            features,
            autocast: step.autocast,
            mode,
            loss_scale: step.loss_scale,
            activations: step.activations,
        })
    });
    let total = losses.reduce(|(loss, mut sum), (another, gradients)| {
        for (sum, gradient) in sum.iter_mut().zip(&gradients) {
            sum.handle.add_assign(&gradient.handle);
        }
        (loss + another, sum)
    });
    total.expect("a step has at least one batch")
}
