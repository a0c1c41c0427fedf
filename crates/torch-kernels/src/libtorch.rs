//! The operations on LibTorch.

#![expect(deprecated, reason = "burn-tch is deprecated upstream; distilburn pins burn 0.22")]

use burn::backend::LibTorch;
use burn::backend::tensor::{FloatTensor, IntTensor};
use burn::tensor::DType;
use burn_tch::TchTensor;
use tch::{Kind, Tensor};

use crate::ffi;
use crate::kernels::{AttentionOptions, Dropout, KernelGradients, Kernels};
use crate::products::{bmm, cpu_multiplies, linear, mm, scaled_bmm};

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
        let [query, key, value] = [query, key, value].map(|tensor| tensor.tensor);
        if let Some(division) = host_division(&query, &options) {
            return TchTensor::new(ffi::attention_forward([&query, &key, &value], &division, false).0);
        }
        let out = query.empty_like();
        for sequence in sequences(&options) {
            let [q, k, v] = [&query, &key, &value].map(|tensor| sequence.heads(tensor));
            let probabilities = scores(&q, &k).softmax(-1, q.kind());
            let weights = dropped(&probabilities, &options, sequence.probabilities_start);
            sequence.heads(&out).copy_(&bmm(&weights, &v));
        }
        TchTensor::new(out)
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
        TchTensor::new(drop_elements(&input.tensor, dropout, 0))
    }

    fn embedding_rows(weight: FloatTensor<Self>, indices: IntTensor<Self>) -> FloatTensor<Self> {
        TchTensor::new(weight.tensor.index_select(0, &indices.tensor))
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
    ) -> (FloatTensor<Self>, FloatTensor<Self>) {
        let [query, key, value] = qkv.each_ref().map(|tensor| &tensor.tensor);
        if let Some(division) = host_division(query, options) {
            let (out, probabilities) = ffi::attention_forward([query, key, value], &division, true);
            let probabilities = probabilities.expect("they were asked for");
            return (TchTensor::new(out), TchTensor::new(probabilities));
        }
        let out = query.empty_like();
        let total: i64 = sequences(options).map(|sequence| sequence.probabilities_len()).sum();
        let all_probabilities = Tensor::empty([total], (query.kind(), query.device()));
        for sequence in sequences(options) {
            let [q, k, v] = [query, key, value].map(|tensor| sequence.heads(tensor));
            let probabilities = sequence.probabilities(&all_probabilities);
            let _ = scores(&q, &k).internal_softmax_out(&probabilities, -1, false);
            let weights = dropped(&probabilities, options, sequence.probabilities_start);
            sequence.heads(&out).copy_(&bmm(&weights, &v));
        }
        (TchTensor::new(out), TchTensor::new(all_probabilities))
    }

    fn packed_attention_backward(
        grad: FloatTensor<Self>,
        qkv: &[FloatTensor<Self>; 3],
        probabilities: FloatTensor<Self>,
        options: &AttentionOptions,
    ) -> [FloatTensor<Self>; 3] {
        let [query, key, value] = qkv.each_ref().map(|tensor| &tensor.tensor);
        let grad = grad.tensor.to_kind(query.kind()).contiguous();
        if let Some(division) = host_division(query, options) {
            let probabilities = &probabilities.tensor;
            return ffi::attention_backward(&grad, [query, key, value], probabilities, &division)
                .map(TchTensor::new);
        }
        let grads = [query, key, value].map(Tensor::empty_like);
        for sequence in sequences(options) {
            let [q, k, v, grad_out] = [query, key, value, &grad].map(|tensor| sequence.heads(tensor));
            let [grad_q, grad_k, grad_v] = grads.each_ref().map(|tensor| sequence.heads(tensor));
            let probabilities = sequence.probabilities(&probabilities.tensor);
            let start = sequence.probabilities_start;
            let weights = dropped(&probabilities, options, start);
            copy_into(&grad_v, &bmm(&weights.transpose(1, 2), &grad_out));
            let grad_weights = dropped(&bmm(&grad_out, &v.transpose(1, 2)), options, start);
            let grad_scores =
                Tensor::internal_softmax_backward_data(&grad_weights, &probabilities, -1, q.kind());
            copy_into(&grad_q, &scaled_bmm(&grad_scores, &k, scale(&q)));
            copy_into(&grad_k, &scaled_bmm(&grad_scores.transpose(1, 2), &q, scale(&q)));
        }
        grads.map(TchTensor::new)
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

/// One sequence of a packed batch, and where its probabilities stand in the row of all.
struct Sequence {
    start: i64,
    len: i64,
    n_heads: i64,
    probabilities_start: i64,
}

impl Sequence {
    /// (tokens, dim) → a view (`n_heads`, len, `d_head`)
    fn heads(&self, tensor: &Tensor) -> Tensor {
        let d_head = tensor.size()[1] / self.n_heads;
        tensor.narrow(0, self.start, self.len).view([self.len, self.n_heads, d_head]).transpose(0, 1)
    }

    fn probabilities_len(&self) -> i64 {
        self.n_heads * self.len * self.len
    }

    /// The row of all probabilities → a view (`n_heads`, len, len)
    fn probabilities(&self, all: &Tensor) -> Tensor {
        all.narrow(0, self.probabilities_start, self.probabilities_len()).view([
            self.n_heads,
            self.len,
            self.len,
        ])
    }
}

fn sequences(options: &AttentionOptions) -> impl Iterator<Item = Sequence> {
    let n_heads = options.n_heads as i64;
    options.cu_seqlens.windows(2).scan(0, move |probabilities_start, bounds| {
        let (start, len) = (bounds[0] as i64, (bounds[1] - bounds[0]) as i64);
        let sequence = Sequence { start, len, n_heads, probabilities_start: *probabilities_start };
        *probabilities_start += sequence.probabilities_len();
        Some(sequence)
    })
}

/// The batch as `cpp/attention.cpp` takes it; `None` where that is not for these tensors and this machine.
fn host_division(query: &Tensor, options: &AttentionOptions) -> Option<ffi::Division> {
    let d_head = query.size()[1] / options.n_heads as i64;
    let host = query.device() == tch::Device::Cpu
        && query.kind() == Kind::BFloat16
        && d_head % 2 == 0
        && cfg!(target_arch = "x86_64")
        && cpu_multiplies(Kind::BFloat16);
    let dropout = options.dropout.unwrap_or(Dropout { p: 0.0, seed: 0 });
    let starts = sequences(options).map(|sequence| sequence.probabilities_start as u64);
    host.then(|| ffi::Division {
        cu_seqlens: options.cu_seqlens.iter().map(|&token| token as i64).collect(),
        n_heads: options.n_heads as i64,
        p: dropout.p,
        seeds: starts.map(|start| seed_from(dropout, start)).collect(),
    })
}

fn scale(query: &Tensor) -> f64 {
    1.0 / (query.size()[2] as f64).sqrt()
}

/// Scaled dot products: (`n_heads`, len, `d_head`)² → (`n_heads`, len, len)
fn scores(query: &Tensor, key: &Tensor) -> Tensor {
    scaled_bmm(query, &key.transpose(1, 2), scale(query))
}

fn dropped(probabilities: &Tensor, options: &AttentionOptions, start: i64) -> Tensor {
    match options.dropout {
        Some(dropout) => drop_elements(probabilities, dropout, start as u64),
        None => probabilities.shallow_clone(),
    }
}

/// Dropout whose draws are those of elements `first..` of a longer tensor.
fn drop_elements(input: &Tensor, dropout: Dropout, first: u64) -> Tensor {
    let seed = seed_from(dropout, first);
    if input.device() == tch::Device::Cpu {
        return ffi::dropout(input, dropout.p, seed);
    }
    let keep = device_draws(input, seed).ge((dropout.p * 4_294_967_296.0).floor());
    (input * keep) / (1.0 - dropout.p)
}

/// What elements `first..` of a longer tensor are drawn from.
fn seed_from(dropout: Dropout, first: u64) -> u64 {
    dropout.seed ^ first.wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

/// The draws of `cpp/common.h` by tensor operations, for devices: 32-bit arithmetic in 64-bit integers.
fn device_draws(input: &Tensor, seed: u64) -> Tensor {
    const MASK: i64 = 0xffff_ffff;
    let mix = |x: Tensor| {
        let x = x.bitwise_xor_tensor(&x.bitwise_right_shift_tensor_scalar(16));
        let x = (x * 0x7feb_352d_i64).bitwise_and(MASK);
        let x = x.bitwise_xor_tensor(&x.bitwise_right_shift_tensor_scalar(15));
        let x = (x * 0x846c_a68b_i64).bitwise_and(MASK);
        x.bitwise_xor_tensor(&x.bitwise_right_shift_tensor_scalar(16))
    };
    let (low, high) = ((seed & 0xffff_ffff) as i64, (seed >> 32) as i64);
    let index = Tensor::arange(input.numel() as i64, (Kind::Int64, input.device())).view_as(input);
    mix((mix(index.bitwise_and(MASK).bitwise_xor(low)) + high).bitwise_and(MASK))
}

/// A weight's gradient as the optimizer takes it: bfloat16 has f32's range, and on the host the update widens it while
/// it reads; anything else becomes f32 here.
fn widened(grad: Tensor) -> Tensor {
    let kept = grad.kind() == Kind::BFloat16 && grad.device() == tch::Device::Cpu;
    if kept { grad } else { grad.to_kind(Kind::Float) }
}

fn copy_into(target: &Tensor, source: &Tensor) {
    target.shallow_clone().copy_(source);
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
