//! The numbers of the report: slices with intervals and tests, categories, calibration.

use analysis::EvaluatedQuestion;
use analysis::categories::Category;
use analysis::slices::{Slice, members};
use artifact::{Interval, ScoreWithInterval, SliceRow};
use statistics::{
    Bin, Bootstrap, Contrast, Estimate, Measure, Reliability, RiskCoverage, brier_score, holm, reliability,
    risk_coverage,
};

/// Of the resamples behind intervals; that of evaluate.
const SEED: u64 = 0;
/// Of intervals.
const LEVEL: f64 = 0.95;
/// Corrected p-values up to this one are significant.
pub(crate) const ALPHA: f64 = 1.0 - LEVEL;
/// Questions below which a slice is too small to be tested.
pub(crate) const LEAST_IN_SLICE: usize = 20;
/// Slices that are estimated at once: the means of their resamples are kept until then.
const AT_ONCE: usize = 128;

/// Of everything that is shown.
pub(crate) struct Figures {
    /// All questions first, then the slices in the order of a table.
    pub slices: Vec<ScoredSlice>,
    /// Errors of each category that occurs.
    pub categories: Vec<(Category, u64)>,
    pub reliability: Reliability,
    /// Before calibration.
    pub uncalibrated: Reliability,
    pub brier: f64,
    /// Exact match against confidence.
    pub risk_coverage: RiskCoverage,
}

/// A slice, its questions and its scores.
pub(crate) struct ScoredSlice {
    pub members: Vec<usize>,
    pub row: SliceRow,
}

impl ScoredSlice {
    /// Whether it is significantly worse than the other questions.
    pub fn is_worse(&self) -> bool {
        self.row.difference_from_rest.is_some_and(|difference| difference < 0.0)
            && self.row.p_value_of_rest.is_some_and(|p_value| p_value <= ALPHA)
    }
}

impl Figures {
    pub fn new(questions: &[EvaluatedQuestion]) -> Self {
        let confidences: Vec<f64> = questions.iter().map(|question| question.confidence).collect();
        let uncalibrated: Vec<f64> = questions.iter().map(|question| question.uncalibrated).collect();
        let exact_match: Vec<f64> =
            questions.iter().map(|question| question.prediction.exact_match).collect();
        let of =
            |category| questions.iter().filter(|question| question.category == Some(category)).count() as u64;
        let counts = Category::ALL.map(|category| (category, of(category)));
        Self {
            slices: slices(questions),
            categories: counts.into_iter().filter(|(_, count)| *count > 0).collect(),
            reliability: reliability(&confidences, &exact_match),
            uncalibrated: reliability(&uncalibrated, &exact_match),
            brier: brier_score(&confidences, &exact_match),
            risk_coverage: risk_coverage(&confidences, &exact_match),
        }
    }

    /// Of all questions.
    pub fn all(&self) -> &SliceRow {
        &self.slices[0].row
    }

    /// How many answers are wrong.
    pub fn wrong(&self) -> u64 {
        self.categories.iter().map(|(_, count)| count).sum()
    }

    /// Mean confidence and the share of exact answers, 0 to 1.
    pub fn confidence_and_accuracy(&self) -> (f64, f64) {
        let bins = &self.reliability.bins;
        let count: f64 = bins.iter().map(|bin| bin.count as f64).sum();
        let mean = |of: fn(&Bin) -> f64| {
            bins.iter().map(|bin| bin.count as f64 * of(bin)).sum::<f64>() / count.max(1.0)
        };
        (mean(|bin| bin.confidence), mean(|bin| bin.accuracy))
    }

    /// The slices of one slicing.
    pub fn of_slicing(&self, slicing: &str) -> impl Iterator<Item = &ScoredSlice> {
        self.slices.iter().filter(move |slice| slice.row.slicing == slicing)
    }

    /// Slices that are significantly worse than the other questions, worst first. Articles are left out, and of slices that
    /// hold the same questions all but the first.
    pub fn worst(&self) -> Vec<&ScoredSlice> {
        let is_kind = |slice: &&ScoredSlice| slice.row.slicing != "article" && slice.is_worse();
        let mut worst: Vec<&ScoredSlice> = Vec::new();
        for slice in self.slices.iter().filter(is_kind) {
            if !worst.iter().any(|other| other.members == slice.members) {
                worst.push(slice);
            }
        }
        worst.sort_by(|a, b| a.row.f1.mean.total_cmp(&b.row.f1.mean));
        worst
    }
}

fn slices(questions: &[EvaluatedQuestion]) -> Vec<ScoredSlice> {
    let all = Slice { slicing: String::new(), value: String::new() };
    let mut sliced = vec![(all, (0..questions.len()).collect())];
    sliced.extend(members(questions.iter().map(|question| question.slices.as_slice())));
    let column = |of: fn(&EvaluatedQuestion) -> f64| questions.iter().map(of).collect::<Vec<f64>>();
    let clusters: Vec<u32> = questions.iter().map(|question| question.context_id).collect();
    let [exact_match, f1, base_exact_match, base_f1] = [
        column(|question| question.prediction.exact_match),
        column(|question| question.prediction.f1),
        column(|question| question.base.exact_match),
        column(|question| question.base.f1),
    ];
    let measures = [
        Measure::Score(&exact_match),
        Measure::Score(&f1),
        Measure::Score(&base_exact_match),
        Measure::Score(&base_f1),
        Measure::Difference { before: &base_f1, after: &f1 },
    ];
    let members: Vec<Vec<usize>> = sliced.iter().map(|(_, members)| members.clone()).collect();
    let mut rows = Vec::with_capacity(sliced.len());
    for (names, members) in sliced.chunks(AT_ONCE).zip(members.chunks(AT_ONCE)) {
        // The draws depend on the seed alone, so that chunks can be compared.
        let estimates = Bootstrap::new(SEED).estimate(&clusters, &measures, members);
        rows.extend(names.iter().zip(estimates).map(|((slice, members), estimates)| SliceRow {
            slicing: slice.slicing.clone(),
            value: slice.value.clone(),
            questions: members.len() as u64,
            exact_match: score(&estimates[0]),
            f1: score(&estimates[1]),
            base_exact_match: score(&estimates[2]),
            base_f1: score(&estimates[3]),
            p_value_of_gain: estimates[4].p_value(),
            difference_from_rest: None,
            p_value_of_rest: None,
        }));
    }
    let contrasts = Contrast::with_the_rest(&clusters, &f1, &members);
    for (row, contrast) in rows.iter_mut().zip(contrasts) {
        row.difference_from_rest = contrast.map(|contrast| 100.0 * contrast.difference);
        row.p_value_of_rest = contrast.map(|contrast| contrast.p_value);
    }
    correct(&mut rows, questions.len());
    rows.into_iter().zip(members).map(|(row, members)| ScoredSlice { members, row }).collect()
}

fn score(estimate: &Estimate) -> ScoreWithInterval {
    let percent =
        |interval: statistics::Interval| Interval { low: 100.0 * interval.low, high: 100.0 * interval.high };
    ScoreWithInterval { mean: 100.0 * estimate.mean, interval: estimate.interval(LEVEL).map(percent) }
}

/// Corrects the p-values for the number of slices, articles and others apart, and takes them away where a slice is too
/// small or holds everything. The row of all questions keeps its own.
fn correct(rows: &mut [SliceRow], questions: usize) {
    let is_tested = |row: &SliceRow| {
        let of_slice = row.questions as usize;
        of_slice >= LEAST_IN_SLICE && questions - of_slice >= LEAST_IN_SLICE
    };
    for row in rows.iter_mut().filter(|row| !row.slicing.is_empty() && !is_tested(row)) {
        (row.p_value_of_gain, row.p_value_of_rest) = (None, None);
    }
    let columns: [fn(&mut SliceRow) -> &mut Option<f64>; 2] =
        [|row| &mut row.p_value_of_gain, |row| &mut row.p_value_of_rest];
    for column in columns {
        for are_articles in [false, true] {
            let mut family: Vec<&mut f64> = rows
                .iter_mut()
                .filter(|row| !row.slicing.is_empty() && (row.slicing == "article") == are_articles)
                .filter_map(|row| column(row).as_mut())
                .collect();
            let corrected = holm(&family.iter().map(|p_value| **p_value).collect::<Vec<_>>());
            family.iter_mut().zip(corrected).for_each(|(p_value, corrected)| **p_value = corrected);
        }
    }
}
