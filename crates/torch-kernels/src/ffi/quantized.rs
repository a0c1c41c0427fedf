//! Linear layers on the host, of int8.

use std::ffi::c_char;

use tch::{Kind, Tensor};
use torch_sys::C_tensor;

use super::{check, pointer};
use crate::handle::Handle;

unsafe extern "C" {
    fn distilburn_int8_multiplies() -> bool;
    fn distilburn_int8_pack(
        packed: *mut C_tensor,
        scales: *mut C_tensor,
        sums: *mut C_tensor,
        weight: *mut C_tensor,
    ) -> *mut c_char;
    fn distilburn_int8_forward(
        out: *mut C_tensor,
        input: *mut C_tensor,
        packed: *mut C_tensor,
        scales: *mut C_tensor,
        sums: *mut C_tensor,
        bias: *mut C_tensor,
        activates: bool,
    ) -> *mut c_char;
}

/// A weight (out, in) in int8, with the scale of each output and the sum of its row.
#[derive(Debug)]
pub(crate) struct QuantizedWeight {
    packed: Handle,
    scales: Handle,
    sums: Handle,
}

impl QuantizedWeight {
    fn tensors(&self) -> [&Tensor; 3] {
        [&self.packed, &self.scales, &self.sums].map(Handle::tensor)
    }
}

/// Whether [`int8_forward`] can run here: a small product, tried.
pub(crate) fn int8_multiplies() -> bool {
    // SAFETY: takes nothing, and C++ catches whatever the product throws.
    unsafe { distilburn_int8_multiplies() }
}

/// Quantises `weight` (out, in) of f32.
pub(crate) fn int8_pack(weight: &Tensor) -> QuantizedWeight {
    let empty = |shape: &[i64], kind| Handle::new(weight.new_empty(shape, (kind, weight.device())));
    let size = weight.size();
    let quantized = QuantizedWeight {
        packed: empty(&size, Kind::Int8),
        scales: empty(&size[..1], Kind::Float),
        sums: empty(&size[..1], Kind::Int),
    };
    let [packed, scales, sums] = quantized.tensors();
    // SAFETY: all tensors are live, and nobody else has the three; C++ checks device, layout, sizes and types.
    check(unsafe { distilburn_int8_pack(pointer(packed), pointer(scales), pointer(sums), pointer(weight)) });
    quantized
}

/// `input` (tokens, in) × weightᵀ (in, out) + `bias`, then GELU if `activates`. `input` and the output, in `kind`, are of f32 or
/// bfloat16, `bias` is of f32.
pub(crate) fn int8_forward(
    input: &Tensor,
    weight: &QuantizedWeight,
    bias: &Tensor,
    kind: Kind,
    activates: bool,
) -> Tensor {
    let [packed, scales, sums] = weight.tensors();
    let out = input.new_empty([input.size()[0], packed.size()[0]], (kind, input.device()));
    // SAFETY: as in `int8_pack`; nobody else has `out`.
    check(unsafe {
        distilburn_int8_forward(
            pointer(&out),
            pointer(input),
            pointer(packed),
            pointer(scales),
            pointer(sums),
            pointer(bias),
            activates,
        )
    });
    out
}
