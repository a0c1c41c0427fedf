//! The model's parameters under the names that weight files have for them, for loading, saving and the optimizer.

use std::collections::BTreeMap;

use burn::module::{Module, ModuleMapper, ModuleVisitor, Param};
use burn::tensor::{Device, Gradients, Tensor, TensorData};
use torch_kernels::Handle;

use crate::{DistilBertForQuestionAnswering, Error};

/// Where a model's weights come from: shape and values (row-major, f32) by its name in weight files.
pub trait Weights {
    /// Looks a tensor up.
    ///
    /// # Errors
    /// [`Error::MissingTensor`], or what reading it met.
    fn get(&self, name: &str) -> Result<(Vec<usize>, Vec<f32>), Error>;
}

/// Tensors in memory, as a model's folder is read.
impl Weights for BTreeMap<String, (Vec<usize>, Vec<f32>)> {
    fn get(&self, name: &str) -> Result<(Vec<usize>, Vec<f32>), Error> {
        BTreeMap::get(self, name).cloned().ok_or_else(|| Error::MissingTensor { name: name.to_owned() })
    }
}

impl Weights for artifact::Tensors {
    fn get(&self, name: &str) -> Result<(Vec<usize>, Vec<f32>), Error> {
        let view = self.get(name)?;
        Ok((view.shape.iter().map(|&size| size as usize).collect(), view.to_f32()?))
    }
}

/// One parameter: its name in weight files, its shape, and a handle on its storage.
pub struct Parameter {
    /// Such as `distilbert.transformer.layer.0.attention.q_lin.weight`.
    pub name: String,
    /// Sizes of its dimensions.
    pub shape: Vec<usize>,
    /// Its storage, shared with the model.
    pub handle: Handle,
    /// Whether training changes it: see [`DistilBertForQuestionAnswering::freeze`].
    pub trainable: bool,
}

impl Parameter {
    /// Whether weight decay applies: not to biases and layer normalisations.
    #[must_use]
    pub fn decays(&self) -> bool {
        self.name.rsplit('.').next() != Some("bias")
            && !self.name.contains("LayerNorm")
            && !self.name.contains("layer_norm")
    }

    /// How far up in the model it stands: 0 for the embeddings, i + 1 for encoder layer i, `n_layers` + 1 for the
    /// question answering head.
    #[must_use]
    pub fn depth(&self, n_layers: usize) -> usize {
        depth(&self.name, n_layers)
    }
}

fn depth(name: &str, n_layers: usize) -> usize {
    let layer = name.strip_prefix("distilbert.transformer.layer.");
    match layer.and_then(|rest| rest.split('.').next()?.parse::<usize>().ok()) {
        Some(layer) => layer + 1,
        None if name.starts_with("distilbert.embeddings.") => 0,
        None => n_layers + 1,
    }
}

impl DistilBertForQuestionAnswering {
    /// All parameters, in the model's order.
    #[must_use]
    pub fn parameters(&self) -> Vec<Parameter> {
        let mut collect = Collect { path: Vec::new(), gradients: None, found: Vec::new() };
        self.visit(&mut collect);
        collect.found
    }

    /// The gradients of the trainable parameters, in the order of [`Self::parameters`]: the sum of what the backward
    /// passes hold of each.
    ///
    /// A parameter that the losses do not depend on has a gradient of zeros.
    #[must_use]
    pub fn gradients(&self, gradients: &[Gradients]) -> Vec<Parameter> {
        let mut collect = Collect { path: Vec::new(), gradients: Some(gradients), found: Vec::new() };
        self.visit(&mut collect);
        collect.found
    }

    /// Leaves the parameters whose name begins with one of `prefixes` as they are: no gradient, no update. A prefix
    /// ends at a dot: `distilbert.transformer.layer.1` is not that of layer 10. `distilbert.` may be left out.
    ///
    /// # Errors
    /// [`Error::FreezesNothing`] for a prefix that no name begins with, [`Error::FreezesAll`] where nothing is left.
    pub fn freeze(self, prefixes: &[String]) -> Result<Self, Error> {
        let parameters = self.parameters();
        for prefix in prefixes {
            if !parameters.iter().any(|parameter| begins_with(&parameter.name, prefix)) {
                return Err(Error::FreezesNothing { prefix: prefix.clone() });
            }
        }
        let frozen = |name: &str| prefixes.iter().any(|prefix| begins_with(name, prefix));
        if parameters.iter().all(|parameter| frozen(&parameter.name)) {
            return Err(Error::FreezesAll);
        }
        Ok(self.map(&mut Freeze { path: Vec::new(), frozen: &frozen }))
    }
}

/// Whether `prefix`, whole up to a dot, begins `name`.
fn begins_with(name: &str, prefix: &str) -> bool {
    let starts =
        |name: &str| name.strip_prefix(prefix).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'));
    starts(name) || name.strip_prefix("distilbert.").is_some_and(starts)
}

struct Freeze<'a> {
    path: Vec<String>,
    frozen: &'a dyn Fn(&str) -> bool,
}

impl ModuleMapper for Freeze<'_> {
    fn enter_module(&mut self, name: &str, _container_type: &str) {
        self.path.push(name.to_owned());
    }

    fn exit_module(&mut self, _name: &str, _container_type: &str) {
        self.path.pop();
    }

    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        if (self.frozen)(&self.path.join(".")) { param.set_require_grad(false) } else { param }
    }
}

struct Collect<'a> {
    path: Vec<String>,
    gradients: Option<&'a [Gradients]>,
    found: Vec<Parameter>,
}

impl ModuleVisitor for Collect<'_> {
    fn enter_module(&mut self, name: &str, _container_type: &str) {
        self.path.push(name.to_owned());
    }

    fn exit_module(&mut self, _name: &str, _container_type: &str) {
        self.path.pop();
    }

    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let value = param.val();
        let (shape, trainable) = (value.dims().to_vec(), value.is_require_grad());
        let handle = match self.gradients {
            None => Handle::from_burn(value),
            Some(_) if !trainable => return,
            Some(gradients) => gradients
                .iter()
                .filter_map(|gradients| value.grad(gradients))
                .map(Handle::from_burn)
                .reduce(|mut sum, grad| {
                    sum.add_assign(&grad);
                    sum
                })
                .unwrap_or_else(|| Handle::from_burn(value).zeros_like()),
        };
        self.found.push(Parameter { name: self.path.join("."), shape, handle, trainable });
    }
}

/// Reads one parameter and checks its shape.
pub(crate) fn load<const D: usize>(
    weights: &dyn Weights,
    name: &str,
    expected: [usize; D],
    device: &Device,
) -> Result<Param<Tensor<D>>, Error> {
    let (found, values) = weights.get(name)?;
    if found != expected {
        return Err(Error::Shape { name: name.to_owned(), found, expected: expected.to_vec() });
    }
    Ok(Param::from_data(TensorData::new(values, expected), device))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prefixes_end_at_a_dot_and_may_leave_out_the_encoder() {
        let name = "distilbert.transformer.layer.10.ffn.lin1.weight";
        for prefix in ["distilbert", "distilbert.transformer.layer.10", "transformer.layer.10.ffn", name] {
            assert!(begins_with(name, prefix), "{prefix}");
        }
        for prefix in ["transformer.layer.1", "layer.10", "distilbert.", "qa_outputs"] {
            assert!(!begins_with(name, prefix), "{prefix}");
        }
    }

    #[test]
    fn depth_counts_from_the_embeddings_to_the_head() {
        let depth = |name| depth(name, 6);
        assert_eq!(depth("distilbert.embeddings.LayerNorm.bias"), 0);
        assert_eq!(depth("distilbert.transformer.layer.0.attention.q_lin.weight"), 1);
        assert_eq!(depth("distilbert.transformer.layer.5.ffn.lin2.bias"), 6);
        assert_eq!(depth("qa_outputs.weight"), 7);
    }
}
