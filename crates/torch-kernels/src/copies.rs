//! Parameters of linear layers in the form that products read.
//!
//! During training, a device that multiplies in another type keeps them from step to step. A model that only answers keeps them
//! on the host too, packed.

use std::sync::Arc;

use burn::tensor::DType;
use tch::{Kind, Tensor};

use crate::ffi::QuantizedWeight;
use crate::handle::Handle;
use crate::{ffi, libtorch, path, products};

/// What products are computed in.
#[derive(Clone, Debug)]
pub struct Compute {
    /// The type.
    pub dtype: DType,
    /// The layer's parameters for products in that type, if they are kept; of layers of the same input, those of all.
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
    form: Form,
    bias: Handle,
    /// Parts of weight and bias, and the parameters that they are copies of; none where the parameters change no more.
    parts: Vec<(Handle, Handle)>,
}

/// A weight (out, in).
#[derive(Clone, Debug)]
enum Form {
    /// In the compute type.
    Typed(Handle),
    /// In bfloat16, in the order that the host's products read.
    Packed(Handle),
    /// In int8.
    Quantized(Arc<QuantizedWeight>),
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
        let mut copy = |parameters: Vec<&Handle>| {
            let whole = joined(&parameters).to_kind(kind);
            let mut row = 0;
            for parameter in parameters {
                let rows = parameter.tensor().size()[0];
                parts.push((Handle::new(whole.narrow(0, row, rows)), parameter.clone()));
                row += rows;
            }
            Handle::new(whole)
        };
        let weight = copy(layers.iter().map(|(weight, _)| weight).collect());
        let bias = copy(layers.iter().map(|(_, bias)| bias).collect());
        Some(Self { form: Form::Typed(weight), bias, parts })
    }

    /// Of parameters that no longer change, on the host: packed once instead of in every product, in `dtype` or in int8
    /// (dynamic quantisation; Zafrir et al. 2019). `None` if the host does not multiply so, or not these dimensions.
    #[must_use]
    pub fn packed(layers: &[(Handle, Handle)], dtype: DType, int8: bool) -> Option<Self> {
        let kind = libtorch::kind_of(dtype);
        let multiplies = if int8 {
            products::int8_multiplies()
        } else {
            kind == Kind::BFloat16 && products::blocks_multiply()
        };
        let fits = |(weight, _): &(Handle, Handle)| {
            path::on_host(weight.tensor())
                && weight.tensor().size().iter().all(|&size| size > 0 && size % 32 == 0)
        };
        if !multiplies || !layers.iter().all(fits) {
            return None;
        }
        let weight = joined(&layers.iter().map(|(weight, _)| weight).collect::<Vec<_>>());
        let bias = joined(&layers.iter().map(|(_, bias)| bias).collect::<Vec<_>>());
        let (form, bias) = if int8 {
            let weight = weight.to_kind(Kind::Float).contiguous();
            (Form::Quantized(Arc::new(ffi::int8_pack(&weight))), bias)
        } else {
            // Rounded, as autocast does.
            (Form::Packed(Handle::new(ffi::linear_pack(&weight.contiguous()))), bias.to_kind(kind))
        };
        Some(Self { form, bias: Handle::new(bias.to_kind(Kind::Float).contiguous()), parts: Vec::new() })
    }

    /// `input` (tokens, in) × weightᵀ + bias → (tokens, out) in `kind`, and what a backward pass takes of the input.
    pub(crate) fn product(&self, input: &Tensor, kind: Kind) -> (Tensor, Tensor) {
        let bias = self.bias.tensor();
        match &self.form {
            Form::Typed(weight) => {
                let input = input.to_kind(kind);
                (products::linear(&input, weight.tensor(), bias), input)
            }
            Form::Packed(weight) => {
                let input = input.to_kind(kind).contiguous();
                (ffi::linear_forward(&input, weight.tensor(), bias, true), input)
            }
            Form::Quantized(weight) => {
                let input = input.contiguous();
                (ffi::int8_forward(&input, weight, bias, kind, false), input)
            }
        }
    }

    /// The product and its GELU where one pass makes both.
    pub(crate) fn activated(&self, input: &Tensor, kind: Kind) -> Option<Tensor> {
        let Form::Quantized(weight) = &self.form else {
            return None;
        };
        Some(ffi::int8_forward(&input.contiguous(), weight, self.bias.tensor(), kind, true))
    }

    /// The weight, where it is in the compute type as it is.
    pub(crate) fn typed(&self) -> Option<&Handle> {
        match &self.form {
            Form::Typed(weight) => Some(weight),
            Form::Packed(_) | Form::Quantized(_) => None,
        }
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

/// Parameters of several layers, one after the other.
fn joined(parameters: &[&Handle]) -> Tensor {
    Tensor::cat(&parameters.iter().map(|parameter| parameter.tensor()).collect::<Vec<_>>(), 0)
}
