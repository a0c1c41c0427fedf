//! All sequences at once, on CUDA: by LibTorch's `FlashAttention` or its memory-efficient attention, which also serves f32 and
//! devices before compute capability 8.0.
//!
//! These operations are ones that LibTorch keeps for its own use. Before its first use for a device, type and size of heads an
//! operation has to pass a [`trial`]; where LibTorch refuses it or it fails, the next is tried, and then a sequence at a time
//! attends.

mod trial;

use std::sync::{Mutex, PoisonError};

use tch::{Device, Kind, Tensor};

use self::trial::{Heads, Implementation};
use crate::ffi::{self, Batch, Varlen};
use crate::kernels::{AttentionOptions, Sequence};

/// The first operation that is for such heads and passes its trial: asked once, then remembered.
pub(super) fn chosen(heads: Heads) -> Option<Varlen> {
    static ASKED: Mutex<Vec<(Heads, Option<Varlen>)>> = Mutex::new(Vec::new());
    match heads.0 {
        // Whoever asks has a tensor on the device's path.
        Device::Cpu => return Some(Varlen::StandIn),
        Device::Cuda(_) => {}
        _ => return None,
    }
    let mut asked = ASKED.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some((_, chosen)) = asked.iter().find(|(known, _)| *known == heads) {
        return *chosen;
    }
    let chosen = first_that_passes(heads, &|kernel, heads| try_out(kernel, heads)).unwrap_or_else(|why| {
        tracing::warn!("attention runs a sequence at a time on {:?}, which is slower; {why}", heads.0);
        None
    });
    asked.push((heads, chosen));
    chosen
}

/// `None` where none is for such heads.
///
/// # Errors
/// What is wrong with those that are.
fn first_that_passes(
    (device, kind, d_head): Heads,
    try_out: &dyn Fn(Varlen, Heads) -> Result<(), String>,
) -> Result<Option<Varlen>, String> {
    let half = matches!(kind, Kind::Half | Kind::BFloat16);
    let flash = half && d_head.is_multiple_of(8) && d_head <= 256;
    // Rows of whole 16 bytes.
    let efficient = d_head.is_multiple_of(if half { 8 } else { 4 }) && (half || kind == Kind::Float);
    let mut refusals = Vec::new();
    for (is_for, kernel) in [(flash, Varlen::Flash), (efficient, Varlen::Efficient)] {
        match is_for.then(|| try_out(kernel, (device, kind, d_head))) {
            Some(Ok(())) => return Ok(Some(kernel)),
            Some(Err(why)) => refusals.push(format!("LibTorch's {}: {why}", kernel.name())),
            None => {}
        }
    }
    if refusals.is_empty() { Ok(None) } else { Err(refusals.join("; ")) }
}

fn try_out(kernel: Varlen, heads: Heads) -> Result<(), String> {
    let forward = |qkv: [&Tensor; 3], sequences: &[Sequence], options: &AttentionOptions| {
        attend(kernel, qkv, sequences, options)
    };
    let backward =
        |grad: &Tensor,
         qkv: [&Tensor; 3],
         kept: &[&Tensor],
         sequences: &[Sequence],
         options: &AttentionOptions| { differentiate(kernel, grad, qkv, kept, sequences, options) };
    trial::try_out(heads, &Implementation { forward: &forward, backward: &backward })
}

/// The output; it, logsumexp, two states of the generator and `cu_seqlens` for [`backward`].
pub(super) fn forward(
    kernel: Varlen,
    qkv: [&Tensor; 3],
    sequences: &[Sequence],
    options: &AttentionOptions,
) -> (Tensor, Vec<Tensor>) {
    attend(kernel, qkv, sequences, options).unwrap_or_else(|message| ffi::broken(&message))
}

/// Gradients of query, key and value.
pub(super) fn backward(
    kernel: Varlen,
    grad: &Tensor,
    qkv: [&Tensor; 3],
    kept: &[&Tensor],
    sequences: &[Sequence],
    options: &AttentionOptions,
) -> [Tensor; 3] {
    differentiate(kernel, grad, qkv, kept, sequences, options).unwrap_or_else(|message| ffi::broken(&message))
}

fn attend(
    kernel: Varlen,
    qkv: [&Tensor; 3],
    sequences: &[Sequence],
    options: &AttentionOptions,
) -> Result<(Tensor, Vec<Tensor>), String> {
    let cu_seqlens = if let Some(uploaded) = &options.on_device {
        uploaded.tensor().shallow_clone()
    } else {
        let ends = sequences.iter().map(|sequence| sequence.tokens.end as i64);
        ffi::upload(&std::iter::once(0).chain(ends).collect::<Vec<_>>(), qkv[0]).to_kind(Kind::Int)
    };
    let heads = qkv.map(|tensor| heads(tensor, options));
    let [out, logsumexp, first_state, second_state] =
        ffi::varlen_forward(kernel, heads.each_ref(), batch(&cu_seqlens, sequences, options))?;
    Ok((out.view_as(qkv[0]), vec![out, logsumexp, first_state, second_state, cu_seqlens]))
}

fn differentiate(
    kernel: Varlen,
    grad: &Tensor,
    qkv: [&Tensor; 3],
    kept: &[&Tensor],
    sequences: &[Sequence],
    options: &AttentionOptions,
) -> Result<[Tensor; 3], String> {
    let &[out, logsumexp, first_state, second_state, cu_seqlens] = kept else {
        unreachable!("what `attend` keeps");
    };
    let grads = ffi::varlen_backward(
        kernel,
        &heads(grad, options),
        qkv.map(|tensor| heads(tensor, options)).each_ref(),
        [out, logsumexp, first_state, second_state],
        batch(cu_seqlens, sequences, options),
    )?;
    Ok(grads.map(|grad| grad.view_as(qkv[0])))
}

fn batch<'a>(cu_seqlens: &'a Tensor, sequences: &[Sequence], options: &AttentionOptions) -> Batch<'a> {
    let longest = sequences.iter().map(|sequence| sequence.tokens.len()).max().unwrap_or(0);
    Batch { cu_seqlens, longest, dropout: options.dropout }
}

/// (tokens, dim) → a view (tokens, `n_heads`, `d_head`) of rows that lie whole in memory, as columns of a wider tensor do
fn heads(tensor: &Tensor, options: &AttentionOptions) -> Tensor {
    let tensor = if tensor.stride()[1] == 1 { tensor.shallow_clone() } else { tensor.contiguous() };
    let (size, n_heads) = (tensor.size(), options.n_heads as i64);
    tensor.view([size[0], n_heads, size[1] / n_heads])
}

#[cfg(test)]
mod tests {
    use super::*;

    const BF16: Heads = (Device::Cpu, Kind::BFloat16, 64);

    #[test]
    fn a_device_without_them_is_found_out() {
        let refusal = first_that_passes(BF16, &try_out).unwrap_err();
        for operation in ["_flash_attention_forward", "_efficient_attention_forward"] {
            assert!(refusal.contains(operation), "{refusal}");
        }
    }

    #[test]
    fn the_stand_in_passes_the_trial() {
        for (kind, d_head) in [(Kind::Float, 12), (Kind::BFloat16, 64), (Kind::Half, 64)] {
            assert_eq!(try_out(Varlen::StandIn, (Device::Cpu, kind, d_head)), Ok(()), "{kind:?}");
        }
    }

    /// A T4 has no `FlashAttention`, and its products of f32 are no matter of half types.
    #[test]
    fn memory_efficient_attention_follows_where_flash_is_refused_or_not_for_the_type() {
        let refuses = |refused: &'static [Varlen]| {
            move |kernel, _| if refused.contains(&kernel) { Err("no".to_owned()) } else { Ok(()) }
        };
        let chosen = |heads, refused| first_that_passes(heads, &refuses(refused));
        let (f16, f32) = ((Device::Cuda(0), Kind::Half, 64), (Device::Cuda(0), Kind::Float, 64));
        assert_eq!(chosen(f16, &[]), Ok(Some(Varlen::Flash)));
        assert_eq!(chosen(f16, &[Varlen::Flash]), Ok(Some(Varlen::Efficient)));
        assert_eq!(chosen(f32, &[]), Ok(Some(Varlen::Efficient)));
        let both = "LibTorch's FlashAttention: no; LibTorch's memory-efficient attention: no";
        assert_eq!(chosen(f16, &[Varlen::Flash, Varlen::Efficient]), Err(both.to_owned()));
        assert_eq!(chosen((Device::Cuda(0), Kind::Float, 6), &[]), Ok(None));
    }
}
