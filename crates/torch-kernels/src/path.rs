//! Which path a tensor takes: the host's, by `cpp/`, or a device's, by LibTorch's operations.
//!
//! Tests force the device's path on the host, where `cpp/stand_in.cpp` attends in place of the kernels for CUDA.

use std::cell::Cell;

use tch::{Device, Kind, Tensor};

thread_local! {
    static FORCED: Cell<bool> = Cell::new(std::env::var_os("DISTILBURN_FORCE_DEVICE_PATH").is_some());
}

/// Whether `tensor` takes the host's path.
pub(crate) fn on_host(tensor: &Tensor) -> bool {
    tensor.device() == Device::Cpu && !FORCED.get()
}

/// Whether copies of parameters in type `kind` are kept beside `tensor`: the host rounds them while it reads them.
pub(crate) fn keeps_copies(tensor: &Tensor, kind: Kind) -> bool {
    kind != Kind::Float && !on_host(tensor)
}

/// Runs `f` with the calling thread's host tensors on the device's path. For tests; the environment variable
/// `DISTILBURN_FORCE_DEVICE_PATH` does the same for a process.
#[doc(hidden)]
pub fn on_device_path<T>(f: impl FnOnce() -> T) -> T {
    let before = FORCED.replace(true);
    let result = f();
    FORCED.set(before);
    result
}
