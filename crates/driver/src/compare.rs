//! `compare`: whether one model is better than another, question by question.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::{Path, PathBuf};

use analysis::slices::{SLICINGS, Slice, SlicedQuestion, slices};
use artifact::SplitName;
use serde_json::{Value, json};
use squad::{F1Units, LabelledAnswer, Rules, Scoring};
use stage::Workspace;
use statistics::{Bootstrap, Estimate, Flips, Interval, Measure, holm};

use crate::Error;
use crate::cli::CompareOptions;
use crate::evaluations::Evaluation;
use crate::gate::SEED;
use crate::score;
use crate::table::{columns, grouped, p_text};

/// Of intervals and tests.
const LEVEL: f64 = 0.95;
/// Articles from which on an interval that resamples them is shown too.
const LEAST_ARTICLES: usize = 20;
/// Questions below which a slice is too small to say anything about.
const LEAST_IN_SLICE: usize = 20;

/// The questions that all sides answered.
struct Questions {
    what: String,
    ids: Vec<String>,
    ground_truths: Vec<Vec<String>>,
    /// A number for each context.
    contexts: Vec<u32>,
    /// A number for each article; none where a question has no title.
    articles: Option<Vec<u32>>,
    slices: Vec<Vec<Slice>>,
}

/// One run's answers to them, in their order. Scores are 0 to 1.
struct Run {
    name: String,
    answers: Vec<String>,
    exact_match: Vec<f64>,
    f1: Vec<f64>,
    /// Stage → what its fingerprint was made from; empty for a file of predictions.
    made_from: BTreeMap<String, Value>,
}

/// Runs that differ in their seed alone, or a single one.
struct Side {
    runs: Vec<Run>,
}

/// `distilburn compare A B`
pub(crate) fn print(options: &CompareOptions) -> Result<(), Error> {
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
    let Some(margin) = options.fail_if_worse else { return Ok(()) };
    for comparison in &comparisons {
        let difference = 100.0 * comparison.f1.difference.mean;
        // What is printed with two digits decides with as many.
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

/// Every side, with the questions that they share.
fn read(options: &CompareOptions) -> Result<(Questions, Vec<Side>), Error> {
    let workspace = Workspace::open(&options.common.settings, &[])?;
    let mut questions = match &options.dataset {
        Some(path) => Some(of_dataset(path)?),
        None => None,
    };
    let mut sides = Vec::new();
    for named in &options.sides {
        let mut runs = Vec::new();
        for named in named.split(',').filter(|named| !named.is_empty()).map(PathBuf::from) {
            let run = if named.is_file() {
                let (Some(questions), Some(dataset)) = (&questions, &options.dataset) else {
                    return Err(Error::NeedsDataset { path: named });
                };
                of_predictions(&named, dataset, questions, options.f1_units)?
            } else {
                let evaluation = Evaluation::find(&workspace, Some(&named), "compare")?;
                let split = options.split.unwrap_or_else(|| evaluation.split());
                let (own, run) = of_evaluation(&workspace, &evaluation, split)?;
                match &questions {
                    None => questions = Some(own),
                    Some(questions) => check_same(questions, &own, &run.name)?,
                }
                run
            };
            runs.push(run);
        }
        sides.push(Side { runs });
    }
    Ok((questions.expect("every side has at least one run"), sides))
}

/// The questions of a data set, each in a slice of every slicing but the number of windows, which nobody knows here.
fn of_dataset(path: &Path) -> Result<Questions, Error> {
    let mut questions = Questions {
        what: format!("questions of {}", path.display()),
        ids: Vec::new(),
        ground_truths: Vec::new(),
        contexts: Vec::new(),
        articles: Some(Vec::new()),
        slices: Vec::new(),
    };
    let (mut contexts, mut titles) = (BTreeMap::new(), BTreeMap::new());
    for question in score::questions(path)? {
        let labelled: Vec<LabelledAnswer<'_>> = question
            .answers
            .iter()
            .map(|answer| LabelledAnswer { start: answer.answer_start.unwrap_or(-1), text: &answer.text })
            .collect();
        let of_question = slices(&SlicedQuestion {
            question: &question.question,
            context: &question.context,
            ground_truths: &labelled,
            windows: 0,
            article: &question.title,
        });
        questions.slices.push(of_question.into_iter().filter(|slice| slice.slicing != "windows").collect());
        questions.ground_truths.push(labelled.iter().map(|answer| answer.text.to_owned()).collect());
        questions.contexts.push(number(&mut contexts, &question.context));
        push_title(&mut questions.articles, &mut titles, &question.title);
        questions.ids.push(question.id);
    }
    Ok(questions)
}

/// The number of a text, the next one where it is new.
fn number(known: &mut BTreeMap<String, u32>, text: &str) -> u32 {
    let next = known.len() as u32;
    *known.entry(text.to_owned()).or_insert(next)
}

fn push_title(articles: &mut Option<Vec<u32>>, titles: &mut BTreeMap<String, u32>, title: &str) {
    if title.is_empty() {
        *articles = None;
    } else if let Some(articles) = articles {
        articles.push(number(titles, title));
    }
}

/// A file of predictions, scored as `score` does.
fn of_predictions(
    path: &Path,
    dataset: &Path,
    questions: &Questions,
    f1_units: F1Units,
) -> Result<Run, Error> {
    let predictions = score::predictions(path)?;
    score::check_ids(&questions.ids, dataset, &predictions, path)?;
    let scoring = Scoring { rules: Rules::of(questions.ground_truths.iter().map(Vec::len)), f1_units };
    let mut run = Run {
        name: path.display().to_string(),
        answers: Vec::new(),
        exact_match: Vec::new(),
        f1: Vec::new(),
        made_from: BTreeMap::new(),
    };
    let mut missing = 0_u64;
    for (id, truths) in questions.ids.iter().zip(&questions.ground_truths) {
        let truths: Vec<&str> = truths.iter().map(String::as_str).collect();
        let prediction = predictions.get(id);
        missing += u64::from(prediction.is_none());
        let score = prediction.map(|prediction| scoring.score(prediction, &truths));
        run.answers.push(prediction.cloned().unwrap_or_default());
        run.exact_match.push(score.map_or(0.0, |score| score.exact_match));
        run.f1.push(score.map_or(0.0, |score| score.f1));
    }
    if missing > 0 {
        tracing::warn!(predictions = %path.display(), missing, "questions without a prediction count 0");
    }
    Ok(run)
}

fn of_evaluation(
    workspace: &Workspace,
    evaluation: &Evaluation,
    split: SplitName,
) -> Result<(Questions, Run), Error> {
    let (evaluated, _) = evaluation.questions(split)?;
    let mut questions = Questions {
        what: format!("{split} questions"),
        ids: Vec::new(),
        ground_truths: Vec::new(),
        contexts: Vec::new(),
        articles: Some(Vec::new()),
        slices: Vec::new(),
    };
    let mut run = Run {
        name: evaluation.name(),
        answers: Vec::new(),
        exact_match: Vec::new(),
        f1: Vec::new(),
        made_from: evaluation.made_from(workspace),
    };
    let mut titles = BTreeMap::new();
    for question in evaluated {
        questions.ids.push(question.id);
        questions.ground_truths.push(question.ground_truths.into_iter().map(|(text, _)| text).collect());
        questions.contexts.push(question.context_id);
        push_title(&mut questions.articles, &mut titles, &question.article);
        questions.slices.push(question.slices);
        run.answers.push(question.prediction.prediction_text);
        run.exact_match.push(question.prediction.exact_match);
        run.f1.push(question.prediction.f1);
    }
    Ok((questions, run))
}

/// Refuses other questions, or the same with other answers.
fn check_same(questions: &Questions, own: &Questions, name: &str) -> Result<(), Error> {
    let refused =
        |reason: String| Err(Error::NotComparable { a: questions.what.clone(), b: name.to_owned(), reason });
    if questions.ids.len() != own.ids.len() {
        return refused(format!("{} questions against {}", questions.ids.len(), own.ids.len()));
    }
    if let Some(at) = (0..own.ids.len()).find(|&at| questions.ids[at] != own.ids[at]) {
        return refused(format!("question {} is {:?} against {:?}", at + 1, questions.ids[at], own.ids[at]));
    }
    match (0..own.ids.len()).find(|&at| questions.ground_truths[at] != own.ground_truths[at]) {
        Some(at) => refused(format!("question {:?} has other gold answers", own.ids[at])),
        None => Ok(()),
    }
}

impl Side {
    fn name(&self) -> String {
        self.runs.iter().map(|run| run.name.as_str()).collect::<Vec<_>>().join(", ")
    }

    /// Per question, the mean over the runs.
    fn mean(&self, of: impl Fn(&Run) -> &Vec<f64>) -> Vec<f64> {
        let count = self.runs.len() as f64;
        let length = self.runs.first().map_or(0, |run| of(run).len());
        (0..length).map(|at| self.runs.iter().map(|run| of(run)[at]).sum::<f64>() / count).collect()
    }

    /// The lowest and the highest F1 of its runs, per cent; none for a single one.
    fn spread(&self) -> Option<(f64, f64)> {
        let means =
            self.runs.iter().map(|run| 100.0 * run.f1.iter().sum::<f64>() / run.f1.len().max(1) as f64);
        let (low, high) = means.fold((f64::MAX, f64::MIN), |(low, high), f1| (low.min(f1), high.max(f1)));
        (self.runs.len() > 1).then_some((low, high))
    }
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
    /// With articles resampled, where there are enough.
    f1_by_article: Option<Interval>,
    flips: Option<Flips>,
    slices: Vec<OfSlice>,
}

impl Comparison {
    fn new(questions: &Questions, before: &Side, after: &Side) -> Self {
        let scores = |side: &Side| [side.mean(|run| &run.exact_match), side.mean(|run| &run.f1)];
        let ([em_before, f1_before], [em_after, f1_after]) = (scores(before), scores(after));
        let mut members: BTreeMap<&Slice, Vec<usize>> = BTreeMap::new();
        for (index, slices) in questions.slices.iter().enumerate() {
            for slice in slices.iter().filter(|slice| slice.slicing != "article") {
                members.entry(slice).or_default().push(index);
            }
        }
        members.retain(|_, members| members.len() >= LEAST_IN_SLICE && members.len() < questions.ids.len());
        let order = |slice: &Slice| {
            let slicing = SLICINGS.iter().position(|slicing| slicing.name == slice.slicing);
            let value =
                slicing.and_then(|at| SLICINGS[at].values.iter().position(|value| *value == slice.value));
            (slicing, value)
        };
        let mut members: Vec<(&Slice, Vec<usize>)> = members.into_iter().collect();
        members.sort_by_key(|(slice, _)| order(slice));
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
                .map(|(((slice, _), f1), p_value)| OfSlice { slice: (*slice).clone(), f1, p_value })
                .collect(),
        }
    }

    fn to_text(&self, questions: &Questions) -> String {
        let mut text = format!("A  {}\nB  {}\n", self.before, self.after);
        if !self.differs.is_empty() {
            let _ = write!(text, "\nWhat differs, A → B:\n  {}\n", self.differs.join("\n  "));
        }
        let _ = write!(text, "\n{} {}:\n", grouped(questions.ids.len() as u64), questions.what);
        if self.is_same {
            let (exact_match, f1) = (100.0 * self.exact_match.after.mean, 100.0 * self.f1.after.mean);
            let _ = writeln!(text, "  the same answers: exact match {exact_match:.2}, F1 {f1:.2}");
            return text;
        }
        let row = |name: &str, change: &Change, p_value: f64| {
            vec![
                name.to_owned(),
                format!("{:.2}", 100.0 * change.before.mean),
                format!("{:.2}", 100.0 * change.after.mean),
                format!("{:+.2}", 100.0 * change.difference.mean),
                change.difference.interval(LEVEL).map(points).unwrap_or_default(),
                p_text(p_value),
            ]
        };
        let head = ["", "A", "B", "B − A", "95 % interval", "p"].map(str::to_owned).to_vec();
        let p_of = |change: &Change| change.difference.p_value().unwrap_or(1.0);
        let rows = vec![
            head,
            row("exact match", &self.exact_match, p_of(&self.exact_match)),
            row("F1", &self.f1, p_of(&self.f1)),
        ];
        text.push_str(&columns(&rows, 1));
        if let Some(interval) = self.f1_by_article {
            let _ = writeln!(text, "\n  F1 with whole articles resampled: {}", points(interval));
        }
        if let Some(flips) = self.flips {
            let _ = writeln!(
                text,
                "\n  B is right where A is wrong on {} questions, and wrong where A is right on {} (exact McNemar test: p {})",
                grouped(flips.gained as u64),
                grouped(flips.lost as u64),
                p_text(flips.mcnemar_p_value())
            );
        }
        for (side, spread) in ["A", "B"].iter().zip(self.spreads) {
            if let Some((low, high)) = spread {
                let _ = writeln!(text, "\n  F1 of the runs of {side}: {low:.2} to {high:.2}");
            }
        }
        let _ = writeln!(text, "\n  {}", self.verdict());
        let certain: Vec<Vec<String>> = self
            .slices
            .iter()
            .filter(|of| of.p_value <= 1.0 - LEVEL)
            .map(|of| row(&format!("{} ({})", of.slice, of.f1.after.questions), &of.f1, of.p_value))
            .collect();
        if certain.is_empty() {
            let _ = writeln!(
                text,
                "\n  none of {} slices differs for certain (Holm's correction)",
                self.slices.len()
            );
        } else {
            let head = ["F1 of slices (questions)", "A", "B", "B − A", "95 % interval", "p, corrected"];
            let rows: Vec<Vec<String>> =
                std::iter::once(head.map(str::to_owned).to_vec()).chain(certain).collect();
            let _ = write!(text, "\n{}", columns(&rows, 1));
        }
        text
    }

    /// What one may conclude, in a sentence.
    fn verdict(&self) -> String {
        let difference = 100.0 * self.f1.difference.mean;
        let is_within_spread = self.spreads.iter().flatten().any(|(low, high)| difference.abs() < high - low);
        if is_within_spread {
            return format!(
                "B − A in F1 ({difference:+.2}) is smaller than the spread between seeds: no difference shown"
            );
        }
        match self.f1.difference.p_value() {
            Some(p) if p <= 1.0 - LEVEL && difference > 0.0 => "B is better in F1".to_owned(),
            Some(p) if p <= 1.0 - LEVEL => "B is worse in F1".to_owned(),
            Some(_) => match self.f1.difference.equivalence(MARGIN / 100.0) {
                Some(equivalence) if equivalence.p_value <= 1.0 - LEVEL => {
                    format!("A and B are equivalent within {MARGIN} points of F1")
                }
                _ => "no difference in F1 is shown, and none is ruled out".to_owned(),
            },
            None => "all questions are about one context: nothing can be said about others".to_owned(),
        }
    }

    fn to_json(&self) -> Value {
        let interval = |interval: Option<Interval>| {
            interval.map(|interval| json!({"low": 100.0 * interval.low, "high": 100.0 * interval.high}))
        };
        let change = |change: &Change| {
            json!({
                "a": 100.0 * change.before.mean,
                "b": 100.0 * change.after.mean,
                "difference": 100.0 * change.difference.mean,
                "interval": interval(change.difference.interval(LEVEL)),
                "p_value": change.difference.p_value(),
            })
        };
        let slice = |of: &OfSlice| {
            let mut answer = change(&of.f1);
            answer["slice"] = of.slice.to_string().into();
            answer["questions"] = of.f1.after.questions.into();
            answer["p_value_corrected"] = of.p_value.into();
            answer
        };
        json!({
            "a": self.before,
            "b": self.after,
            "differs": self.differs,
            "same_answers": self.is_same,
            "exact_match": change(&self.exact_match),
            "f1": change(&self.f1),
            "f1_interval_by_article": interval(self.f1_by_article),
            "gained": self.flips.map(|flips| flips.gained),
            "lost": self.flips.map(|flips| flips.lost),
            "mcnemar_p_value": self.flips.map(Flips::mcnemar_p_value),
            "spread": self.spreads.map(|spread| spread.map(|(low, high)| json!({"low": low, "high": high}))),
            "verdict": if self.is_same { "the same answers".to_owned() } else { self.verdict() },
            "f1_of_slices": self.slices.iter().map(slice).collect::<Vec<_>>(),
        })
    }
}

/// Points of F1 within which two models are called equivalent.
const MARGIN: f64 = 1.0;

/// What differs in how two runs were made: settings, data and code, stage by stage.
fn differences(before: &Run, after: &Run) -> Vec<String> {
    let stages = stage::STAGES.iter().filter_map(|stage| {
        let (old, new) = (before.made_from.get(stage.name)?, after.made_from.get(stage.name)?);
        Some((stage.name, stage::differences(old, new)))
    });
    let own = stages.flat_map(|(stage, found)| {
        // That an input is another artifact follows from what differs in it.
        let is_upstream = |text: &String| {
            stage::STAGES.iter().any(|stage| text.starts_with(&format!("input {}:", stage.name)))
        };
        found.into_iter().filter(move |text| !is_upstream(text)).map(move |text| format!("{stage}: {text}"))
    });
    own.collect()
}

fn points(interval: Interval) -> String {
    format!("{:+.2} to {:+.2}", 100.0 * interval.low, 100.0 * interval.high)
}
