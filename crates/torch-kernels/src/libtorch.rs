//! The operations on LibTorch, where it or `cpp/` has something better than Burn's own.

#![expect(deprecated, reason = "burn-tch is deprecated upstream; distilburn pins burn 0.22")]

mod attention;
mod dropout;
mod optimizer;

use burn::backend::LibTorch;
use burn::backend::tensor::{FloatTensor, IntTensor};
use burn::tensor::DType;
use burn_tch::TchTensor;
use tch::{Kind, Tensor};

use crate::ffi;
use crate::kernels::{AttentionOptions, Dropout, KernelGradients, Kernels};
use crate::products::{linear, mm};

impl Kernels for LibTorch {
    fn autocast_linear(
        input: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        compute: DType,
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

    fn fused_layer_norm(
        input: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        epsilon: f64,
    ) -> FloatTensor<Self> {
        Self::fused_layer_norm_forward(input, weight, bias, epsilon).0
    }

    fn fused_gelu(input: FloatTensor<Self>) -> FloatTensor<Self> {
        TchTensor::new(input.tensor.gelu("none"))
    }

    fn counter_dropout(input: FloatTensor<Self>, dropout: Dropout) -> FloatTensor<Self> {
        TchTensor::new(dropout::drop_elements(&input.tensor, dropout))
    }
}

impl KernelGradients for LibTorch {
    fn autocast_linear_forward(
        input: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        compute: DType,
    ) -> (FloatTensor<Self>, [FloatTensor<Self>; 2]) {
        let kind = kind_of(compute);
        let [input, weight, bias] = [input, weight, bias].map(|tensor| cast(tensor, kind));
        let out = linear(&input.tensor, &weight.tensor, &bias.tensor);
        (TchTensor::new(out), [input, weight])
    }

    fn autocast_linear_backward(
        grad: FloatTensor<Self>,
        saved: [FloatTensor<Self>; 2],
        input_dtype: DType,
    ) -> [FloatTensor<Self>; 3] {
        let [input, weight] = saved;
        let grad = grad.tensor.to_kind(weight.tensor.kind());
        let input_grad = mm(&grad, &weight.tensor).to_kind(kind_of(input_dtype));
        let weight_grad = widened(mm(&grad.tr(), &input.tensor));
        let bias_grad = grad.sum_dim_intlist([0i64].as_slice(), false, Kind::Float);
        [input_grad, weight_grad, bias_grad].map(TchTensor::new)
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

/// A weight's gradient as the optimizer takes it: bfloat16 has f32's range, and on the host the update widens it while
/// it reads; anything else becomes f32 here.
fn widened(grad: Tensor) -> Tensor {
    let kept = grad.kind() == Kind::BFloat16 && grad.device() == tch::Device::Cpu;
    if kept { grad } else { grad.to_kind(Kind::Float) }
}

fn cast(tensor: TchTensor, kind: Kind) -> TchTensor {
    if tensor.tensor.kind() == kind { tensor } else { TchTensor::new(tensor.tensor.to_kind(kind)) }
}

pub(crate) fn kind_of(dtype: DType) -> Kind {
    match dtype {
        DType::BF16 => Kind::BFloat16,
        DType::F16 => Kind::Half,
        DType::F64 => Kind::Double,
        _ => Kind::Float,
    }
}
