//! Backward passes, by hand: each keeps what [`KernelGradients`] says it needs and no more.

use burn::backend::autodiff::NodeId;
use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::checkpoint::strategy::CheckpointStrategy;
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::backend::tensor::{BoolTensor, FloatTensor, IntTensor};
use burn::backend::{Autodiff, TensorMetadata};
use burn::tensor::DType;

use crate::copies::Compute;
use crate::kernels::{Attended, AttentionOptions, Dropout, KernelGradients, Kernels};

impl<B: KernelGradients, C: CheckpointStrategy> Kernels for Autodiff<B, C> {
    fn autocast_linear(
        input: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        compute: Compute,
    ) -> FloatTensor<Self> {
        let nodes = [input.node(), weight.node(), bias.node()];
        let input_dtype = input.dtype();
        let (out, saved) = B::autocast_linear_forward(
            input.into_primitive(),
            weight.into_primitive(),
            bias.into_primitive(),
            compute,
        );
        match Backward::<B, 3>::prepare::<C>(Linear, nodes).compute_bound().stateful() {
            OpsKind::Tracked(prep) => prep.finish((saved, input_dtype), out),
            OpsKind::UnTracked(prep) => prep.finish(out),
        }
    }

    fn packed_attention(
        query: FloatTensor<Self>,
        key: FloatTensor<Self>,
        value: FloatTensor<Self>,
        options: AttentionOptions,
    ) -> FloatTensor<Self> {
        let nodes = [query.node(), key.node(), value.node()];
        let qkv = [query.into_primitive(), key.into_primitive(), value.into_primitive()];
        let (out, kept) = B::packed_attention_forward(&qkv, &options);
        match Backward::<B, 3>::prepare::<C>(PackedAttention, nodes).compute_bound().stateful() {
            OpsKind::Tracked(prep) => prep.finish((qkv, kept, options), out),
            OpsKind::UnTracked(prep) => prep.finish(out),
        }
    }

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
        let input_dtype = input.dtype();
        let tensors = [input, query_weight, query_bias, key_weight, key_bias, value_weight, value_bias];
        let nodes = tensors.each_ref().map(FloatTensor::<Self>::node);
        let [input, query_weight, query_bias, key_weight, key_bias, value_weight, value_bias] =
            tensors.map(FloatTensor::<Self>::into_primitive);
        let parameters = [(query_weight, query_bias), (key_weight, key_bias), (value_weight, value_bias)];
        let (out, attended) = B::self_attention_forward(input, parameters, &options, compute);
        match Backward::<B, 7>::prepare::<C>(SelfAttention, nodes).compute_bound().stateful() {
            OpsKind::Tracked(prep) => prep.finish((attended, options, input_dtype), out),
            OpsKind::UnTracked(prep) => prep.finish(out),
        }
    }

    fn fused_layer_norm(
        input: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        epsilon: f64,
    ) -> FloatTensor<Self> {
        let nodes = [input.node(), weight.node(), bias.node()];
        let (out, saved) = B::fused_layer_norm_forward(
            input.into_primitive(),
            weight.into_primitive(),
            bias.into_primitive(),
            epsilon,
        );
        match Backward::<B, 3>::prepare::<C>(LayerNorm, nodes).compute_bound().stateful() {
            OpsKind::Tracked(prep) => prep.finish(saved, out),
            OpsKind::UnTracked(prep) => prep.finish(out),
        }
    }

    fn fused_gelu(input: FloatTensor<Self>) -> FloatTensor<Self> {
        let nodes = [input.node()];
        let input = input.into_primitive();
        let out = B::fused_gelu(input.clone());
        match Backward::<B, 1>::prepare::<C>(Gelu, nodes).compute_bound().stateful() {
            OpsKind::Tracked(prep) => prep.finish(input, out),
            OpsKind::UnTracked(prep) => prep.finish(out),
        }
    }

    fn counter_dropout(input: FloatTensor<Self>, dropout: Dropout) -> FloatTensor<Self> {
        let nodes = [input.node()];
        let (out, mask) = B::counter_dropout_forward(input.into_primitive(), dropout);
        match Backward::<B, 1>::prepare::<C>(DropElements, nodes).compute_bound().stateful() {
            OpsKind::Tracked(prep) => prep.finish((mask, dropout), out),
            OpsKind::UnTracked(prep) => prep.finish(out),
        }
    }

    fn embedding_rows(weight: FloatTensor<Self>, indices: IntTensor<Self>) -> FloatTensor<Self> {
        let nodes = [weight.node()];
        let rows = weight.shape()[0];
        let out = B::embedding_rows(weight.into_primitive(), indices.clone());
        match Backward::<B, 1>::prepare::<C>(Embedding, nodes).compute_bound().stateful() {
            OpsKind::Tracked(prep) => prep.finish((indices, rows), out),
            OpsKind::UnTracked(prep) => prep.finish(out),
        }
    }
}

#[derive(Debug)]
struct Linear;

impl<B: KernelGradients> Backward<B, 3> for Linear {
    type State = ([FloatTensor<B>; 2], DType);

    fn backward(self, ops: Ops<Self::State, 3>, grads: &mut Gradients, _: &mut Checkpointer) {
        let (saved, input_dtype) = ops.state;
        let grad = grads.consume::<B>(&ops.node);
        register::<B, 3>(
            grads,
            ops.parents.map(|parent| parent.map(|node| node.id)),
            B::autocast_linear_backward(grad, saved, input_dtype),
        );
    }
}

#[derive(Debug)]
struct PackedAttention;

impl<B: KernelGradients> Backward<B, 3> for PackedAttention {
    type State = ([FloatTensor<B>; 3], Vec<FloatTensor<B>>, AttentionOptions);

    fn backward(self, ops: Ops<Self::State, 3>, grads: &mut Gradients, _: &mut Checkpointer) {
        let (qkv, kept, options) = ops.state;
        let grad = grads.consume::<B>(&ops.node);
        let results = B::packed_attention_backward(grad, &qkv, kept, &options);
        register::<B, 3>(grads, ops.parents.map(|parent| parent.map(|node| node.id)), results);
    }
}

#[derive(Debug)]
struct SelfAttention;

impl<B: KernelGradients> Backward<B, 7> for SelfAttention {
    type State = (Attended<B>, AttentionOptions, DType);

    fn backward(self, ops: Ops<Self::State, 7>, grads: &mut Gradients, _: &mut Checkpointer) {
        let (attended, options, input_dtype) = ops.state;
        let grad = grads.consume::<B>(&ops.node);
        let results = B::self_attention_backward(grad, attended, &options, input_dtype);
        let [(query_weight, query_bias), (key_weight, key_bias), (value_weight, value_bias)] =
            results.parameters;
        register::<B, 7>(
            grads,
            ops.parents.map(|parent| parent.map(|node| node.id)),
            [results.input, query_weight, query_bias, key_weight, key_bias, value_weight, value_bias],
        );
    }
}

#[derive(Debug)]
struct LayerNorm;

impl<B: KernelGradients> Backward<B, 3> for LayerNorm {
    type State = [FloatTensor<B>; 5];

    fn backward(self, ops: Ops<Self::State, 3>, grads: &mut Gradients, _: &mut Checkpointer) {
        let grad = grads.consume::<B>(&ops.node);
        register::<B, 3>(
            grads,
            ops.parents.map(|parent| parent.map(|node| node.id)),
            B::fused_layer_norm_backward(grad, ops.state),
        );
    }
}

#[derive(Debug)]
struct Gelu;

impl<B: KernelGradients> Backward<B, 1> for Gelu {
    type State = FloatTensor<B>;

    fn backward(self, ops: Ops<Self::State, 1>, grads: &mut Gradients, _: &mut Checkpointer) {
        let grad = grads.consume::<B>(&ops.node);
        register::<B, 1>(
            grads,
            ops.parents.map(|parent| parent.map(|node| node.id)),
            [B::fused_gelu_backward(grad, ops.state)],
        );
    }
}

#[derive(Debug)]
struct DropElements;

impl<B: KernelGradients> Backward<B, 1> for DropElements {
    type State = (Option<BoolTensor<B>>, Dropout);

    fn backward(self, ops: Ops<Self::State, 1>, grads: &mut Gradients, _: &mut Checkpointer) {
        let (mask, dropout) = ops.state;
        let grad = grads.consume::<B>(&ops.node);
        register::<B, 1>(
            grads,
            ops.parents.map(|parent| parent.map(|node| node.id)),
            [B::counter_dropout_backward(grad, mask, dropout)],
        );
    }
}

#[derive(Debug)]
struct Embedding;

impl<B: KernelGradients> Backward<B, 1> for Embedding {
    type State = (IntTensor<B>, usize);

    fn backward(self, ops: Ops<Self::State, 1>, grads: &mut Gradients, _: &mut Checkpointer) {
        let (indices, rows) = ops.state;
        let grad = grads.consume::<B>(&ops.node);
        register::<B, 1>(
            grads,
            ops.parents.map(|parent| parent.map(|node| node.id)),
            [B::embedding_rows_backward(grad, indices, rows)],
        );
    }
}

/// Hands each parent that wants one its gradient.
fn register<B: KernelGradients, const N: usize>(
    grads: &mut Gradients,
    parents: [Option<NodeId>; N],
    results: [FloatTensor<B>; N],
) {
    for (parent, result) in parents.into_iter().zip(results) {
        if let Some(id) = parent {
            grads.register::<B>(id, result);
        }
    }
}
