//! The question answering loss over a packed batch.

use burn::tensor::Tensor;
use burn::tensor::activation::log_softmax;

use crate::batch::{PackedBatch, UploadedTargets};

/// Far below any logit, so that absent positions take no probability; finite, so that no gradient is NaN.
const ABSENT: f64 = -1e30;

/// Gold positions of a batch's features, in tokens from each feature's first.
#[derive(Clone, Debug)]
pub struct QaTargets {
    /// First token of the answer; 0 (`[CLS]`) where the window does not hold it.
    pub start_positions: Vec<i32>,
    /// Last token of the answer, inclusive.
    pub end_positions: Vec<i32>,
}

/// Sum over the batch of the mean of start and end cross-entropy, divided by `features`.
///
/// With `features` the number of features in the whole accumulation group, the losses of its batches add up
/// to the loss of one batch of them all. Each softmax runs over the feature's own tokens, as transformers'
/// loss does for a feature that is not padded.
///
/// `logits` (tokens, 2) → (1)
pub(crate) fn qa_loss(
    logits: Tensor<2>,
    batch: &PackedBatch,
    targets: &UploadedTargets,
    features: usize,
) -> Tensor<1> {
    // A padded matrix: of the logits alone, which are two numbers a token.
    let shape = [batch.features(), batch.longest()];
    let absent = targets.grid.clone().lower_elem(0).reshape(shape);
    let token = targets.grid.clone().clamp_min(0);
    let losses = [(0, &targets.start_positions), (1, &targets.end_positions)].map(|(column, gold)| {
        let column = logits.clone().slice([0..batch.tokens(), column..column + 1]).reshape([batch.tokens()]);
        let placed = column.select(0, token.clone()).reshape(shape).mask_fill(absent.clone(), ABSENT);
        log_softmax(placed, 1).gather(1, gold.clone().reshape([batch.features(), 1])).sum()
    });
    let [start, end] = losses;
    (start + end) / (-2.0 * features as f64)
}
