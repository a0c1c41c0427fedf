//! The optimizer's arithmetic, one tensor after another.

use burn::backend::tensor::FloatTensor;
use burn::backend::{Backend, TensorMetadata, get_device_settings};
use burn::tensor::{DType, FloatDType, Shape};

use super::cast;
use crate::kernels::Update;
use crate::optimizer::AdamWOptions;

/// As [`OptimizerKernels::global_norm`](crate::OptimizerKernels::global_norm).
#[must_use]
pub fn global_norm<B: Backend>(grads: Vec<FloatTensor<B>>) -> FloatTensor<B> {
    let squares = grads.into_iter().map(|grad| {
        let grad = cast::<B>(grad, DType::F32);
        B::float_sum(B::float_mul(grad.clone(), grad))
    });
    let sum = squares.reduce(B::float_add).expect("a norm of at least one gradient");
    B::float_reshape(B::float_sqrt(sum), Shape::new([1]))
}

/// As [`OptimizerKernels::unscale`](crate::OptimizerKernels::unscale).
#[must_use]
pub fn unscale<B: Backend>(
    grads: Vec<FloatTensor<B>>,
    inverse_scale: f64,
) -> (Vec<FloatTensor<B>>, FloatTensor<B>) {
    // 0 times what is not finite is NaN.
    let zeros = grads.iter().map(|grad| B::float_sum(B::float_mul_scalar(grad.clone(), 0.0.into())));
    let zero = zeros.reduce(B::float_add).expect("at least one gradient");
    let bool_dtype = get_device_settings::<B>(&zero.device()).bool_dtype;
    let found = B::bool_into_float(B::float_is_nan(zero, bool_dtype), FloatDType::F32);
    let grads = grads.into_iter().map(|grad| B::float_mul_scalar(grad, inverse_scale.into())).collect();
    (grads, B::float_reshape(found, Shape::new([1])))
}

/// As [`OptimizerKernels::adamw`](crate::OptimizerKernels::adamw).
#[must_use]
pub fn adamw<B: Backend>(
    updates: Vec<Update<B>>,
    options: AdamWOptions,
    grad_scale: FloatTensor<B>,
) -> Vec<Update<B>> {
    updates.into_iter().map(|update| updated(update, options, grad_scale.clone())).collect()
}

fn updated<B: Backend>(update: Update<B>, options: AdamWOptions, grad_scale: FloatTensor<B>) -> Update<B> {
    let Update { param, grad, exp_avg, exp_avg_sq } = update;
    let [beta1, beta2] = options.betas;
    let correction = |beta: f64| 1.0 - beta.powi(options.step as i32);
    let weighted = |tensor, weight: f64| B::float_mul_scalar(tensor, weight.into());

    let scale = B::float_reshape(grad_scale, Shape::from(vec![1; grad.rank()]));
    let scaled = B::float_div(cast::<B>(grad.clone(), DType::F32), scale);
    let square = B::float_mul(scaled.clone(), scaled.clone());
    let exp_avg = B::float_add(weighted(exp_avg, beta1), weighted(scaled, 1.0 - beta1));
    let exp_avg_sq = B::float_add(weighted(exp_avg_sq, beta2), weighted(square, 1.0 - beta2));

    let root = weighted(B::float_sqrt(exp_avg_sq.clone()), 1.0 / correction(beta2).sqrt());
    let step = B::float_div(exp_avg.clone(), B::float_add_scalar(root, options.epsilon.into()));
    let step = weighted(step, options.learning_rate / correction(beta1));
    let param = B::float_sub(weighted(param, 1.0 - options.learning_rate * options.weight_decay), step);
    Update { param, grad, exp_avg, exp_avg_sq }
}
