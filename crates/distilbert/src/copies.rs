//! The linear layers' parameters in the compute type, kept from step to step on a device that multiplies with them.
//!
//! Without them every pass would first bring each parameter to the compute type. On the host there are none: it rounds
//! parameters while it reads them.

use burn::tensor::DType;
use torch_kernels::{Copies, Handle};

use crate::layers::Linear;

/// Copies of a model's parameters, as they were when they were made or last filled.
#[derive(Debug)]
pub struct ModelCopies {
    pub(crate) layers: Vec<LayerCopies>,
    pub(crate) qa_outputs: Copies,
}

/// Those of an encoder layer.
#[derive(Debug)]
pub(crate) struct LayerCopies {
    /// Of query, key and value, as one.
    pub(crate) qkv: Copies,
    pub(crate) out_lin: Copies,
    pub(crate) lin1: Copies,
    pub(crate) lin2: Copies,
}

impl ModelCopies {
    /// Brings them to what the parameters are by now: after every update, before the next pass.
    pub fn fill(&self) {
        let layers =
            self.layers.iter().flat_map(|layer| [&layer.qkv, &layer.out_lin, &layer.lin1, &layer.lin2]);
        Copies::fill(layers.chain([&self.qa_outputs]));
    }
}

/// Of layers of the same input; `None` where the device keeps none.
pub(crate) fn copies_of(layers: &[&Linear], dtype: DType) -> Option<Copies> {
    let handles = layers
        .iter()
        .map(|layer| (Handle::from_burn(layer.weight.val()), Handle::from_burn(layer.bias.val())));
    Copies::of(&handles.collect::<Vec<_>>(), dtype)
}
