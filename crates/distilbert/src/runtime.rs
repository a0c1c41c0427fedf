//! Device, precision and threads: what `run.device`, `run.precision` and `run.threads` become here.
//!
//! The only file that names Burn's LibTorch devices.

#![expect(deprecated, reason = "burn-tch is deprecated upstream; distilburn pins burn 0.22")]

use burn::tensor::Device;

use crate::{Autocast, Error};

/// A precision that can run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Precision {
    /// Everything in f32.
    Fp32,
    /// Matrix multiplications in bfloat16.
    Bf16,
}

/// Where and how to compute.
#[derive(Clone, Debug)]
pub struct Runtime {
    device: Device,
    device_name: String,
    precision: Precision,
}

impl Runtime {
    /// Settles "auto" and checks that this machine has what is asked for.
    ///
    /// Sets the process's thread count (0 = all cores) and tells the allocator to keep freed memory, so it is
    /// called once, early.
    ///
    /// # Errors
    /// [`Error::Device`] and [`Error::Precision`], with what to set instead.
    pub fn new(device: &str, precision: &str, threads: usize) -> Result<Self, Error> {
        torch_kernels::keep_freed_memory();
        torch_kernels::set_threads(threads);
        let (device, device_name) = choose_device(device)?;
        let precision = choose_precision(precision, &device_name)?;
        Ok(Self { device, device_name, precision })
    }

    /// Threads of LibTorch's operations on the CPU.
    #[must_use]
    pub fn threads(&self) -> usize {
        torch_kernels::threads()
    }

    /// The device, without autodiff.
    #[must_use]
    pub fn device(&self) -> &Device {
        &self.device
    }

    /// "cpu", "cuda:0", "mps".
    #[must_use]
    pub fn device_name(&self) -> &str {
        &self.device_name
    }

    /// "fp32" or "bf16".
    #[must_use]
    pub fn precision_name(&self) -> &'static str {
        match self.precision {
            Precision::Fp32 => "fp32",
            Precision::Bf16 => "bf16",
        }
    }

    /// The policy of this precision.
    #[must_use]
    pub fn autocast(&self) -> Autocast {
        match self.precision {
            Precision::Fp32 => Autocast::FP32,
            Precision::Bf16 => Autocast::BF16,
        }
    }
}

fn choose_device(name: &str) -> Result<(Device, String), Error> {
    let cuda_devices = torch_kernels::cuda_devices();
    let unavailable = |reason: String, hint| Err(Error::Device { device: name.to_owned(), reason, hint });
    match name {
        "auto" if cuda_devices > 0 => Ok((Device::libtorch_cuda(0_usize), "cuda:0".to_owned())),
        "auto" | "cpu" => Ok((Device::libtorch(), "cpu".to_owned())),
        "mps" if torch_kernels::has_mps() => Ok((Device::libtorch_mps(), name.to_owned())),
        "mps" => unavailable("this LibTorch has no Metal support".to_owned(), ""),
        _ => match name.strip_prefix("cuda:").and_then(|index| index.parse::<usize>().ok()) {
            Some(index) if index < cuda_devices => Ok((Device::libtorch_cuda(index), name.to_owned())),
            Some(_) if cuda_devices == 0 => unavailable(
                "this LibTorch sees no CUDA device".to_owned(),
                "; for a GPU, run `scripts/setup --cuda` and rebuild",
            ),
            Some(_) => unavailable(format!("this machine has {cuda_devices}, counted from 0"), ""),
            None => unavailable("expected auto, cpu, cuda:N or mps".to_owned(), ""),
        },
    }
}

fn choose_precision(name: &str, device: &str) -> Result<Precision, Error> {
    match name {
        "bf16" => Ok(Precision::Bf16),
        "auto" if device.starts_with("cuda") || (device == "cpu" && cpu_has_bf16()) => Ok(Precision::Bf16),
        "fp32" | "auto" => Ok(Precision::Fp32),
        _ => Err(Error::Precision {
            precision: name.to_owned(),
            device: device.to_owned(),
            reason: "expected auto, fp32 or bf16".to_owned(),
        }),
    }
}

/// Whether the CPU multiplies bfloat16 in hardware.
fn cpu_has_bf16() -> bool {
    #[cfg(target_arch = "x86_64")]
    return std::arch::is_x86_feature_detected!("avx512bf16");
    #[cfg(target_arch = "aarch64")]
    return std::arch::is_aarch64_feature_detected!("bf16");
    #[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
    false
}
