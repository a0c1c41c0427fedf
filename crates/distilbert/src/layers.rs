//! The layers whose precision [`crate::Autocast`] decides.

use burn::module::{Module, Param};
use burn::tensor::Tensor;

/// A linear layer with PyTorch's weight order: (out, in).
#[derive(Module, Debug)]
pub(crate) struct Linear {
    pub(crate) weight: Param<Tensor<2>>,
    pub(crate) bias: Param<Tensor<1>>,
}

#[derive(Module, Debug)]
pub(crate) struct LayerNorm {
    pub(crate) weight: Param<Tensor<1>>,
    pub(crate) bias: Param<Tensor<1>>,
}
