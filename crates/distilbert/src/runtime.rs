//! Device, precision and threads: what `run.device`, `run.precision` and `run.threads` become here.
//!
//! The only file that names Burn's LibTorch devices.

#![expect(deprecated, reason = "burn-tch is deprecated upstream; distilburn pins burn 0.22")]

use std::path::Path;
use std::thread;

use burn::tensor::{DType, Device};

use crate::{Autocast, Config, Error};

/// A precision that can run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Precision {
    /// Everything in f32.
    Fp32,
    /// Matrix multiplications in bfloat16.
    Bf16,
    /// Matrix multiplications in float16.
    Fp16,
    /// Linear layers in int8, to answer questions on a CPU: weights and inputs are quantised, sums are exact.
    Int8,
}

/// `[run]` as far as it says where and how to compute.
#[derive(Clone, Copy, Debug)]
pub struct RuntimeOptions<'a> {
    /// "auto", "cpu", "cuda:N" or "mps".
    pub device: &'a str,
    /// "auto", "fp32", "bf16", "fp16" or "int8".
    pub precision: &'a str,
    /// CPU threads; 0 = all cores.
    pub threads: usize,
    /// Whether a half type may be computed where it is slow: fp16 on a CPU, bf16 on a GPU without it.
    pub allow_slow_precision: bool,
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
    /// Sets the process's thread count and tells the allocator to keep freed memory, so it is called once, early.
    ///
    /// # Errors
    /// [`Error::Device`] and [`Error::Precision`], with what to set instead.
    pub fn new(options: RuntimeOptions<'_>) -> Result<Self, Error> {
        torch_kernels::keep_freed_memory();
        torch_kernels::set_threads(threads_of(options.threads, torch_kernels::threads()));
        let (device, device_name) = choose_device(options.device, Found::now())?;
        let precision = choose_precision(options, &device_name, &torch_kernels::cuda_has_bf16)?;
        if options.device == "auto" && device_name == "cpu" && has_nvidia_gpu(Path::new("/")) {
            tracing::warn!(
                "this machine has an NVIDIA GPU, which this LibTorch cannot use: to train on it, `pip install \
                 'distilburn[cuda]'`, or in a clone run `scripts/setup --cuda` and build again; `run.device = \"cpu\"` \
                 silences this"
            );
        }
        if precision == Precision::Bf16 && device_name == "cpu" && !torch_kernels::cpu_multiplies(DType::BF16)
        {
            tracing::warn!(
                "this CPU has no bfloat16: its products are computed in fp32 and rounded, no faster"
            );
        } else if precision == Precision::Bf16 && device_name == "cpu" && !torch_kernels::cpu_prefers_bf16() {
            tracing::warn!(
                "this CPU multiplies bfloat16 at half the speed of fp32: `run.precision = \"auto\"` is faster"
            );
        }
        Ok(Self { device, device_name, precision })
    }

    /// The CPU in fp32 with so many threads (0 = all cores): what a comparison of logits wants.
    ///
    /// # Errors
    /// As [`Self::new`].
    pub fn cpu_fp32(threads: usize) -> Result<Self, Error> {
        Self::new(RuntimeOptions { device: "cpu", precision: "fp32", threads, allow_slow_precision: false })
    }

    /// Whether a model of these sizes can run in this precision.
    ///
    /// # Errors
    /// [`Error::Precision`] for int8, whose products take multiples of 32.
    pub fn check_fits(&self, config: &Config) -> Result<(), Error> {
        let fits = [config.dim, config.hidden_dim].iter().all(|size| size.is_multiple_of(32));
        if self.precision != Precision::Int8 || fits {
            return Ok(());
        }
        Err(Error::Precision {
            precision: "int8".to_owned(),
            device: self.device_name.clone(),
            reason: "it takes layers with multiples of 32 inputs and outputs, and this model has others",
            instead: "\"auto\"",
        })
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

    /// "fp32", "bf16", "fp16" or "int8".
    #[must_use]
    pub fn precision_name(&self) -> &'static str {
        match self.precision {
            Precision::Fp32 => "fp32",
            Precision::Bf16 => "bf16",
            Precision::Fp16 => "fp16",
            Precision::Int8 => "int8",
        }
    }

    /// The precision that "auto" became.
    #[must_use]
    pub fn precision(&self) -> Precision {
        self.precision
    }

    /// The policy of this precision. For int8 it covers everything but the linear layers.
    #[must_use]
    pub fn autocast(&self) -> Autocast {
        match self.precision {
            Precision::Bf16 => Autocast::BF16,
            Precision::Fp16 => Autocast::FP16,
            Precision::Int8 if torch_kernels::cpu_prefers_bf16() => Autocast::BF16,
            Precision::Fp32 | Precision::Int8 => Autocast::FP32,
        }
    }
}

/// Loads the CUDA half of LibTorch from a Python installation of the same PyTorch (the folder of its package `torch`), where
/// `device` calls for a GPU. To be called before [`Runtime::new`], which uses the CPU where this does not succeed.
pub fn load_cuda(torch: &Path, device: &str) {
    let library = torch.join("lib/libtorch_cuda.so");
    let is_wanted = device.starts_with("cuda") || (device == "auto" && has_nvidia_gpu(Path::new("/")));
    if !is_wanted || !library.exists() {
        return;
    }
    let expected = torch_kernels::libtorch_version();
    let found = torch_version(&fs_err::read_to_string(torch.join("version.py")).unwrap_or_default());
    if !found.starts_with(&format!("{expected}.")) {
        tracing::warn!(
            found,
            expected,
            "the installed torch is of another version, so there is only the CPU; `pip install 'distilburn[cuda]'` brings the \
             right one"
        );
        return;
    }
    if let Err(error) = torch_kernels::load_cuda(&library) {
        tracing::warn!(error, "CUDA of the installed torch cannot be loaded, so there is only the CPU");
    }
}

/// The version that torch's `version.py` gives; empty where it gives none.
fn torch_version(text: &str) -> String {
    let line = text.lines().find_map(|line| line.strip_prefix("__version__ = "));
    line.unwrap_or_default().trim_matches(['\'', '"']).to_owned()
}

/// The threads to set for `run.threads`; 0 keeps what LibTorch would use, but no more than the quota of the process's
/// container lets run, which LibTorch does not look at.
fn threads_of(typed: usize, of_libtorch: usize) -> usize {
    match typed {
        0 => thread::available_parallelism()
            .map_or(0, |quota| if quota.get() < of_libtorch { quota.get() } else { 0 }),
        typed => typed,
    }
}

/// Whether the driver of an NVIDIA GPU is loaded; `root` is the file system's.
fn has_nvidia_gpu(root: &Path) -> bool {
    ["dev/nvidia0", "proc/driver/nvidia/version"].iter().any(|path| root.join(path).exists())
}

/// What LibTorch says of the machine.
#[derive(Clone, Copy)]
struct Found {
    cuda_devices: usize,
    /// Whether LibTorch is a build for CUDA; without a device of it, the driver is at fault.
    built_with_cuda: bool,
    mps: bool,
}

impl Found {
    fn now() -> Self {
        Self {
            cuda_devices: torch_kernels::cuda_devices(),
            built_with_cuda: torch_kernels::is_built_with_cuda(),
            mps: torch_kernels::has_mps(),
        }
    }
}

fn choose_device(name: &str, found: Found) -> Result<(Device, String), Error> {
    let Found { cuda_devices, built_with_cuda, mps } = found;
    let unavailable = |reason: String, hint| Err(Error::Device { device: name.to_owned(), reason, hint });
    match name {
        "auto" if cuda_devices > 0 => Ok((Device::libtorch_cuda(0_usize), "cuda:0".to_owned())),
        "auto" | "cpu" => Ok((Device::libtorch(), "cpu".to_owned())),
        "mps" if mps => Ok((Device::libtorch_mps(), name.to_owned())),
        "mps" => unavailable("this LibTorch has no Metal support".to_owned(), ""),
        _ => match name.strip_prefix("cuda:").and_then(|index| index.parse::<usize>().ok()) {
            Some(index) if index < cuda_devices => Ok((Device::libtorch_cuda(index), name.to_owned())),
            Some(_) if cuda_devices == 0 && built_with_cuda => unavailable(
                "LibTorch finds no GPU through the NVIDIA driver".to_owned(),
                "; for a GPU, see that `nvidia-smi` lists it, and that its driver is 525 or later, as CUDA 12 needs",
            ),
            Some(_) if cuda_devices == 0 => unavailable(
                "this LibTorch sees no CUDA device".to_owned(),
                "; for a GPU, `pip install 'distilburn[cuda]'`, or in a clone run `scripts/setup --cuda` and rebuild",
            ),
            Some(_) if cuda_devices == 1 => {
                unavailable("this machine has one, cuda:0".to_owned(), ", or to \"cuda:0\"")
            }
            Some(_) => unavailable(format!("this machine has {cuda_devices}, counted from 0"), ""),
            None => unavailable("expected auto, cpu, cuda:N or mps".to_owned(), ""),
        },
    }
}

/// `has_bf16` says whether CUDA device N has bfloat16 in its matrix units.
fn choose_precision(
    options: RuntimeOptions<'_>,
    device: &str,
    has_bf16: &dyn Fn(usize) -> bool,
) -> Result<Precision, Error> {
    let refuse = |reason, instead| {
        let (precision, device) = (options.precision.to_owned(), device.to_owned());
        Err(Error::Precision { precision, device, reason, instead })
    };
    let cuda: Option<usize> = device.strip_prefix("cuda:").and_then(|index| index.parse().ok());
    match options.precision {
        "fp32" => Ok(Precision::Fp32),
        "bf16" if cuda.is_some_and(|index| !has_bf16(index)) && !options.allow_slow_precision => refuse(
            "its matrix units have no bfloat16, which begins with compute capability 8.0",
            "\"auto\", \"fp16\" or \"fp32\", or `run.allow_slow_precision` to true to try it all the same",
        ),
        "bf16" => Ok(Precision::Bf16),
        "fp16" if device == "cpu" && !options.allow_slow_precision => refuse(
            "it is no faster there than fp32, and less exact",
            "\"auto\", \"fp32\" or \"bf16\", or `run.allow_slow_precision` to true to try it all the same",
        ),
        "fp16" => Ok(Precision::Fp16),
        "int8" if device != "cpu" => refuse("int8 is for CPUs", "\"auto\", or `run.device` to \"cpu\""),
        "int8" if !torch_kernels::cpu_multiplies_int8() => {
            refuse("this CPU has no instructions for it (AVX512-VNNI)", "\"auto\" or \"fp32\"")
        }
        "int8" => Ok(Precision::Int8),
        "auto" => Ok(match cuda {
            Some(index) if has_bf16(index) => Precision::Bf16,
            Some(_) => Precision::Fp16,
            None if device == "cpu" && torch_kernels::cpu_prefers_bf16() => Precision::Bf16,
            None => Precision::Fp32,
        }),
        _ => refuse("expected auto, fp32, bf16, fp16 or int8", "\"auto\", \"fp32\" or \"bf16\""),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn on_cpu(precision: &str, allow_slow_precision: bool) -> Result<Precision, Error> {
        let options = RuntimeOptions { device: "cpu", precision, threads: 0, allow_slow_precision };
        choose_precision(options, "cpu", &|_| unreachable!("no CUDA device"))
    }

    #[test]
    fn a_device_that_is_not_there_is_refused_with_its_cause() {
        let refusal = |name, cuda_devices, built_with_cuda| {
            let error = choose_device(name, Found { cuda_devices, built_with_cuda, mps: false }).unwrap_err();
            assert!(error.is_device(), "{error}");
            let help = miette::Diagnostic::help(&error).unwrap().to_string();
            format!("{error}; {help}")
        };
        assert!(
            refusal("cuda:1", 1, true)
                .contains("has one, cuda:0; set `run.device` to \"cpu\" or \"auto\", or to \"cuda:0\"")
        );
        assert!(refusal("cuda:2", 2, true).contains("has 2, counted from 0"));
        assert!(refusal("cuda:0", 0, true).contains("driver is 525 or later"));
        assert!(refusal("cuda:0", 0, false).contains("scripts/setup --cuda"));
        assert!(refusal("gpu", 1, true).contains("expected auto, cpu, cuda:N or mps"));
    }

    #[test]
    fn bf16_is_refused_where_the_gpu_lacks_it_and_auto_takes_fp16() {
        let on_cuda = |precision, allow_slow_precision, has_bf16: bool| {
            let options = RuntimeOptions { device: "cuda:0", precision, threads: 0, allow_slow_precision };
            choose_precision(options, "cuda:0", &|_| has_bf16)
        };
        let error = on_cuda("bf16", false, false).unwrap_err();
        assert!(error.is_device(), "{error}");
        assert_eq!(on_cuda("bf16", true, false).unwrap(), Precision::Bf16);
        assert_eq!(on_cuda("bf16", false, true).unwrap(), Precision::Bf16);
        assert_eq!(on_cuda("auto", false, false).unwrap(), Precision::Fp16);
        assert_eq!(on_cuda("auto", false, true).unwrap(), Precision::Bf16);
    }

    #[test]
    fn fp16_on_a_cpu_has_to_be_allowed() {
        let error = on_cpu("fp16", false).unwrap_err();
        assert!(error.is_device(), "{error}");
        assert_eq!(on_cpu("fp16", true).unwrap(), Precision::Fp16);
    }

    #[test]
    fn int8_is_for_cpus_that_multiply_it() {
        let options =
            RuntimeOptions { device: "cuda:0", precision: "int8", threads: 0, allow_slow_precision: true };
        let error = choose_precision(options, "cuda:0", &|_| true).unwrap_err();
        assert!(error.is_device() && error.to_string().contains("int8 is for CPUs"), "{error}");
        let on_cpu = on_cpu("int8", false);
        if torch_kernels::cpu_multiplies_int8() {
            assert_eq!(on_cpu.unwrap(), Precision::Int8);
        } else {
            assert!(on_cpu.unwrap_err().to_string().contains("AVX512-VNNI"));
        }
    }

    #[test]
    fn a_gpu_is_seen_by_its_driver() {
        let root = tempfile::tempdir().unwrap();
        assert!(!has_nvidia_gpu(root.path()));
        std::fs::create_dir_all(root.path().join("proc/driver/nvidia")).unwrap();
        std::fs::write(root.path().join("proc/driver/nvidia/version"), "NVRM version").unwrap();
        assert!(has_nvidia_gpu(root.path()));
    }

    #[test]
    fn the_version_of_an_installed_torch_is_read_from_its_package() {
        let text = "from typing import Optional\n\n__version__ = '2.9.1+cu128'\ndebug = False\n";
        assert_eq!(torch_version(text), "2.9.1+cu128");
        assert_eq!(torch_version("debug = False\n"), "");
    }

    #[test]
    fn no_more_threads_than_the_process_may_run() {
        let quota = thread::available_parallelism().unwrap().get();
        assert_eq!((threads_of(0, 1024), threads_of(0, 1), threads_of(7, 1)), (quota, 0, 7));
    }

    #[test]
    fn auto_is_what_the_hardware_has() {
        let expected = if torch_kernels::cpu_prefers_bf16() { Precision::Bf16 } else { Precision::Fp32 };
        assert_eq!(on_cpu("auto", false).unwrap(), expected);
    }
}
