//! A packed batch: the token ids of several features back to back, and where each begins.

use std::sync::Arc;

use burn::tensor::{Int, Tensor};
use torch_kernels::{Handle, upload};

use crate::loss::QaTargets;

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

    /// What a pass reads of the batch, on the device of `weight`; with `targets`, what its loss reads too. One upload brings
    /// all of it.
    pub(crate) fn upload(&self, weight: &Tensor<2>, targets: Option<&QaTargets>) -> Uploaded {
        let positions: Vec<i64> = self.lengths().flat_map(|len| 0..len as i64).collect();
        let of_loss = targets.map(|targets| {
            let wide = |positions: &[i32]| positions.iter().map(|&position| i64::from(position)).collect();
            [self.grid(), wide(&targets.start_positions), wide(&targets.end_positions)]
        });
        let mut lists = vec![self.input_ids.as_slice(), positions.as_slice()];
        lists.extend(of_loss.iter().flatten().map(Vec::as_slice));
        let (tensors, cu_seqlens) = upload(&lists, &self.cu_seqlens, weight);
        let mut tensors = tensors.into_iter();
        let mut next = || tensors.next().expect("a tensor for each list");
        let (input_ids, positions) = (next(), next());
        let of_loss =
            of_loss.map(|_| UploadedTargets { grid: next(), start_positions: next(), end_positions: next() });
        Uploaded { input_ids, positions, cu_seqlens, of_loss }
    }

    /// Length of the longest feature.
    pub(crate) fn longest(&self) -> usize {
        self.lengths().max().unwrap_or(0)
    }

    /// The tokens of a padded (features, longest) matrix; -1 where a feature has none.
    fn grid(&self) -> Vec<i64> {
        let longest = self.longest();
        let rows = self.cu_seqlens.windows(2).flat_map(|bounds| {
            (bounds[0]..bounds[0] + longest).map(|token| if token < bounds[1] { token as i64 } else { -1 })
        });
        rows.collect()
    }
}

/// A batch on a device.
pub(crate) struct Uploaded {
    /// (tokens)
    pub(crate) input_ids: Tensor<1, Int>,
    /// Counted from 0 in each feature → (tokens)
    pub(crate) positions: Tensor<1, Int>,
    pub(crate) cu_seqlens: Handle,
    pub(crate) of_loss: Option<UploadedTargets>,
}

/// What the loss reads of a batch.
pub(crate) struct UploadedTargets {
    /// The tokens of a padded matrix; -1 where a feature has none → (features × longest)
    pub(crate) grid: Tensor<1, Int>,
    /// (features)
    pub(crate) start_positions: Tensor<1, Int>,
    /// (features)
    pub(crate) end_positions: Tensor<1, Int>,
}
