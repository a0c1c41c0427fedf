//! Dropout: on the host by `cpp/dropout.cpp`, on a device by LibTorch's own.

use std::sync::{Mutex, PoisonError};

use burn::backend::LibTorch;
use burn_tch::TchTensor;
use tch::{Device, Tensor};

use crate::kernels::Dropout;
use crate::path::on_host;
use crate::{ffi, plain};

/// Drawn from the seed and the elements' indices, on any device: where masks are drawn again.
pub(super) fn drop_elements(input: &Tensor, dropout: Dropout) -> Tensor {
    if input.device() == Device::Cpu {
        return ffi::dropout(input, dropout.p, dropout.seed);
    }
    // Two handles: Burn would write into a tensor that it takes for its own.
    let shared = TchTensor::new(input.shallow_clone());
    plain::dropout::<LibTorch>(shared.clone(), dropout).tensor
}

/// The output, and the mask where the backward pass does not draw it again: on a device, whose generator is set to the seed,
/// so that masks differ from one kind of device to another.
pub(super) fn forward(input: &Tensor, dropout: Dropout) -> (Tensor, Option<Tensor>) {
    // The generator is the process's.
    static SEEDED: Mutex<()> = Mutex::new(());
    if on_host(input) {
        return (drop_elements(input, dropout), None);
    }
    let _seeded = SEEDED.lock().unwrap_or_else(PoisonError::into_inner);
    tch::manual_seed(dropout.seed as i64);
    let (out, mask) = input.native_dropout(dropout.p, true);
    (out, Some(mask))
}

/// The gradient of the input.
pub(super) fn backward(grad: &Tensor, mask: Option<&Tensor>, dropout: Dropout) -> Tensor {
    match mask {
        Some(mask) => Tensor::native_dropout_backward(grad, mask, 1.0 / (1.0 - dropout.p)),
        None => drop_elements(grad, dropout),
    }
}
