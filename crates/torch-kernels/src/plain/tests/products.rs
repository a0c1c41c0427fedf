//! Linear layers and attention.

use std::sync::Arc;

use burn::backend::ops::FloatTensorOps;
use burn::backend::tensor::FloatTensor;
use burn::backend::{LibTorch, TensorMetadata};
use burn::tensor::DType;

use super::super::{attention, attention_backward, linear, linear_backward};
use super::{BF16_TOLERANCE, DROPOUT, TOLERANCE, assert_close, compare, read, torch};
use crate::kernels::{AttentionOptions, KernelGradients, Kernels};

#[test]
fn linear_is_its_default() {
    for (compute, tolerance) in [(DType::F32, TOLERANCE), (DType::BF16, BF16_TOLERANCE)] {
        // The second is what the host multiplies in blocks.
        for [tokens, dim_in, dim_out] in [[37, 24, 16], [103, 96, 224]] {
            linear_is_its_default_for(tokens, dim_in, dim_out, compute, tolerance);
        }
    }
}

fn linear_is_its_default_for(tokens: usize, dim_in: usize, dim_out: usize, compute: DType, tolerance: f32) {
    let [input, weight] = [torch([tokens, dim_in], 1), torch([dim_out, dim_in], 2)];
    let (bias, grad) = (torch([dim_out], 3), torch([tokens, dim_out], 4));
    // The weight is rounded before, as it is for answering, or by the layer.
    for weight in [weight.clone(), LibTorch::float_cast(weight, compute.into())] {
        let (input, bias) = (input.clone(), bias.clone());
        let alone = LibTorch::autocast_linear(input.clone(), weight.clone(), bias.clone(), compute);
        let (out, saved) =
            LibTorch::autocast_linear_forward(input.clone(), weight.clone(), bias.clone(), compute);
        let (plain, plain_saved) = linear::<LibTorch>(input, weight, bias, compute);
        assert_eq!([out.dtype(), plain.dtype()], [compute; 2]);
        compare([out, alone], [plain.clone(), plain], tolerance);
        for input_dtype in [DType::F32, compute, DType::F16] {
            let found = LibTorch::autocast_linear_backward(grad.clone(), saved.clone(), input_dtype);
            let plain = linear_backward::<LibTorch>(grad.clone(), plain_saved.clone(), input_dtype);
            assert_eq!([found[0].dtype(), plain[0].dtype()], [input_dtype; 2]);
            compare(found, plain, tolerance);
        }
    }
}

/// Numbers -1, 0 and 1: their products and sums of up to 256 are exact in every type, and one lost shows.
fn whole<const D: usize>(shape: [usize; D], seed: u64) -> FloatTensor<LibTorch> {
    LibTorch::float_round(LibTorch::float_mul_scalar(torch(shape, seed), 1.5.into()))
}

fn assert_equal(kernel: FloatTensor<LibTorch>, default: FloatTensor<LibTorch>, sizes: [usize; 3]) {
    let [kernel, default] = [kernel, default].map(read::<LibTorch>);
    assert!(default.iter().all(|x| x.abs() <= 256.0), "{sizes:?}: not exact in bfloat16");
    assert!(default.iter().any(|x| *x != 0.0) && kernel == default, "{sizes:?}");
}

/// Sizes (tokens, in, out) at the edges of what the host takes at once: one row, a tile and a panel with and without a rest,
/// slices of 1,024 tokens or columns, whole, begun, odd and even. How threads share a product depends on their number.
#[test]
fn products_in_blocks_lose_no_token_and_no_column() {
    for sizes in [
        [1, 32, 64],
        [96, 64, 96],
        [103, 96, 224],
        [1023, 32, 32],
        [1024, 32, 32],
        [1025, 64, 32],
        [1401, 32, 64],
        [2049, 64, 96],
        [5, 1056, 32],
        [7, 32, 1056],
    ] {
        for threads in [1, 2, 6] {
            crate::set_own_threads(threads);
            products_are_exact_for(sizes);
        }
    }
}

fn products_are_exact_for(sizes: [usize; 3]) {
    let [tokens, dim_in, dim_out] = sizes;
    let input = whole([tokens, dim_in], 1);
    let layers = [2, 3, 4].map(|seed| {
        let (weight, bias) = (whole([dim_out, dim_in], seed), whole([dim_out], 10 * seed));
        (weight, bias, whole([tokens, dim_out], 100 * seed))
    });
    let mut of_input = None;
    let mut parameters = Vec::new();
    let mut saved_weights = Vec::new();
    for (weight, bias, grad) in layers.clone() {
        let (out, [_, saved_weight]) =
            LibTorch::autocast_linear_forward(input.clone(), weight.clone(), bias.clone(), DType::BF16);
        let (plain, saved) = linear::<LibTorch>(input.clone(), weight, bias, DType::F32);
        assert_equal(out, plain, sizes);
        saved_weights.push(saved_weight);
        let [one, weight, bias] = linear_backward::<LibTorch>(grad, saved, DType::F32);
        of_input = Some(match of_input {
            Some(sum) => LibTorch::float_add(sum, one),
            None => one,
        });
        parameters.push([weight, bias]);
    }
    let found = LibTorch::shared_linear_backward(
        layers.map(|(_, _, grad)| grad),
        LibTorch::float_cast(input, DType::BF16.into()),
        saved_weights.try_into().unwrap(),
        DType::F32,
    );
    assert_equal(found.input, of_input.unwrap(), sizes);
    for ((weight, bias), [plain_weight, plain_bias]) in found.parameters.into_iter().zip(parameters) {
        assert_equal(weight, plain_weight, sizes);
        assert_equal(bias, plain_bias, sizes);
    }
}

#[test]
fn attention_is_its_default() {
    for (compute, tolerance) in [(DType::F32, TOLERANCE), (DType::BF16, BF16_TOLERANCE)] {
        for dropout in [None, Some(DROPOUT)] {
            // A sequence of no tokens among them.
            let options = AttentionOptions { cu_seqlens: Arc::from([0, 5, 6, 6, 50]), n_heads: 3, dropout };
            let [q, k, v, grad] =
                [1, 2, 3, 4].map(|seed| LibTorch::float_cast(torch([50, 24], seed), compute.into()));
            let qkv = [q.clone(), k.clone(), v.clone()];
            let alone = LibTorch::packed_attention(q, k, v, options.clone());
            let (out, kept) = LibTorch::packed_attention_forward(&qkv, &options);
            let (plain, plain_kept) = attention::<LibTorch>(&qkv, &options);
            compare([out, alone, kept[0].clone()], [plain.clone(), plain, plain_kept.clone()], tolerance);
            compare(
                LibTorch::packed_attention_backward(grad.clone(), &qkv, kept, &options),
                attention_backward::<LibTorch>(grad, &qkv, plain_kept, &options),
                tolerance,
            );
        }
    }
}

#[test]
fn self_attention_is_its_default() {
    // The second size is what the host multiplies in blocks.
    for dim in [24, 96] {
        for (compute, tolerance) in [(DType::F32, TOLERANCE), (DType::BF16, BF16_TOLERANCE)] {
            for dropout in [None, Some(DROPOUT)] {
                let options = AttentionOptions { cu_seqlens: Arc::from([0, 5, 6, 50]), n_heads: 3, dropout };
                self_attention_is_its_default_for(dim, compute, tolerance, &options);
            }
        }
    }
}

fn self_attention_is_its_default_for(dim: usize, compute: DType, tolerance: f32, options: &AttentionOptions) {
    let [input, grad] = [1, 2].map(|seed| torch([50, dim], seed));
    // As small as a model's: the softmax is not to choose one key alone.
    let weight = |seed| LibTorch::float_mul_scalar(torch([dim, dim], seed), 0.2.into());
    let parameters = [(3, 4), (5, 6), (7, 8)].map(|(w, b)| (weight(w), torch([dim], b)));
    let [query, key, value] = parameters.clone();
    let alone = LibTorch::self_attention(
        input.clone(),
        query.0,
        query.1,
        key.0,
        key.1,
        value.0,
        value.1,
        options.clone(),
        compute,
    );
    let (out, attended) =
        LibTorch::self_attention_forward(input.clone(), parameters.clone(), options, compute);
    assert_eq!(out.dtype(), compute);
    let qkv = parameters.clone().map(|(w, b)| linear::<LibTorch>(input.clone(), w, b, compute).0);
    let (plain, plain_kept) = attention::<LibTorch>(&qkv, options);
    compare([out, alone], [plain.clone(), plain], tolerance);

    let found = LibTorch::self_attention_backward(grad.clone(), attended, options, DType::F32);
    let grads = attention_backward::<LibTorch>(grad, &qkv, plain_kept, options);
    let mut of_input = None;
    // Together: a key's bias changes no probability, so that its gradient is nothing but rounding.
    let (mut biases, mut plain_biases) = (Vec::new(), Vec::new());
    for ((found, (weight, bias)), grad) in found.parameters.into_iter().zip(parameters).zip(grads) {
        let (_, saved) = linear::<LibTorch>(input.clone(), weight, bias, compute);
        let [one, weight, bias] = linear_backward::<LibTorch>(grad, saved, DType::F32);
        compare([found.0], [weight], tolerance);
        biases.extend(read::<LibTorch>(found.1));
        plain_biases.extend(read::<LibTorch>(bias));
        of_input = Some(match of_input {
            Some(sum) => LibTorch::float_add(sum, one),
            None => one,
        });
    }
    assert_close(&biases, &plain_biases, tolerance);
    assert_eq!(found.input.dtype(), DType::F32);
    compare([found.input], of_input.map(|sum| [sum]).unwrap(), tolerance);
}
