//! LibTorch operations that Burn lacks or takes apart under autodiff, as Burn backend extensions with
//! hand-written backward passes, and the fused optimizer update.
//!
//! Shapes: tokens = all tokens of a batch back to back (no padding), dim = `n_heads` × `d_head`.
//!
//! Not here: the model that uses them (`distilbert`), and any notion of questions or answers.

mod allocator;
mod autodiff;
mod copies;
mod cuda;
mod ffi;
mod handle;
mod kernels;
mod libtorch;
mod optimizer;
mod path;
pub mod plain;
mod products;
mod threads;

use burn::backend::Dispatch;
use burn::tensor::{Int, Tensor};

pub use allocator::{keep_few_sizes, keep_freed_memory};
pub use copies::{Compute, Copies};
pub use cuda::load_cuda;
pub use handle::{Handle, upload};
pub use kernels::{
    Attended, AttentionOptions, Dropout, KernelGradients, Kernels, OptimizerKernels, SharedLinearGradients,
    Update,
};
pub use optimizer::{AdamWOptions, Slot, adamw, clip_scale, global_norm, unscale};
pub use path::{on_device_path, test_device};
pub use threads::{
    cpu_multiplies, cpu_multiplies_int8, cpu_prefers_bf16, cuda_devices, cuda_has_bf16, has_mps,
    is_built_with_cuda, libtorch_version, set_own_threads, set_threads, threads,
};

/// `input` × `weight`ᵀ + `bias`, computed and returned in the type of `compute`. The gradient of `bias` is f32; that of `weight` is
/// bfloat16 where it was computed so on the host (`global_norm` and `adamw` take both), f32 otherwise.
///
/// `input` (tokens, in) with `weight` (out, in) and `bias` (out) → (tokens, out)
#[must_use]
pub fn linear(
    input: Tensor<2>,
    weight: Tensor<2>,
    bias: Tensor<1>,
    compute: impl Into<Compute>,
) -> Tensor<2> {
    let [_, dim_in] = input.dims();
    assert_eq!(weight.dims()[1], dim_in, "linear: weight (out, in) against input (tokens, in)");
    Tensor::from_dispatch(Dispatch::autocast_linear(
        input.into_dispatch(),
        weight.into_dispatch(),
        bias.into_dispatch(),
        compute.into(),
    ))
}

/// [`gelu`] of [`linear`], in one pass where the backend has such.
///
/// `input` (tokens, in) with `weight` (out, in) and `bias` (out) → (tokens, out)
#[must_use]
pub fn linear_gelu(
    input: Tensor<2>,
    weight: Tensor<2>,
    bias: Tensor<1>,
    compute: impl Into<Compute>,
) -> Tensor<2> {
    let [_, dim_in] = input.dims();
    assert_eq!(weight.dims()[1], dim_in, "linear_gelu: weight (out, in) against input (tokens, in)");
    Tensor::from_dispatch(Dispatch::linear_gelu(
        input.into_dispatch(),
        weight.into_dispatch(),
        bias.into_dispatch(),
        compute.into(),
    ))
}

/// Scaled dot-product self-attention within each sequence of a packed batch, in the inputs' type; the softmax
/// accumulates in f32.
///
/// `query`, `key`, `value` (tokens, dim) → (tokens, dim)
#[must_use]
pub fn packed_attention(
    query: Tensor<2>,
    key: Tensor<2>,
    value: Tensor<2>,
    options: AttentionOptions,
) -> Tensor<2> {
    let [_, dim] = query.dims();
    assert_eq!(dim % options.n_heads, 0, "n_heads divides dim");
    Tensor::from_dispatch(Dispatch::packed_attention(
        query.into_dispatch(),
        key.into_dispatch(),
        value.into_dispatch(),
        options,
    ))
}

/// Self-attention of a packed batch ([`packed_attention`]) with the projections to query, key and value ([`linear`]) in
/// one operation: `input` is brought to `compute` once. On a host that multiplies bfloat16 its gradient is added up in f32.
///
/// `input` (tokens, dim) with a weight (dim, dim) and a bias (dim) each → (tokens, dim) in `compute`
#[must_use]
pub fn self_attention(
    input: Tensor<2>,
    [query, key, value]: [(Tensor<2>, Tensor<1>); 3],
    options: AttentionOptions,
    compute: impl Into<Compute>,
) -> Tensor<2> {
    let [_, dim] = input.dims();
    assert_eq!(dim % options.n_heads, 0, "n_heads divides dim");
    for (weight, _) in [&query, &key, &value] {
        assert_eq!(weight.dims(), [dim, dim], "self_attention: weights (dim, dim)");
    }
    Tensor::from_dispatch(Dispatch::self_attention(
        input.into_dispatch(),
        query.0.into_dispatch(),
        query.1.into_dispatch(),
        key.0.into_dispatch(),
        key.1.into_dispatch(),
        value.0.into_dispatch(),
        value.1.into_dispatch(),
        options,
        compute.into(),
    ))
}

/// Layer normalisation over the last dimension (Ba, Kiros and Hinton 2016), in f32.
///
/// `input` (tokens, dim) with `weight`, `bias` (dim) → (tokens, dim)
#[must_use]
pub fn layer_norm(input: Tensor<2>, weight: Tensor<1>, bias: Tensor<1>, epsilon: f64) -> Tensor<2> {
    Tensor::from_dispatch(Dispatch::fused_layer_norm(
        input.into_dispatch(),
        weight.into_dispatch(),
        bias.into_dispatch(),
        epsilon,
    ))
}

/// The exact GELU (Hendrycks and Gimpel 2016), x Φ(x), in the input's type.
#[must_use]
pub fn gelu(input: Tensor<2>) -> Tensor<2> {
    Tensor::from_dispatch(Dispatch::fused_gelu(input.into_dispatch()))
}

/// What `f` returns, and how often the calling thread asked LibTorch for each operation while it ran. For tests.
#[doc(hidden)]
pub fn counted<T>(f: impl FnOnce() -> T) -> (T, std::collections::BTreeMap<String, usize>) {
    ffi::counted(f)
}

/// Zeroes elements with probability p and divides the others by 1 − p.
#[must_use]
pub fn dropout(input: Tensor<2>, dropout: Dropout) -> Tensor<2> {
    Tensor::from_dispatch(Dispatch::counter_dropout(input.into_dispatch(), dropout))
}

/// Rows of `weight` (rows, dim) at `indices` (tokens) → (tokens, dim)
#[must_use]
pub fn embedding(weight: Tensor<2>, indices: Tensor<1, Int>) -> Tensor<2> {
    Tensor::from_dispatch(Dispatch::embedding_rows(weight.into_dispatch(), indices.into_dispatch()))
}
