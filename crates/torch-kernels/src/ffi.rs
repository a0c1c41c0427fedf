//! The C interface of `cpp/`, made safe. Nothing else in the workspace calls into C++.
//!
//! What holds for all of it: a `C_tensor` is the `at::Tensor` that a [`Tensor`] owns, borrowed for the length of the call;
//! C++ changes the tensors that are to be changed, keeps no pointer, and throws nothing across. Threads share tensors
//! to read them alone.

#![expect(unsafe_code, reason = "calls into cpp/: each block says why it holds")]

mod attention;
mod count;
mod linear;
mod optimizer;
mod quantized;
mod varlen;

use std::ffi::{CStr, c_char};

use tch::Tensor;
use torch_sys::C_tensor;

pub(crate) use attention::{
    Division, attention_backward, attention_forward, bf16_is_fast, brgemm_multiplies,
};
pub(crate) use count::counted;
pub(crate) use linear::{linear_forward, linear_input_gradient, linear_pack, linear_weight_gradient};
pub(crate) use optimizer::{adamw, copy_all, global_norm, unscale};
pub(crate) use quantized::{QuantizedWeight, int8_forward, int8_multiplies, int8_pack};
pub(crate) use varlen::{Batch, Varlen, upload, varlen_backward, varlen_forward};

unsafe extern "C" {
    fn distilburn_keep_tensor_memory() -> *mut c_char;
    fn distilburn_set_own_threads(threads: i32) -> *mut c_char;
    fn distilburn_free_message(message: *mut c_char);
    fn distilburn_dropout(out: *mut C_tensor, input: *mut C_tensor, p: f64, seed: u64) -> *mut c_char;
    fn distilburn_layer_norm_backward(
        results: *mut *mut C_tensor,
        grad: *mut C_tensor,
        input: *mut C_tensor,
        mean: *mut C_tensor,
        rstd: *mut C_tensor,
        weight: *mut C_tensor,
        bias: *mut C_tensor,
    ) -> *mut c_char;
}

/// Has LibTorch take large host tensors from a region that keeps what is freed; see `cpp/memory.cpp`.
pub(crate) fn keep_tensor_memory() {
    // SAFETY: C++ does it once, whoever calls how often. Tensors that are there keep their memory and its deleter;
    // threads that make tensors meanwhile get theirs from the old allocator or the new, which both stay.
    check(unsafe { distilburn_keep_tensor_memory() });
}

/// Sets the number of threads of the operations that the calling thread starts.
pub(crate) fn set_own_threads(threads: usize) {
    // SAFETY: takes a number, and changes nothing but the calling thread's own setting.
    check(unsafe { distilburn_set_own_threads(threads.max(1) as i32) });
}

/// `input` with dropout applied, in a new tensor. Both on the host.
pub(crate) fn dropout(input: &Tensor, p: f64, seed: u64) -> Tensor {
    let input = input.contiguous();
    let out = input.empty_like();
    // SAFETY: both tensors are live and nobody else has `out`; C++ checks device, layout, sizes and types.
    check(unsafe { distilburn_dropout(pointer(&out), pointer(&input), p, seed) });
    out
}

/// Gradients of input, weight and bias of `layer_norm`.
pub(crate) fn layer_norm_backward(grad: &Tensor, saved: &[Tensor; 5]) -> [Tensor; 3] {
    let [input, mean, rstd, weight, bias] = saved;
    let grads = made(|results| {
        // SAFETY: the inputs are live, and ATen checks them; `results` has room for three.
        unsafe {
            distilburn_layer_norm_backward(
                results,
                pointer(grad),
                pointer(input),
                pointer(mean),
                pointer(rstd),
                pointer(weight),
                pointer(bias),
            )
        }
    });
    grads.unwrap_or_else(|message| broken(&message))
}

fn pointer(tensor: &Tensor) -> *mut C_tensor {
    tensor.as_ptr().cast_mut()
}

fn pointers(tensors: &[&Tensor]) -> Vec<*mut C_tensor> {
    tensors.iter().map(|tensor| pointer(tensor)).collect()
}

/// The `N` tensors that `call` makes through `hand_over` of `cpp/results.h`, or its message.
fn made<const N: usize>(call: impl FnOnce(*mut *mut C_tensor) -> *mut c_char) -> Result<[Tensor; N], String> {
    let mut results = [std::ptr::null_mut(); N];
    told(call(results.as_mut_ptr()))?;
    // SAFETY: without a message C++ has stored N tensors made by `new`, which `from_ptr` owns from then on.
    Ok(results.map(|result| unsafe { Tensor::from_ptr(result) }))
}

fn check(message: *mut c_char) {
    told(message).unwrap_or_else(|message| broken(&message));
}

/// A message means a broken invariant of this crate (shape, type, device), as tch's own panics do.
pub(crate) fn broken(message: &str) -> ! {
    panic!("LibTorch: {message}");
}

/// What `message` says, if it is not null.
fn told(message: *mut c_char) -> Result<(), String> {
    if message.is_null() {
        return Ok(());
    }
    // SAFETY: a message that is not null is a C string of `cpp/error.cpp`, given back once, here, and not used after.
    unsafe {
        let text = CStr::from_ptr(message).to_string_lossy().into_owned();
        distilburn_free_message(message);
        Err(text)
    }
}
