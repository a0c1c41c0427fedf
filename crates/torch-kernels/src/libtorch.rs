//! The operations on LibTorch, where it or `cpp/` has something better than Burn's own.

#![expect(deprecated, reason = "burn-tch is deprecated upstream; distilburn pins burn 0.22")]

mod attention;
mod dropout;
mod linear;
mod optimizer;

use burn::backend::LibTorch;
use burn::backend::tensor::{BoolTensor, FloatTensor, IntTensor};
use burn::tensor::DType;
use burn_tch::TchTensor;
use tch::{Kind, Tensor};

use crate::copies::Compute;
use crate::ffi;
use crate::kernels::{
    Attended, AttentionOptions, Dropout, KernelGradients, Kernels, SharedLinearGradients, self_attention,
    self_attention_forward,
};

impl Kernels for LibTorch {
    fn autocast_linear(
        input: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        compute: Compute,
    ) -> FloatTensor<Self> {
        Self::autocast_linear_forward(input, weight, bias, compute).0
    }

    fn packed_attention(
        query: FloatTensor<Self>,
        key: FloatTensor<Self>,
        value: FloatTensor<Self>,
        options: AttentionOptions,
    ) -> FloatTensor<Self> {
        TchTensor::new(attention::infer([&query.tensor, &key.tensor, &value.tensor], &options))
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
        if let Some(copies) = &compute.copies {
            let (_, qkv) = linear::joined_forward(&input.tensor, copies, compute.dtype);
            return TchTensor::new(attention::infer(qkv.each_ref(), &options));
        }
        let parameters = [(query_weight, query_bias), (key_weight, key_bias), (value_weight, value_bias)];
        self_attention::<Self>(input, parameters, options, compute.dtype)
    }

    fn fused_layer_norm(
        input: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        epsilon: f64,
    ) -> FloatTensor<Self> {
        Self::fused_layer_norm_forward(input, weight, bias, epsilon).0
    }

    fn linear_gelu(
        input: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        compute: Compute,
    ) -> FloatTensor<Self> {
        let kind = kind_of(compute.dtype);
        let activated = compute.copies.as_ref().and_then(|copies| copies.activated(&input.tensor, kind));
        match activated {
            Some(activated) => TchTensor::new(activated),
            None => Self::fused_gelu(Self::autocast_linear(input, weight, bias, compute)),
        }
    }

    fn fused_gelu(input: FloatTensor<Self>) -> FloatTensor<Self> {
        TchTensor::new(input.tensor.gelu("none"))
    }

    fn counter_dropout(input: FloatTensor<Self>, dropout: Dropout) -> FloatTensor<Self> {
        TchTensor::new(dropout::forward(&input.tensor, dropout).0)
    }
}

impl KernelGradients for LibTorch {
    fn autocast_linear_forward(
        input: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        compute: Compute,
    ) -> (FloatTensor<Self>, [FloatTensor<Self>; 2]) {
        let (out, saved) = linear::forward(&input.tensor, &weight.tensor, &bias.tensor, &compute);
        let [saved_input, saved_weight] = saved;
        // Either may be what was given: Burn is not to write into it for its own.
        let saved_input = TchTensor::from_existing(saved_input, input.storage);
        let saved_weight = TchTensor::from_existing(saved_weight, weight.storage);
        (TchTensor::new(out), [saved_input, saved_weight])
    }

    fn autocast_linear_backward(
        grad: FloatTensor<Self>,
        saved: [FloatTensor<Self>; 2],
        input_dtype: DType,
    ) -> [FloatTensor<Self>; 3] {
        let [input, weight] = &saved;
        let (input, [(weight, bias)]) =
            linear::backward([&grad.tensor], &input.tensor, [&weight.tensor], kind_of(input_dtype));
        [input, weight, bias].map(TchTensor::new)
    }

    fn self_attention_forward(
        input: FloatTensor<Self>,
        parameters: [(FloatTensor<Self>, FloatTensor<Self>); 3],
        options: &AttentionOptions,
        compute: Compute,
    ) -> (FloatTensor<Self>, Attended<Self>) {
        let Some((copies, weight)) =
            compute.copies.as_ref().and_then(|copies| Some((copies, copies.typed()?)))
        else {
            return self_attention_forward::<Self>(input, parameters, options, &compute);
        };
        let (narrow, qkv) = linear::joined_forward(&input.tensor, copies, compute.dtype);
        let (out, kept) = attention::forward(qkv.each_ref(), options);
        let out = TchTensor::new(out);
        // Some may be the output or the input itself: Burn is not to write into them for its own.
        let kept = kept.into_iter().map(|tensor| TchTensor::from_existing(tensor, out.storage.clone()));
        let attended = Attended {
            input: TchTensor::from_existing(narrow, input.storage),
            weights: vec![weight.to_primitive()],
            qkv: qkv.map(TchTensor::new),
            kept: kept.collect(),
        };
        (out, attended)
    }

    fn shared_linear_backward(
        grads: [FloatTensor<Self>; 3],
        input: FloatTensor<Self>,
        weights: Vec<FloatTensor<Self>>,
        input_dtype: DType,
    ) -> SharedLinearGradients<Self> {
        let kind = kind_of(input_dtype);
        let grads = grads.each_ref().map(|grad| &grad.tensor);
        let (input, parameters) = match weights.as_slice() {
            [joined] => linear::joined_backward(grads, &input.tensor, &joined.tensor, kind),
            [query, key, value] => {
                let weights = [query, key, value].map(|weight| &weight.tensor);
                linear::backward(grads, &input.tensor, weights, kind)
            }
            _ => unreachable!("weights of three layers, or one of all"),
        };
        let parameters = parameters.map(|(weight, bias)| (TchTensor::new(weight), TchTensor::new(bias)));
        SharedLinearGradients { input: TchTensor::new(input), parameters }
    }

    fn packed_attention_forward(
        qkv: &[FloatTensor<Self>; 3],
        options: &AttentionOptions,
    ) -> (FloatTensor<Self>, Vec<FloatTensor<Self>>) {
        let (out, kept) = attention::forward(qkv.each_ref().map(|tensor| &tensor.tensor), options);
        let out = TchTensor::new(out);
        // Some may be the output itself: Burn is not to write into it for its own.
        let kept =
            kept.into_iter().map(|tensor| TchTensor::from_existing(tensor, out.storage.clone())).collect();
        (out, kept)
    }

    fn packed_attention_backward(
        grad: FloatTensor<Self>,
        qkv: &[FloatTensor<Self>; 3],
        kept: Vec<FloatTensor<Self>>,
        options: &AttentionOptions,
    ) -> [FloatTensor<Self>; 3] {
        let qkv = qkv.each_ref().map(|tensor| &tensor.tensor);
        let kept: Vec<_> = kept.iter().map(|tensor| &tensor.tensor).collect();
        attention::backward(&grad.tensor, qkv, &kept, options).map(TchTensor::new)
    }

    fn fused_layer_norm_forward(
        input: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        epsilon: f64,
    ) -> (FloatTensor<Self>, [FloatTensor<Self>; 5]) {
        let dim = input.tensor.size()[input.tensor.dim() - 1];
        let (out, mean, rstd) =
            input.tensor.native_layer_norm(dim, Some(&weight.tensor), Some(&bias.tensor), epsilon);
        let saved = [input, TchTensor::new(mean), TchTensor::new(rstd), weight, bias];
        (TchTensor::new(out), saved)
    }

    fn fused_layer_norm_backward(
        grad: FloatTensor<Self>,
        saved: [FloatTensor<Self>; 5],
    ) -> [FloatTensor<Self>; 3] {
        ffi::layer_norm_backward(&grad.tensor, &saved.map(|tensor| tensor.tensor)).map(TchTensor::new)
    }

    fn fused_gelu_backward(grad: FloatTensor<Self>, input: FloatTensor<Self>) -> FloatTensor<Self> {
        TchTensor::new(input.tensor.gelu_backward(&grad.tensor, "none"))
    }

    fn counter_dropout_forward(
        input: FloatTensor<Self>,
        dropout: Dropout,
    ) -> (FloatTensor<Self>, Option<BoolTensor<Self>>) {
        let (out, mask) = dropout::forward(&input.tensor, dropout);
        (TchTensor::new(out), mask.map(TchTensor::new))
    }

    fn counter_dropout_backward(
        grad: FloatTensor<Self>,
        mask: Option<BoolTensor<Self>>,
        dropout: Dropout,
    ) -> FloatTensor<Self> {
        TchTensor::new(dropout::backward(&grad.tensor, mask.as_ref().map(|mask| &mask.tensor), dropout))
    }

    fn embedding_rows_backward(
        grad: FloatTensor<Self>,
        indices: IntTensor<Self>,
        rows: usize,
    ) -> FloatTensor<Self> {
        TchTensor::new(Tensor::embedding_dense_backward(
            &grad.tensor,
            &indices.tensor,
            rows as i64,
            -1,
            false,
        ))
    }
}

pub(crate) fn kind_of(dtype: DType) -> Kind {
    match dtype {
        DType::BF16 => Kind::BFloat16,
        DType::F16 => Kind::Half,
        DType::F64 => Kind::Double,
        _ => Kind::Float,
    }
}
