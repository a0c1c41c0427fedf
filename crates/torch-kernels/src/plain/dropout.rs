//! The draws of `cpp/draws.h` by tensor operations: 32-bit arithmetic in 64-bit integers.

use burn::backend::tensor::{FloatTensor, IntTensor};
use burn::backend::{Backend, TensorMetadata, get_device_settings};
use burn::tensor::IntDType;

use crate::kernels::Dropout;

const MASK: i64 = 0xffff_ffff;

/// As [`Kernels::counter_dropout`](crate::Kernels::counter_dropout).
#[must_use]
pub fn dropout<B: Backend>(input: FloatTensor<B>, dropout: Dropout) -> FloatTensor<B> {
    let (shape, device) = (input.shape(), input.device());
    let settings = get_device_settings::<B>(&device);
    let threshold = (dropout.p * 4_294_967_296.0).floor() as i64;
    let draws = draws::<B>(shape.num_elements(), dropout.seed, &device);
    let keep = B::int_greater_equal_elem(draws, threshold.into(), settings.bool_dtype);
    let keep = B::bool_into_float(keep, input.dtype().into());
    let kept = B::float_mul(input, B::float_reshape(keep, shape));
    B::float_div_scalar(kept, (1.0 - dropout.p).into())
}

/// What elements 0 to `count` draw, (count)
fn draws<B: Backend>(count: usize, seed: u64, device: &B::Device) -> IntTensor<B> {
    let (low, high) = (seed as i64 & MASK, (seed >> 32) as i64);
    let index = B::bitwise_and_scalar(B::int_arange(0..count as i64, device, IntDType::I64), MASK.into());
    let first = mix::<B>(B::bitwise_xor_scalar(index, low.into()));
    mix::<B>(B::bitwise_and_scalar(B::int_add_scalar(first, high.into()), MASK.into()))
}

fn mix<B: Backend>(x: IntTensor<B>) -> IntTensor<B> {
    let x = shifted::<B>(x, 16);
    let x = times::<B>(x, 0x7feb_352d);
    let x = shifted::<B>(x, 15);
    let x = times::<B>(x, 0x846c_a68b);
    shifted::<B>(x, 16)
}

/// x ^ (x >> `bits`)
fn shifted<B: Backend>(x: IntTensor<B>, bits: i64) -> IntTensor<B> {
    B::bitwise_xor(x.clone(), B::bitwise_right_shift_scalar(x, bits.into()))
}

/// x × `factor`, modulo 2³²; in halves of 16 bits of the factor, whose products do not overflow.
fn times<B: Backend>(x: IntTensor<B>, factor: i64) -> IntTensor<B> {
    let low = B::int_mul_scalar(x.clone(), (factor & 0xffff).into());
    let high = B::bitwise_and_scalar(B::int_mul_scalar(x, (factor >> 16).into()), 0xffff_i64.into());
    let high = B::int_mul_scalar(high, 0x1_0000_i64.into());
    B::bitwise_and_scalar(B::int_add(low, high), MASK.into())
}
