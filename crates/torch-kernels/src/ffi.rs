//! The C interface of `cpp/kernels.cpp`, made safe. Nothing else in the workspace calls into C++.

#![expect(unsafe_code, reason = "calls into cpp/kernels.cpp: each block says why it holds")]

use std::ffi::{CStr, c_char};

use tch::Tensor;
use torch_sys::C_tensor;

unsafe extern "C" {
    fn distilburn_free_message(message: *mut c_char);
    fn distilburn_dropout(out: *mut C_tensor, input: *mut C_tensor, p: f64, seed: u64) -> *mut c_char;
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

/// `input` with dropout applied, in a new tensor. Both on the host.
pub(crate) fn dropout(input: &Tensor, p: f64, seed: u64) -> Tensor {
    let input = input.contiguous();
    let out = input.empty_like();
    // SAFETY: both pointers are live tensors for the length of the call; C++ checks device, layout and type.
    check(unsafe { distilburn_dropout(pointer(&out), pointer(&input), p, seed) });
    out
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
