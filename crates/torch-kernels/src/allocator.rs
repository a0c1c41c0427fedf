//! The process's memory, kept when training frees it.

#![expect(unsafe_code, reason = "mallopt and setenv are C calls: the blocks say why they hold")]

use crate::ffi;

/// Keeps freed memory in the process instead of giving it back after every step: large host tensors come from a region
/// of their own (`cpp/memory.cpp`), everything else from a heap that is not trimmed.
///
/// A training step frees and takes hundreds of MB; returned pages must be faulted in and zeroed again, which
/// costs a tenth to a quarter of a step on glibc. Call it once, at the start of `main`. The heap is left as it is
/// elsewhere than on glibc.
pub fn keep_freed_memory() {
    ffi::keep_tensor_memory();
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    // SAFETY: mallopt changes parameters of the allocator and touches no memory of ours.
    unsafe {
        libc::mallopt(libc::M_MMAP_MAX, 0);
        libc::mallopt(libc::M_TRIM_THRESHOLD, i32::MAX);
        libc::mallopt(libc::M_TOP_PAD, 64 << 20);
    }
}

/// Has oneDNN keep what it prepared for the last few sizes of a product instead of for 1,024. Nearly every batch of a long
/// inference has a size of its own, so what is kept is of no use and takes 100 MB and more. Call it at the start of `main`,
/// before the first operation. What the environment says already stays.
pub fn keep_few_sizes() {
    for variable in [c"LRU_CACHE_CAPACITY", c"ONEDNN_PRIMITIVE_CACHE_CAPACITY"] {
        // SAFETY: both are strings that end in 0. No thread of ours reads the environment by then.
        unsafe { libc::setenv(variable.as_ptr(), c"16".as_ptr(), 0) };
    }
}
