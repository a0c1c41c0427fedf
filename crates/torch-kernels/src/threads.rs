//! What LibTorch knows about the machine: threads, devices, its own version.

/// Sets the number of threads of LibTorch's operations; 0 keeps all cores.
pub fn set_threads(threads: usize) {
    if threads > 0 {
        tch::set_num_threads(threads as i32);
    }
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
