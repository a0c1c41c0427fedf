//! `compare`: whether one model is better than another, question by question.

mod html;
mod sides;
mod words;

use analysis::slices::{self, Slice};
use serde_json::{Value, json};
use statistics::{Bootstrap, Estimate, Flips, Interval, Measure, holm};

use self::sides::{Questions, Run, Side, read};
use self::words::points;
use crate::Error;
use crate::cli::CompareOptions;
use crate::gate::SEED;

/// Seed of intervals and tests.
const LEVEL: f64 = 0.95;
/// From this many articles on, an interval that resamples articles is shown too.
const LEAST_ARTICLES: usize = 20;
/// A slice with fewer questions is too small to say anything about.
const LEAST_IN_SLICE: usize = 20;

/// `distilburn compare A B`
pub(crate) fn print(options: &CompareOptions) -> Result<(), Error> {
    if let Some(path) = &options.html {
        let ending = path.extension().and_then(|ending| ending.to_str()).unwrap_or_default();
        if !["html", "htm"].contains(&ending) {
            return Err(Error::NotHtml { path: path.clone() });
        }
    }
    let (questions, sides) = read(options)?;
    let (first, others) = sides.split_first().expect("the command line has at least two");
    let comparisons: Vec<Comparison> =
        others.iter().map(|other| Comparison::new(&questions, first, other)).collect();
    let text = if options.json {
        let compared: Vec<Value> = comparisons.iter().map(Comparison::to_json).collect();
        format!(
            "{:#}\n",
            json!({ "questions": questions.ids.len(), "of": questions.what, "comparisons": compared })
        )
    } else {
        comparisons.iter().map(|comparison| comparison.to_text(&questions)).collect::<Vec<_>>().join("\n")
    };
    stage::print(&text)?;
    if let Some(path) = &options.html {
        fs_err::write(path, html::page(&questions, &comparisons))?;
    }
    let Some(margin) = options.fail_if_worse else { return Ok(()) };
    for comparison in &comparisons {
        let difference = 100.0 * comparison.f1.difference.mean;
        // The decision uses the same two digits as the output.
        if (difference * 100.0).round() < -(margin * 100.0).round() {
            let interval = comparison.f1.difference.interval(LEVEL);
            return Err(Error::Worse {
                before: comparison.before.clone(),
                lost: format!("{:.2}", -difference),
                margin: format!("{margin}"),
                interval: interval.map_or_else(String::new, |interval| {
                    format!(", 95 % interval of the difference {}", points(interval))
                }),
            });
        }
    }
    Ok(())
}

/// A score of both sides and how much it changed.
struct Change {
    before: Estimate,
    after: Estimate,
    difference: Estimate,
}

struct OfSlice {
    slice: Slice,
    f1: Change,
    /// Corrected for the number of slices.
    p_value: f64,
}

struct Comparison {
    before: String,
    after: String,
    spreads: [Option<(f64, f64)>; 2],
    differs: Vec<String>,
    is_same: bool,
    exact_match: Change,
    f1: Change,
    /// The interval with articles resampled, if there are enough.
    f1_by_article: Option<Interval>,
    flips: Option<Flips>,
    slices: Vec<OfSlice>,
}

impl Comparison {
    /// Of the difference in exact match: the exact McNemar test, or of several runs, whose means are no longer right or wrong,
    /// as for F1.
    fn exact_match_p_value(&self) -> Option<f64> {
        self.flips
            .map_or_else(|| self.exact_match.difference.p_value(), |flips| Some(flips.mcnemar_p_value()))
    }

    fn new(questions: &Questions, before: &Side, after: &Side) -> Self {
        let scores = |side: &Side| [side.mean(|run| &run.exact_match), side.mean(|run| &run.f1)];
        let ([em_before, f1_before], [em_after, f1_after]) = (scores(before), scores(after));
        let mut members = slices::members(questions.slices.iter().map(Vec::as_slice));
        members.retain(|(slice, members)| {
            let is_told_apart = members.len() >= LEAST_IN_SLICE && members.len() < questions.ids.len();
            slice.slicing != "article" && is_told_apart
        });
        let mut sliced: Vec<Vec<usize>> = vec![(0..questions.ids.len()).collect()];
        sliced.extend(members.iter().map(|(_, members)| members.clone()));
        let measures = [
            Measure::Score(&em_before),
            Measure::Score(&em_after),
            Measure::Difference { before: &em_before, after: &em_after },
            Measure::Score(&f1_before),
            Measure::Score(&f1_after),
            Measure::Difference { before: &f1_before, after: &f1_after },
        ];
        let bootstrap = Bootstrap::new(SEED);
        let mut estimates = bootstrap.estimate(&questions.contexts, &measures, &sliced).into_iter();
        let change = |of: &[Estimate]| Change {
            before: of[0].clone(),
            after: of[1].clone(),
            difference: of[2].clone(),
        };
        let all = estimates.next().expect("the first slice holds everything");
        let of_slices: Vec<Change> = estimates.map(|estimates| change(&estimates[3..])).collect();
        let p_values: Vec<f64> = of_slices.iter().map(|of| of.difference.p_value().unwrap_or(1.0)).collect();
        let of_slices = members.iter().zip(of_slices).zip(holm(&p_values));
        let f1_by_article = questions.articles.as_ref().and_then(|articles| {
            let estimate = bootstrap.estimate(articles, &measures[5..], &sliced[..1]).remove(0).remove(0);
            estimate.interval(LEVEL).filter(|_| estimate.clusters >= LEAST_ARTICLES)
        });
        let single = before.runs.len() == 1 && after.runs.len() == 1;
        Self {
            before: before.name(),
            after: after.name(),
            spreads: [before.spread(), after.spread()],
            differs: differences(&before.runs[0], &after.runs[0]),
            is_same: single && before.runs[0].answers == after.runs[0].answers,
            exact_match: change(&all[..3]),
            f1: change(&all[3..]),
            f1_by_article,
            flips: single.then(|| Flips::count(&em_before, &em_after)),
            slices: of_slices
                .map(|(((slice, _), f1), p_value)| OfSlice { slice: slice.clone(), f1, p_value })
                .collect(),
        }
    }
}

/// What differs in how two runs were made: settings, data and code, stage by stage.
fn differences(before: &Run, after: &Run) -> Vec<String> {
    let stages = stage::STAGES.iter().filter_map(|stage| {
        let (old, new) = (before.made_from.get(stage.name)?, after.made_from.get(stage.name)?);
        Some((stage.name, stage::differences(old, new)))
    });
    let own = stages.flat_map(|(stage, found)| {
        // A different input artifact follows from the differences inside it.
        let is_upstream = |text: &String| {
            stage::STAGES.iter().any(|stage| text.starts_with(&format!("input {}:", stage.name)))
        };
        found.into_iter().filter(move |text| !is_upstream(text)).map(move |text| format!("{stage}: {text}"))
    });
    own.collect()
}
