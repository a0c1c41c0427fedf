//! The model's parameters under their checkpoint names, for loading, saving and the optimizer.

use burn::module::{Module, ModuleVisitor, Param};
use burn::tensor::{Device, Gradients, Tensor, TensorData};
use torch_kernels::Handle;

use crate::{DistilBertForQuestionAnswering, Error};

/// Where a model's weights come from: shape and values (row-major, f32) by checkpoint name.
pub trait Weights {
    /// Looks a tensor up.
    ///
    /// # Errors
    /// [`Error::MissingTensor`], or what reading it met.
    fn get(&self, name: &str) -> Result<(Vec<usize>, Vec<f32>), Error>;
}

impl Weights for artifact::Tensors {
    fn get(&self, name: &str) -> Result<(Vec<usize>, Vec<f32>), Error> {
        let view = self.get(name)?;
        Ok((view.shape.iter().map(|&size| size as usize).collect(), view.to_f32()?))
    }
}

/// One parameter: its checkpoint name, its shape, and a handle on its storage.
pub struct Parameter {
    /// Such as `distilbert.transformer.layer.0.attention.q_lin.weight`.
    pub name: String,
    /// Sizes of its dimensions.
    pub shape: Vec<usize>,
    /// Its storage, shared with the model.
    pub handle: Handle,
}

impl Parameter {
    /// Whether weight decay applies: not to biases and layer normalisations.
    #[must_use]
    pub fn decays(&self) -> bool {
        self.name.rsplit('.').next() != Some("bias")
            && !self.name.contains("LayerNorm")
            && !self.name.contains("layer_norm")
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

    /// The gradients of all parameters, in the order of [`Self::parameters`].
    ///
    /// A parameter that the loss does not depend on has a gradient of zeros.
    #[must_use]
    pub fn gradients(&self, gradients: &Gradients) -> Vec<Parameter> {
        let mut collect = Collect { path: Vec::new(), gradients: Some(gradients), found: Vec::new() };
        self.visit(&mut collect);
        collect.found
    }
}

struct Collect<'a> {
    path: Vec<String>,
    gradients: Option<&'a Gradients>,
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
        let shape = value.dims().to_vec();
        let handle = match self.gradients {
            None => Handle::from_burn(value),
            Some(gradients) => match value.grad(gradients) {
                Some(grad) => Handle::from_burn(grad),
                None => Handle::from_burn(value).zeros_like(),
            },
        };
        self.found.push(Parameter { name: self.path.join("."), shape, handle });
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
