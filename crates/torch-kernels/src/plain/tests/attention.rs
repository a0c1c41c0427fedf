//! Attention, alone and with its projections.

use std::sync::Arc;

use burn::backend::ops::FloatTensorOps;
use burn::backend::{LibTorch, TensorMetadata};
use burn::tensor::DType;

use super::super::{attention, attention_backward, linear, linear_backward};
use super::{BF16_TOLERANCE, DROPOUT, TOLERANCE, assert_close, compare, read, torch};
use crate::kernels::{AttentionOptions, KernelGradients, Kernels};

#[test]
fn attention_is_its_default() {
    for (compute, tolerance) in [(DType::F32, TOLERANCE), (DType::BF16, BF16_TOLERANCE)] {
        for dropout in [None, Some(DROPOUT)] {
            // A sequence of no tokens among them.
            let options =
                AttentionOptions { dropout, ..AttentionOptions::new(Arc::from([0, 5, 6, 6, 50]), 3) };
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
                let options =
                    AttentionOptions { dropout, ..AttentionOptions::new(Arc::from([0, 5, 6, 50]), 3) };
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
        compute.into(),
    );
    let (out, attended) =
        LibTorch::self_attention_forward(input.clone(), parameters.clone(), options, compute.into());
    assert_eq!(out.dtype(), compute);
    let qkv = parameters.clone().map(|(w, b)| linear::<LibTorch>(input.clone(), w, b, compute).0);
    let (plain, plain_kept) = attention::<LibTorch>(&qkv, options);
    compare([out, alone], [plain.clone(), plain], tolerance);

    let found = LibTorch::self_attention_backward(grad.clone(), attended, options, DType::F32);
    let grads = attention_backward::<LibTorch>(grad, &qkv, plain_kept, options);
    let mut of_input = Vec::new();
    // Together: a key's bias changes no probability, so that its gradient is nothing but rounding.
    let (mut biases, mut plain_biases) = (Vec::new(), Vec::new());
    for ((found, (weight, bias)), grad) in found.parameters.into_iter().zip(parameters).zip(grads) {
        let (_, saved) = linear::<LibTorch>(input.clone(), weight, bias, compute);
        let [one, weight, bias] = linear_backward::<LibTorch>(grad, saved, DType::F32);
        compare([found.0], [weight], tolerance);
        biases.extend(read::<LibTorch>(found.1));
        plain_biases.extend(read::<LibTorch>(bias));
        of_input.push(one);
    }
    assert_close(&biases, &plain_biases, tolerance);
    assert_eq!(found.input.dtype(), DType::F32);
    compare([found.input], [of_input.into_iter().reduce(LibTorch::float_add).unwrap()], tolerance);
}
