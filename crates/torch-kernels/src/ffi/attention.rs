//! Attention on the host.

use std::ffi::c_char;

use tch::Tensor;
use torch_sys::C_tensor;

use super::{check, pointer};
use crate::kernels::{AttentionOptions, Sequence};

unsafe extern "C" {
    fn distilburn_brgemm_multiplies(of_f32: bool) -> bool;
    fn distilburn_bf16_is_fast() -> bool;
    fn distilburn_attention_forward(
        out: *mut C_tensor,
        probabilities: *mut C_tensor,
        query: *mut C_tensor,
        key: *mut C_tensor,
        value: *mut C_tensor,
        batch: *const Batch,
    ) -> *mut c_char;
    fn distilburn_attention_backward(
        grads: *mut *mut C_tensor,
        grad: *mut C_tensor,
        query: *mut C_tensor,
        key: *mut C_tensor,
        value: *mut C_tensor,
        probabilities: *mut C_tensor,
        batch: *const Batch,
    ) -> *mut c_char;
}

/// [`Division`] as `cpp/attention.cpp` reads it.
#[repr(C)]
struct Batch {
    cu_seqlens: *const i64,
    probability_starts: *const i64,
    seeds: *const u64,
    sequences: i64,
    n_heads: i64,
    p: f64,
}

/// How a packed batch is divided, and what applies to it.
#[derive(Debug)]
pub(crate) struct Division {
    /// Of one more than there are sequences, as `probability_starts`: where each begins, and where the last ends.
    cu_seqlens: Vec<i64>,
    probability_starts: Vec<i64>,
    /// What each sequence draws from.
    seeds: Vec<u64>,
    n_heads: i64,
    /// Probability of dropping an element; 0 = none.
    p: f64,
}

impl Division {
    pub(crate) fn new(sequences: &[Sequence], options: &AttentionOptions) -> Self {
        let ends = |end: fn(&Sequence) -> usize| {
            std::iter::once(0).chain(sequences.iter().map(|sequence| end(sequence) as i64)).collect()
        };
        let seed = |sequence: &Sequence| {
            options.dropout.map_or(0, |dropout| dropout.starting_at(sequence.probabilities.start).seed)
        };
        Self {
            cu_seqlens: ends(|sequence| sequence.tokens.end),
            probability_starts: ends(|sequence| sequence.probabilities.end),
            seeds: sequences.iter().map(seed).collect(),
            n_heads: options.n_heads as i64,
            p: options.dropout.map_or(0.0, |dropout| dropout.p),
        }
    }

    /// Valid while `self` lives unchanged.
    fn as_batch(&self) -> Batch {
        let ends = self.seeds.len() + 1;
        assert_eq!([self.cu_seqlens.len(), self.probability_starts.len()], [ends, ends]);
        Batch {
            cu_seqlens: self.cu_seqlens.as_ptr(),
            probability_starts: self.probability_starts.as_ptr(),
            seeds: self.seeds.as_ptr(),
            sequences: self.seeds.len() as i64,
            n_heads: self.n_heads,
            p: self.p,
        }
    }
}

/// Whether the products of [`attention_forward`] can run here, of f32 or of bfloat16: a small one, tried.
pub(crate) fn brgemm_multiplies(of_f32: bool) -> bool {
    // SAFETY: takes a flag, and C++ catches whatever the product throws.
    unsafe { distilburn_brgemm_multiplies(of_f32) }
}

/// Whether this processor, which has instructions for bfloat16, multiplies it faster than f32.
pub(crate) fn bf16_is_fast() -> bool {
    // SAFETY: takes nothing, and asks the processor what it is.
    unsafe { distilburn_bf16_is_fast() }
}

/// The output, of the shape of `query` (tokens, dim), of f32 or bfloat16; rows of `query`, `key` and `value` may stand apart. Into `probabilities` go those of all sequences, in one row.
pub(crate) fn attention_forward(
    [query, key, value]: [&Tensor; 3],
    division: &Division,
    probabilities: Option<&Tensor>,
) -> Tensor {
    let out = query.new_empty(query.size(), (query.kind(), query.device()));
    // SAFETY: all tensors are live, and nobody else has `out`. C++ checks every tensor's device, layout, type and size,
    // the values of the lists in `division`, and that they fit the tensors; `as_batch` checks the lists' lengths.
    check(unsafe {
        distilburn_attention_forward(
            pointer(&out),
            probabilities.map_or(std::ptr::null_mut(), pointer),
            pointer(query),
            pointer(key),
            pointer(value),
            &division.as_batch(),
        )
    });
    out
}

/// Gradients of query, key and value of [`attention_forward`].
pub(crate) fn attention_backward(
    grad: &Tensor,
    [query, key, value]: [&Tensor; 3],
    probabilities: &Tensor,
    division: &Division,
) -> [Tensor; 3] {
    let grads = [query, key, value].map(Tensor::empty_like);
    let mut list = grads.each_ref().map(pointer);
    // SAFETY: as in `attention_forward`; `list` holds three live tensors that nobody else has.
    check(unsafe {
        distilburn_attention_backward(
            list.as_mut_ptr(),
            pointer(grad),
            pointer(query),
            pointer(key),
            pointer(value),
            pointer(probabilities),
            &division.as_batch(),
        )
    });
    grads
}

#[cfg(test)]
mod tests {
    use tch::{Device, Kind};

    use super::*;

    fn zeros(shape: &[i64]) -> Tensor {
        Tensor::zeros(shape, (Kind::BFloat16, Device::Cpu))
    }

    /// Two sequences of 3 and 4 tokens, of one head of 8 columns, without dropout.
    fn division(cu_seqlens: [i64; 3], probability_starts: [i64; 3]) -> Division {
        Division {
            cu_seqlens: cu_seqlens.into(),
            probability_starts: probability_starts.into(),
            seeds: vec![0; 2],
            n_heads: 1,
            p: 0.0,
        }
    }

    /// What C++ says of a forward and of a backward pass.
    fn refusals(division: &Division, query: &Tensor, probabilities: &Tensor) -> [String; 2] {
        let message = |pass: &dyn Fn()| {
            let panic = std::panic::catch_unwind(std::panic::AssertUnwindSafe(pass)).unwrap_err();
            panic.downcast_ref::<String>().unwrap().clone()
        };
        let qkv = [query; 3];
        [
            message(&|| drop(attention_forward(qkv, division, Some(probabilities)))),
            message(&|| drop(attention_backward(query, qkv, probabilities, division))),
        ]
    }

    #[test]
    fn divisions_that_do_not_divide_the_tokens_are_refused() {
        let (query, probabilities) = (zeros(&[7, 8]), zeros(&[25]));
        for (cu_seqlens, said) in [
            ([0, 3, 8], "from 0 to the number of tokens"),
            ([1, 3, 7], "from 0 to the number of tokens"),
            ([0, 4, 7], "probabilities (n_heads, length, length)"),
            // -2 squared is as much as 2 squared.
            ([0, 9, 7], "cu_seqlens ascend"),
        ] {
            let starts = if cu_seqlens[1] == 9 { [0, 81, 85] } else { [0, 9, 25] };
            for refusal in refusals(&division(cu_seqlens, starts), &query, &probabilities) {
                assert!(refusal.contains(said), "{cu_seqlens:?}: {refusal}");
            }
        }
    }

    #[test]
    fn tensors_that_are_not_what_attention_reads_are_refused() {
        let (fine, fitting) = (zeros(&[7, 8]), division([0, 3, 7], [0, 9, 25]));
        let wide = |shape: &[i64]| Tensor::zeros(shape, (Kind::Float, Device::Cpu));
        let halves = fine.to_kind(Kind::Half);
        for (query, probabilities, said) in [
            (&fine, zeros(&[24]), ["as many probabilities"; 2]),
            (&fine, wide(&[25]), ["host, contiguous, BFloat16"; 2]),
            (&fine, zeros(&[50]).slice(0, 0, 50, 2), ["host, contiguous, BFloat16"; 2]),
            (&wide(&[7, 8]), zeros(&[25]), ["host, contiguous, Float"; 2]),
            (&halves, zeros(&[25]), ["bfloat16 or float"; 2]),
            (
                &zeros(&[8, 7]).tr(),
                zeros(&[25]),
                ["rows of neighbouring columns", "host, contiguous, BFloat16"],
            ),
            (&zeros(&[7, 9]), zeros(&[25]), ["an even number of columns"; 2]),
        ] {
            for (refusal, said) in refusals(&fitting, query, &probabilities).iter().zip(said) {
                assert!(refusal.contains(said), "expected {said}: {refusal}");
            }
        }
    }
}
