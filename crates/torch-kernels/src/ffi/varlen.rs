//! LibTorch's attention over all sequences at once, and the integers that it and embeddings need on a device.

use std::ffi::c_char;

use tch::Tensor;
use torch_sys::C_tensor;

use super::{broken, made, pointer};
use crate::kernels::Dropout;

unsafe extern "C" {
    fn distilburn_varlen_forward(
        results: *mut *mut C_tensor,
        kernel: i32,
        query: *mut C_tensor,
        key: *mut C_tensor,
        value: *mut C_tensor,
        cu_seqlens: *mut C_tensor,
        longest: i64,
        p: f64,
        seed: u64,
    ) -> *mut c_char;
    fn distilburn_varlen_backward(
        results: *mut *mut C_tensor,
        kernel: i32,
        grad: *mut C_tensor,
        query: *mut C_tensor,
        key: *mut C_tensor,
        value: *mut C_tensor,
        cu_seqlens: *mut C_tensor,
        out: *mut C_tensor,
        logsumexp: *mut C_tensor,
        first_state: *mut C_tensor,
        second_state: *mut C_tensor,
        longest: i64,
        p: f64,
    ) -> *mut c_char;
    fn distilburn_upload(
        results: *mut *mut C_tensor,
        values: *const i64,
        count: i64,
        beside: *mut C_tensor,
    ) -> *mut c_char;
}

/// Which of LibTorch's operations attends; the numbers are those of `cpp/varlen.cpp`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Varlen {
    /// `FlashAttention` (Dao 2023).
    Flash = 0,
    /// Memory-efficient attention (Rabe and Staats 2021).
    Efficient = 1,
    /// On the host, for tests.
    StandIn = 2,
}

impl Varlen {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Flash => "FlashAttention",
            Self::Efficient => "memory-efficient attention",
            Self::StandIn => "stand-in",
        }
    }
}

/// A batch of sequences of at most `longest` tokens.
#[derive(Clone, Copy)]
pub(crate) struct Batch<'a> {
    /// (sequences + 1), int32
    pub(crate) cu_seqlens: &'a Tensor,
    pub(crate) longest: usize,
    pub(crate) dropout: Option<Dropout>,
}

impl Batch<'_> {
    fn p(&self) -> f64 {
        self.dropout.map_or(0.0, |dropout| dropout.p)
    }
}

/// Output, logsumexp and two states of the generator, of `qkv` (tokens, `n_heads`, `d_head`).
///
/// # Errors
/// What LibTorch says, which has the operation for some devices and types alone.
pub(crate) fn varlen_forward(
    kernel: Varlen,
    [query, key, value]: [&Tensor; 3],
    batch: Batch<'_>,
) -> Result<[Tensor; 4], String> {
    let seed = batch.dropout.map_or(0, |dropout| dropout.seed);
    made(|results| {
        // SAFETY: the inputs are live, and ATen checks them; `results` has room for four.
        unsafe {
            distilburn_varlen_forward(
                results,
                kernel as i32,
                pointer(query),
                pointer(key),
                pointer(value),
                pointer(batch.cu_seqlens),
                batch.longest as i64,
                batch.p(),
                seed,
            )
        }
    })
}

/// Gradients of query, key and value of [`varlen_forward`], whose results are `kept`.
///
/// # Errors
/// What LibTorch says.
pub(crate) fn varlen_backward(
    kernel: Varlen,
    grad: &Tensor,
    [query, key, value]: [&Tensor; 3],
    kept: [&Tensor; 4],
    batch: Batch<'_>,
) -> Result<[Tensor; 3], String> {
    let [out, logsumexp, first_state, second_state] = kept.map(pointer);
    made(|results| {
        // SAFETY: the inputs are live, and ATen checks them; `results` has room for three.
        unsafe {
            distilburn_varlen_backward(
                results,
                kernel as i32,
                pointer(grad),
                pointer(query),
                pointer(key),
                pointer(value),
                pointer(batch.cu_seqlens),
                out,
                logsumexp,
                first_state,
                second_state,
                batch.longest as i64,
                batch.p(),
            )
        }
    })
}

/// `values` on the device of `beside`; a GPU's queue is not waited for.
pub(crate) fn upload(values: &[i64], beside: &Tensor) -> Tensor {
    let uploaded = made(|results| {
        // SAFETY: C++ reads as many values as there are, during the call; `results` has room for one.
        unsafe { distilburn_upload(results, values.as_ptr(), values.len() as i64, pointer(beside)) }
    });
    let [tensor] = uploaded.unwrap_or_else(|message| broken(&message));
    tensor
}
