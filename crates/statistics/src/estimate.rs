//! A mean with its sampling distribution. Intervals, p-values and equivalence tests all use this distribution, so they
//! agree with one another.

use statrs::distribution::{ContinuousCDF as _, Normal, StudentsT};

/// The mean of a measure over a slice, in the measure's own unit: a fraction, not per cent.
#[derive(Clone, Debug)]
pub struct Estimate {
    /// How many questions the slice has.
    pub questions: usize,
    /// How many clusters these are from.
    pub clusters: usize,
    /// 0 if there are no questions.
    pub mean: f64,
    /// Cluster-robust (CR2); `None` below two clusters.
    pub standard_error: Option<f64>,
    pub(crate) distribution: Distribution,
}

/// How far the true mean may be from the estimate.
#[derive(Clone, Debug)]
pub(crate) enum Distribution {
    /// Below two clusters, or not finite.
    Unknown,
    /// Student's t with this standard error.
    T(f64),
    /// Student's t on the logit of the mean, with this standard error there.
    LogitT(f64),
    /// All questions score 0 or all 1: exact binomial with one observation per cluster.
    Binomial,
    /// Means of bootstrap resamples, sorted.
    Resampled(Vec<f64>),
}

/// A range, including both ends.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Interval {
    /// The lower end.
    pub low: f64,
    /// The upper end.
    pub high: f64,
}

/// Two one-sided tests that a difference is within a margin (Schuirmann 1987).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Equivalence {
    /// The 90 % interval: it is within the margin if `p_value` is at most 0.05.
    pub interval: Interval,
    /// The larger of the two one-sided p-values.
    pub p_value: f64,
}

impl Estimate {
    /// The two-sided interval at a level such as 0.95; `None` below two clusters.
    #[must_use]
    pub fn interval(&self, level: f64) -> Option<Interval> {
        let tail = (1.0 - level) / 2.0;
        Some(Interval { low: self.quantile(tail)?, high: self.quantile(1.0 - tail)? })
    }

    /// The two-sided p-value of "the difference is zero", for a [`crate::Measure::Difference`]: at most 0.05 if the 95
    /// % interval excludes zero. With a bootstrap it is twice the smaller tail (c + 1) / (n + 1), where c of n
    /// resamples are on the other side of zero (Davison and Hinkley 1997, section 4.2); it is moved outward like the
    /// interval.
    #[must_use]
    pub fn p_value(&self) -> Option<f64> {
        let (at_most, at_least) = self.tails(0.0)?;
        Some((2.0 * at_most.min(at_least)).min(1.0))
    }

    /// Whether a difference is strictly between −`margin` and `margin`.
    #[must_use]
    pub fn equivalence(&self, margin: f64) -> Option<Equivalence> {
        let (below, _) = self.tails(-margin)?;
        let (_, above) = self.tails(margin)?;
        Some(Equivalence { interval: self.interval(0.9)?, p_value: below.max(above) })
    }

    fn quantile(&self, probability: f64) -> Option<f64> {
        match &self.distribution {
            Distribution::Unknown => None,
            Distribution::T(error) => Some(self.mean + error * self.t().inverse_cdf(probability)),
            Distribution::LogitT(error) => {
                let logit = (self.mean / (1.0 - self.mean)).ln();
                Some(1.0 / (1.0 + (-logit - error * self.t().inverse_cdf(probability)).exp()))
            }
            Distribution::Binomial => Some(self.binomial_quantile(probability)),
            Distribution::Resampled(means) => {
                let outward = Normal::standard().cdf(self.inflation() * self.t().inverse_cdf(probability));
                Some(quantile_of(means, outward))
            }
        }
    }

    /// The share of the distribution of a difference at or below `value`, and the share at or above it: the one-sided
    /// p-values against "the true difference is at most `value`", and "at least `value`".
    fn tails(&self, value: f64) -> Option<(f64, f64)> {
        match &self.distribution {
            Distribution::Resampled(means) => {
                let inward = |count: usize| {
                    let tail = (count + 1) as f64 / (means.len() + 1) as f64;
                    if count == means.len() {
                        1.0
                    } else {
                        self.t().cdf(Normal::standard().inverse_cdf(tail) / self.inflation())
                    }
                };
                let below = means.partition_point(|mean| *mean < value);
                let at_most = means.partition_point(|mean| *mean <= value);
                Some((inward(at_most), inward(means.len() - below)))
            }
            // No answer differs, or all differ by the same amount.
            Distribution::T(error) if *error <= 0.0 => {
                Some((f64::from(u8::from(self.mean <= value)), f64::from(u8::from(self.mean >= value))))
            }
            Distribution::T(error) => {
                let t = (value - self.mean) / error;
                Some((self.t().cdf(t), self.t().cdf(-t)))
            }
            Distribution::Unknown | Distribution::LogitT(_) | Distribution::Binomial => None,
        }
    }

    /// The bounds of Clopper and Pearson for no successes, and for only successes, with one trial per cluster.
    fn binomial_quantile(&self, probability: f64) -> f64 {
        let trials = self.clusters as f64;
        let all_right =
            |probability: f64| if probability < 0.5 { probability.powf(1.0 / trials) } else { 1.0 };
        if self.mean >= 1.0 { all_right(probability) } else { 1.0 - all_right(1.0 - probability) }
    }

    fn t(&self) -> StudentsT {
        StudentsT::new(0.0, 1.0, self.clusters as f64 - 1.0).expect("two clusters leave a degree of freedom")
    }

    /// By how much a bootstrap of few clusters is too narrow: it divides by n, but a variance divides by n - 1.
    fn inflation(&self) -> f64 {
        let clusters = self.clusters as f64;
        (clusters / (clusters - 1.0)).sqrt()
    }
}

/// The quantile at rank probability × (n + 1), interpolated between ranks: it excludes a value if that value's tail (c
/// + 1) / (n + 1) is below the probability.
fn quantile_of(sorted: &[f64], probability: f64) -> f64 {
    let last = sorted.len() - 1;
    let rank = (probability * (sorted.len() + 1) as f64 - 1.0).clamp(0.0, last as f64);
    let (low, fraction) = (rank as usize, rank.fract());
    sorted[low] + fraction * (sorted[(low + 1).min(last)] - sorted[low])
}
