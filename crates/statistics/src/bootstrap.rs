//! Means of scores over slices of the questions, with their uncertainty.
//!
//! Questions about one paragraph share its difficulty, so clusters of questions are resampled, never single questions
//! (Efron and Tibshirani 1993, chapter 8). All measures and slices share one set of draws, which depends only on the
//! seed and the number of clusters, so two calls with the same seed and clusters can be compared.

use rayon::prelude::*;

use crate::clusters::Clusters;
use crate::estimate::{Distribution, Estimate};

/// Resamples that are drawn and evaluated together: their counts per cluster and the sums of a slice fit into the CPU's
/// cache.
const BLOCK: usize = 256;

/// The fewest clusters for which a bootstrap is reliable; see [`Bootstrap::estimate`].
const LEAST_CLUSTERS: usize = 40;

/// The settings of a cluster bootstrap.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bootstrap {
    /// How many times the clusters are drawn with replacement.
    pub resamples: usize,
    /// The seed of the draws.
    pub seed: u64,
}

/// What is averaged over questions.
#[derive(Clone, Copy, Debug)]
pub enum Measure<'a> {
    /// A score per question, 0 to 1.
    Score(&'a [f64]),
    /// How much each question gained between two systems: score of `after` minus score of `before`.
    Difference {
        /// Scores of the first system.
        before: &'a [f64],
        /// Scores of the second system.
        after: &'a [f64],
    },
}

impl Measure<'_> {
    fn value(&self, question: usize) -> f64 {
        match self {
            Self::Score(scores) => scores[question],
            Self::Difference { before, after } => after[question] - before[question],
        }
    }

    fn check_length(&self, questions: usize) {
        let lengths = match self {
            Self::Score(scores) => [scores.len(), scores.len()],
            Self::Difference { before, after } => [before.len(), after.len()],
        };
        assert_eq!(lengths, [questions; 2], "one score per question");
    }
}

impl Bootstrap {
    /// 10,000 resamples.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self { resamples: 10_000, seed }
    }

    /// Estimates the mean of each measure over each slice: slices × measures. `clusters` holds any id per question
    /// (such as its paragraph's), a slice the indices of its questions.
    ///
    /// The mean is that of the slice's questions, a ratio of sums over clusters. Its sampling distribution comes from
    /// the bootstrap if at least 40 of the slice's clusters carry information: for a difference, clusters over which it
    /// does not sum to zero; for a score, both 40 clusters with a question below 1 and 40 with one above 0. It is the
    /// expanded percentile distribution of Hesterberg (2015, "What teachers should know about the bootstrap"):
    /// percentiles are moved outward so that a normal mean gets the interval of its t distribution.
    ///
    /// Below 40 it is Student's t with clusters − 1 degrees of freedom on the cluster-robust standard error CR2 (Bell
    /// and McCaffrey 2002), on the logit scale for a score, which keeps the interval within 0 and 1. If all questions
    /// score 0, or all score 1, it is the exact binomial (Clopper and Pearson 1934) with one observation per cluster. A
    /// slice with a single cluster has a mean and no interval; an empty one has the mean 0.
    ///
    /// `cargo run --release -p distilburn-statistics --example coverage` measures how often 95 % intervals contain the
    /// true value.
    ///
    /// # Panics
    ///
    /// If there are no resamples, a measure's length is not that of `clusters`, or a slice names a question that does
    /// not exist.
    #[must_use]
    pub fn estimate(
        self,
        clusters: &[u32],
        measures: &[Measure<'_>],
        slices: &[Vec<usize>],
    ) -> Vec<Vec<Estimate>> {
        assert!(self.resamples > 0, "a bootstrap has resamples");
        for measure in measures {
            measure.check_length(clusters.len());
        }
        let clusters = Clusters::new(clusters);
        let sums: Vec<SliceSums> =
            slices.par_iter().map(|slice| SliceSums::new(&clusters, measures, slice)).collect();
        // One column for each measure of each slice that is resampled.
        let mut resampled = self.resampled_means(clusters.count, &sums).into_iter();
        let mut estimates = Vec::with_capacity(sums.len());
        for slice in &sums {
            let of_slice = slice.columns.iter().map(|column| {
                let means = column
                    .is_resampled
                    .then(|| resampled.next().expect("a column for each resampled measure"));
                column.estimate(slice, means)
            });
            estimates.push(of_slice.collect());
        }
        estimates
    }

    /// The means of every resampled column, sorted.
    fn resampled_means(self, clusters: usize, sums: &[SliceSums]) -> Vec<Vec<f64>> {
        let starts: Vec<usize> = (0..self.resamples).step_by(BLOCK).collect();
        let blocks: Vec<Vec<[f64; BLOCK]>> = starts
            .par_iter()
            .map(|&start| {
                let counts = self.draw_block(clusters, start);
                sums.iter().flat_map(|slice| slice.resample(&counts)).collect()
            })
            .collect();
        let columns = blocks.first().map_or(0, Vec::len);
        let sorted = |column: usize| {
            let mut means: Vec<f64> = blocks.iter().flat_map(|block| block[column]).collect();
            means.truncate(self.resamples);
            // A resample can miss all clusters of a slice; with 40 clusters, one in 10¹⁷ does.
            means.retain(|mean| !mean.is_nan());
            means.sort_unstable_by(f64::total_cmp);
            means
        };
        (0..columns).into_par_iter().map(sorted).collect()
    }

    /// How often each cluster is drawn in each resample of a block: (clusters, BLOCK). A count above 255 has a
    /// probability below 10⁻⁵⁰⁰.
    fn draw_block(self, clusters: usize, start: usize) -> Vec<[u8; BLOCK]> {
        let mut counts = vec![[0_u8; BLOCK]; clusters];
        for resample in start..start + BLOCK {
            let mut random = SplitMix64::keyed(self.seed, resample as u64);
            for _ in 0..clusters {
                let count = &mut counts[random.below(clusters)][resample - start];
                *count = count.saturating_add(1);
            }
        }
        counts
    }
}

/// The part of each cluster in a slice.
struct SliceSums {
    /// The clusters with questions in the slice.
    clusters: Vec<usize>,
    questions: Vec<f64>,
    columns: Vec<Column>,
}

/// One measure of a slice.
struct Column {
    /// The sum of its values in each cluster of the slice.
    sums: Vec<f64>,
    is_score: bool,
    is_resampled: bool,
}

impl SliceSums {
    fn new(clusters: &Clusters, measures: &[Measure<'_>], slice: &[usize]) -> Self {
        let mut questions = vec![0.0; clusters.count];
        let mut sums = vec![vec![0.0; clusters.count]; measures.len()];
        for &question in slice {
            let cluster = clusters.of_question[question];
            questions[cluster] += 1.0;
            for (sums, measure) in sums.iter_mut().zip(measures) {
                sums[cluster] += measure.value(question);
            }
        }
        let present: Vec<usize> = (0..clusters.count).filter(|&cluster| questions[cluster] > 0.0).collect();
        let of_present = |values: &[f64]| -> Vec<f64> { present.iter().map(|&c| values[c]).collect() };
        let questions = of_present(&questions);
        let columns = sums
            .iter()
            .zip(measures)
            .map(|(sums, measure)| Column::new(of_present(sums), &questions, measure));
        Self { columns: columns.collect(), questions, clusters: present }
    }

    /// The means of the resampled columns in a block of resamples; NaN if a resample has no question of the slice.
    fn resample(&self, counts: &[[u8; BLOCK]]) -> Vec<[f64; BLOCK]> {
        let columns: Vec<&[f64]> = self
            .columns
            .iter()
            .filter(|column| column.is_resampled)
            .map(|column| column.sums.as_slice())
            .collect();
        if columns.is_empty() {
            return Vec::new();
        }
        let mut questions = [0.0; BLOCK];
        let mut means = vec![[0.0; BLOCK]; columns.len()];
        for (index, &cluster) in self.clusters.iter().enumerate() {
            let counts = counts[cluster].map(f64::from);
            add_scaled(&mut questions, &counts, self.questions[index]);
            for (means, sums) in means.iter_mut().zip(&columns) {
                add_scaled(means, &counts, sums[index]);
            }
        }
        for mean in &mut means {
            for (mean, questions) in mean.iter_mut().zip(&questions) {
                *mean /= questions;
            }
        }
        means
    }
}

fn add_scaled(total: &mut [f64; BLOCK], counts: &[f64; BLOCK], value: f64) {
    for (total, count) in total.iter_mut().zip(counts) {
        *total += count * value;
    }
}

impl Column {
    fn new(sums: Vec<f64>, questions: &[f64], measure: &Measure<'_>) -> Self {
        let is_score = matches!(measure, Measure::Score(_));
        let informative = if is_score {
            let above_zero = sums.iter().filter(|sum| **sum > 0.0).count();
            let below_one = sums.iter().zip(questions).filter(|(sum, questions)| sum < questions).count();
            above_zero.min(below_one)
        } else {
            sums.iter().filter(|sum| **sum != 0.0).count()
        };
        Self { is_resampled: informative >= LEAST_CLUSTERS, sums, is_score }
    }

    fn estimate(&self, slice: &SliceSums, resampled: Option<Vec<f64>>) -> Estimate {
        let (clusters, questions) = (slice.clusters.len(), slice.questions.iter().sum::<f64>());
        let mean = if questions > 0.0 { self.sums.iter().sum::<f64>() / questions } else { 0.0 };
        let standard_error = (clusters > 1).then(|| {
            // CR2 of a mean: a cluster's residuals are divided by √(1 - its share of the questions).
            let of_cluster =
                |(sum, size): (&f64, &f64)| (sum - mean * size).powi(2) / (1.0 - size / questions);
            self.sums.iter().zip(&slice.questions).map(of_cluster).sum::<f64>().sqrt() / questions
        });
        let standard_error = standard_error.filter(|error| error.is_finite());
        let distribution = match (resampled, standard_error) {
            (_, None) => Distribution::Unknown,
            (Some(means), _) => Distribution::Resampled(means),
            (None, Some(_)) if self.is_score && (mean <= 0.0 || mean >= 1.0) => Distribution::Binomial,
            (None, Some(error)) if self.is_score => Distribution::LogitT(error / (mean * (1.0 - mean))),
            (None, Some(error)) => Distribution::T(error),
        };
        Estimate { questions: questions as usize, clusters, mean, standard_error, distribution }
    }
}

/// splitmix64 (Steele, Lea and Flood 2014). It is `squad`'s generator, which a crate of the same layer cannot use.
struct SplitMix64 {
    state: u64,
}

impl SplitMix64 {
    /// A separate stream for each resample, so that draws do not depend on the number of threads.
    fn keyed(seed: u64, resample: u64) -> Self {
        let mixed = Self { state: seed }.next_u64();
        Self { state: Self { state: mixed ^ resample }.next_u64() }
    }

    fn next_u64(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number in `0..bound`; biased by less than `bound` / 2⁶⁴ (Lemire 2019).
    fn below(&mut self, bound: usize) -> usize {
        ((u128::from(self.next_u64()) * bound as u128) >> 64) as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::estimate::{Equivalence, Interval};

    const FEW: Bootstrap = Bootstrap { resamples: 500, seed: 3 };

    /// From 0 to 0.9, in no order.
    fn scores(questions: usize) -> Vec<f64> {
        (0..questions).map(|question| (question * 7 % 10) as f64 / 10.0).collect()
    }

    fn one(clusters: &[u32], measure: Measure<'_>) -> Estimate {
        FEW.estimate(clusters, &[measure], &[(0..clusters.len()).collect()])[0].remove(0)
    }

    fn of_two(questions: usize) -> Vec<u32> {
        (0..questions as u32).map(|question| question / 2).collect()
    }

    #[test]
    fn a_lone_cluster_has_a_mean_and_no_interval() {
        for clusters in [vec![9], vec![9; 3]] {
            let found = one(&clusters, Measure::Score(&scores(clusters.len())));
            assert_eq!((found.questions, found.clusters), (clusters.len(), 1));
            assert_eq!((found.standard_error, found.interval(0.95)), (None, None));
            assert_eq!((found.p_value(), found.equivalence(0.1)), (None, None));
        }
    }

    #[test]
    fn no_questions_and_an_empty_slice_have_mean_0_and_no_interval() {
        let found = &FEW.estimate(&of_two(100), &[Measure::Score(&scores(100))], &[vec![]])[0][0];
        assert_eq!((found.questions, found.mean.to_bits(), found.interval(0.95)), (0, 0, None));
        assert_eq!(one(&[], Measure::Score(&[])).interval(0.95), None);
    }

    #[test]
    fn nothing_wrong_and_nothing_right_leave_room_for_one_cluster_in_n() {
        for clusters in [24, 100] {
            let ids = of_two(2 * clusters);
            let chance = 0.025_f64.powf(1.0 / clusters as f64);
            let right = one(&ids, Measure::Score(&vec![1.0; ids.len()])).interval(0.95);
            assert_eq!(right, Some(Interval { low: chance, high: 1.0 }));
            let wrong = one(&ids, Measure::Score(&vec![0.0; ids.len()])).interval(0.95).unwrap();
            assert!(wrong.low.abs() < f64::EPSILON && (wrong.high - (1.0 - chance)).abs() < f64::EPSILON);
        }
    }

    #[test]
    fn a_system_against_itself_differs_by_exactly_nothing() {
        let scores = scores(200);
        let found = one(&of_two(200), Measure::Difference { before: &scores, after: &scores });
        assert_eq!(found.interval(0.95), Some(Interval { low: 0.0, high: 0.0 }));
        assert_eq!(found.p_value(), Some(1.0));
        assert_eq!(found.equivalence(0.01).map(|found| found.p_value), Some(0.0));
    }

    #[test]
    fn p_value_and_equivalence_agree_with_their_intervals() {
        for questions in [60, 400] {
            for shift in 0..20 {
                let before = scores(questions);
                let after: Vec<f64> = (0..questions)
                    .map(|question| before[question] * 0.5 + ((question / 2 * 13 + shift) % 17) as f64 / 32.0)
                    .collect();
                let found = one(&of_two(questions), Measure::Difference { before: &before, after: &after });
                let without_zero = |interval: Interval| interval.low > 0.0 || interval.high < 0.0;
                let p_value = found.p_value().unwrap();
                assert_eq!(p_value < 0.05, without_zero(found.interval(0.95).unwrap()), "{p_value}");
                let margin = 0.02 + 0.01 * f64::from(shift as u32);
                let Equivalence { interval, p_value } = found.equivalence(margin).unwrap();
                assert_eq!(p_value < 0.05, interval.low > -margin && interval.high < margin, "{p_value}");
            }
        }
    }

    #[test]
    fn draws_are_the_same_on_any_number_of_threads_and_beside_any_other_measures() {
        let (clusters, scores) = (of_two(300), scores(300));
        let all = vec![(0..300).collect::<Vec<_>>(), (0..200).collect()];
        let on = |threads, measures: &[Measure<'_>], slices: &[Vec<usize>]| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| FEW.estimate(&clusters, measures, slices)[0][0].interval(0.95))
        };
        let alone = on(1, &[Measure::Score(&scores)], &all[..1]);
        assert!(alone.is_some());
        let lost = Measure::Difference { before: &scores, after: &vec![0.0; 300] };
        assert_eq!(on(3, &[Measure::Score(&scores), lost], &all), alone);
    }

    #[test]
    fn not_a_number_gives_no_interval() {
        for questions in [20, 200] {
            let mut scores = scores(questions);
            scores[3] = f64::NAN;
            let found = one(&of_two(questions), Measure::Score(&scores));
            assert!(found.mean.is_nan());
            assert_eq!(found.interval(0.95), None);
        }
    }

    #[test]
    fn many_questions_in_clusters_of_their_own_are_one_more_size() {
        let clusters: Vec<u32> = (0..100_000).collect();
        let found = Bootstrap { resamples: 40, seed: 1 }.estimate(
            &clusters,
            &[Measure::Score(&scores(clusters.len()))],
            &[(0..clusters.len()).collect()],
        );
        let interval = found[0][0].interval(0.9).unwrap();
        assert!(interval.low < 0.45 && 0.45 < interval.high && interval.high - interval.low < 0.01);
    }
}
