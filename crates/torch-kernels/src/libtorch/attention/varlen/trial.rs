//! The trial of an attention that takes all sequences at once: values, gradients and dropout, before it is used.
//!
//! Inputs are normal noise, rounded to the type; the reference is attention a sequence at a time on the same inputs in
//! f32. `tests.rs` shows that FlashAttention-2's roundings pass, and that small faults do not.

use std::f64::consts::TAU;
use std::sync::Arc;

use tch::{Device, Kind, Tensor};

use super::super::by_sequence;
use crate::kernels::{AttentionOptions, Dropout, Sequence};

/// Of the largest value of a sequence. bfloat16 keeps 8 bits; FlashAttention-2 rounds probabilities and the result once each,
/// which differs from f32 by at most a quarter of this.
const TOLERANCE: f64 = 2e-2;
/// The same for f32, which tensor cores may multiply in three parts of 11 bits, or in one.
const F32_TOLERANCE: f64 = 3e-3;

/// Device, type and `d_head`.
pub(super) type Heads = (Device, Kind, usize);

/// Output, and what `backward` takes besides.
pub(super) type Forward<'a> =
    &'a dyn Fn([&Tensor; 3], &[Sequence], &AttentionOptions) -> Result<(Tensor, Vec<Tensor>), String>;

/// Gradients of query, key and value, from that of the output.
pub(super) type Backward<'a> = &'a dyn Fn(
    &Tensor,
    [&Tensor; 3],
    &[&Tensor],
    &[Sequence],
    &AttentionOptions,
) -> Result<[Tensor; 3], String>;

/// What is on trial.
pub(super) struct Implementation<'a> {
    pub(super) forward: Forward<'a>,
    pub(super) backward: Backward<'a>,
}

const TOKENS: usize = 203;
const N_HEADS: usize = 2;

/// Whether a batch of four sequences has the values, the gradients and, with dropout, the masks that it should; if not,
/// what is wrong.
pub(super) fn try_out((device, kind, d_head): Heads, tried: &Implementation<'_>) -> Result<(), String> {
    let tolerance = if kind == Kind::Float { F32_TOLERANCE } else { TOLERANCE };
    let [q, k, v, grad] = [1, 2, 3, 4].map(|seed| noise(seed, d_head).to_kind(kind).to_device(device));
    let qkv = [&q, &k, &v];
    let run = |dropout, grad: Option<&Tensor>| {
        let options = options(dropout);
        let sequences = options.sequences(TOKENS);
        let (out, kept) = (tried.forward)(qkv, &sequences, &options)?;
        let kept: Vec<_> = kept.iter().collect();
        let grads = (tried.backward)(grad.unwrap_or(&out), qkv, &kept, &sequences, &options)?;
        Ok::<_, String>((out, grads))
    };

    let (out, grads) = run(None, Some(&grad))?;
    let plain = options(None);
    let sequences = plain.sequences(TOKENS);
    let (expected_out, expected_grads) = in_f32(qkv, &grad, &sequences, &plain);
    let error = distance(&out, &expected_out, &sequences);
    if error > tolerance {
        return Err(format!("its values differ by {error:.3} of the largest"));
    }
    for (found, expected) in grads.iter().zip(&expected_grads) {
        let error = distance(found, expected, &sequences);
        if error > tolerance {
            return Err(format!("its gradients differ by {error:.3} of the largest"));
        }
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

fn options(dropout: Option<Dropout>) -> AttentionOptions {
    AttentionOptions { dropout, ..AttentionOptions::new(Arc::from([0, 5, 6, 75, TOKENS]), N_HEADS) }
}

/// The output and the gradients of query, key and value, without rounding in between.
fn in_f32(
    qkv: [&Tensor; 3],
    grad: &Tensor,
    sequences: &[Sequence],
    options: &AttentionOptions,
) -> (Tensor, [Tensor; 3]) {
    let qkv = qkv.map(|tensor| tensor.to_kind(Kind::Float));
    let (qkv, grad) = (qkv.each_ref(), grad.to_kind(Kind::Float));
    let cells = sequences.last().map_or(0, |sequence| sequence.probabilities.end) as i64;
    let probabilities = Tensor::empty([cells], (Kind::Float, grad.device()));
    let out = by_sequence::forward(qkv, &probabilities, sequences, options);
    (out, by_sequence::backward(&grad, qkv, &probabilities, sequences, options))
}

/// Standard normal values, (tokens, dim), by Box and Muller (1958). LibTorch's own generator is process-wide.
fn noise(seed: u64, d_head: usize) -> Tensor {
    let size = TOKENS * N_HEADS * d_head;
    let uniform = |index: u64| (hash(seed, index) as f64 + 0.5) / 2_f64.powi(64);
    let values: Vec<f32> = (0..size as u64)
        .map(|index| ((-2.0 * uniform(2 * index).ln()).sqrt() * (TAU * uniform(2 * index + 1)).cos()) as f32)
        .collect();
    Tensor::from_slice(&values).view([TOKENS as i64, (N_HEADS * d_head) as i64])
}

/// `SplitMix64` (Steele, Lea and Flood 2014).
fn hash(seed: u64, index: u64) -> u64 {
    let mut z = (seed << 40).wrapping_add(index).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
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

/// The largest difference as a part of the largest expected value, of the sequence where that is worst: values of longer
/// sequences are smaller. A hundredth of the largest of all counts where that is more, since gradients of a single token's
/// query and key are nothing but rounding. Infinite where a value is not a number.
fn distance(found: &Tensor, expected: &Tensor, sequences: &[Sequence]) -> f64 {
    let [found, expected] = [found, expected].map(|tensor| tensor.to_kind(Kind::Double));
    let greatest = |tensor: Tensor| f64::try_from(tensor.abs().max()).unwrap_or(f64::NAN);
    let of_all = greatest(expected.shallow_clone());
    let of_sequence = |Sequence { tokens, .. }: &Sequence| {
        let [found, expected] =
            [&found, &expected].map(|all| all.narrow(0, tokens.start as i64, tokens.len() as i64));
        greatest(&found - &expected) / greatest(expected).max(0.01 * of_all)
    };
    let distances = sequences.iter().map(of_sequence);
    distances.map(|distance| if distance.is_nan() { f64::INFINITY } else { distance }).fold(0.0, f64::max)
}

#[cfg(test)]
mod tests;
