//! The question answering loss over a packed batch.

use burn::tensor::activation::log_softmax;
use burn::tensor::{Bool, Int, Tensor};
use torch_kernels::upload;

use crate::batch::PackedBatch;

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
#[must_use]
pub fn qa_loss(logits: Tensor<2>, batch: &PackedBatch, targets: &QaTargets, features: usize) -> Tensor<1> {
    let grid = Grid::new(batch, &logits);
    let losses = [(0, &targets.start_positions), (1, &targets.end_positions)].map(|(column, positions)| {
        let column = logits.clone().slice([0..batch.tokens(), column..column + 1]).reshape([batch.tokens()]);
        let positions: Vec<i64> = positions.iter().map(|&position| i64::from(position)).collect();
        let gold = upload(&positions, &logits);
        let log_probabilities = log_softmax(grid.place(column), 1);
        log_probabilities.gather(1, gold.reshape([batch.features(), 1])).sum()
    });
    let [start, end] = losses;
    (start + end) / (-2.0 * features as f64)
}

/// The positions of a padded (features, longest) matrix: for the logits alone, which are two numbers a token.
struct Grid {
    shape: [usize; 2],
    token: Tensor<1, Int>,
    absent: Tensor<2, Bool>,
}

impl Grid {
    /// On the device of `logits`.
    fn new(batch: &PackedBatch, logits: &Tensor<2>) -> Self {
        let longest = batch.lengths().max().unwrap_or(0);
        let shape = [batch.features(), longest];
        let cells = batch.cu_seqlens().windows(2).flat_map(|bounds| {
            (0..longest)
                .map(|column| bounds[0] + column)
                .map(|token| if token < bounds[1] { token as i64 } else { -1 })
        });
        let cells = upload(&cells.collect::<Vec<_>>(), logits);
        let absent = cells.clone().lower_elem(0).reshape(shape);
        Self { shape, token: cells.clamp_min(0), absent }
    }

    /// (tokens) → (features, longest)
    fn place(&self, column: Tensor<1>) -> Tensor<2> {
        column.select(0, self.token.clone()).reshape(self.shape).mask_fill(self.absent.clone(), ABSENT)
    }
}
