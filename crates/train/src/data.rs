//! The training features as burn-dataset's `Dataset`, and the order they are visited in.

use std::convert::Infallible;

use artifact::Features;
use burn_dataset::Dataset;
use squad::SplitMix64;

/// One feature as a training step needs it, without its offsets.
#[derive(Clone, Copy, Debug)]
pub struct TrainFeature<'a> {
    /// Token ids, memory-mapped.
    pub input_ids: &'a [i32],
    /// First token of the answer.
    pub start_position: i32,
    /// Last token of the answer, inclusive.
    pub end_position: i32,
}

/// The memory-mapped features of a split.
pub struct FeatureDataset<'a>(pub &'a Features);

impl<'a> Dataset<TrainFeature<'a>, Infallible> for FeatureDataset<'a> {
    fn get(&self, index: usize) -> Result<TrainFeature<'a>, Infallible> {
        let feature = self.0.get(index);
        Ok(TrainFeature {
            input_ids: feature.input_ids,
            start_position: feature.start_position,
            end_position: feature.end_position,
        })
    }

    fn len(&self) -> usize {
        self.0.len()
    }
}

/// The order of an epoch: a shuffle of `features` rows that depends on (`seed`, `epoch`) alone.
#[must_use]
pub fn epoch_order(features: usize, seed: u64, epoch: u32) -> Vec<usize> {
    let mut order: Vec<usize> = (0..features).collect();
    SplitMix64::keyed(&[seed, u64::from(epoch)]).shuffle(&mut order);
    order
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_epoch_visits_every_feature_once_in_an_order_of_its_own() {
        let (first, second) = (epoch_order(1000, 42, 1), epoch_order(1000, 42, 2));
        assert_eq!(first, epoch_order(1000, 42, 1));
        assert_ne!(first, second);
        assert_ne!(first, epoch_order(1000, 43, 1));
        let mut sorted = first.clone();
        sorted.sort_unstable();
        assert_eq!(sorted, (0..1000).collect::<Vec<_>>());
    }
}
