//! Tests whether the questions of a slice score differently from the rest.

use rayon::prelude::*;
use statrs::distribution::{ContinuousCDF as _, StudentsT};

use crate::clusters::Clusters;

/// The mean score of a slice minus that of all other questions.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Contrast {
    pub difference: f64,
    /// Two-sided p-value of "no difference".
    pub p_value: f64,
}

impl Contrast {
    /// Compares the questions of each slice with all others; `clusters` holds any id per question. `None` if the slice
    /// or the rest has no questions, or the slice is from a single cluster.
    ///
    /// The standard error is that of the coefficient of a regression on "is in the slice", robust to clusters (Liang
    /// and Zeger 1986) with the factor G / (G - 1). Student's t has G - 1 degrees of freedom, where G is the number of
    /// clusters of the slice: the slice is the smaller group, which decides.
    ///
    /// # Panics
    ///
    /// If the lengths differ, or a slice names a question that does not exist.
    #[must_use]
    pub fn with_the_rest(clusters: &[u32], scores: &[f64], slices: &[Vec<usize>]) -> Vec<Option<Self>> {
        assert_eq!(clusters.len(), scores.len(), "one score per question");
        let clusters = Clusters::new(clusters);
        slices.par_iter().map(|slice| Self::of_slice(&clusters, scores, slice)).collect()
    }

    fn of_slice(clusters: &Clusters, scores: &[f64], slice: &[usize]) -> Option<Self> {
        let mut is_inside = vec![false; scores.len()];
        for &question in slice {
            is_inside[question] = true;
        }
        let mean = |inside: bool| {
            let of_group = scores.iter().zip(&is_inside).filter(|(_, is_inside)| **is_inside == inside);
            let (sum, count) =
                of_group.fold((0.0, 0.0), |(sum, count), (score, _)| (sum + score, count + 1.0));
            (count > 0.0).then(|| (sum / count, count))
        };
        let ((own, questions), (rest, others)) = (mean(true)?, mean(false)?);
        let (mut influence, mut is_of_slice) = (vec![0.0; clusters.count], vec![false; clusters.count]);
        for (question, &cluster) in clusters.of_question.iter().enumerate() {
            if is_inside[question] {
                is_of_slice[cluster] = true;
                influence[cluster] += (scores[question] - own) / questions;
            } else {
                influence[cluster] -= (scores[question] - rest) / others;
            }
        }
        let groups = is_of_slice.iter().filter(|is| **is).count() as f64;
        if groups < 2.0 {
            return None;
        }
        let variance = influence.iter().map(|of_cluster: &f64| of_cluster.powi(2)).sum::<f64>() * groups
            / (groups - 1.0);
        let difference = own - rest;
        let p_value = if variance > 0.0 {
            let t = StudentsT::new(0.0, 1.0, groups - 1.0).expect("two clusters leave a degree of freedom");
            (2.0 * t.cdf(-difference.abs() / variance.sqrt())).min(1.0)
        } else {
            f64::from(u8::from(difference.abs() <= 0.0))
        };
        Some(Self { difference, p_value })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn contrast(clusters: &[u32], scores: &[f64], slice: &[usize]) -> Option<Contrast> {
        Contrast::with_the_rest(clusters, scores, &[slice.to_vec()]).remove(0)
    }

    #[test]
    fn one_question_a_cluster_is_welchs_test_but_for_its_degrees_of_freedom() {
        let scores = [1.0, 0.0, 1.0, 1.0, 0.0, 0.5, 0.25, 0.0];
        let clusters: Vec<u32> = (0..8).collect();
        let found = contrast(&clusters, &scores, &[0, 1, 2, 3]).unwrap();
        // Means 0.75 and 0.1875; sums of squares 0.75 and 0.171875, over 16, times 4 / 3.
        let t: f64 = 0.5625 / ((0.75 + 0.171_875) / 16.0 * 4.0 / 3.0_f64).sqrt();
        let expected = 2.0 * StudentsT::new(0.0, 1.0, 3.0).unwrap().cdf(-t);
        assert!(
            (found.difference - 0.5625).abs() < 1e-12 && (found.p_value - expected).abs() < 1e-12,
            "{found:?}"
        );
    }

    #[test]
    fn questions_that_repeat_each_other_count_once() {
        let copied = |copies: usize| {
            let of = |values: &[f64]| -> Vec<f64> {
                values.iter().flat_map(|value| std::iter::repeat_n(*value, copies)).collect()
            };
            let clusters: Vec<u32> =
                of(&[0.0, 1.0, 2.0, 3.0, 4.0, 5.0]).iter().map(|id| *id as u32).collect();
            let slice: Vec<usize> = (0..3 * copies).collect();
            contrast(&clusters, &of(&[1.0, 0.0, 1.0, 0.0, 0.5, 0.0]), &slice).unwrap()
        };
        assert!((copied(1).p_value - copied(50).p_value).abs() < 1e-9);
    }

    #[test]
    fn what_cannot_be_told_is_not() {
        assert_eq!(contrast(&[], &[], &[]), None);
        assert_eq!(contrast(&[0, 1], &[0.0, 1.0], &[0, 1]), None);
        assert_eq!(contrast(&[0, 1, 1], &[0.0, 1.0, 0.0], &[0]), None);
        let same = contrast(&[0, 1, 2, 3], &[1.0; 4], &[0, 1]).unwrap();
        assert!((same.p_value - 1.0).abs() < 1e-12, "{same:?}");
        let apart = contrast(&[0, 1, 2, 3], &[1.0, 1.0, 0.0, 0.0], &[0, 1]).unwrap();
        assert!(apart.p_value.abs() < 1e-12, "{apart:?}");
    }
}
