//! Every kernel of LibTorch against its default: values and gradients.

#![expect(deprecated, reason = "burn-tch is deprecated upstream; distilburn pins burn 0.22")]

mod attention;
mod linear;

use std::sync::Arc;

use burn::backend::ops::FloatTensorOps;
use burn::backend::tensor::{FloatTensor, IntTensor};
use burn::backend::{Autodiff, AutodiffBackend, Backend, LibTorch, TensorMetadata, read_sync};
use burn::tensor::{DType, TensorData};
use burn_tch::LibTorchDevice;

use super::{
    dropout, embedding, embedding_backward, gelu, gelu_backward, layer_norm, layer_norm_backward, unscale,
};
use crate::kernels::{AttentionOptions, Dropout, KernelGradients, Kernels, OptimizerKernels, Update};
use crate::optimizer::AdamWOptions;

/// A backend of which the crate knows nothing better than the defaults.
type Plain = Autodiff<LibTorch>;

impl KernelGradients for Plain {}
impl OptimizerKernels for Plain {}

/// f32 has 24 significant bits; sums of up to a few hundred terms lose about eight of them.
const TOLERANCE: f32 = 2e-5;
/// bf16 has 8 significant bits: one rounding moves a value by up to 2⁻⁹, and results pass through a few.
const BF16_TOLERANCE: f32 = 3e-2;

const DROPOUT: Dropout = Dropout { p: 0.3, seed: 0xfedc_ba98_7654_3210 };

/// Values in (-1, 1) that follow no pattern.
fn tensor<B: Backend, const D: usize>(shape: [usize; D], seed: u64) -> FloatTensor<B> {
    let mut random = seed;
    let values: Vec<f32> = (0..shape.iter().product())
        .map(|_| {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (random >> 40) as f32 / 8_388_608.0 - 1.0
        })
        .collect();
    B::float_from_data(TensorData::new(values, shape), &B::Device::default())
}

fn torch<const D: usize>(shape: [usize; D], seed: u64) -> FloatTensor<LibTorch> {
    tensor::<LibTorch, D>(shape, seed)
}

fn indices<B: Backend>() -> IntTensor<B> {
    B::int_from_data(TensorData::from([3_i64, 7, 3, 0]), &B::Device::default())
}

fn read<B: Backend>(tensor: FloatTensor<B>) -> Vec<f32> {
    read_sync(B::float_into_data(B::float_cast(tensor, DType::F32.into()))).unwrap().try_to_vec().unwrap()
}

fn assert_close(kernel: &[f32], default: &[f32], tolerance: f32) {
    assert_eq!(kernel.len(), default.len());
    let scale = default.iter().fold(1e-3_f32, |max, x| max.max(x.abs()));
    for (index, (kernel, default)) in kernel.iter().zip(default).enumerate() {
        let near = (kernel - default).abs() <= tolerance * scale;
        assert!(near, "element {index} is {kernel}, of the default {default}; largest value {scale}");
    }
}

fn compare<const N: usize>(
    kernel: [FloatTensor<LibTorch>; N],
    default: [FloatTensor<LibTorch>; N],
    tolerance: f32,
) {
    for (kernel, default) in kernel.into_iter().zip(default) {
        assert_eq!(kernel.shape(), default.shape());
        assert_close(&read::<LibTorch>(kernel), &read::<LibTorch>(default), tolerance);
    }
}

#[test]
fn layer_norm_is_its_default() {
    let (input, grad) = (torch([19, 32], 1), torch([19, 32], 4));
    let (weight, bias) = (torch([32], 2), torch([32], 3));
    let alone = LibTorch::fused_layer_norm(input.clone(), weight.clone(), bias.clone(), 1e-12);
    let (out, saved) = LibTorch::fused_layer_norm_forward(input.clone(), weight.clone(), bias.clone(), 1e-12);
    let (plain, plain_saved) = layer_norm::<LibTorch>(input, weight, bias, 1e-12);
    compare([out, alone], [plain.clone(), plain], TOLERANCE);
    compare(
        LibTorch::fused_layer_norm_backward(grad.clone(), saved),
        layer_norm_backward::<LibTorch>(grad, plain_saved),
        TOLERANCE,
    );
}

#[test]
fn gelu_is_its_default() {
    let input = LibTorch::float_mul_scalar(torch([13, 40], 1), 4.0.into());
    let grad = torch([13, 40], 2);
    compare([LibTorch::fused_gelu(input.clone())], [gelu::<LibTorch>(input.clone())], TOLERANCE);
    compare(
        [LibTorch::fused_gelu_backward(grad.clone(), input.clone())],
        [gelu_backward::<LibTorch>(grad, input)],
        TOLERANCE,
    );
}

#[test]
fn dropout_is_its_default_which_leaves_its_input_as_it_was() {
    let input = torch([130, 70], 1);
    let kernel = LibTorch::counter_dropout(input.clone(), DROPOUT);
    compare([kernel], [dropout::<LibTorch>(input.clone(), DROPOUT)], TOLERANCE);
    assert_eq!(read::<LibTorch>(input), read::<LibTorch>(torch([130, 70], 1)));
}

#[test]
fn embedding_is_its_default() {
    let (weight, grad) = (torch([10, 6], 1), torch([4, 6], 2));
    let ids = indices::<LibTorch>();
    compare(
        [
            LibTorch::embedding_rows(weight.clone(), ids.clone()),
            LibTorch::embedding_rows_backward(grad.clone(), ids.clone(), 10),
        ],
        [embedding::<LibTorch>(weight, ids.clone()), embedding_backward::<LibTorch>(grad, ids, 10)],
        TOLERANCE,
    );
}

/// The norm of two gradients, and what an update that it divides makes of parameters and moments.
fn updated<B: OptimizerKernels>() -> Vec<Vec<f32>> {
    let square = |tensor: FloatTensor<B>| B::float_mul(tensor.clone(), tensor);
    let updates = vec![
        Update {
            param: tensor::<B, _>([30, 25], 1),
            grad: tensor::<B, _>([30, 25], 2),
            exp_avg: tensor::<B, _>([30, 25], 3),
            exp_avg_sq: square(tensor::<B, 2>([30, 25], 4)),
        },
        Update {
            param: tensor::<B, _>([7], 1),
            grad: tensor::<B, _>([7], 2),
            exp_avg: tensor::<B, _>([7], 3),
            exp_avg_sq: square(tensor::<B, 1>([7], 4)),
        },
    ];
    let norm = B::global_norm(updates.iter().map(|update: &Update<B>| update.grad.clone()).collect());
    let options =
        AdamWOptions { learning_rate: 0.1, betas: [0.9, 0.999], weight_decay: 0.01, epsilon: 1e-8, step: 3 };
    let results = B::adamw(updates, options, norm.clone());
    let tensors = results.into_iter().flat_map(|update| [update.param, update.exp_avg, update.exp_avg_sq]);
    std::iter::once(norm).chain(tensors).map(read::<B>).collect()
}

#[test]
fn adamw_and_the_norm_are_their_defaults() {
    let (kernel, default) = (updated::<LibTorch>(), updated::<Plain>());
    assert_eq!(kernel.len(), 7);
    for (kernel, default) in kernel.iter().zip(&default) {
        assert_close(kernel, default, TOLERANCE);
    }
}

#[test]
fn unscaling_is_its_default() {
    for (last, finite) in
        [(f32::MAX, true), (f32::NAN, false), (f32::INFINITY, false), (f32::NEG_INFINITY, false)]
    {
        let grads = || {
            let end = LibTorch::float_from_data(TensorData::from([1.0, last]), &LibTorchDevice::default());
            vec![torch([3, 4], 1), end]
        };
        let (kernel, default) = (LibTorch::unscale(grads(), 0.25), unscale::<LibTorch>(grads(), 0.25));
        for found in [kernel.1, default.1] {
            assert_eq!(read::<LibTorch>(found), [if finite { 0.0 } else { 1.0 }], "{last}");
        }
        compare([kernel.0[0].clone()], [default.0[0].clone()], TOLERANCE);
    }
}

/// Gradients of everything that a small chain of all differentiable kernels learns.
fn learned<B: KernelGradients>() -> Vec<Vec<f32>> {
    type Learning<B> = Autodiff<B>;
    let leaf = |tensor: FloatTensor<B>| {
        Learning::<B>::float_set_require_grad(Learning::<B>::from_inner(tensor), true)
    };
    let (words, weight) = (leaf(tensor::<B, _>([10, 24], 1)), leaf(tensor::<B, _>([24, 24], 2)));
    let [bias, scale, shift] = [3, 4, 5].map(|seed| leaf(tensor::<B, _>([24], seed)));
    let hidden = Learning::<B>::embedding_rows(words.clone(), indices::<B>());
    let hidden = Learning::<B>::autocast_linear(hidden, weight.clone(), bias.clone(), DType::F32.into());
    let options =
        AttentionOptions { dropout: Some(DROPOUT), ..AttentionOptions::new(Arc::from([0, 1, 4]), 2) };
    let values = Learning::<B>::fused_gelu(hidden.clone());
    let attended = Learning::<B>::packed_attention(hidden.clone(), hidden, values, options.clone());
    let attended = Learning::<B>::counter_dropout(attended, DROPOUT);
    let projections = [6, 7, 8].map(|seed| leaf(tensor::<B, _>([24, 24], seed)));
    let [query, key, value] = projections.clone();
    let [query_bias, value_bias] = [9, 10].map(|seed| leaf(tensor::<B, _>([24], seed)));
    // Changes no probability: nothing to be learnt.
    let key_bias = Learning::<B>::from_inner(tensor::<B, _>([24], 11));
    let attended = Learning::<B>::self_attention(
        attended,
        query,
        query_bias.clone(),
        key,
        key_bias,
        value,
        value_bias.clone(),
        options,
        DType::F32.into(),
    );
    let out = Learning::<B>::fused_layer_norm(attended, scale.clone(), shift.clone(), 1e-3);
    let grads = Learning::<B>::backward(Learning::<B>::float_sum(Learning::<B>::float_mul(out.clone(), out)));
    [words, weight, bias, scale, shift, query_bias, value_bias]
        .into_iter()
        .chain(projections)
        .map(|leaf| read::<B>(Learning::<B>::grad(&leaf, &grads).expect("the loss depends on this leaf")))
        .collect()
}

#[test]
fn a_backend_of_defaults_learns_as_libtorch_does() {
    let (kernel, default) = (learned::<LibTorch>(), learned::<Plain>());
    assert_eq!([kernel.len(), default.len()], [10; 2]);
    for (kernel, default) in kernel.iter().zip(&default) {
        // LayerNorm of a few numbers with a small variance makes differences larger.
        assert_close(kernel, default, 10.0 * TOLERANCE);
    }
}
