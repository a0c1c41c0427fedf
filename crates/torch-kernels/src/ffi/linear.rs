//! Linear layers on the host, of bfloat16.

use std::ffi::c_char;

use tch::{Kind, Tensor};
use torch_sys::C_tensor;

use super::{check, pointer};

unsafe extern "C" {
    fn distilburn_linear_forward(
        out: *mut C_tensor,
        input: *mut C_tensor,
        weight: *mut C_tensor,
        bias: *mut C_tensor,
    ) -> *mut c_char;
    fn distilburn_linear_input_gradient(
        out: *mut C_tensor,
        grad: *mut C_tensor,
        weight: *mut C_tensor,
    ) -> *mut c_char;
    fn distilburn_linear_weight_gradient(
        out: *mut C_tensor,
        bias_out: *mut C_tensor,
        grad: *mut C_tensor,
        input: *mut C_tensor,
    ) -> *mut c_char;
}

/// `input` (tokens, in) × `weight`ᵀ (in, out) + `bias`, in bfloat16; `weight` of f32 or bfloat16, `bias` of f32.
pub(crate) fn linear_forward(input: &Tensor, weight: &Tensor, bias: &Tensor) -> Tensor {
    let out = input.new_empty([input.size()[0], weight.size()[0]], (Kind::BFloat16, input.device()));
    // SAFETY: all tensors are live, and nobody else has `out`; C++ checks device, layout, sizes and types.
    check(unsafe { distilburn_linear_forward(pointer(&out), pointer(input), pointer(weight), pointer(bias)) });
    out
}

/// `grad` (tokens, out) × `weight` (out, in), rounded to bfloat16, in `kind`: that or f32.
pub(crate) fn linear_input_gradient(grad: &Tensor, weight: &Tensor, kind: Kind) -> Tensor {
    let out = grad.new_empty([grad.size()[0], weight.size()[1]], (kind, grad.device()));
    // SAFETY: as in `linear_forward`.
    check(unsafe { distilburn_linear_input_gradient(pointer(&out), pointer(grad), pointer(weight)) });
    out
}

/// `grad`ᵀ (out, tokens) × `input` (tokens, in), in bfloat16, and the sums of `grad`'s columns, in f32.
pub(crate) fn linear_weight_gradient(grad: &Tensor, input: &Tensor) -> [Tensor; 2] {
    let (dim_out, dim_in) = (grad.size()[1], input.size()[1]);
    let out = grad.new_empty([dim_out, dim_in], (Kind::BFloat16, grad.device()));
    let bias_out = grad.new_empty([dim_out], (Kind::Float, grad.device()));
    // SAFETY: as in `linear_forward`, and nobody else has `bias_out` either.
    check(unsafe {
        distilburn_linear_weight_gradient(pointer(&out), pointer(&bias_out), pointer(grad), pointer(input))
    });
    [out, bias_out]
}
