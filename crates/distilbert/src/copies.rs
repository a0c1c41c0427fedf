//! The linear layers' parameters in the form that products read.
//!
//! Without them every pass would first bring each parameter to that form. While a model is trained only devices keep them: the
//! host rounds parameters while it reads them.

use burn::tensor::DType;
use torch_kernels::{Copies, Handle};

use crate::layers::Linear;

/// Copies of a model's parameters, as they were when they were made or last filled.
#[derive(Debug)]
pub struct ModelCopies {
    pub(crate) layers: Vec<LayerCopies>,
    /// `None` if it is not packed with the others: it has only two columns.
    pub(crate) qa_outputs: Option<Copies>,
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
    pub fn fill(&mut self) {
        let layers =
            self.layers.iter().flat_map(|layer| [&layer.qkv, &layer.out_lin, &layer.lin1, &layer.lin2]);
        Copies::fill(layers.chain(&self.qa_outputs));
    }
}

/// What copies are for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// Training: [`Copies::of`].
    Train,
    /// Inference: [`Copies::packed`].
    Infer { int8: bool },
}

/// Of layers of the same input; `None` where there are none.
pub(crate) fn copies_of(layers: &[&Linear], dtype: DType, purpose: Purpose) -> Option<Copies> {
    let handles: Vec<_> = layers
        .iter()
        .map(|layer| (Handle::from_burn(layer.weight.val()), Handle::from_burn(layer.bias.val())))
        .collect();
    match purpose {
        Purpose::Train => Copies::of(&handles, dtype),
        Purpose::Infer { int8 } => Copies::packed(&handles, dtype, int8),
    }
}
