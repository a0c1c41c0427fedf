//! Matrix products in the compute type, also on CPUs that have no instructions for it.
//!
//! Without them LibTorch multiplies bfloat16 and float16 one by one, far slower than f32. The product of two such
//! numbers is exact in f32, and hardware adds them up in f32 too: widening the factors, multiplying in f32 and
//! rounding once gives what the hardware gives, but for the order of summation.

use std::sync::OnceLock;

use tch::{Device, Kind, Tensor};

use crate::ffi;
use crate::path::on_host;

/// (rows, in) × `weight`ᵀ (in, out) + `bias`, all of one type → (rows, out) in that type
pub(crate) fn linear(input: &Tensor, weight: &Tensor, bias: &Tensor) -> Tensor {
    rounded([input, weight, bias], |[input, weight, bias]| input.linear(weight, Some(bias)))
}

/// (rows, inner) × (inner, columns), of one type → (rows, columns)
pub(crate) fn mm(a: &Tensor, b: &Tensor) -> Tensor {
    rounded([a, b], |[a, b]| a.mm(b))
}

/// (batch, rows, inner) × (batch, inner, columns), of one type → (batch, rows, columns)
pub(crate) fn bmm(a: &Tensor, b: &Tensor) -> Tensor {
    rounded([a, b], |[a, b]| a.bmm(b))
}

/// `alpha` × (`a` bmm `b`), the factor applied before rounding.
pub(crate) fn scaled_bmm(a: &Tensor, b: &Tensor, alpha: f64) -> Tensor {
    rounded([a, b], |[a, b]| {
        let ignored = Tensor::zeros([1], (a.kind(), a.device()));
        ignored.baddbmm(a, b, 0.0, alpha)
    })
}

/// `product` of the factors in their own type, or of the widened ones, rounded to it.
fn rounded<const N: usize>(factors: [&Tensor; N], product: impl Fn([&Tensor; N]) -> Tensor) -> Tensor {
    let kind = factors[0].kind();
    if !on_host(factors[0]) || cpu_multiplies(kind) {
        return product(factors);
    }
    let wide = factors.map(|factor| factor.to_kind(Kind::Float));
    product(wide.each_ref()).to_kind(kind)
}

/// Whether the CPU has instructions for products of this type, and LibTorch multiplies with them.
pub(crate) fn cpu_multiplies(kind: Kind) -> bool {
    static BF16: OnceLock<bool> = OnceLock::new();
    static F16: OnceLock<bool> = OnceLock::new();
    let multiplies = || cpu_has(kind) && tch::utils::has_mkldnn() && libtorch_multiplies(kind);
    match kind {
        Kind::BFloat16 => *BF16.get_or_init(multiplies),
        Kind::Half => *F16.get_or_init(multiplies),
        _ => true,
    }
}

/// Whether the products of `cpp/brgemm.cpp` come out right here: those of LibTorch do, and a small one was tried.
pub(crate) fn blocks_multiply() -> bool {
    static BRGEMM: OnceLock<bool> = OnceLock::new();
    cpu_multiplies(Kind::BFloat16) && *BRGEMM.get_or_init(|| ffi::brgemm_multiplies(false))
}

/// The same of f32.
pub(crate) fn f32_blocks_multiply() -> bool {
    static BRGEMM: OnceLock<bool> = OnceLock::new();
    *BRGEMM.get_or_init(|| ffi::brgemm_multiplies(true))
}

/// Whether the products of `cpp/quantized.cpp` come out right here: a small one was tried.
pub(crate) fn int8_multiplies() -> bool {
    static INT8: OnceLock<bool> = OnceLock::new();
    *INT8.get_or_init(ffi::int8_multiplies)
}

fn cpu_has(kind: Kind) -> bool {
    match kind {
        #[cfg(target_arch = "x86_64")]
        Kind::BFloat16 => std::arch::is_x86_feature_detected!("avx512bf16"),
        #[cfg(target_arch = "x86_64")]
        Kind::Half => std::arch::is_x86_feature_detected!("avx512fp16"),
        #[cfg(target_arch = "aarch64")]
        Kind::BFloat16 => std::arch::is_aarch64_feature_detected!("bf16"),
        #[cfg(target_arch = "aarch64")]
        Kind::Half => std::arch::is_aarch64_feature_detected!("fp16"),
        _ => false,
    }
}

/// Whether a product comes out right: oneDNN may be held to older instructions (`ONEDNN_MAX_CPU_ISA`), and throws then.
fn libtorch_multiplies(kind: Kind) -> bool {
    // Whole numbers so small that the type and the sums in f32 are exact; a side above those that oneDNN is not asked for.
    let side = 64;
    let wide = Tensor::arange(side * side, (Kind::Float, Device::Cpu)).remainder(7).view([side, side]) - 3;
    let narrow = wide.to_kind(kind);
    narrow.f_mm(&narrow).is_ok_and(|product| product == wide.mm(&wide).to_kind(kind))
}
