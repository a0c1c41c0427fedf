//! Burn tensors as LibTorch tensors and back, for state that is changed in place.

#![expect(deprecated, reason = "burn-tch is deprecated upstream; distilburn pins burn 0.22")]

use burn::backend::LibTorch;
use burn::tensor::{Int, Tensor};
use burn_tch::TchTensor;

use crate::ffi;

/// A tensor's storage on LibTorch, of any rank.
///
/// The optimizer updates weights through handles, in place: the model's own tensors share the storage and
/// need not be rebuilt. Nothing may keep a graph over the old values across an update.
#[derive(Debug)]
pub struct Handle(TchTensor);

impl Handle {
    pub(crate) fn new(tensor: tch::Tensor) -> Self {
        Self(TchTensor::new(tensor))
    }

    pub(crate) fn tensor(&self) -> &tch::Tensor {
        &self.0.tensor
    }

    pub(crate) fn from_primitive(primitive: TchTensor) -> Self {
        Self(primitive)
    }

    /// Shares the storage.
    pub(crate) fn to_primitive(&self) -> TchTensor {
        TchTensor::new(self.tensor().shallow_clone())
    }

    /// Shares `tensor`'s storage, without its autodiff graph.
    #[must_use]
    pub fn from_burn<const D: usize>(tensor: Tensor<D>) -> Self {
        let primitive = tensor
            .without_autodiff()
            .try_into_primitive::<LibTorch>()
            .expect("distilburn builds Burn with the LibTorch backend alone");
        Self::from_primitive(primitive)
    }

    /// A Burn tensor of rank `D` over the same storage.
    #[must_use]
    pub fn to_burn<const D: usize>(&self) -> Tensor<D> {
        Tensor::from_primitive::<LibTorch>(self.to_primitive())
    }

    /// A tensor of zeros of the same shape, type and device.
    #[must_use]
    pub fn zeros_like(&self) -> Self {
        Self::new(self.tensor().zeros_like())
    }

    /// Adds `other`: in place, unless these values are narrower than f32, where sums are not.
    pub fn add_assign(&mut self, other: &Self) {
        if self.tensor().kind() != tch::Kind::Float {
            *self = Self::new(self.tensor().to_kind(tch::Kind::Float));
        }
        let _ = self.0.tensor.g_add_(other.tensor());
    }

    /// Number of elements.
    #[must_use]
    pub fn numel(&self) -> usize {
        self.tensor().numel()
    }

    /// The values, row-major, on the host.
    #[must_use]
    pub fn to_vec(&self) -> Vec<f32> {
        let flat = self.tensor().to_device(tch::Device::Cpu).to_kind(tch::Kind::Float).contiguous().view(-1);
        let mut values = vec![0.0; flat.numel()];
        flat.copy_data(&mut values, flat.numel());
        values
    }

    /// Whether every element is finite; reading it waits for a GPU.
    #[must_use]
    pub fn is_finite(&self) -> bool {
        self.tensor().isfinite().all().int64_value(&[]) != 0
    }

    /// A copy in storage of its own.
    #[must_use]
    pub fn copy(&self) -> Self {
        Self::new(self.tensor().copy())
    }

    /// Overwrites the values with `values`, row-major.
    pub fn copy_from(&mut self, values: &[f32]) {
        let source = tch::Tensor::from_slice(values).view_as(self.tensor());
        self.0.tensor.copy_(&source);
    }
}

impl Clone for Handle {
    /// Another handle on the same storage.
    fn clone(&self) -> Self {
        Self::new(self.tensor().shallow_clone())
    }
}

/// Lists of integers, and `cu_seqlens` as [`AttentionOptions`](crate::AttentionOptions) takes it, on the device of `beside`,
/// in one upload. What a GPU has still to do is not waited for, as Burn's own way would.
#[must_use]
pub fn upload<const D: usize>(
    lists: &[&[i64]],
    cu_seqlens: &[usize],
    beside: &Tensor<D>,
) -> (Vec<Tensor<1, Int>>, Handle) {
    // Two numbers of 32 bits in each of 64.
    let pairs = cu_seqlens.chunks(2).map(|pair| {
        let [low, high] = [pair[0], pair.get(1).copied().unwrap_or(0)].map(|end| (end as u32).to_le_bytes());
        i64::from_ne_bytes([low[0], low[1], low[2], low[3], high[0], high[1], high[2], high[3]])
    });
    let values: Vec<i64> = lists.iter().flat_map(|list| list.iter().copied()).chain(pairs).collect();
    let uploaded = ffi::upload(&values, Handle::from_burn(beside.clone()).tensor());
    let mut first = 0;
    let tensors = lists.iter().map(|list| {
        let part = uploaded.narrow(0, first, list.len() as i64);
        first += list.len() as i64;
        Tensor::from_primitive::<LibTorch>(TchTensor::new(part))
    });
    let tensors = tensors.collect();
    let pairs = uploaded.narrow(0, first, uploaded.size()[0] - first);
    (tensors, Handle::new(pairs.view_dtype(tch::Kind::Int).narrow(0, 0, cu_seqlens.len() as i64)))
}
