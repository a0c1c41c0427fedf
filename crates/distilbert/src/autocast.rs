//! Mixed precision as a policy, in this one file: what PyTorch's autocast lists say for these operations.
//!
//! In the compute type: linear layers and attention, and what runs on their outputs directly (GELU, dropout).
//! In f32: weights, embeddings, softmax (accumulated), layer normalisation, residual sums, logits and loss.

use burn::module::{Module, ModuleMapper, Param};
use burn::tensor::{DType, FloatDType, Tensor};
use torch_kernels::{AttentionOptions, Compute, Copies};

use crate::config::Config;
use crate::layers::{LayerNorm, Linear};

/// The policy: which type matrix multiplications run in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Autocast {
    compute: DType,
}

impl Autocast {
    /// No mixed precision: everything in f32.
    pub const FP32: Self = Self { compute: DType::F32 };
    /// Matrix multiplications in bfloat16.
    pub const BF16: Self = Self { compute: DType::BF16 };
    /// Matrix multiplications in float16; its gradients need a scaled loss.
    pub const FP16: Self = Self { compute: DType::F16 };

    /// Brings the linear layers' parameters to the compute type, where every pass would otherwise bring them first. Weights that
    /// are `packed` give their memory back: products read the packed ones.
    pub(crate) fn narrow<M: Module>(self, model: M, packed: bool) -> M {
        if self.compute == DType::F32 && !packed {
            return model;
        }
        model.map(&mut Narrow { path: Vec::new(), compute: self.compute.into(), packed })
    }

    pub(crate) fn dtype(self) -> DType {
        self.compute
    }

    /// (tokens, in) → (tokens, out) in the compute type
    pub(crate) fn linear(self, layer: &Linear, copies: Option<&Copies>, input: Tensor<2>) -> Tensor<2> {
        torch_kernels::linear(input, layer.weight.val(), layer.bias.val(), self.with(copies))
    }

    /// [`Self::linear`], and GELU.
    pub(crate) fn linear_gelu(self, layer: &Linear, copies: Option<&Copies>, input: Tensor<2>) -> Tensor<2> {
        torch_kernels::linear_gelu(input, layer.weight.val(), layer.bias.val(), self.with(copies))
    }

    fn with(self, copies: Option<&Copies>) -> Compute {
        Compute { dtype: self.compute, copies: copies.cloned() }
    }

    /// Attention among the projections of `input` to query, key and value.
    ///
    /// (tokens, dim) → (tokens, dim) in the compute type
    pub(crate) fn self_attention(
        self,
        qkv: [&Linear; 3],
        copies: Option<&Copies>,
        input: Tensor<2>,
        options: AttentionOptions,
    ) -> Tensor<2> {
        let parameters = qkv.map(|layer| (layer.weight.val(), layer.bias.val()));
        torch_kernels::self_attention(input, parameters, options, self.with(copies))
    }

    /// (tokens, dim) → (tokens, dim) in f32
    pub(crate) fn layer_norm(layer: &LayerNorm, input: Tensor<2>) -> Tensor<2> {
        torch_kernels::layer_norm(input, layer.weight.val(), layer.bias.val(), Config::LAYER_NORM_EPSILON)
    }

    /// Brings the output of an operation in the compute type back to f32.
    pub(crate) fn to_f32(self, input: Tensor<2>) -> Tensor<2> {
        if self.compute == DType::F32 { input } else { input.cast(FloatDType::F32) }
    }
}

struct Narrow {
    path: Vec<String>,
    compute: FloatDType,
    packed: bool,
}

impl ModuleMapper for Narrow {
    fn enter_module(&mut self, name: &str, _container_type: &str) {
        self.path.push(name.to_owned());
    }

    fn exit_module(&mut self, _name: &str, _container_type: &str) {
        self.path.pop();
    }

    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let layer = self.path.iter().rev().nth(1).map_or("", String::as_str);
        let in_block = layer.ends_with("_lin") || matches!(layer, "lin1" | "lin2");
        if in_block && self.packed && D == 2 {
            // The shape alone: products assert it.
            param.map(|value| Tensor::<D>::zeros([1; D], &value.device()).expand(value.dims()))
        } else if in_block || layer == "qa_outputs" {
            param.map(|value| value.cast(self.compute))
        } else {
            param
        }
    }
}

#[cfg(test)]
mod tests {
    use burn::module::ModuleVisitor;

    use super::*;
    use crate::batch::PackedBatch;
    use crate::model::Mode;
    use crate::tests::tiny_model;

    /// The names of parameters in another type than f32.
    #[derive(Default)]
    struct Narrowed {
        path: Vec<String>,
        found: Vec<String>,
    }

    impl ModuleVisitor for Narrowed {
        fn enter_module(&mut self, name: &str, _container_type: &str) {
            self.path.push(name.to_owned());
        }

        fn exit_module(&mut self, _name: &str, _container_type: &str) {
            self.path.pop();
        }

        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
            if param.val().dtype() != DType::F32 {
                self.found.push(self.path.join("."));
            }
        }
    }

    #[test]
    fn narrowing_takes_the_linear_layers_and_changes_no_bit_of_the_logits() {
        let batch = PackedBatch::pack(&[&[1, 5, 9, 3, 2], &[1, 7, 2]]);
        for autocast in [Autocast::FP32, Autocast::BF16, Autocast::FP16] {
            let (model, narrowed) = (tiny_model(), autocast.narrow(tiny_model(), false));
            let mut parameters = Narrowed::default();
            narrowed.visit(&mut parameters);
            // Six layers of a block and the head, weight and bias.
            let expected = if autocast == Autocast::FP32 { 0 } else { 2 * (2 * 6 + 1) };
            assert_eq!(parameters.found.len(), expected, "{:?}", parameters.found);
            let linear = |name: &String| {
                ["_lin.", ".lin1.", ".lin2.", "qa_outputs."].iter().any(|part| name.contains(part))
            };
            assert!(parameters.found.iter().all(linear), "{:?}", parameters.found);

            let [ahead, each_pass] = [narrowed, model].map(|model| {
                let logits = model.forward(&batch, autocast, Mode::Inference).into_data();
                logits.try_to_vec::<f32>().unwrap()
            });
            assert_eq!(ahead, each_pass);
        }
    }
}
