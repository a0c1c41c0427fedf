//! Linear layers: of bfloat16 on the host by `cpp/linear.cpp`, elsewhere by LibTorch.

use burn::tensor::DType;
use tch::{Kind, Tensor};

use super::kind_of;
use crate::copies::{Compute, Copies};
use crate::ffi;
use crate::handle::Handle;
use crate::path::on_host;
use crate::products::{blocks_multiply, linear, mm};

/// `input` × `weight`ᵀ + `bias` in the type of `compute`, and what [`backward`] takes of input and weight: in that type, or as
/// it is where it is rounded only while it is read.
pub(super) fn forward(
    input: &Tensor,
    weight: &Tensor,
    bias: &Tensor,
    compute: &Compute,
) -> (Tensor, [Tensor; 2]) {
    let kind = kind_of(compute.dtype);
    if let Some(copies) = &compute.copies {
        let (out, input) = copies.product(input, kind);
        let weight = copies.typed().map_or(weight, Handle::tensor);
        return (out, [input, weight.shallow_clone()]);
    }
    let input = input.to_kind(kind);
    if in_blocks(&input, weight) {
        let [input, weight] = [input.contiguous(), weight.contiguous()];
        // Rounded, as autocast does.
        let bias = bias.to_kind(kind).to_kind(Kind::Float);
        return (ffi::linear_forward(&input, &weight, &bias, false), [input, weight]);
    }
    let weight = weight.to_kind(kind);
    (linear(&input, &weight, &bias.to_kind(kind)), [input, weight])
}

/// The gradient of the input (in `input_kind`) that `N` layers share, and those of their weights and biases.
pub(super) fn backward<const N: usize>(
    grads: [&Tensor; N],
    input: &Tensor,
    weights: [&Tensor; N],
    input_kind: Kind,
) -> (Tensor, [(Tensor, Tensor); N]) {
    let grads = grads.map(|grad| grad.to_kind(input.kind()));
    if weights.iter().all(|weight| in_blocks(input, weight)) {
        let input = input.contiguous();
        let (grads, weights) = (grads.map(|grad| grad.contiguous()), weights.map(Tensor::contiguous));
        let of_parameters = grads.each_ref().map(|grad| ffi::linear_weight_gradient(grad, &input).into());
        // The C++ writes bfloat16 and f32; other types are made of f32.
        let kind = if input_kind == Kind::BFloat16 { input_kind } else { Kind::Float };
        let of_input = ffi::linear_input_gradient(grads.each_ref(), weights.each_ref(), kind);
        return (of_input.to_kind(input_kind), of_parameters);
    }
    let of_input =
        |index: usize| mm(&grads[index], &weights[index].to_kind(input.kind())).to_kind(input_kind);
    let input_grad = (1..N).fold(of_input(0), |sum, index| sum + of_input(index));
    let of_parameters = grads.each_ref().map(|grad| {
        let bias_grad = grad.sum_dim_intlist([0i64].as_slice(), false, Kind::Float);
        (widened(mm(&grad.tr(), input)), bias_grad)
    });
    (input_grad, of_parameters)
}

/// `input` in the type of the products, and what three layers whose parameters are one make of it: views of one product.
pub(super) fn joined_forward(input: &Tensor, copies: &Copies, dtype: DType) -> (Tensor, [Tensor; 3]) {
    let (joined, input) = copies.product(input, kind_of(dtype));
    let dim = joined.size()[1] / 3;
    (input, [0, 1, 2].map(|part| joined.narrow(1, part * dim, dim)))
}

/// As [`backward`] of three layers whose weights are one, (3 × out, in).
pub(super) fn joined_backward(
    grads: [&Tensor; 3],
    input: &Tensor,
    weight: &Tensor,
    input_kind: Kind,
) -> (Tensor, [(Tensor, Tensor); 3]) {
    let grad = Tensor::cat(&grads, 1);
    let (of_input, [(weight, bias)]) = backward([&grad], input, [weight], input_kind);
    let rows = weight.size()[0] / 3;
    let part = |tensor: &Tensor, index: i64| tensor.narrow(0, index * rows, rows);
    (of_input, [0, 1, 2].map(|index| (part(&weight, index), part(&bias, index))))
}

/// Whether `cpp/linear.cpp` multiplies these. What [`forward`] returned may be so where what it was given was not.
fn in_blocks(input: &Tensor, weight: &Tensor) -> bool {
    on_host(input)
        && input.kind() == Kind::BFloat16
        && matches!(weight.kind(), Kind::BFloat16 | Kind::Float)
        && input.size()[0] > 0
        && weight.size().iter().all(|&size| size > 0 && size % 32 == 0)
        && blocks_multiply()
}

/// A weight's gradient as the optimizer takes it: bfloat16 has f32's range, and on the host the update widens it while
/// it reads; anything else becomes f32 here.
fn widened(grad: Tensor) -> Tensor {
    let kept = grad.kind() == Kind::BFloat16 && on_host(&grad);
    if kept { grad } else { grad.to_kind(Kind::Float) }
}
