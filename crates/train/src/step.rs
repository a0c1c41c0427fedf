//! Forward and backward over the batches of one optimizer step.

use burn::tensor::Tensor;
use distilbert::{
    Activations, Autocast, DistilBertForQuestionAnswering, DropoutSeed, LossInput, Mode, ModelCopies,
    PackedBatch, Parameter, QaTargets,
};

use crate::data::TrainFeature;

/// Features of one forward and backward pass, packed, with their labels.
#[derive(Debug)]
pub struct MicroBatch {
    batch: PackedBatch,
    targets: QaTargets,
}

impl MicroBatch {
    /// Packs features in the order given.
    #[must_use]
    pub fn pack(features: &[TrainFeature<'_>]) -> Self {
        let input_ids: Vec<&[i32]> = features.iter().map(|feature| feature.input_ids).collect();
        let targets = QaTargets {
            start_positions: features.iter().map(|feature| feature.start_position).collect(),
            end_positions: features.iter().map(|feature| feature.end_position).collect(),
        };
        Self { batch: PackedBatch::pack(&input_ids), targets }
    }
}

/// Features of one optimizer step, and how its gradients are taken.
#[derive(Debug)]
pub struct Step {
    /// The batches whose gradients are averaged over all their features.
    pub micro_batches: Vec<MicroBatch>,
    /// Seed and step of the dropout masks (`None`: no dropout).
    pub dropout: Option<(u64, u64)>,
    /// The precision.
    pub autocast: Autocast,
    /// What the loss is multiplied by before the backward pass, for float16.
    pub loss_scale: Option<f64>,
    /// What is kept for the backward pass.
    pub activations: Activations,
}

impl Step {
    /// A step in `autocast` without dropout, scaling or recomputation.
    #[must_use]
    pub fn plain(micro_batches: Vec<&[TrainFeature<'_>]>, autocast: Autocast) -> Self {
        let micro_batches = micro_batches.into_iter().map(MicroBatch::pack).collect();
        Self { micro_batches, dropout: None, autocast, loss_scale: None, activations: Activations::Keep }
    }
}

/// Forward and backward over all batches of one step. Returns the mean loss over its features, on the device,
/// and the gradients of `loss_scale` times that mean.
///
/// `copies` are those of the model in the step's precision, filled since its last update, where it has any.
#[must_use]
pub fn train_step(
    model: &DistilBertForQuestionAnswering,
    copies: Option<&ModelCopies>,
    step: &Step,
) -> (Tensor<1>, Vec<Parameter>) {
    let features: usize = step.micro_batches.iter().map(|micro_batch| micro_batch.batch.features()).sum();
    let losses = step.micro_batches.iter().enumerate().map(|(micro_step, micro_batch)| {
        let mode = step.dropout.map_or(Mode::Inference, |(seed, global_step)| {
            Mode::Training(DropoutSeed { seed, global_step, micro_step: micro_step as u64 })
        });
        model.loss_and_gradients(&LossInput {
            batch: &micro_batch.batch,
            targets: &micro_batch.targets,
            features,
            autocast: step.autocast,
            copies,
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
