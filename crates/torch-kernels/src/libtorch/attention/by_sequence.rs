//! A sequence at a time by LibTorch's operations, on any device.

use tch::Tensor;

use crate::kernels::{AttentionOptions, Sequence};
use crate::libtorch::dropout::drop_elements;
use crate::products::{bmm, scaled_bmm};

/// The output alone. Rows of `qkv` may stand apart.
pub(super) fn infer(qkv: [&Tensor; 3], sequences: &[Sequence], options: &AttentionOptions) -> Tensor {
    let out = Tensor::empty(qkv[0].size(), (qkv[0].kind(), qkv[0].device()));
    for sequence in sequences {
        let [q, k, v] = qkv.map(|tensor| heads(tensor, sequence, options));
        let probabilities = scores(&q, &k).softmax(-1, q.kind());
        copy_into(&heads(&out, sequence, options), &bmm(&dropped(&probabilities, sequence, options), &v));
    }
    out
}

/// The output; into `all_probabilities` those of all sequences in one row.
pub(super) fn forward(
    qkv: [&Tensor; 3],
    all_probabilities: &Tensor,
    sequences: &[Sequence],
    options: &AttentionOptions,
) -> Tensor {
    let out = qkv[0].empty_like();
    for sequence in sequences {
        let [q, k, v] = qkv.map(|tensor| heads(tensor, sequence, options));
        let probabilities = square(all_probabilities, sequence, options);
        let _ = scores(&q, &k).internal_softmax_out(&probabilities, -1, false);
        copy_into(&heads(&out, sequence, options), &bmm(&dropped(&probabilities, sequence, options), &v));
    }
    out
}

/// Gradients of query, key and value.
pub(super) fn backward(
    grad: &Tensor,
    qkv: [&Tensor; 3],
    all_probabilities: &Tensor,
    sequences: &[Sequence],
    options: &AttentionOptions,
) -> [Tensor; 3] {
    let grads = qkv.map(Tensor::empty_like);
    for sequence in sequences {
        let [q, k, v] = qkv.map(|tensor| heads(tensor, sequence, options));
        let [grad_q, grad_k, grad_v] = grads.each_ref().map(|tensor| heads(tensor, sequence, options));
        let grad_out = heads(grad, sequence, options);
        let probabilities = square(all_probabilities, sequence, options);
        let weights = dropped(&probabilities, sequence, options);
        copy_into(&grad_v, &bmm(&weights.transpose(1, 2), &grad_out));
        let grad_weights = dropped(&bmm(&grad_out, &v.transpose(1, 2)), sequence, options);
        let grad_scores = Tensor::internal_softmax_backward_data(&grad_weights, &probabilities, -1, q.kind());
        copy_into(&grad_q, &scaled_bmm(&grad_scores, &k, scale(&q)));
        copy_into(&grad_k, &scaled_bmm(&grad_scores.transpose(1, 2), &q, scale(&q)));
    }
    grads
}

/// (tokens, dim) → a view (`n_heads`, len, `d_head`)
fn heads(tensor: &Tensor, sequence: &Sequence, options: &AttentionOptions) -> Tensor {
    let (len, n_heads) = (sequence.tokens.len() as i64, options.n_heads as i64);
    let rows = tensor.narrow(0, sequence.tokens.start as i64, len);
    rows.view([len, n_heads, tensor.size()[1] / n_heads]).transpose(0, 1)
}

/// The row of all probabilities → a view (`n_heads`, len, len)
fn square(all: &Tensor, sequence: &Sequence, options: &AttentionOptions) -> Tensor {
    let (len, n_heads) = (sequence.tokens.len() as i64, options.n_heads as i64);
    let own = all.narrow(0, sequence.probabilities.start as i64, sequence.probabilities.len() as i64);
    own.view([n_heads, len, len])
}

/// 1 / √`d_head`
fn scale(query: &Tensor) -> f64 {
    1.0 / (query.size()[2] as f64).sqrt()
}

/// Scaled dot products: (`n_heads`, len, `d_head`)² → (`n_heads`, len, len)
fn scores(query: &Tensor, key: &Tensor) -> Tensor {
    scaled_bmm(query, &key.transpose(1, 2), scale(query))
}

fn dropped(probabilities: &Tensor, sequence: &Sequence, options: &AttentionOptions) -> Tensor {
    match options.dropout {
        Some(dropout) => drop_elements(probabilities, dropout.starting_at(sequence.probabilities.start)),
        None => probabilities.shallow_clone(),
    }
}

fn copy_into(target: &Tensor, source: &Tensor) {
    target.shallow_clone().copy_(source);
}
