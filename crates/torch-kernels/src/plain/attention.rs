//! Attention of one sequence after another.

use burn::backend::tensor::FloatTensor;
use burn::backend::{Backend, TensorMetadata};
use burn::tensor::{DType, Shape, Slice};

use super::{cast, dropout};
use crate::kernels::{AttentionOptions, Sequence};

/// The output and the probabilities of all sequences in one row.
#[must_use]
pub fn attention<B: Backend>(
    qkv: &[FloatTensor<B>; 3],
    options: &AttentionOptions,
) -> (FloatTensor<B>, FloatTensor<B>) {
    let sequences = options.sequences(qkv[0].shape()[0]);
    let (outs, probabilities): (Vec<_>, Vec<_>) = sequences
        .iter()
        .map(|sequence| {
            let [q, k, v] = qkv.each_ref().map(|tensor| heads::<B>(tensor, sequence, options));
            let scores =
                B::float_mul_scalar(B::float_matmul(q, transposed::<B>(k)), scale(qkv, options).into());
            let probabilities = softmax::<B>(scores);
            let weights = dropped::<B>(probabilities.clone(), sequence, options);
            let count = sequence.probabilities.len();
            (joined::<B>(B::float_matmul(weights, v)), B::float_reshape(probabilities, Shape::new([count])))
        })
        .unzip();
    (B::float_cat(outs, 0), B::float_cat(probabilities, 0))
}

/// Gradients of query, key and value of [`attention`].
#[must_use]
pub fn attention_backward<B: Backend>(
    grad: FloatTensor<B>,
    qkv: &[FloatTensor<B>; 3],
    probabilities: FloatTensor<B>,
    options: &AttentionOptions,
) -> [FloatTensor<B>; 3] {
    let grad = cast::<B>(grad, qkv[0].dtype());
    let mut grads = [const { Vec::new() }; 3];
    for sequence in options.sequences(qkv[0].shape()[0]) {
        let [q, k, v] = qkv.each_ref().map(|tensor| heads::<B>(tensor, &sequence, options));
        let grad = heads::<B>(&grad, &sequence, options);
        let probabilities = square::<B>(&probabilities, &sequence, options);
        let weights = dropped::<B>(probabilities.clone(), &sequence, options);
        let grad_v = B::float_matmul(transposed::<B>(weights), grad.clone());
        let grad_weights = dropped::<B>(B::float_matmul(grad, transposed::<B>(v)), &sequence, options);
        let grad_scores = softmax_backward::<B>(grad_weights, probabilities);
        let grad_scores = B::float_mul_scalar(grad_scores, scale(qkv, options).into());
        let grad_q = B::float_matmul(grad_scores.clone(), k);
        let grad_k = B::float_matmul(transposed::<B>(grad_scores), q);
        for (all, one) in grads.iter_mut().zip([grad_q, grad_k, grad_v]) {
            all.push(joined::<B>(one));
        }
    }
    grads.map(|all| B::float_cat(all, 0))
}

/// 1 / √`d_head`
fn scale<T: TensorMetadata>(qkv: &[T; 3], options: &AttentionOptions) -> f64 {
    1.0 / ((qkv[0].shape()[1] / options.n_heads) as f64).sqrt()
}

/// (tokens, dim) → (`n_heads`, len, `d_head`)
fn heads<B: Backend>(
    tensor: &FloatTensor<B>,
    sequence: &Sequence,
    options: &AttentionOptions,
) -> FloatTensor<B> {
    let dim = tensor.shape()[1];
    let rows = B::float_slice(tensor.clone(), &[Slice::from(sequence.tokens.clone()), Slice::from(0..dim)]);
    let shape = Shape::new([sequence.tokens.len(), options.n_heads, dim / options.n_heads]);
    B::float_swap_dims(B::float_reshape(rows, shape), 0, 1)
}

/// (`n_heads`, len, `d_head`) → (len, dim)
fn joined<B: Backend>(heads: FloatTensor<B>) -> FloatTensor<B> {
    let shape = heads.shape();
    let joined = Shape::new([shape[1], shape[0] * shape[2]]);
    B::float_reshape(B::float_swap_dims(heads, 0, 1), joined)
}

/// The row of all probabilities → (`n_heads`, len, len)
fn square<B: Backend>(
    all: &FloatTensor<B>,
    sequence: &Sequence,
    options: &AttentionOptions,
) -> FloatTensor<B> {
    let len = sequence.tokens.len();
    let own = B::float_slice(all.clone(), &[Slice::from(sequence.probabilities.clone())]);
    B::float_reshape(own, Shape::new([options.n_heads, len, len]))
}

fn transposed<B: Backend>(heads: FloatTensor<B>) -> FloatTensor<B> {
    B::float_swap_dims(heads, 1, 2)
}

/// Over the last of three dimensions, in f32.
fn softmax<B: Backend>(scores: FloatTensor<B>) -> FloatTensor<B> {
    let dtype = scores.dtype();
    let scores = cast::<B>(scores, DType::F32);
    let greatest = B::float_max_dim(scores.clone(), 2);
    let powers = B::float_exp(B::float_sub(scores, greatest));
    let sum = B::float_sum_dim(powers.clone(), 2);
    cast::<B>(B::float_div(powers, sum), dtype)
}

fn softmax_backward<B: Backend>(grad: FloatTensor<B>, probabilities: FloatTensor<B>) -> FloatTensor<B> {
    let dtype = grad.dtype();
    let [grad, probabilities] = [grad, probabilities].map(|tensor| cast::<B>(tensor, DType::F32));
    let along = B::float_sum_dim(B::float_mul(grad.clone(), probabilities.clone()), 2);
    cast::<B>(B::float_mul(B::float_sub(grad, along), probabilities), dtype)
}

fn dropped<B: Backend>(
    probabilities: FloatTensor<B>,
    sequence: &Sequence,
    options: &AttentionOptions,
) -> FloatTensor<B> {
    match options.dropout {
        Some(drop) => dropout::<B>(probabilities, drop.starting_at(sequence.probabilities.start)),
        None => probabilities,
    }
}
