//! The optimizer's operations: no part of the graph, and so no extension of dispatch.

use burn::backend::Backend;
use burn::backend::tensor::FloatTensor;

use crate::optimizer::AdamWOptions;
use crate::plain;

/// A parameter with its gradient and its moments, of one shape.
#[derive(Clone, Debug)]
pub struct Update<B: Backend> {
    pub param: FloatTensor<B>,
    pub grad: FloatTensor<B>,
    /// First moment.
    pub exp_avg: FloatTensor<B>,
    /// Second moment.
    pub exp_avg_sq: FloatTensor<B>,
}

/// The optimizer's arithmetic. What is given may be changed in place; the results are what is returned.
pub trait OptimizerKernels: Backend {
    /// The 2-norm of all gradients together, in f32 (1).
    #[must_use]
    fn global_norm(grads: Vec<FloatTensor<Self>>) -> FloatTensor<Self> {
        plain::global_norm::<Self>(grads)
    }
    /// The gradients × `inverse_scale`, and (1) not 0 where one of their elements is not finite.
    #[must_use]
    fn unscale(
        grads: Vec<FloatTensor<Self>>,
        inverse_scale: f64,
    ) -> (Vec<FloatTensor<Self>>, FloatTensor<Self>) {
        plain::unscale::<Self>(grads, inverse_scale)
    }
    /// Parameters and moments after one update; gradients are divided by `grad_scale` (1) first, and are no result.
    fn adamw(
        updates: Vec<Update<Self>>,
        options: AdamWOptions,
        grad_scale: FloatTensor<Self>,
    ) -> Vec<Update<Self>> {
        plain::adamw::<Self>(updates, options, grad_scale)
    }
}
