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
        packed: bool,
    ) -> *mut c_char;
    fn distilburn_linear_pack(packed: *mut C_tensor, weight: *mut C_tensor) -> *mut c_char;
    fn distilburn_linear_input_gradient(
        out: *mut C_tensor,
        grads: *mut *mut C_tensor,
        weights: *mut *mut C_tensor,
        layers: i64,
    ) -> *mut c_char;
    fn distilburn_linear_weight_gradient(
        out: *mut C_tensor,
        bias_out: *mut C_tensor,
        grad: *mut C_tensor,
        input: *mut C_tensor,
    ) -> *mut c_char;
}

/// `input` (tokens, in) × `weight`ᵀ (in, out) + `bias`, in bfloat16; `weight` of f32 or bfloat16, or from [`linear_pack`] if
/// `packed`; `bias` of f32.
pub(crate) fn linear_forward(input: &Tensor, weight: &Tensor, bias: &Tensor, packed: bool) -> Tensor {
    let out = input.new_empty([input.size()[0], weight.size()[0]], (Kind::BFloat16, input.device()));
    // SAFETY: all tensors are live, and nobody else has `out`; C++ checks device, layout, sizes and types.
    check(unsafe {
        distilburn_linear_forward(pointer(&out), pointer(input), pointer(weight), pointer(bias), packed)
    });
    out
}

/// `weight` (out, in), of f32 or bfloat16, in the order that products read: (out, in) in bfloat16.
pub(crate) fn linear_pack(weight: &Tensor) -> Tensor {
    let packed = weight.new_empty(weight.size(), (Kind::BFloat16, weight.device()));
    // SAFETY: as in `linear_forward`.
    check(unsafe { distilburn_linear_pack(pointer(&packed), pointer(weight)) });
    packed
}

/// The sum of `grads[i]` (tokens, out) × `weights[i]` (out, in), layers of the same input: in `kind`, rounded if that is
/// bfloat16, not if it is f32.
pub(crate) fn linear_input_gradient<const N: usize>(
    grads: [&Tensor; N],
    weights: [&Tensor; N],
    kind: Kind,
) -> Tensor {
    let out = grads[0].new_empty([grads[0].size()[0], weights[0].size()[1]], (kind, grads[0].device()));
    let (mut grads, mut weights) = (grads.map(pointer), weights.map(pointer));
    // SAFETY: as in `linear_forward`; both lists hold N live tensors.
    check(unsafe {
        distilburn_linear_input_gradient(pointer(&out), grads.as_mut_ptr(), weights.as_mut_ptr(), N as i64)
    });
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

#[cfg(test)]
mod tests {
    use tch::Device;

    use super::*;

    fn zeros(shape: &[i64], kind: Kind) -> Tensor {
        Tensor::zeros(shape, (kind, Device::Cpu))
    }

    fn refusal(pass: impl FnOnce()) -> String {
        let panic = std::panic::catch_unwind(std::panic::AssertUnwindSafe(pass)).unwrap_err();
        panic.downcast_ref::<String>().unwrap().clone()
    }

    #[test]
    fn tensors_that_are_not_what_the_products_read_are_refused() {
        let bf16 = |shape: &[i64]| zeros(shape, Kind::BFloat16);
        let (input, grad) = (bf16(&[3, 64]), bf16(&[3, 32]));
        let (weight, bias) = (bf16(&[32, 64]), zeros(&[32], Kind::Float));
        for (input, weight, bias, said) in [
            (&zeros(&[3, 64], Kind::Float), &weight, &bias, "bfloat16"),
            (&bf16(&[64, 3]).tr(), &weight, &bias, "contiguous"),
            (&input, &bf16(&[32, 96]), &bias, "shapes"),
            (&bf16(&[3, 48]), &bf16(&[32, 48]), &bias, "multiples of 32"),
            (&bf16(&[0, 64]), &weight, &bias, "some rows"),
            (&input, &zeros(&[32, 64], Kind::Half), &bias, "bfloat16 or float"),
            (&input, &weight, &bf16(&[32]), "a float for every column"),
            (&input, &weight, &zeros(&[31], Kind::Float), "a float for every column"),
        ] {
            let refusal = refusal(|| drop(linear_forward(input, weight, bias, false)));
            assert!(refusal.contains(said), "expected {said}: {refusal}");
        }
        let refused = refusal(|| drop(linear_input_gradient([&grad], [&bf16(&[64, 64])], Kind::Float)));
        assert!(refused.contains("shapes"), "{refused}");
        let refused = refusal(|| drop(linear_input_gradient([&grad], [&weight], Kind::Half)));
        assert!(refused.contains("bfloat16 or float"), "{refused}");
        let refused = refusal(|| drop(linear_weight_gradient(&grad, &bf16(&[4, 64]))));
        assert!(refused.contains("shapes"), "{refused}");
    }
}
