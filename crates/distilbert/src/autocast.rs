//! Mixed precision as a policy, in this one file: what PyTorch's autocast lists say for these operations.
//!
//! In the compute type: linear layers and attention, and what runs on their outputs directly (GELU, dropout).
//! In f32: weights, embeddings, softmax (accumulated), layer normalisation, residual sums, logits and loss.

use burn::tensor::{DType, FloatDType, Tensor};
use torch_kernels::AttentionOptions;

use crate::config::Config;
use crate::model::{LayerNorm, Linear};

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

    /// What matrix multiplications run in.
    pub(crate) fn compute_type(self) -> FloatDType {
        match self.compute {
            DType::BF16 => FloatDType::BF16,
            DType::F16 => FloatDType::F16,
            _ => FloatDType::F32,
        }
    }

    /// (tokens, in) → (tokens, out) in the compute type
    pub(crate) fn linear(self, layer: &Linear, input: Tensor<2>) -> Tensor<2> {
        torch_kernels::linear(input, layer.weight.val(), layer.bias.val(), self.compute)
    }

    /// (tokens, dim)³ → (tokens, dim) in the inputs' type
    pub(crate) fn attention([query, key, value]: [Tensor<2>; 3], options: AttentionOptions) -> Tensor<2> {
        torch_kernels::packed_attention(query, key, value, options)
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
