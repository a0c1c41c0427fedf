//! The C interface of `cpp/`, made safe. Nothing else in the workspace calls into C++.

#![expect(unsafe_code, reason = "calls into cpp/: each block says why it holds")]

use std::ffi::{CStr, c_char};

use tch::Tensor;
use torch_sys::C_tensor;

unsafe extern "C" {
    fn distilburn_keep_tensor_memory();
    fn distilburn_free_message(message: *mut c_char);
    fn distilburn_dropout(out: *mut C_tensor, input: *mut C_tensor, p: f64, seed: u64) -> *mut c_char;
    fn distilburn_attention_forward(
        out: *mut C_tensor,
        probabilities: *mut C_tensor,
        query: *mut C_tensor,
        key: *mut C_tensor,
        value: *mut C_tensor,
        cu_seqlens: *const i64,
        sequences: i64,
        n_heads: i64,
        p: f64,
        seeds: *const u64,
    ) -> *mut c_char;
    fn distilburn_attention_backward(
        grads: *mut *mut C_tensor,
        grad: *mut C_tensor,
        query: *mut C_tensor,
        key: *mut C_tensor,
        value: *mut C_tensor,
        probabilities: *mut C_tensor,
        cu_seqlens: *const i64,
        sequences: i64,
        n_heads: i64,
        p: f64,
        seeds: *const u64,
    ) -> *mut c_char;
    fn distilburn_layer_norm_backward(
        grads: *mut *mut C_tensor,
        grad: *mut C_tensor,
        input: *mut C_tensor,
        mean: *mut C_tensor,
        rstd: *mut C_tensor,
        weight: *mut C_tensor,
        bias: *mut C_tensor,
    ) -> *mut c_char;
    fn distilburn_global_norm(
        norm: *mut *mut C_tensor,
        tensors: *mut *mut C_tensor,
        count: i64,
    ) -> *mut c_char;
    fn distilburn_unscale(
        found_inf: *mut *mut C_tensor,
        tensors: *mut *mut C_tensor,
        count: i64,
        inverse_scale: f64,
    ) -> *mut c_char;
    fn distilburn_adamw(
        params: *mut *mut C_tensor,
        grads: *mut *mut C_tensor,
        exp_avgs: *mut *mut C_tensor,
        exp_avg_sqs: *mut *mut C_tensor,
        count: i64,
        learning_rate: f64,
        beta1: f64,
        beta2: f64,
        weight_decay: f64,
        epsilon: f64,
        step: f64,
        grad_scale: *mut C_tensor,
    ) -> *mut c_char;
}

/// Has LibTorch take large host tensors from a region that keeps what is freed; see `cpp/memory.cpp`.
pub(crate) fn keep_tensor_memory() {
    // SAFETY: the call takes nothing and may be made at any time, from any thread.
    unsafe { distilburn_keep_tensor_memory() }
}

/// `input` with dropout applied, in a new tensor. Both on the host.
pub(crate) fn dropout(input: &Tensor, p: f64, seed: u64) -> Tensor {
    let input = input.contiguous();
    let out = input.empty_like();
    // SAFETY: both pointers are live tensors for the length of the call; C++ checks device, layout and type.
    check(unsafe { distilburn_dropout(pointer(&out), pointer(&input), p, seed) });
    out
}

/// How a packed batch is divided, for attention on the host.
#[derive(Debug)]
pub(crate) struct Division {
    /// Sequence i holds tokens `cu_seqlens[i]..cu_seqlens[i + 1]`.
    pub cu_seqlens: Vec<i64>,
    pub n_heads: i64,
    /// Probability of dropping an element; 0 = none.
    pub p: f64,
    /// One for each sequence.
    pub seeds: Vec<u64>,
}

impl Division {
    fn sequences(&self, tokens: i64) -> i64 {
        let sequences = self.seeds.len();
        let divides = self.cu_seqlens.len() == sequences + 1
            && self.cu_seqlens[0] == 0
            && self.cu_seqlens[sequences] == tokens
            && self.cu_seqlens.is_sorted();
        assert!(divides, "cu_seqlens ascend from 0 to the number of tokens, one seed for each sequence");
        sequences as i64
    }

    fn probabilities(&self) -> i64 {
        self.cu_seqlens.windows(2).map(|bounds| (bounds[1] - bounds[0]).pow(2)).sum::<i64>() * self.n_heads
    }
}

/// Attention on the host, of bfloat16 (tokens, dim): the output, and the probabilities of all sequences in one row where
/// they are wanted.
pub(crate) fn attention_forward(
    [query, key, value]: [&Tensor; 3],
    division: &Division,
    keep_probabilities: bool,
) -> (Tensor, Option<Tensor>) {
    let sequences = division.sequences(query.size()[0]);
    let out = query.empty_like();
    let probabilities =
        keep_probabilities.then(|| Tensor::empty([division.probabilities()], (query.kind(), query.device())));
    // SAFETY: all tensors are live, and C++ checks device, layout, type and shape of those of the caller; the
    // probabilities are as many as `division` makes; `division` was checked above.
    check(unsafe {
        distilburn_attention_forward(
            pointer(&out),
            probabilities.as_ref().map_or(std::ptr::null_mut(), pointer),
            pointer(query),
            pointer(key),
            pointer(value),
            division.cu_seqlens.as_ptr(),
            sequences,
            division.n_heads,
            division.p,
            division.seeds.as_ptr(),
        )
    });
    (out, probabilities)
}

/// Gradients of query, key and value of [`attention_forward`].
pub(crate) fn attention_backward(
    grad: &Tensor,
    [query, key, value]: [&Tensor; 3],
    probabilities: &Tensor,
    division: &Division,
) -> [Tensor; 3] {
    let sequences = division.sequences(query.size()[0]);
    assert_eq!(probabilities.numel() as i64, division.probabilities(), "the forward pass's probabilities");
    let grads = [query, key, value].map(Tensor::empty_like);
    let mut list = grads.each_ref().map(pointer);
    // SAFETY: as in `attention_forward`; `list` holds three live tensors.
    check(unsafe {
        distilburn_attention_backward(
            list.as_mut_ptr(),
            pointer(grad),
            pointer(query),
            pointer(key),
            pointer(value),
            pointer(probabilities),
            division.cu_seqlens.as_ptr(),
            sequences,
            division.n_heads,
            division.p,
            division.seeds.as_ptr(),
        )
    });
    grads
}

/// Gradients of input, weight and bias of `layer_norm`.
pub(crate) fn layer_norm_backward(grad: &Tensor, saved: &[Tensor; 5]) -> [Tensor; 3] {
    let [input, mean, rstd, weight, bias] = saved;
    let mut grads = [std::ptr::null_mut(); 3];
    // SAFETY: the inputs are live; on success C++ has stored three tensors that this call owns from then on.
    unsafe {
        check(distilburn_layer_norm_backward(
            grads.as_mut_ptr(),
            pointer(grad),
            pointer(input),
            pointer(mean),
            pointer(rstd),
            pointer(weight),
            pointer(bias),
        ));
        grads.map(|grad| Tensor::from_ptr(grad))
    }
}

/// The 2-norm of all tensors together, on their device.
pub(crate) fn global_norm(tensors: &[&Tensor]) -> Tensor {
    let mut norm = [std::ptr::null_mut(); 1];
    let mut list = pointers(tensors);
    // SAFETY: `list` holds live tensors and its own length; on success one owned tensor has been stored.
    unsafe {
        check(distilburn_global_norm(norm.as_mut_ptr(), list.as_mut_ptr(), list.len() as i64));
        Tensor::from_ptr(norm[0])
    }
}

/// Multiplies all tensors by `inverse_scale` in place. Returns 1 where one of their elements is not finite, else 0,
/// on their device.
pub(crate) fn unscale(tensors: &[&Tensor], inverse_scale: f64) -> Tensor {
    let mut found_inf = [std::ptr::null_mut(); 1];
    let mut list = pointers(tensors);
    // SAFETY: `list` holds live tensors and its own length, which the caller means to change; on success one owned
    // tensor has been stored.
    unsafe {
        check(distilburn_unscale(
            found_inf.as_mut_ptr(),
            list.as_mut_ptr(),
            list.len() as i64,
            inverse_scale,
        ));
        Tensor::from_ptr(found_inf[0])
    }
}

/// The scalars of one `AdamW` update.
#[derive(Clone, Copy, Debug)]
pub(crate) struct AdamWScalars {
    pub learning_rate: f64,
    pub betas: [f64; 2],
    pub weight_decay: f64,
    pub epsilon: f64,
    pub step: f64,
}

/// One `AdamW` update in place of `params`, `exp_avgs` and `exp_avg_sqs`; `grads` are scratch afterwards.
pub(crate) fn adamw(lists: [&[&Tensor]; 4], scalars: AdamWScalars, grad_scale: &Tensor) {
    let count = lists[0].len();
    assert!(lists.iter().all(|list| list.len() == count), "adamw: lists of one length");
    let [mut params, mut grads, mut exp_avgs, mut exp_avg_sqs] = lists.map(pointers);
    // SAFETY: four lists of `count` live tensors; ATen checks their shapes and types. The caller hands over
    // parameters whose storage it means to change.
    check(unsafe {
        distilburn_adamw(
            params.as_mut_ptr(),
            grads.as_mut_ptr(),
            exp_avgs.as_mut_ptr(),
            exp_avg_sqs.as_mut_ptr(),
            count as i64,
            scalars.learning_rate,
            scalars.betas[0],
            scalars.betas[1],
            scalars.weight_decay,
            scalars.epsilon,
            scalars.step,
            pointer(grad_scale),
        )
    });
}

fn pointer(tensor: &Tensor) -> *mut C_tensor {
    tensor.as_ptr().cast_mut()
}

fn pointers(tensors: &[&Tensor]) -> Vec<*mut C_tensor> {
    tensors.iter().map(|tensor| pointer(tensor)).collect()
}

/// A message means a broken invariant of this crate (shape, type, device), as tch's own panics do.
fn check(message: *mut c_char) {
    if message.is_null() {
        return;
    }
    // SAFETY: a non-null message is a C string made by strdup, freed once, here.
    let text = unsafe {
        let text = CStr::from_ptr(message).to_string_lossy().into_owned();
        distilburn_free_message(message);
        text
    };
    panic!("LibTorch: {text}");
}
