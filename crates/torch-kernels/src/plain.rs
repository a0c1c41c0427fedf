//! The operations in Burn's own, on any backend, with their gradients: what a kernel must equal, and what a backend
//! without one runs.

mod attention;
mod dropout;
mod optimizer;
#[cfg(test)]
mod tests;

use burn::backend::tensor::{FloatTensor, IntTensor};
use burn::backend::{Backend, TensorMetadata};
use burn::tensor::{DType, IndexingUpdateOp, Shape};

pub use attention::{attention, attention_backward};
pub use dropout::dropout;
pub use optimizer::{adamw, global_norm, unscale};

/// As [`KernelGradients::autocast_linear_forward`](crate::KernelGradients::autocast_linear_forward).
#[must_use]
pub fn linear<B: Backend>(
    input: FloatTensor<B>,
    weight: FloatTensor<B>,
    bias: FloatTensor<B>,
    compute: DType,
) -> (FloatTensor<B>, [FloatTensor<B>; 2]) {
    let [input, weight, bias] = [input, weight, bias].map(|tensor| cast::<B>(tensor, compute));
    let out = B::float_matmul(input.clone(), B::float_transpose(weight.clone()));
    (B::float_add(out, row::<B>(bias)), [input, weight])
}

/// As [`KernelGradients::autocast_linear_backward`](crate::KernelGradients::autocast_linear_backward), the weight's
/// gradient in f32.
#[must_use]
pub fn linear_backward<B: Backend>(
    grad: FloatTensor<B>,
    saved: [FloatTensor<B>; 2],
    input_dtype: DType,
) -> [FloatTensor<B>; 3] {
    let [input, weight] = saved;
    let grad_bias = sum_of_rows::<B>(cast::<B>(grad.clone(), DType::F32));
    let grad = cast::<B>(grad, weight.dtype());
    let grad_weight = B::float_matmul(B::float_transpose(grad.clone()), input);
    let grad_input = B::float_matmul(grad, weight);
    [cast::<B>(grad_input, input_dtype), cast::<B>(grad_weight, DType::F32), grad_bias]
}

/// As [`KernelGradients::fused_layer_norm_forward`](crate::KernelGradients::fused_layer_norm_forward).
#[must_use]
pub fn layer_norm<B: Backend>(
    input: FloatTensor<B>,
    weight: FloatTensor<B>,
    bias: FloatTensor<B>,
    epsilon: f64,
) -> (FloatTensor<B>, [FloatTensor<B>; 5]) {
    let mean = B::float_mean_dim(input.clone(), 1);
    let centred = B::float_sub(input.clone(), mean.clone());
    let variance = B::float_mean_dim(B::float_mul(centred.clone(), centred.clone()), 1);
    let rstd = B::float_recip(B::float_sqrt(B::float_add_scalar(variance, epsilon.into())));
    let scaled = B::float_mul(B::float_mul(centred, rstd.clone()), row::<B>(weight.clone()));
    (B::float_add(scaled, row::<B>(bias.clone())), [input, mean, rstd, weight, bias])
}

/// As [`KernelGradients::fused_layer_norm_backward`](crate::KernelGradients::fused_layer_norm_backward).
#[must_use]
pub fn layer_norm_backward<B: Backend>(
    grad: FloatTensor<B>,
    saved: [FloatTensor<B>; 5],
) -> [FloatTensor<B>; 3] {
    let [input, mean, rstd, weight, _] = saved;
    let normal = B::float_mul(B::float_sub(input, mean), rstd.clone());
    let grad_weight = sum_of_rows::<B>(B::float_mul(grad.clone(), normal.clone()));
    let grad_bias = sum_of_rows::<B>(grad.clone());
    let grad = B::float_mul(grad, row::<B>(weight));
    let along = B::float_mean_dim(B::float_mul(grad.clone(), normal.clone()), 1);
    let shift = B::float_mean_dim(grad.clone(), 1);
    let grad = B::float_sub(B::float_sub(grad, shift), B::float_mul(normal, along));
    [B::float_mul(grad, rstd), grad_weight, grad_bias]
}

/// As [`Kernels::fused_gelu`](crate::Kernels::fused_gelu).
#[must_use]
pub fn gelu<B: Backend>(input: FloatTensor<B>) -> FloatTensor<B> {
    let share = normal_distribution::<B>(input.clone());
    B::float_mul(input, share)
}

/// As [`KernelGradients::fused_gelu_backward`](crate::KernelGradients::fused_gelu_backward): Φ(x) + x φ(x).
#[must_use]
pub fn gelu_backward<B: Backend>(grad: FloatTensor<B>, input: FloatTensor<B>) -> FloatTensor<B> {
    let half_square = B::float_mul_scalar(B::float_mul(input.clone(), input.clone()), (-0.5).into());
    let root_of_turn = std::f64::consts::TAU.sqrt();
    let density = B::float_div_scalar(B::float_exp(half_square), root_of_turn.into());
    let slope = B::float_add(normal_distribution::<B>(input.clone()), B::float_mul(input, density));
    B::float_mul(grad, slope)
}

/// As [`Kernels::embedding_rows`](crate::Kernels::embedding_rows).
#[must_use]
pub fn embedding<B: Backend>(weight: FloatTensor<B>, indices: IntTensor<B>) -> FloatTensor<B> {
    B::float_select(weight, 0, indices)
}

/// As [`KernelGradients::embedding_rows_backward`](crate::KernelGradients::embedding_rows_backward).
#[must_use]
pub fn embedding_backward<B: Backend>(
    grad: FloatTensor<B>,
    indices: IntTensor<B>,
    rows: usize,
) -> FloatTensor<B> {
    let shape = Shape::new([rows, grad.shape()[1]]);
    let zeros = B::float_zeros(shape, &grad.device(), grad.dtype().into());
    B::float_select_assign(zeros, 0, indices, grad, IndexingUpdateOp::Add)
}

/// Φ, the standard normal distribution.
fn normal_distribution<B: Backend>(input: FloatTensor<B>) -> FloatTensor<B> {
    let erf = B::float_erf(B::float_div_scalar(input, std::f64::consts::SQRT_2.into()));
    B::float_div_scalar(B::float_add_scalar(erf, 1.0.into()), 2.0.into())
}

/// (columns) → (1, columns)
fn row<B: Backend>(tensor: FloatTensor<B>) -> FloatTensor<B> {
    let columns = tensor.shape()[0];
    B::float_reshape(tensor, Shape::new([1, columns]))
}

/// (rows, columns) → (columns)
fn sum_of_rows<B: Backend>(tensor: FloatTensor<B>) -> FloatTensor<B> {
    let columns = tensor.shape()[1];
    B::float_reshape(B::float_sum_dim(tensor, 0), Shape::new([columns]))
}

pub(crate) fn cast<B: Backend>(tensor: FloatTensor<B>, dtype: DType) -> FloatTensor<B> {
    if tensor.dtype() == dtype { tensor } else { B::float_cast(tensor, dtype.into()) }
}
