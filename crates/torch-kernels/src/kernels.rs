//! The operations as a Burn backend extension: what dispatch routes, and what a backend must provide.
//!
//! Every operation has a default in Burn's own operations (`plain`), so an empty implementation makes a backend one.
//!
//! Not here: how LibTorch computes them (`libtorch`), how they are differentiated (`autodiff`).

mod optimizer;

use std::ops::Range;
use std::sync::Arc;

use burn::backend::tensor::{BoolTensor, FloatTensor, IntTensor};
use burn::backend::{Backend, backend_extension};
use burn::tensor::DType;

use crate::copies::Compute;
use crate::handle::Handle;
use crate::plain;

pub use optimizer::{OptimizerKernels, Update};

/// Dropout with probability `p`, drawn from `seed` alone: there is no random state. On the host an element's draw is a function
/// of the seed and its index; on a device LibTorch's generator draws, which starts at `seed`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Dropout {
    /// Probability of zeroing an element, in [0, 1).
    pub p: f64,
    /// What the mask is a function of.
    pub seed: u64,
}

impl Dropout {
    /// That of elements `first..` of a longer tensor.
    pub(crate) fn starting_at(self, first: usize) -> Self {
        Self { p: self.p, seed: self.seed ^ (first as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15) }
    }
}

/// How a packed batch is divided, and how attention runs over it.
#[derive(Clone, Debug)]
pub struct AttentionOptions {
    /// `cu_seqlens`: sequence i holds tokens `cu_seqlens[i]..cu_seqlens[i + 1]`.
    pub cu_seqlens: Arc<[usize]>,
    /// The same as [`upload`](crate::upload) returns it, for a device; where it is missing it is uploaded at each use.
    pub on_device: Option<Handle>,
    /// Number of heads; divides dim.
    pub n_heads: usize,
    /// Dropout on the attention probabilities.
    pub dropout: Option<Dropout>,
}

impl AttentionOptions {
    /// Without dropout.
    #[must_use]
    pub fn new(cu_seqlens: Arc<[usize]>, n_heads: usize) -> Self {
        Self { cu_seqlens, on_device: None, n_heads, dropout: None }
    }

    /// The sequences of a batch of `tokens`, but for empty ones.
    pub(crate) fn sequences(&self, tokens: usize) -> Vec<Sequence> {
        let bounds = &self.cu_seqlens;
        let divides = bounds.first() == Some(&0) && bounds.last() == Some(&tokens) && bounds.is_sorted();
        assert!(divides, "cu_seqlens ascends from 0 to the number of tokens, {tokens}");
        let mut probabilities = 0..0;
        bounds
            .windows(2)
            .filter(|bounds| bounds[0] < bounds[1])
            .map(|bounds| {
                let len = bounds[1] - bounds[0];
                probabilities = probabilities.end..probabilities.end + self.n_heads * len * len;
                Sequence { tokens: bounds[0]..bounds[1], probabilities: probabilities.clone() }
            })
            .collect()
    }
}

/// One sequence of a packed batch.
pub(crate) struct Sequence {
    /// Its rows.
    pub tokens: Range<usize>,
    /// Where its probabilities, (`n_heads`, len, len), stand in the row of all.
    pub probabilities: Range<usize>,
}

/// The operations, routed to the tensors' backend.
#[expect(clippy::too_many_arguments, reason = "dispatch takes tensors one by one")]
#[expect(deprecated, reason = "burn-tch is deprecated upstream; distilburn pins burn 0.22")]
mod dispatch {
    use super::{
        AttentionOptions, Backend, Compute, Dropout, FloatTensor, IntTensor, backend_extension, plain,
        self_attention,
    };

    /// Operations that Burn lacks or takes apart under autodiff.
    #[backend_extension(LibTorch, Autodiff)]
    pub trait Kernels: Backend {
        /// `input` × `weight`ᵀ + `bias`, computed and returned in the type of `compute`.
        fn autocast_linear(
            input: FloatTensor<Self>,
            weight: FloatTensor<Self>,
            bias: FloatTensor<Self>,
            compute: Compute,
        ) -> FloatTensor<Self> {
            plain::linear::<Self>(input, weight, bias, compute.dtype).0
        }
        /// Self-attention within each sequence of a packed batch.
        fn packed_attention(
            query: FloatTensor<Self>,
            key: FloatTensor<Self>,
            value: FloatTensor<Self>,
            options: AttentionOptions,
        ) -> FloatTensor<Self> {
            plain::attention::<Self>(&[query, key, value], &options).0
        }
        /// Self-attention with its projections, `(query, key, value)` = `input` × `weight`ᵀ + `bias` of each.
        fn self_attention(
            input: FloatTensor<Self>,
            query_weight: FloatTensor<Self>,
            query_bias: FloatTensor<Self>,
            key_weight: FloatTensor<Self>,
            key_bias: FloatTensor<Self>,
            value_weight: FloatTensor<Self>,
            value_bias: FloatTensor<Self>,
            options: AttentionOptions,
            compute: Compute,
        ) -> FloatTensor<Self> {
            let parameters = [(query_weight, query_bias), (key_weight, key_bias), (value_weight, value_bias)];
            self_attention::<Self>(input, parameters, options, compute.dtype)
        }
        /// Layer normalisation over the last dimension.
        fn fused_layer_norm(
            input: FloatTensor<Self>,
            weight: FloatTensor<Self>,
            bias: FloatTensor<Self>,
            epsilon: f64,
        ) -> FloatTensor<Self> {
            plain::layer_norm::<Self>(input, weight, bias, epsilon).0
        }
        /// The GELU of a linear layer's output.
        fn linear_gelu(
            input: FloatTensor<Self>,
            weight: FloatTensor<Self>,
            bias: FloatTensor<Self>,
            compute: Compute,
        ) -> FloatTensor<Self> {
            Self::fused_gelu(Self::autocast_linear(input, weight, bias, compute))
        }
        /// The exact GELU (with erf).
        fn fused_gelu(input: FloatTensor<Self>) -> FloatTensor<Self> {
            plain::gelu::<Self>(input)
        }
        /// Dropout of single elements.
        fn counter_dropout(input: FloatTensor<Self>, dropout: Dropout) -> FloatTensor<Self> {
            plain::dropout::<Self>(input, dropout)
        }
        /// Rows of `weight` by index.
        fn embedding_rows(weight: FloatTensor<Self>, indices: IntTensor<Self>) -> FloatTensor<Self> {
            plain::embedding::<Self>(weight, indices)
        }
    }
}
pub use dispatch::Kernels;

/// Forward passes that keep what their backward passes need: what a backend provides so that
/// `Autodiff` of it has [`Kernels`].
pub trait KernelGradients: Kernels {
    /// Returns the output and `[input, weight]`, the input in `compute`, the weight in that or as it is where the backward pass
    /// rounds it as it reads it.
    fn autocast_linear_forward(
        input: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        compute: Compute,
    ) -> (FloatTensor<Self>, [FloatTensor<Self>; 2]) {
        plain::linear::<Self>(input, weight, bias, compute.dtype)
    }
    /// Gradients of input (in `input_dtype`), weight (in `compute` where that has f32's range and the optimizer takes it, else
    /// in f32) and bias (in f32).
    fn autocast_linear_backward(
        grad: FloatTensor<Self>,
        saved: [FloatTensor<Self>; 2],
        input_dtype: DType,
    ) -> [FloatTensor<Self>; 3] {
        plain::linear_backward::<Self>(grad, saved, input_dtype)
    }
    /// Returns the output and what the backward pass takes besides, which is the backend's affair.
    fn packed_attention_forward(
        qkv: &[FloatTensor<Self>; 3],
        options: &AttentionOptions,
    ) -> (FloatTensor<Self>, Vec<FloatTensor<Self>>) {
        let (out, probabilities) = plain::attention::<Self>(qkv, options);
        (out, vec![probabilities])
    }
    /// Gradients of query, key and value.
    fn packed_attention_backward(
        grad: FloatTensor<Self>,
        qkv: &[FloatTensor<Self>; 3],
        mut kept: Vec<FloatTensor<Self>>,
        options: &AttentionOptions,
    ) -> [FloatTensor<Self>; 3] {
        let probabilities = kept.pop().expect("what the forward pass returned");
        plain::attention_backward::<Self>(grad, qkv, probabilities, options)
    }
    /// Returns the output and what the backward pass takes.
    fn self_attention_forward(
        input: FloatTensor<Self>,
        parameters: [(FloatTensor<Self>, FloatTensor<Self>); 3],
        options: &AttentionOptions,
        compute: Compute,
    ) -> (FloatTensor<Self>, Attended<Self>) {
        self_attention_forward::<Self>(input, parameters, options, &compute)
    }
    /// Gradients of the input (in `input_dtype`) that three linear layers share, and of their parameters, in the types of
    /// `autocast_linear_backward`.
    fn shared_linear_backward(
        grads: [FloatTensor<Self>; 3],
        input: FloatTensor<Self>,
        weights: Vec<FloatTensor<Self>>,
        input_dtype: DType,
    ) -> SharedLinearGradients<Self> {
        let weights = <[_; 3]>::try_from(weights).expect("the weights of three layers");
        let ([query, key, value], [query_weight, key_weight, value_weight]) = (grads, weights);
        let layers = [(query, query_weight), (key, key_weight), (value, value_weight)];
        let mut of_input = Vec::with_capacity(layers.len());
        let parameters = layers.map(|(grad, weight)| {
            let saved = [input.clone(), weight];
            let [input, weight, bias] = Self::autocast_linear_backward(grad, saved, input_dtype);
            of_input.push(input);
            (weight, bias)
        });
        let input = of_input.into_iter().reduce(Self::float_add).expect("there are three layers");
        SharedLinearGradients { input, parameters }
    }
    /// Gradients of input (in `input_dtype`), weights and biases.
    fn self_attention_backward(
        grad: FloatTensor<Self>,
        attended: Attended<Self>,
        options: &AttentionOptions,
        input_dtype: DType,
    ) -> SharedLinearGradients<Self> {
        let Attended { input, weights, qkv, kept } = attended;
        let grads = Self::packed_attention_backward(grad, &qkv, kept, options);
        Self::shared_linear_backward(grads, input, weights, input_dtype)
    }
    /// Returns the output and `[input, mean, rstd, weight, bias]`.
    fn fused_layer_norm_forward(
        input: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        epsilon: f64,
    ) -> (FloatTensor<Self>, [FloatTensor<Self>; 5]) {
        plain::layer_norm::<Self>(input, weight, bias, epsilon)
    }
    /// Gradients of input, weight and bias.
    fn fused_layer_norm_backward(
        grad: FloatTensor<Self>,
        saved: [FloatTensor<Self>; 5],
    ) -> [FloatTensor<Self>; 3] {
        plain::layer_norm_backward::<Self>(grad, saved)
    }
    /// Gradient of GELU's input.
    fn fused_gelu_backward(grad: FloatTensor<Self>, input: FloatTensor<Self>) -> FloatTensor<Self> {
        plain::gelu_backward::<Self>(grad, input)
    }
    /// Returns the output, and the mask where the backward pass does not draw it again.
    fn counter_dropout_forward(
        input: FloatTensor<Self>,
        dropout: Dropout,
    ) -> (FloatTensor<Self>, Option<BoolTensor<Self>>) {
        (Self::counter_dropout(input, dropout), None)
    }
    /// Gradient of dropout's input.
    fn counter_dropout_backward(
        grad: FloatTensor<Self>,
        _mask: Option<BoolTensor<Self>>,
        dropout: Dropout,
    ) -> FloatTensor<Self> {
        Self::counter_dropout(grad, dropout)
    }
    /// Gradient of an embedding's weight, dense.
    fn embedding_rows_backward(
        grad: FloatTensor<Self>,
        indices: IntTensor<Self>,
        rows: usize,
    ) -> FloatTensor<Self> {
        plain::embedding_backward::<Self>(grad, indices, rows)
    }
}

/// Three linear layers, then attention.
pub(crate) fn self_attention<B: Kernels>(
    input: FloatTensor<B>,
    parameters: [(FloatTensor<B>, FloatTensor<B>); 3],
    options: AttentionOptions,
    compute: DType,
) -> FloatTensor<B> {
    let input = plain::cast::<B>(input, compute);
    let [query, key, value] =
        parameters.map(|(weight, bias)| B::autocast_linear(input.clone(), weight, bias, compute.into()));
    B::packed_attention(query, key, value, options)
}

/// The same, with what the backward pass takes.
pub(crate) fn self_attention_forward<B: KernelGradients>(
    mut input: FloatTensor<B>,
    parameters: [(FloatTensor<B>, FloatTensor<B>); 3],
    options: &AttentionOptions,
    compute: &Compute,
) -> (FloatTensor<B>, Attended<B>) {
    let mut weights = Vec::with_capacity(parameters.len());
    let qkv = parameters.map(|(weight, bias)| {
        let compute = Compute::from(compute.dtype);
        let (out, [cast, weight]) = B::autocast_linear_forward(input.clone(), weight, bias, compute);
        // The next takes it as it is in the compute type.
        input = cast;
        weights.push(weight);
        out
    });
    let (out, kept) = B::packed_attention_forward(&qkv, options);
    (out, Attended { input, weights, qkv, kept })
}

/// What the backward pass of self-attention takes.
#[derive(Clone, Debug)]
pub struct Attended<B: Backend> {
    /// The input, in the compute type.
    pub input: FloatTensor<B>,
    /// The weights of query, key and value, as `autocast_linear_forward` returns them, or where the backend keeps copies of
    /// parameters, all three as one.
    pub weights: Vec<FloatTensor<B>>,
    /// Query, key and value.
    pub qkv: [FloatTensor<B>; 3],
    /// What `packed_attention_forward` returns besides.
    pub kept: Vec<FloatTensor<B>>,
}

/// Gradients of three linear layers of one input.
#[derive(Debug)]
pub struct SharedLinearGradients<B: Backend> {
    pub input: FloatTensor<B>,
    /// Of each layer's weight and bias.
    pub parameters: [(FloatTensor<B>, FloatTensor<B>); 3],
}
