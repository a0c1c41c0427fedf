//! Which path a tensor takes: the host's, by `cpp/`, or a device's, by LibTorch's operations.
//!
//! Tests run on the device that they are told to. They force the device's path on the host, where `cpp/stand_in.cpp` stands in for
//! the attention kernels of CUDA.

#![expect(deprecated, reason = "burn-tch is deprecated upstream; distilburn pins burn 0.22")]

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

/// The device that tests run on: the one that `DISTILBURN_TEST_DEVICE` names ("cuda:0"), else the host.
#[doc(hidden)]
#[must_use]
pub fn test_device() -> burn::tensor::Device {
    use burn::tensor::Device;
    match std::env::var("DISTILBURN_TEST_DEVICE").as_deref() {
        Err(_) | Ok("" | "cpu") => Device::libtorch(),
        Ok("mps") => Device::libtorch_mps(),
        Ok(name) => {
            let index = name.strip_prefix("cuda:").and_then(|index| index.parse::<usize>().ok());
            Device::libtorch_cuda(index.expect("DISTILBURN_TEST_DEVICE is cpu, mps or cuda:N"))
        }
    }
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
