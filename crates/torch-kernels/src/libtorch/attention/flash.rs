//! All sequences at once by LibTorch's `FlashAttention` (Dao 2023), on CUDA.
//!
//! The operation is one that LibTorch keeps for its own use. Before its first use for a device, type and size of heads it has
//! to pass a [`trial`]; where LibTorch refuses it or it fails, a sequence at a time attends.

mod trial;

use std::sync::{Mutex, PoisonError};

use tch::{Device, Kind, Tensor};

use self::trial::{Heads, Implementation};
use crate::ffi::{self, Batch};
use crate::kernels::{AttentionOptions, Sequence};

/// Whether `FlashAttention` is for heads of this size: asked once, then remembered.
pub(super) fn attends(device: Device, kind: Kind, d_head: usize) -> bool {
    static ASKED: Mutex<Vec<(Heads, bool)>> = Mutex::new(Vec::new());
    if !matches!(kind, Kind::Half | Kind::BFloat16) || !d_head.is_multiple_of(8) || d_head > 256 {
        return false;
    }
    let heads = (device, kind, d_head);
    let mut asked = ASKED.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(&(_, attends)) = asked.iter().find(|(known, _)| *known == heads) {
        return attends;
    }
    let trial = trial::try_out(heads, &Implementation { forward: &attend, backward: &differentiate });
    if let Err(why) = &trial {
        tracing::warn!(
            "attention runs a sequence at a time on {device:?}, which is slower; LibTorch's FlashAttention: {why}"
        );
    }
    asked.push((heads, trial.is_ok()));
    trial.is_ok()
}

/// The output; it, logsumexp, two states of the generator and `cu_seqlens` for [`backward`].
pub(super) fn forward(
    qkv: [&Tensor; 3],
    sequences: &[Sequence],
    options: &AttentionOptions,
) -> (Tensor, Vec<Tensor>) {
    attend(qkv, sequences, options).unwrap_or_else(|message| ffi::broken(&message))
}

/// Gradients of query, key and value.
pub(super) fn backward(
    grad: &Tensor,
    qkv: [&Tensor; 3],
    kept: &[&Tensor],
    sequences: &[Sequence],
    options: &AttentionOptions,
) -> [Tensor; 3] {
    differentiate(grad, qkv, kept, sequences, options).unwrap_or_else(|message| ffi::broken(&message))
}

fn attend(
    qkv: [&Tensor; 3],
    sequences: &[Sequence],
    options: &AttentionOptions,
) -> Result<(Tensor, Vec<Tensor>), String> {
    let ends: Vec<i64> =
        std::iter::once(0).chain(sequences.iter().map(|sequence| sequence.tokens.end as i64)).collect();
    let cu_seqlens = ffi::upload(&ends, qkv[0]).to_kind(Kind::Int);
    let heads = qkv.map(|tensor| heads(tensor, options));
    let [out, logsumexp, rng_state, unused] =
        ffi::flash_forward(heads.each_ref(), batch(&cu_seqlens, sequences, options))?;
    Ok((out.view_as(qkv[0]), vec![out, logsumexp, rng_state, unused, cu_seqlens]))
}

fn differentiate(
    grad: &Tensor,
    qkv: [&Tensor; 3],
    kept: &[&Tensor],
    sequences: &[Sequence],
    options: &AttentionOptions,
) -> Result<[Tensor; 3], String> {
    let &[out, logsumexp, rng_state, unused, cu_seqlens] = kept else {
        unreachable!("what `attend` keeps");
    };
    let grads = ffi::flash_backward(
        &heads(grad, options),
        qkv.map(|tensor| heads(tensor, options)).each_ref(),
        [out, logsumexp, rng_state, unused],
        batch(cu_seqlens, sequences, options),
    )?;
    Ok(grads.map(|grad| grad.view_as(qkv[0])))
}

fn batch<'a>(cu_seqlens: &'a Tensor, sequences: &[Sequence], options: &AttentionOptions) -> Batch<'a> {
    let longest = sequences.iter().map(|sequence| sequence.tokens.len()).max().unwrap_or(0);
    Batch { cu_seqlens, longest, dropout: options.dropout }
}

/// (tokens, dim) → a view (tokens, `n_heads`, `d_head`)
fn heads(tensor: &Tensor, options: &AttentionOptions) -> Tensor {
    let (size, n_heads) = (tensor.size(), options.n_heads as i64);
    tensor.view([size[0], n_heads, size[1] / n_heads])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_device_without_it_is_found_out() {
        let flash = Implementation { forward: &attend, backward: &differentiate };
        let refusal = trial::try_out((Device::Cpu, Kind::BFloat16, 64), &flash).unwrap_err();
        assert!(refusal.contains("_flash_attention_forward"), "{refusal}");
    }
}
