//! Times every kernel at the sizes of DistilBERT-base against its default in Burn's own operations, both on LibTorch.
//!
//! ```text
//! cargo bench --bench kernels -- [THREADS]
//! ```
//!
//! A batch of 8 features of 150 to 206 tokens, forward and backward. Each line is the median of rounds that take the
//! two by turns, in milliseconds.

#![expect(deprecated, reason = "burn-tch is deprecated upstream; distilburn pins burn 0.22")]

use std::hint::black_box;
use std::sync::Arc;
use std::time::Instant;

use burn::backend::LibTorch;
use burn::backend::ops::{FloatTensorOps, IntTensorOps};
use burn::backend::tensor::{FloatTensor, IntTensor};
use burn::tensor::{DType, TensorData};
use burn_tch::LibTorchDevice;
use distilburn_torch_kernels as kernels;
use kernels::{
    AdamWOptions, AttentionOptions, Dropout, KernelGradients, Kernels, OptimizerKernels, Update, plain,
};

const TOKENS: usize = 1424;
const N_HEADS: usize = 12;
const DIM: usize = 768;
const HIDDEN_DIM: usize = 3072;
const VOCAB_SIZE: usize = 30_522;
/// Parameters beside the embedding that one update sees here: two encoder layers.
const LAYERS: usize = 2;
const ROUNDS: usize = 9;
const DROPOUT: Dropout = Dropout { p: 0.1, seed: 7 };

fn main() {
    // Cargo adds --bench.
    let threads = std::env::args().skip(1).find(|argument| !argument.starts_with("--"));
    kernels::keep_freed_memory();
    kernels::set_threads(threads.map_or(0, |threads| threads.parse().expect("THREADS is a number")));
    println!("{:<28} {:>10} {:>10} {:>7}", "kernel", "here", "default", "ratio");
    for compute in [DType::F32, DType::BF16] {
        linear(compute);
        attention(compute);
        gelu(compute);
        dropout(compute);
    }
    layer_norm();
    embedding();
    optimizer();
}

/// Prints the median times of both.
fn compare(name: &str, mut kernel: impl FnMut(), mut default: impl FnMut()) {
    let seconds = |run: &mut dyn FnMut()| {
        let begin = Instant::now();
        run();
        begin.elapsed().as_secs_f64()
    };
    // The first round makes oneDNN's code.
    seconds(&mut kernel);
    seconds(&mut default);
    let mut times: [Vec<f64>; 2] = Default::default();
    for _ in 0..ROUNDS {
        times[0].push(seconds(&mut kernel));
        times[1].push(seconds(&mut default));
    }
    let [kernel, default] = times.map(|mut times| {
        times.sort_by(f64::total_cmp);
        1e3 * times[ROUNDS / 2]
    });
    println!("{name:<28} {kernel:>10.3} {default:>10.3} {:>7.2}", default / kernel);
}

fn linear(compute: DType) {
    let (input, weight, bias) = (tensor(&[TOKENS, DIM]), tensor(&[HIDDEN_DIM, DIM]), tensor(&[HIDDEN_DIM]));
    let grad = tensor(&[TOKENS, HIDDEN_DIM]);
    let inputs = || (input.clone(), weight.clone(), bias.clone());
    compare(
        &format!("linear {compute:?}"),
        || {
            let (input, weight, bias) = inputs();
            let (out, saved) = LibTorch::autocast_linear_forward(input, weight, bias, compute.into());
            black_box((out, LibTorch::autocast_linear_backward(grad.clone(), saved, DType::F32)));
        },
        || {
            let (input, weight, bias) = inputs();
            let (out, saved) = plain::linear::<LibTorch>(input, weight, bias, compute);
            black_box((out, plain::linear_backward::<LibTorch>(grad.clone(), saved, DType::F32)));
        },
    );
}

fn attention(compute: DType) {
    let cu_seqlens: Arc<[usize]> = (0..=8).map(|index| index * (146 + 4 * index)).collect();
    assert_eq!(cu_seqlens[8], TOKENS);
    let options = AttentionOptions { dropout: Some(DROPOUT), ..AttentionOptions::new(cu_seqlens, N_HEADS) };
    let qkv = [(); 3].map(|()| cast(tensor(&[TOKENS, DIM]), compute));
    let grad = cast(tensor(&[TOKENS, DIM]), compute);
    compare(
        &format!("attention {compute:?}"),
        || {
            let (out, kept) = LibTorch::packed_attention_forward(&qkv, &options);
            black_box((out, LibTorch::packed_attention_backward(grad.clone(), &qkv, kept, &options)));
        },
        || {
            let (out, probabilities) = plain::attention::<LibTorch>(&qkv, &options);
            black_box((
                out,
                plain::attention_backward::<LibTorch>(grad.clone(), &qkv, probabilities, &options),
            ));
        },
    );
}

fn gelu(compute: DType) {
    let [input, grad] = [(); 2].map(|()| cast(tensor(&[TOKENS, HIDDEN_DIM]), compute));
    compare(
        &format!("gelu {compute:?}"),
        || {
            let out = LibTorch::fused_gelu(input.clone());
            black_box((out, LibTorch::fused_gelu_backward(grad.clone(), input.clone())));
        },
        || {
            let out = plain::gelu::<LibTorch>(input.clone());
            black_box((out, plain::gelu_backward::<LibTorch>(grad.clone(), input.clone())));
        },
    );
}

/// Its backward pass is the same once more.
fn dropout(compute: DType) {
    let input = cast(tensor(&[TOKENS, DIM]), compute);
    compare(
        &format!("dropout {compute:?}"),
        || drop(black_box(LibTorch::counter_dropout(input.clone(), DROPOUT))),
        || drop(black_box(plain::dropout::<LibTorch>(input.clone(), DROPOUT))),
    );
}

fn layer_norm() {
    let (input, weight, bias) = (tensor(&[TOKENS, DIM]), tensor(&[DIM]), tensor(&[DIM]));
    let grad = tensor(&[TOKENS, DIM]);
    let inputs = || (input.clone(), weight.clone(), bias.clone());
    compare(
        "layer_norm F32",
        || {
            let (input, weight, bias) = inputs();
            let (out, saved) = LibTorch::fused_layer_norm_forward(input, weight, bias, 1e-12);
            black_box((out, LibTorch::fused_layer_norm_backward(grad.clone(), saved)));
        },
        || {
            let (input, weight, bias) = inputs();
            let (out, saved) = plain::layer_norm::<LibTorch>(input, weight, bias, 1e-12);
            black_box((out, plain::layer_norm_backward::<LibTorch>(grad.clone(), saved)));
        },
    );
}

fn embedding() {
    let weight = tensor(&[VOCAB_SIZE, DIM]);
    let grad = tensor(&[TOKENS, DIM]);
    let ids: Vec<i64> = (0..TOKENS as i64).map(|token| token * 7919 % VOCAB_SIZE as i64).collect();
    let ids: IntTensor<LibTorch> = LibTorch::int_from_data(TensorData::new(ids, [TOKENS]), &device());
    compare(
        "embedding F32",
        || {
            let out = LibTorch::embedding_rows(weight.clone(), ids.clone());
            black_box((out, LibTorch::embedding_rows_backward(grad.clone(), ids.clone(), VOCAB_SIZE)));
        },
        || {
            let out = plain::embedding::<LibTorch>(weight.clone(), ids.clone());
            black_box((out, plain::embedding_backward::<LibTorch>(grad.clone(), ids.clone(), VOCAB_SIZE)));
        },
    );
}

fn optimizer() {
    let layer = [[DIM, DIM]; 4].into_iter().chain([[HIDDEN_DIM, DIM], [DIM, HIDDEN_DIM]]);
    let shapes: Vec<[usize; 2]> =
        std::iter::once([VOCAB_SIZE, DIM]).chain(std::iter::repeat_n(layer, LAYERS).flatten()).collect();
    let update = |shape: &[usize; 2]| Update::<LibTorch> {
        param: tensor(shape),
        grad: tensor(shape),
        exp_avg: tensor(shape),
        exp_avg_sq: LibTorch::float_mul_scalar(tensor(shape), 0.0.into()),
    };
    let updates: Vec<Update<LibTorch>> = shapes.iter().map(update).collect();
    let grads: Vec<_> = updates.iter().map(|update| update.grad.clone()).collect();
    compare(
        "global_norm F32",
        || drop(black_box(LibTorch::global_norm(grads.clone()))),
        || drop(black_box(plain::global_norm::<LibTorch>(grads.clone()))),
    );
    compare(
        "unscale F32",
        || drop(black_box(LibTorch::unscale(grads.clone(), 1.0))),
        || drop(black_box(plain::unscale::<LibTorch>(grads.clone(), 1.0))),
    );
    let options = AdamWOptions {
        learning_rate: 3e-5,
        betas: [0.9, 0.999],
        weight_decay: 0.01,
        epsilon: 1e-8,
        step: 100,
    };
    let one = || LibTorch::float_from_data(TensorData::from([1.0_f32]), &device());
    compare(
        "adamw F32",
        || drop(black_box(LibTorch::adamw(updates.clone(), options, one()))),
        || drop(black_box(plain::adamw::<LibTorch>(updates.clone(), options, one()))),
    );
}

fn device() -> LibTorchDevice {
    LibTorchDevice::default()
}

/// Values in [-0.5, 0.5) by turns.
fn tensor(shape: &[usize]) -> FloatTensor<LibTorch> {
    let count = shape.iter().product();
    let values: Vec<f32> =
        (0..count).map(|index: usize| (index * 7919 % 1009) as f32 / 1009.0 - 0.5).collect();
    LibTorch::float_from_data(TensorData::new(values, shape.to_vec()), &device())
}

fn cast(tensor: FloatTensor<LibTorch>, dtype: DType) -> FloatTensor<LibTorch> {
    LibTorch::float_cast(tensor, dtype.into())
}
