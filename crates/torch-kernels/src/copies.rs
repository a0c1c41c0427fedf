//! Parameters of linear layers in the compute type, kept from step to step where a device multiplies with them.

use burn::tensor::DType;
use tch::Tensor;

use crate::handle::Handle;
use crate::{ffi, libtorch, path};

/// What products are computed in.
#[derive(Clone, Debug)]
pub struct Compute {
    /// The type.
    pub dtype: DType,
    /// The layer's parameters in that type, if they are kept; of layers of the same input, those of all.
    pub copies: Option<Copies>,
}

impl From<DType> for Compute {
    fn from(dtype: DType) -> Self {
        Self { dtype, copies: None }
    }
}

/// Copies of a linear layer's parameters, or of those of layers of the same input, one after the other.
#[derive(Clone, Debug)]
pub struct Copies {
    pub(crate) weight: Handle,
    pub(crate) bias: Handle,
    /// Parts of both, and the parameters that they are copies of.
    parts: Vec<(Handle, Handle)>,
}

impl Copies {
    /// Of the layers' weights (out, in) and biases (out); `None` on the host, which rounds parameters while it reads them,
    /// and in f32.
    #[must_use]
    pub fn of(layers: &[(Handle, Handle)], dtype: DType) -> Option<Self> {
        let kind = libtorch::kind_of(dtype);
        if !path::keeps_copies(layers[0].0.tensor(), kind) {
            return None;
        }
        let mut parts = Vec::new();
        let mut joined = |parameters: Vec<&Handle>| {
            let tensors: Vec<&Tensor> = parameters.iter().map(|parameter| parameter.tensor()).collect();
            let whole = Tensor::cat(&tensors, 0).to_kind(kind);
            let mut row = 0;
            for parameter in parameters {
                let rows = parameter.tensor().size()[0];
                parts.push((Handle::new(whole.narrow(0, row, rows)), parameter.clone()));
                row += rows;
            }
            Handle::new(whole)
        };
        let weight = joined(layers.iter().map(|(weight, _)| weight).collect());
        let bias = joined(layers.iter().map(|(_, bias)| bias).collect());
        Some(Self { weight, bias, parts })
    }

    /// Brings all of them to what the parameters are by now, in one operation.
    pub fn fill<'a>(all: impl Iterator<Item = &'a Self>) {
        let (targets, sources): (Vec<_>, Vec<_>) = all
            .flat_map(|copies| &copies.parts)
            .map(|(target, source)| (target.tensor(), source.tensor()))
            .unzip();
        ffi::copy_all(&targets, &sources);
    }
}
