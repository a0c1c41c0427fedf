//! Tests between two systems on the same questions that need no resampling.

use statrs::distribution::{Binomial, DiscreteCDF as _};

/// Questions that exactly one of two systems answers correctly.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Flips {
    /// Wrong before, right after.
    pub gained: usize,
    /// Right before, wrong after.
    pub lost: usize,
}

impl Flips {
    /// Counts them in the exact matches (0 or 1) of two systems.
    ///
    /// # Panics
    ///
    /// Where the lengths differ.
    #[must_use]
    pub fn count(before: &[f64], after: &[f64]) -> Self {
        assert_eq!(before.len(), after.len(), "one exact match per question and system");
        let pairs = before.iter().zip(after);
        let (gained, lost) = pairs.fold((0, 0), |(gained, lost), (before, after)| {
            (gained + usize::from(after > before), lost + usize::from(after < before))
        });
        Self { gained, lost }
    }

    /// The exact two-sided test of McNemar (1947): the binomial probability of a split at least as uneven, if gains and
    /// losses were equally likely; 1 without any. It assumes that questions are independent;
    /// [`crate::Measure::Difference`] of the exact matches does not.
    #[must_use]
    pub fn mcnemar_p_value(self) -> f64 {
        let flips = (self.gained + self.lost) as u64;
        let fewer = self.gained.min(self.lost) as u64;
        let binomial = Binomial::new(0.5, flips).expect("one half is a probability");
        (2.0 * binomial.cdf(fewer)).min(1.0)
    }
}

/// Corrects the p-values of several tests so that the chance of any false discovery stays at each level (Holm 1979);
/// in the order given.
#[must_use]
pub fn holm(p_values: &[f64]) -> Vec<f64> {
    let mut ascending: Vec<usize> = (0..p_values.len()).collect();
    ascending.sort_by(|&a, &b| p_values[a].total_cmp(&p_values[b]));
    let mut corrected = vec![0.0; p_values.len()];
    let mut greatest: f64 = 0.0;
    for (rank, &index) in ascending.iter().enumerate() {
        greatest = greatest.max((p_values.len() - rank) as f64 * p_values[index]).min(1.0);
        corrected[index] = greatest;
    }
    corrected
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flips_count_both_ways_and_no_flip_is_no_evidence() {
        assert_eq!(Flips::count(&[0.0, 1.0, 1.0, 0.0], &[1.0, 0.0, 1.0, 1.0]), Flips { gained: 2, lost: 1 });
        assert_eq!(Flips::default().mcnemar_p_value().to_bits(), 1.0_f64.to_bits());
    }

    #[test]
    fn holm_of_nothing_is_nothing() {
        assert!(holm(&[]).is_empty());
    }
}
