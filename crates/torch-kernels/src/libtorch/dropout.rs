//! Dropout: on the host by `cpp/dropout.cpp`, elsewhere by Burn's operations.

use burn::backend::LibTorch;
use burn_tch::TchTensor;
use tch::{Device, Tensor};

use crate::kernels::Dropout;
use crate::{ffi, plain};

pub(super) fn drop_elements(input: &Tensor, dropout: Dropout) -> Tensor {
    if input.device() == Device::Cpu {
        return ffi::dropout(input, dropout.p, dropout.seed);
    }
    // Two handles: Burn would write into a tensor that it takes for its own.
    let shared = TchTensor::new(input.shallow_clone());
    plain::dropout::<LibTorch>(shared.clone(), dropout).tensor
}
