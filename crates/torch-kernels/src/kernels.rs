//! The operations as a Burn backend extension: what dispatch routes, and what a backend must provide.
//!
//! Not here: how LibTorch computes them (`libtorch`), how they are differentiated (`autodiff`).

use std::sync::Arc;

use burn::backend::tensor::{FloatTensor, IntTensor};
use burn::backend::{Backend, backend_extension};
use burn::tensor::DType;

/// Dropout with probability `p`, drawn from `seed` and the element's index alone: there is no random state.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Dropout {
    /// Probability of zeroing an element, in [0, 1).
    pub p: f64,
    /// What the mask is a function of.
    pub seed: u64,
}

/// How a packed batch is divided, and how attention runs over it.
#[derive(Clone, Debug)]
pub struct AttentionOptions {
    /// `cu_seqlens`: sequence i holds tokens `cu_seqlens[i]..cu_seqlens[i + 1]`.
    pub cu_seqlens: Arc<[usize]>,
    /// Number of heads; divides dim.
    pub n_heads: usize,
    /// Dropout on the attention probabilities.
    pub dropout: Option<Dropout>,
}

/// The operations, routed to the tensors' backend.
#[expect(deprecated, reason = "burn-tch is deprecated upstream; distilburn pins burn 0.22")]
mod dispatch {
    use super::{AttentionOptions, Backend, DType, Dropout, FloatTensor, IntTensor, backend_extension};

    /// Operations that Burn lacks or takes apart under autodiff.
    #[backend_extension(LibTorch, Autodiff)]
    pub trait Kernels: Backend {
        /// `input` × `weight`ᵀ + `bias`, computed and returned in `compute`.
        fn autocast_linear(
            input: FloatTensor<Self>,
            weight: FloatTensor<Self>,
            bias: FloatTensor<Self>,
            compute: DType,
        ) -> FloatTensor<Self>;
        /// Self-attention within each sequence of a packed batch.
        fn packed_attention(
            query: FloatTensor<Self>,
            key: FloatTensor<Self>,
            value: FloatTensor<Self>,
            options: AttentionOptions,
        ) -> FloatTensor<Self>;
        /// Layer normalisation over the last dimension.
        fn fused_layer_norm(
            input: FloatTensor<Self>,
            weight: FloatTensor<Self>,
            bias: FloatTensor<Self>,
            epsilon: f64,
        ) -> FloatTensor<Self>;
        /// The exact GELU (with erf).
        fn fused_gelu(input: FloatTensor<Self>) -> FloatTensor<Self>;
        /// Dropout of single elements.
        fn counter_dropout(input: FloatTensor<Self>, dropout: Dropout) -> FloatTensor<Self>;
        /// Rows of `weight` by index.
        fn embedding_rows(weight: FloatTensor<Self>, indices: IntTensor<Self>) -> FloatTensor<Self>;
    }
}
pub use dispatch::Kernels;

/// Forward passes that keep what their backward passes need: what a backend provides so that
/// `Autodiff` of it has [`Kernels`].
pub trait KernelGradients: Kernels {
    /// Returns the output and `[input, weight]` in `compute`.
    fn autocast_linear_forward(
        input: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        compute: DType,
    ) -> (FloatTensor<Self>, [FloatTensor<Self>; 2]);
    /// Gradients of input (in `input_dtype`), weight (in `compute` where that has f32's range and the optimizer takes it, else
    /// in f32) and bias (in f32).
    fn autocast_linear_backward(
        grad: FloatTensor<Self>,
        saved: [FloatTensor<Self>; 2],
        input_dtype: DType,
    ) -> [FloatTensor<Self>; 3];
    /// Returns the output and the probabilities of all sequences in one row.
    fn packed_attention_forward(
        qkv: &[FloatTensor<Self>; 3],
        options: &AttentionOptions,
    ) -> (FloatTensor<Self>, FloatTensor<Self>);
    /// Gradients of query, key and value.
    fn packed_attention_backward(
        grad: FloatTensor<Self>,
        qkv: &[FloatTensor<Self>; 3],
        probabilities: FloatTensor<Self>,
        options: &AttentionOptions,
    ) -> [FloatTensor<Self>; 3];
    /// Returns the output and `[input, mean, rstd, weight, bias]`.
    fn fused_layer_norm_forward(
        input: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        epsilon: f64,
    ) -> (FloatTensor<Self>, [FloatTensor<Self>; 5]);
    /// Gradients of input, weight and bias.
    fn fused_layer_norm_backward(
        grad: FloatTensor<Self>,
        saved: [FloatTensor<Self>; 5],
    ) -> [FloatTensor<Self>; 3];
    /// Gradient of GELU's input.
    fn fused_gelu_backward(grad: FloatTensor<Self>, input: FloatTensor<Self>) -> FloatTensor<Self>;
    /// Gradient of an embedding's weight, dense.
    fn embedding_rows_backward(
        grad: FloatTensor<Self>,
        indices: IntTensor<Self>,
        rows: usize,
    ) -> FloatTensor<Self>;
}
