//! The optimizer's arithmetic over many tensors at once: global norm and fused `AdamW`.
//!
//! Which tensor is which, schedules and state files are the training stage's.

#![expect(deprecated, reason = "burn-tch is deprecated upstream; distilburn pins burn 0.22")]

use burn::backend::LibTorch;
use burn::tensor::Tensor;

use crate::handle::Handle;
use crate::kernels::{OptimizerKernels, Update};

/// Hyperparameters of one `AdamW` update (Loshchilov and Hutter 2019), as `torch.optim.AdamW`.
#[derive(Clone, Copy, Debug)]
pub struct AdamWOptions {
    /// Step size of this update.
    pub learning_rate: f64,
    /// Decay of the first and second moment.
    pub betas: [f64; 2],
    /// Decoupled weight decay: every update multiplies the weights by 1 − `learning_rate` × this.
    pub weight_decay: f64,
    /// Added to the root of the second moment.
    pub epsilon: f64,
    /// Which update this is, from 1: the bias correction's exponent.
    pub step: u64,
}

/// One parameter with its gradient and moments, all on one device and of one shape, f32; on the host the gradient may be
/// bfloat16.
pub struct Slot<'a> {
    /// The parameter, changed in place: every tensor that shares its storage sees the new values. So does a graph
    /// that is not run back yet, which may keep the parameter itself: run it back first.
    pub param: &'a Handle,
    /// Its gradient; on the host left as it is, elsewhere divided by the update's `grad_scale`.
    pub grad: &'a Handle,
    /// First moment, changed in place.
    pub exp_avg: &'a Handle,
    /// Second moment, changed in place.
    pub exp_avg_sq: &'a Handle,
}

/// The 2-norm of all gradients together, a scalar on their device.
///
/// `grads` must not be empty.
pub fn global_norm<'a>(grads: impl Iterator<Item = &'a Handle>) -> Tensor<1> {
    Handle::from_primitive(LibTorch::global_norm(grads.map(Handle::to_primitive).collect())).to_burn()
}

/// Divides all gradients by `loss_scale` in place, as `torch.amp.GradScaler.unscale_`. Returns a scalar on their
/// device: 0, or not 0 where a gradient is infinite or NaN.
///
/// `grads` must not be empty.
pub fn unscale<'a>(grads: impl Iterator<Item = &'a Handle>, loss_scale: f64) -> Tensor<1> {
    let (_, found_inf) = LibTorch::unscale(grads.map(Handle::to_primitive).collect(), 1.0 / loss_scale);
    Handle::from_primitive(found_inf).to_burn()
}

/// What `grad_scale` an update needs so that gradients of norm `norm` are clipped to `max_norm`.
///
/// PyTorch's `clip_grad_norm_` multiplies by min(1, `max_norm` / (norm + 1e-6)); the fused update divides.
#[must_use]
pub fn clip_scale(norm: Tensor<1>, max_norm: f64) -> Tensor<1> {
    ((norm + 1e-6) / max_norm).clamp_min(1.0)
}

/// One update of all slots; gradients are divided by `grad_scale`, a scalar on their device, first.
pub fn adamw(slots: &[Slot<'_>], options: AdamWOptions, grad_scale: Tensor<1>) {
    let updates = slots.iter().map(|slot| Update {
        param: slot.param.to_primitive(),
        grad: slot.grad.to_primitive(),
        exp_avg: slot.exp_avg.to_primitive(),
        exp_avg_sq: slot.exp_avg_sq.to_primitive(),
    });
    // In place: the results are the same storage.
    LibTorch::adamw(updates.collect(), options, Handle::from_burn(grad_scale).to_primitive());
}
