//! All sequences at once by LibTorch's `FlashAttention` (Dao 2023), on CUDA.
//!
//! The operation is one that LibTorch keeps for its own use. Before its first use for a device, type and size of heads it is
//! held against attention of a sequence at a time; where LibTorch refuses it or it differs, that is what attends.

use std::sync::{Arc, Mutex, PoisonError};

use tch::{Device, Kind, Tensor};

use super::by_sequence;
use crate::ffi::{self, Batch};
use crate::kernels::{AttentionOptions, Dropout, Sequence};

/// Of the largest value: half precision keeps 8 or 11 bits, and a result is rounded a few times.
const TOLERANCE: f64 = 2e-2;

/// Device, type and `d_head`.
type Heads = (Device, Kind, usize);

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
    let trial = try_out(heads);
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

/// Whether a batch of four sequences has the values, the gradients and, with dropout, the masks that it should; if not,
/// what is wrong.
fn try_out((device, kind, d_head): Heads) -> Result<(), String> {
    const TOKENS: usize = 203;
    const N_HEADS: usize = 2;
    let drawn = |frequency: f64| {
        let size = [TOKENS as i64, (N_HEADS * d_head) as i64];
        let index = Tensor::arange(size[0] * size[1], (Kind::Float, device));
        (index * frequency).sin().view(size).to_kind(kind)
    };
    let (qkv, grad) = ([1.1, 1.7, 2.3].map(drawn), drawn(2.9));
    let qkv = qkv.each_ref();
    let options = |dropout| AttentionOptions {
        cu_seqlens: Arc::from([0, 5, 6, 75, TOKENS]),
        n_heads: N_HEADS,
        dropout,
    };
    let run = |dropout, grad: Option<&Tensor>| {
        let options = options(dropout);
        let sequences = options.sequences(TOKENS);
        let (out, kept) = attend(qkv, &sequences, &options)?;
        let kept: Vec<_> = kept.iter().collect();
        let grads = differentiate(grad.unwrap_or(&out), qkv, &kept, &sequences, &options)?;
        Ok::<_, String>((out, grads))
    };

    let (out, grads) = run(None, Some(&grad))?;
    let plain = options(None);
    let sequences = plain.sequences(TOKENS);
    let cells = sequences.last().map_or(0, |sequence| sequence.probabilities.end) as i64;
    let probabilities = Tensor::empty([cells], (kind, device));
    let expected_out = by_sequence::forward(qkv, &probabilities, &sequences, &plain);
    let expected_grads = by_sequence::backward(&grad, qkv, &probabilities, &sequences, &plain);
    if !near(&out, &expected_out, &sequences) {
        return Err("its values differ".to_owned());
    }
    if !grads.iter().zip(&expected_grads).all(|(found, expected)| near(found, expected, &sequences)) {
        return Err("its gradients differ".to_owned());
    }

    let dropped = |seed| run(Some(Dropout { p: 0.3, seed }), None);
    let ((out, [.., grad_v]), (again, _), (other, _)) = (dropped(1)?, dropped(1)?, dropped(2)?);
    if out != again || out == other {
        return Err("its dropout does not follow the seed".to_owned());
    }
    if drops_alike(&out, qkv[2], &grad_v) {
        Ok(())
    } else {
        Err("its backward pass drops other elements".to_owned())
    }
}

/// Whether forward and backward pass had one mask: `grad_v` is the gradient of the values `v` where that of the output is
/// the output itself. The output is linear in the values, so its square and their product with `grad_v` add up to the same.
fn drops_alike(out: &Tensor, v: &Tensor, grad_v: &Tensor) -> bool {
    let sum = |a: &Tensor, b: &Tensor| {
        let sum = (a.to_kind(Kind::Double) * b.to_kind(Kind::Double)).sum(Kind::Double);
        f64::try_from(sum).unwrap_or(f64::NAN)
    };
    let square = sum(out, out);
    (square - sum(v, grad_v)).abs() <= TOLERANCE * square
}

/// Each sequence by its own largest value, since those of longer ones are smaller; by a hundredth of the largest of all where
/// that is more, since gradients of a single token's query and key are nothing but rounding.
fn near(found: &Tensor, expected: &Tensor, sequences: &[Sequence]) -> bool {
    let [found, expected] = [found, expected].map(|tensor| tensor.to_kind(Kind::Double));
    let greatest = |tensor: Tensor| f64::try_from(tensor.abs().max()).unwrap_or(f64::NAN);
    let of_all = greatest(expected.shallow_clone());
    sequences.iter().all(|Sequence { tokens, .. }| {
        let [found, expected] =
            [&found, &expected].map(|all| all.narrow(0, tokens.start as i64, tokens.len() as i64));
        greatest(&found - &expected) <= TOLERANCE * greatest(expected).max(0.01 * of_all)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_device_without_it_is_found_out() {
        let refusal = try_out((Device::Cpu, Kind::BFloat16, 64)).unwrap_err();
        assert!(refusal.contains("_flash_attention_forward"), "{refusal}");
    }

    #[test]
    fn a_long_sequence_that_is_wrong_does_not_hide_behind_a_short_one() {
        let options = AttentionOptions { cu_seqlens: Arc::from([0, 1, 129]), n_heads: 1, dropout: None };
        let sequences = options.sequences(129);
        let expected = Tensor::ones([129, 8], (Kind::Float, Device::Cpu));
        let _ = expected.narrow(0, 1, 128).g_mul_scalar_(0.06);
        let scaled = |factor: f64| {
            let found = expected.copy();
            let _ = found.narrow(0, 1, 128).g_mul_scalar_(factor);
            found
        };
        assert!(near(&scaled(1.01), &expected, &sequences));
        assert!(!near(&scaled(1.05), &expected, &sequences));
        let rounding = scaled(1.0);
        let _ = rounding.narrow(0, 1, 128).fill_(1e-6);
        let _ = expected.narrow(0, 1, 128).fill_(0.0);
        assert!(near(&rounding, &expected, &sequences));
    }

    #[test]
    fn masks_that_differ_are_told_apart() {
        let options = |seed| AttentionOptions {
            cu_seqlens: Arc::from([0, 5, 6, 75]),
            n_heads: 2,
            dropout: Some(Dropout { p: 0.3, seed }),
        };
        let sequences = options(1).sequences(75);
        let cells = sequences.last().unwrap().probabilities.end as i64;
        let probabilities = Tensor::empty([cells], (Kind::Float, Device::Cpu));
        let qkv = [1.1, 1.7, 2.3].map(|frequency: f64| {
            (Tensor::arange(75 * 64, (Kind::Float, Device::Cpu)) * frequency).sin().view([75, 64])
        });
        let qkv = qkv.each_ref();
        let out = by_sequence::forward(qkv, &probabilities, &sequences, &options(1));
        let alike = [1, 2].map(|seed| {
            let [.., grad_v] = by_sequence::backward(&out, qkv, &probabilities, &sequences, &options(seed));
            drops_alike(&out, qkv[2], &grad_v)
        });
        assert_eq!(alike, [true, false]);
        assert!(near(&out, &out, &sequences) && !near(&out, &(&out * 1.1), &sequences));
    }
}
