//! Attention: of bfloat16 on the host by `cpp/attention.cpp`, on CUDA by `FlashAttention`, elsewhere a sequence at a time.

mod by_sequence;
mod flash;

use tch::{Kind, Tensor};

use crate::ffi::{self, Division};
use crate::kernels::AttentionOptions;
use crate::products::blocks_multiply;

/// The output alone.
pub(super) fn infer(qkv: [&Tensor; 3], options: &AttentionOptions) -> Tensor {
    let qkv = qkv.map(Tensor::contiguous);
    let sequences = options.sequences(qkv[0].size()[0] as usize);
    let qkv = qkv.each_ref();
    match Kernel::choose(qkv[0], options) {
        Kernel::Host => ffi::attention_forward(qkv, &Division::new(&sequences, options), None),
        Kernel::Flash => flash::forward(qkv, &sequences, options).0,
        Kernel::BySequence => by_sequence::infer(qkv, &sequences, options),
    }
}

/// The output, and what [`backward`] takes besides: the probabilities of all sequences in one row, or what `FlashAttention`
/// keeps in their place.
pub(super) fn forward(qkv: [&Tensor; 3], options: &AttentionOptions) -> (Tensor, Vec<Tensor>) {
    let qkv = qkv.map(Tensor::contiguous);
    let sequences = options.sequences(qkv[0].size()[0] as usize);
    let qkv = qkv.each_ref();
    let kernel = Kernel::choose(qkv[0], options);
    if kernel == Kernel::Flash {
        return flash::forward(qkv, &sequences, options);
    }
    let count = sequences.last().map_or(0, |sequence| sequence.probabilities.end);
    let probabilities = Tensor::empty([count as i64], (qkv[0].kind(), qkv[0].device()));
    let out = match kernel {
        Kernel::Host => {
            ffi::attention_forward(qkv, &Division::new(&sequences, options), Some(&probabilities))
        }
        _ => by_sequence::forward(qkv, &probabilities, &sequences, options),
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
    let qkv = qkv.map(Tensor::contiguous);
    let grad = grad.to_kind(qkv[0].kind()).contiguous();
    let sequences = options.sequences(qkv[0].size()[0] as usize);
    let qkv = qkv.each_ref();
    match Kernel::choose(qkv[0], options) {
        Kernel::Host => ffi::attention_backward(&grad, qkv, kept[0], &Division::new(&sequences, options)),
        Kernel::Flash => flash::backward(&grad, qkv, kept, &sequences, options),
        Kernel::BySequence => by_sequence::backward(&grad, qkv, kept[0], &sequences, options),
    }
}

/// What attends: for tensors of one device, type and size of heads always the same.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kernel {
    /// `cpp/attention.cpp`
    Host,
    Flash,
    BySequence,
}

impl Kernel {
    fn choose(query: &Tensor, options: &AttentionOptions) -> Self {
        let d_head = query.size()[1] as usize / options.n_heads;
        match query.device() {
            tch::Device::Cpu if on_host(query.kind(), d_head) => Self::Host,
            tch::Device::Cuda(_) if flash::attends(query.device(), query.kind(), d_head) => Self::Flash,
            _ => Self::BySequence,
        }
    }
}

fn on_host(kind: Kind, d_head: usize) -> bool {
    kind == Kind::BFloat16 && d_head.is_multiple_of(2) && blocks_multiply()
}
