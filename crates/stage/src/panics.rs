//! What a panic means: LibTorch reports missing memory and lost devices by panics.

use std::any::Any;

use crate::Error;

/// The error that a panic of `process` stands for.
pub(crate) fn error_of_panic(process: &str, panic: &(dyn Any + Send)) -> Error {
    let message = panic
        .downcast_ref::<String>()
        .cloned()
        .or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()))
        .unwrap_or_else(|| "no message".to_owned());
    of_message(process.to_owned(), message)
}

/// Turns LibTorch's message about a device into an error; the rest of the message is its call stack.
fn of_message(stage: String, message: String) -> Error {
    const OUT_OF_MEMORY: [&str; 3] = ["out of memory", "can't allocate memory", "CUDNN_STATUS_ALLOC_FAILED"];
    const DEVICE_LOST: [&str; 3] = ["CUDA error", "CUDA driver", "no kernel image is available"];
    let is = |kinds: [&str; 3]| kinds.iter().any(|kind| message.contains(kind));
    let first_line = || {
        let line = message.lines().find(|line| !line.trim().is_empty()).unwrap_or_default();
        line.trim().to_owned()
    };
    if is(OUT_OF_MEMORY) {
        Error::OutOfMemory { stage, message: first_line() }
    } else if is(DEVICE_LOST) {
        Error::DeviceLost { stage, message: first_line() }
    } else {
        Error::Panicked { stage, message }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ExitKind;

    /// The messages of LibTorch 2.9, from `CUDACachingAllocator.cpp`, `CUDAException.cpp` and `alloc_cpu.cpp`.
    #[test]
    fn what_libtorch_says_of_memory_and_devices_is_no_bug() {
        let code = |message: &str| of_message("train".to_owned(), message.to_owned()).exit_code();
        for message in [
            "Torch(\"CUDA out of memory. Tried to allocate 2.00 GiB. GPU 0 has a total capacity of 15.77 GiB\")",
            "[enforce fail at alloc_cpu.cpp:121] err == 0. DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes.",
            "MPS backend out of memory (MPS allocated: 8.87 GB)",
            "CUDA error: an illegal memory access was encountered\nCUDA kernel errors might be asynchronously reported",
            "CUDA driver version is insufficient for CUDA runtime version",
        ] {
            assert_eq!(code(message), 4, "{message}");
        }
        assert_eq!(code("index out of bounds: the len is 3 but the index is 3"), 1);
        let error = of_message("train".to_owned(), "\nCUDA out of memory. Tried\nframe #0".to_owned());
        assert_eq!(error.to_string(), "train ran out of memory: CUDA out of memory. Tried");
    }
}
