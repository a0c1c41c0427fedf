//! The sides of a comparison: whose answers they are, and the questions that they share.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use analysis::OwnSlices;
use analysis::slices::{Slice, SlicedQuestion, slices};
use artifact::SplitName;
use question_files::labelled_questions;
use serde_json::Value;
use squad::{F1Units, LabelledAnswer, Rules, Scoring};
use stage::Workspace;

use crate::cli::CompareOptions;
use crate::evaluations::Evaluation;
use crate::{Error, score, sibling};

/// The questions that all sides answered.
pub(super) struct Questions {
    pub(super) what: String,
    pub(super) ids: Vec<String>,
    pub(super) ground_truths: Vec<Vec<String>>,
    pub(super) contexts: Vec<u32>,
    /// A number for each article; none if a question has no title.
    pub(super) articles: Option<Vec<u32>>,
    pub(super) slices: Vec<Vec<Slice>>,
}

/// One run's answers to them, in their order. Scores are 0 to 1.
pub(super) struct Run {
    pub(super) name: String,
    pub(super) answers: Vec<String>,
    pub(super) exact_match: Vec<f64>,
    pub(super) f1: Vec<f64>,
    /// Stage → what its fingerprint was made from; empty for a file of predictions.
    pub(super) made_from: BTreeMap<String, Value>,
}

/// Runs that differ only in their seed, or a single run.
pub(super) struct Side {
    pub(super) runs: Vec<Run>,
}

/// Every side, with the questions that they share.
pub(super) fn read(options: &CompareOptions) -> Result<(Questions, Vec<Side>), Error> {
    let workspace = Workspace::open(&options.common.settings, &[])?;
    let mut questions = match &options.dataset {
        Some(path) => Some(of_dataset(path, &OwnSlices::read(&workspace.settings().report.slices)?)?),
        None => None,
    };
    let mut named = Vec::new();
    for side in options.sides.iter().flat_map(|side| side.split(',')) {
        named.push(Named::find(&workspace, side, options)?);
    }
    let first = named.iter().find_map(|named| match named {
        Named::Evaluation(evaluation) => Some(evaluation.f1_units()),
        Named::Predictions(_) | Named::Model(_) => None,
    });
    let f1_units = options.f1_units.or(first).unwrap_or_default();
    let mut named = named.into_iter();
    let mut sides = Vec::new();
    for side in &options.sides {
        let mut runs = Vec::new();
        for named in named.by_ref().take(side.split(',').count()) {
            let run = match (named, &options.dataset, &mut questions) {
                (Named::Evaluation(evaluation), _, questions) => {
                    let split = options.split.unwrap_or_else(|| evaluation.split());
                    let (own, run) = of_evaluation(&workspace, &evaluation, split, f1_units)?;
                    match questions {
                        None => *questions = Some(own),
                        Some(questions) => check_same(questions, &own, &run.name)?,
                    }
                    run
                }
                (Named::Predictions(path), Some(dataset), Some(questions)) => {
                    let name = path.display().to_string();
                    of_predictions(name, &path, dataset, questions, f1_units)?
                }
                (Named::Model(model), Some(dataset), Some(questions)) => {
                    let folder = tempfile::tempdir()?;
                    let answers = predict(&model, dataset, folder.path(), options)?;
                    of_predictions(model, &answers, dataset, questions, f1_units)?
                }
                (Named::Predictions(path), ..) => return Err(Error::NeedsDataset { path }),
                (Named::Model(model), ..) => return Err(Error::NoEvaluation { path: model.into() }),
            };
            runs.push(run);
        }
        warn_about_joined(&runs);
        sides.push(Side { runs });
    }
    Ok((questions.expect("every side has at least one run"), sides))
}

/// Runs that are joined should differ in their seed and in nothing else.
fn warn_about_joined(runs: &[Run]) {
    let Some((first, others)) = runs.split_first() else { return };
    for run in others {
        let mut differs = super::differences(first, run);
        differs.retain(|text| !text.contains(" run.seed: "));
        if !differs.is_empty() {
            tracing::warn!(
                a = first.name,
                b = run.name,
                ?differs,
                "joined runs differ in more than their seed"
            );
        }
        if run.answers == first.answers {
            tracing::warn!(
                a = first.name,
                b = run.name,
                "joined runs give the same answers: is one of them there twice?"
            );
        }
    }
}

/// One model on the command line.
enum Named {
    Evaluation(Box<Evaluation>),
    Predictions(PathBuf),
    /// A model without an evaluation, which answers the data set's questions first.
    Model(String),
}

impl Named {
    fn find(workspace: &Workspace, named: &str, options: &CompareOptions) -> Result<Self, Error> {
        let path = Path::new(named);
        if path.is_file() {
            return Ok(Self::Predictions(path.to_owned()));
        }
        match Evaluation::find(workspace, Some(path), "compare") {
            // A model can be asked; an evaluation has its own questions.
            Ok(evaluation) if options.dataset.is_some() && path.is_dir() && !evaluation.is_at(path) => {
                Ok(Self::Model(named.to_owned()))
            }
            Ok(evaluation) => Ok(Self::Evaluation(Box::new(evaluation))),
            Err(
                Error::NoEvaluation { .. }
                | Error::NotEvaluated { .. }
                | Error::OtherArtifact { .. }
                | Error::NoLineage { .. },
            ) if options.dataset.is_some() => Ok(Self::Model(named.to_owned())),
            Err(error) => Err(error),
        }
    }
}

/// Has `distilburn predict` answer the questions; returns the file of answers.
fn predict(model: &str, dataset: &Path, folder: &Path, options: &CompareOptions) -> Result<PathBuf, Error> {
    let answers = folder.join("predictions.json");
    let mut args: Vec<OsString> = vec!["predict".into(), "--model".into(), model.into()];
    args.extend(options.common.settings.to_args());
    args.extend(options.common.output.to_args());
    args.extend(["--output".into(), answers.clone().into(), "--".into(), dataset.into()]);
    let status = sibling::output("answer", &args)?.status;
    if status.success() {
        return Ok(answers);
    }
    Err(Error::NotPredicted {
        model: model.to_owned(),
        dataset: dataset.to_owned(),
        code: status.code().and_then(|code| u8::try_from(code).ok()).unwrap_or(1),
    })
}

/// The questions of a data set, each with its slices. The number of windows is unknown here.
fn of_dataset(path: &Path, own: &OwnSlices) -> Result<Questions, Error> {
    let mut questions = Questions {
        what: format!("questions of {}", path.display()),
        ids: Vec::new(),
        ground_truths: Vec::new(),
        contexts: Vec::new(),
        articles: Some(Vec::new()),
        slices: Vec::new(),
    };
    let mut titles = BTreeMap::new();
    for question in labelled_questions(path, "--dataset")? {
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
        let of_question = of_question.into_iter().filter(|slice| slice.slicing != "windows");
        questions.slices.push(of_question.chain(own.of(&question.id)).collect());
        questions.ground_truths.push(labelled.iter().map(|answer| answer.text.to_owned()).collect());
        questions.contexts.push(question.context_index);
        push_title(&mut questions.articles, &mut titles, &question.title);
        questions.ids.push(question.id);
    }
    own.warn_about_strangers(questions.ids.iter().map(String::as_str), "dataset's");
    Ok(questions)
}

/// The number of a text; a new text gets the next number.
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

/// A file of predictions, scored as `score` does; `name` is the model's.
fn of_predictions(
    name: String,
    path: &Path,
    dataset: &Path,
    questions: &Questions,
    f1_units: F1Units,
) -> Result<Run, Error> {
    let predictions = score::predictions(path)?;
    score::check_ids(&questions.ids, dataset, &predictions, path)?;
    let scoring = Scoring { rules: Rules::of(questions.ground_truths.iter().map(Vec::len)), f1_units };
    let mut run = Run {
        name,
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
    f1_units: F1Units,
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
    }
    // Two evaluations may have counted F1 in other units.
    let scoring = Scoring { rules: Rules::of(questions.ground_truths.iter().map(Vec::len)), f1_units };
    for (answer, truths) in run.answers.iter().zip(&questions.ground_truths) {
        let truths: Vec<&str> = truths.iter().map(String::as_str).collect();
        let score = scoring.score(answer, &truths);
        run.exact_match.push(score.exact_match);
        run.f1.push(score.f1);
    }
    Ok((questions, run))
}

/// Refuses other questions, and the same questions with other gold answers.
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
    pub(super) fn name(&self) -> String {
        self.runs.iter().map(|run| run.name.as_str()).collect::<Vec<_>>().join(", ")
    }

    /// Per question, the mean over the runs.
    pub(super) fn mean(&self, of: impl Fn(&Run) -> &Vec<f64>) -> Vec<f64> {
        let count = self.runs.len() as f64;
        let length = self.runs.first().map_or(0, |run| of(run).len());
        (0..length).map(|at| self.runs.iter().map(|run| of(run)[at]).sum::<f64>() / count).collect()
    }

    /// The lowest and the highest F1 of its runs, per cent; none for a single one.
    pub(super) fn spread(&self) -> Option<(f64, f64)> {
        let means =
            self.runs.iter().map(|run| 100.0 * run.f1.iter().sum::<f64>() / run.f1.len().max(1) as f64);
        let (low, high) = means.fold((f64::MAX, f64::MIN), |(low, high), f1| (low.min(f1), high.max(f1)));
        (self.runs.len() > 1).then_some((low, high))
    }
}
