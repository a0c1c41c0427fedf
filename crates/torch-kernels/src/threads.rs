//! What LibTorch knows about the machine: threads, devices, its own version.

use burn::tensor::DType;

use crate::{cuda, ffi, libtorch, products};

/// Sets the number of threads of LibTorch's operations; 0 keeps all cores.
pub fn set_threads(threads: usize) {
    if threads > 0 {
        tch::set_num_threads(threads as i32);
    }
}

/// Sets the number of threads of the operations that the calling thread starts, and of no other's.
pub fn set_own_threads(threads: usize) {
    ffi::set_own_threads(threads);
}

/// How many threads LibTorch's operations use.
#[must_use]
pub fn threads() -> usize {
    tch::get_num_threads() as usize
}

/// Number of CUDA devices that this build of LibTorch can use.
#[must_use]
pub fn cuda_devices() -> usize {
    if tch::utils::has_cuda() { tch::Cuda::device_count() as usize } else { 0 }
}

/// Whether this build of LibTorch is one for CUDA, whatever the driver of this machine.
#[must_use]
pub fn is_built_with_cuda() -> bool {
    tch::utils::has_cudart()
}

/// Whether this build of LibTorch can use Apple's Metal Performance Shaders.
#[must_use]
pub fn has_mps() -> bool {
    tch::utils::has_mps()
}

/// The LibTorch version that the kernels were compiled against, such as "2.9".
#[must_use]
pub fn libtorch_version() -> &'static str {
    env!("DISTILBURN_LIBTORCH_VERSION")
}

/// Whether the CPU computes matrix products of this type in hardware. Where it does not, they are computed in f32
/// and rounded: right, and no faster than f32.
#[must_use]
pub fn cpu_multiplies(dtype: DType) -> bool {
    products::cpu_multiplies(libtorch::kind_of(dtype))
}

/// Whether the CPU multiplies int8 (AVX512-VNNI or AMX).
#[must_use]
pub fn cpu_multiplies_int8() -> bool {
    products::int8_multiplies()
}

/// Whether the CPU multiplies bfloat16 in hardware, and faster than f32. Intel's processors since Sapphire Rapids need AMX for
/// that; in a virtual machine that hides it, bfloat16 has half the speed of f32.
#[must_use]
pub fn cpu_prefers_bf16() -> bool {
    cpu_multiplies(DType::BF16) && ffi::bf16_is_fast()
}

/// Whether CUDA device `index` has bfloat16 in its matrix units: compute capability 8.0 (Ampere) or above. `false`
/// where the driver cannot be asked.
#[must_use]
pub fn cuda_has_bf16(index: usize) -> bool {
    cuda::compute_capability(index).is_some_and(|(major, _)| major >= 8)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thread_of_its_own_number_leaves_the_others_theirs() {
        let before = threads();
        let own = |number| std::thread::spawn(move || (set_own_threads(number), threads()).1).join().unwrap();
        assert_eq!([own(1), own(3)], [1, 3]);
        assert_eq!(threads(), before);
        assert_eq!(std::thread::spawn(threads).join().unwrap(), before);
    }
}
