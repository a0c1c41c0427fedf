//! A packed batch: the token ids of several features back to back, and where each begins.

use std::sync::Arc;

use burn::tensor::{Int, Tensor};
use torch_kernels::upload;

/// Features of unequal lengths without padding.
#[derive(Clone, Debug)]
pub struct PackedBatch {
    input_ids: Vec<i64>,
    cu_seqlens: Arc<[usize]>,
}

impl PackedBatch {
    /// Packs features in the order given; each has at least one token.
    #[must_use]
    pub fn pack(features: &[&[i32]]) -> Self {
        let mut cu_seqlens = Vec::with_capacity(features.len() + 1);
        let mut input_ids = Vec::with_capacity(features.iter().map(|feature| feature.len()).sum());
        cu_seqlens.push(0);
        for feature in features {
            assert!(!feature.is_empty(), "a feature has at least [CLS] and [SEP]");
            input_ids.extend(feature.iter().map(|&id| i64::from(id)));
            cu_seqlens.push(input_ids.len());
        }
        Self { input_ids, cu_seqlens: cu_seqlens.into() }
    }

    #[must_use]
    pub fn features(&self) -> usize {
        self.cu_seqlens.len() - 1
    }

    /// Number of tokens of all features together.
    #[must_use]
    pub fn tokens(&self) -> usize {
        self.input_ids.len()
    }

    /// Feature i holds tokens `cu_seqlens[i]..cu_seqlens[i + 1]`.
    #[must_use]
    pub fn cu_seqlens(&self) -> &Arc<[usize]> {
        &self.cu_seqlens
    }

    /// Length of each feature, in tokens.
    pub fn lengths(&self) -> impl Iterator<Item = usize> + '_ {
        self.cu_seqlens.windows(2).map(|bounds| bounds[1] - bounds[0])
    }

    /// On the device of `weight` → (tokens)
    pub(crate) fn input_ids(&self, weight: &Tensor<2>) -> Tensor<1, Int> {
        upload(&self.input_ids, weight)
    }

    /// Positions, counted from 0 in each feature, on the device of `weight` → (tokens)
    pub(crate) fn positions(&self, weight: &Tensor<2>) -> Tensor<1, Int> {
        let positions: Vec<i64> = self.lengths().flat_map(|len| 0..len as i64).collect();
        upload(&positions, weight)
    }
}
