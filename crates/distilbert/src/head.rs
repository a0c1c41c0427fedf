//! The question answering head of a model that was not fine-tuned yet.

use artifact::Tensors;
use squad::SplitMix64;

use crate::{Error, Weights};

/// Name in weight files of the head's weight, (2, dim): row 0 scores starts, row 1 ends.
pub const QA_HEAD_WEIGHT: &str = "qa_outputs.weight";
/// Name in weight files of the head's bias, (2).
pub const QA_HEAD_BIAS: &str = "qa_outputs.bias";

/// Standard deviation of a fresh head, DistilBERT's `initializer_range`.
const STANDARD_DEVIATION: f64 = 0.02;

/// The weight of a fresh head, (2, dim) row-major, N(0, 0.02) from `seed`; its bias is zero.
///
/// Box-Muller on splitmix64 in f64, so the same on every machine.
#[must_use]
pub fn fresh_qa_head(dim: usize, seed: u64) -> Vec<f32> {
    let mut random = SplitMix64::new(seed);
    // 53 bits in (0, 1]: the logarithm below stays finite.
    let mut uniform = || ((random.next_u64() >> 11) as f64 + 1.0) / (1u64 << 53) as f64;
    (0..dim)
        .flat_map(|_| {
            let (radius, angle) = ((-2.0 * uniform().ln()).sqrt(), std::f64::consts::TAU * uniform());
            [radius * angle.cos(), radius * angle.sin()]
        })
        .map(|normal| (normal * STANDARD_DEVIATION) as f32)
        .collect()
}

/// The base model's weights as training finds them: pretrained, with a fresh head where they have none.
pub struct BaseWeights<'a> {
    pretrained: &'a Tensors,
    dim: usize,
    seed: u64,
}

impl<'a> BaseWeights<'a> {
    /// `dim` is the width of the hidden states, `seed` what a fresh head is drawn from.
    #[must_use]
    pub fn new(pretrained: &'a Tensors, dim: usize, seed: u64) -> Self {
        Self { pretrained, dim, seed }
    }
}

impl Weights for BaseWeights<'_> {
    fn get(&self, name: &str) -> Result<(Vec<usize>, Vec<f32>), Error> {
        match name {
            QA_HEAD_WEIGHT | QA_HEAD_BIAS if self.pretrained.contains(name) => {
                Weights::get(self.pretrained, name)
            }
            QA_HEAD_WEIGHT => Ok((vec![2, self.dim], fresh_qa_head(self.dim, self.seed))),
            QA_HEAD_BIAS => Ok((vec![2], vec![0.0; 2])),
            _ => Weights::get(self.pretrained, name),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fresh_heads_are_normal_and_depend_on_the_seed_alone() {
        let head = fresh_qa_head(4096, 42);
        assert_eq!(head, fresh_qa_head(4096, 42));
        assert_ne!(head, fresh_qa_head(4096, 43));
        let count = head.len() as f64;
        let mean = head.iter().map(|&x| f64::from(x)).sum::<f64>() / count;
        let variance = head.iter().map(|&x| (f64::from(x) - mean).powi(2)).sum::<f64>() / count;
        // 8192 draws: the mean's own deviation is 0.02 / √8192 ≈ 0.0002, the deviation's about 0.8 %.
        assert!(mean.abs() < 0.001 && (variance.sqrt() - STANDARD_DEVIATION).abs() < 0.001);
    }
}
