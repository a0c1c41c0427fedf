//! Attention: of bfloat16 and f32 on the host by `cpp/attention.cpp`, on CUDA all sequences at once, elsewhere a sequence at a
//! time.

mod by_sequence;
mod varlen;

use tch::{Kind, Tensor};

use crate::ffi::{self, Division, Varlen};
use crate::kernels::AttentionOptions;
use crate::path::on_host;
use crate::products::{blocks_multiply, f32_blocks_multiply};

/// The output alone.
pub(super) fn infer(qkv: [&Tensor; 3], options: &AttentionOptions) -> Tensor {
    let sequences = options.sequences(qkv[0].size()[0] as usize);
    let kernel = Kernel::choose(qkv[0], options);
    if let Kernel::Varlen(kernel) = kernel {
        return varlen::forward(kernel, qkv, &sequences, options).0;
    }
    if kernel == Kernel::Host {
        let contiguous =
            qkv.map(|tensor| if in_rows(&qkv) { tensor.shallow_clone() } else { tensor.contiguous() });
        return ffi::attention_forward(contiguous.each_ref(), &Division::new(&sequences, options), None);
    }
    by_sequence::infer(qkv, &sequences, options)
}

/// Whether the rows of all three stand equally far apart, as those of one product do.
fn in_rows(qkv: &[&Tensor; 3]) -> bool {
    let stride = qkv[0].stride();
    let in_rows =
        |tensor: &&Tensor| tensor.stride() == stride && stride[1] == 1 && stride[0] >= tensor.size()[1];
    qkv.iter().all(in_rows)
}

/// The output, and what [`backward`] takes besides: the probabilities of all sequences in one row, or what a kernel for all of
/// them keeps in their place.
pub(super) fn forward(qkv: [&Tensor; 3], options: &AttentionOptions) -> (Tensor, Vec<Tensor>) {
    let sequences = options.sequences(qkv[0].size()[0] as usize);
    let kernel = Kernel::choose(qkv[0], options);
    if let Kernel::Varlen(kernel) = kernel {
        return varlen::forward(kernel, qkv, &sequences, options);
    }
    let qkv = qkv.map(Tensor::contiguous);
    let qkv = qkv.each_ref();
    let count = sequences.last().map_or(0, |sequence| sequence.probabilities.end);
    let probabilities = Tensor::empty([count as i64], (qkv[0].kind(), qkv[0].device()));
    let out = if kernel == Kernel::Host {
        ffi::attention_forward(qkv, &Division::new(&sequences, options), Some(&probabilities))
    } else {
        by_sequence::forward(qkv, &probabilities, &sequences, options)
    };
    (out, vec![probabilities])
}

/// Gradients of query, key and value.
pub(super) fn backward(
    grad: &Tensor,
    qkv: [&Tensor; 3],
    kept: &[&Tensor],
    options: &AttentionOptions,
) -> [Tensor; 3] {
    let grad = grad.to_kind(qkv[0].kind()).contiguous();
    let sequences = options.sequences(qkv[0].size()[0] as usize);
    let kernel = Kernel::choose(qkv[0], options);
    if let Kernel::Varlen(kernel) = kernel {
        return varlen::backward(kernel, &grad, qkv, kept, &sequences, options);
    }
    let qkv = qkv.map(Tensor::contiguous);
    let qkv = qkv.each_ref();
    match kernel {
        Kernel::Host => ffi::attention_backward(&grad, qkv, kept[0], &Division::new(&sequences, options)),
        _ => by_sequence::backward(&grad, qkv, kept[0], &sequences, options),
    }
}

/// What attends: for tensors of one device, type and size of heads always the same.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kernel {
    /// `cpp/attention.cpp`
    Host,
    Varlen(Varlen),
    BySequence,
}

impl Kernel {
    fn choose(query: &Tensor, options: &AttentionOptions) -> Self {
        let d_head = query.size()[1] as usize / options.n_heads;
        if on_host(query) {
            let multiply = match query.kind() {
                Kind::BFloat16 => blocks_multiply(),
                Kind::Float => f32_blocks_multiply(),
                _ => false,
            };
            return if multiply && d_head.is_multiple_of(2) { Self::Host } else { Self::BySequence };
        }
        varlen::chosen((query.device(), query.kind(), d_head)).map_or(Self::BySequence, Self::Varlen)
    }
}
