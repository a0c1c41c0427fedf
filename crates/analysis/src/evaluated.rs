//! The questions of a split with the models' answers, gathered from the tables of three artifacts.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use artifact::{
    Artifact, Contexts, EvaluateMetrics, Examples, Feature, Features, Finding, Manifest, Prediction,
    Predictions, SplitName, file_name,
};
use squad::{LabelledAnswer, calibrate};

use crate::categories::{Category, WrongAnswer};
use crate::slices::{AUDIT, Slice, SlicedQuestion, slices};
use crate::{Error, OwnSlices};

/// A question, its gold answers, and what the model before and after fine-tuning answered.
#[derive(Clone, Debug)]
pub struct EvaluatedQuestion {
    pub id: String,
    pub question: String,
    /// The row of its context: questions about one context are not independent.
    pub context_id: u32,
    /// The article's title; empty if there is none.
    pub article: String,
    /// Texts, and the character of the context at which each begins.
    pub ground_truths: Vec<(String, i32)>,
    /// Its candidates' probabilities are calibrated.
    pub prediction: Prediction,
    /// Before fine-tuning.
    pub base: Prediction,
    /// The probability that the model gives its answer, 0 to 1: calibrated with [`temperature`], as `ask` shows it.
    pub confidence: f64,
    /// The same before calibration.
    pub uncalibrated: f64,
    pub slices: Vec<Slice>,
    /// The category of a wrong answer.
    pub category: Option<Category>,
}

/// An evaluation and what it was made from.
#[derive(Clone, Copy, Debug)]
pub struct Inputs<'a> {
    pub evaluate: &'a Artifact,
    pub ingest: &'a Artifact,
    pub features: &'a Artifact,
}

/// The temperature that calibrates the confidences of a split: evaluate fitted it, and an exported model answers with it.
/// None if the model has diverged, or its evaluation is too old to have one.
#[must_use]
pub fn temperature(evaluate: &Manifest, split: SplitName) -> Option<f64> {
    let EvaluateMetrics { validation, test } = EvaluateMetrics::of(evaluate).ok()?;
    let scores = if split == SplitName::Test { test? } else { validation };
    Some(scores.calibration?.temperature)
}

/// The questions of `split`, in the order of the data, and their contexts.
///
/// # Errors
/// If a table cannot be opened, or the tables do not belong together.
pub fn evaluated(
    inputs: Inputs<'_>,
    split: SplitName,
    own: &OwnSlices,
) -> Result<(Vec<EvaluatedQuestion>, Contexts), Error> {
    let Inputs { evaluate, ingest, features } = inputs;
    let contexts = Contexts::open(&ingest.file(split.contexts())?)?;
    let examples = Examples::open(&ingest.file(split.examples())?)?;
    examples.check_contexts(&contexts)?;
    let features = Features::open(&features.file(split.features())?)?;
    features.check_examples(&examples)?;
    let open = |name| Predictions::open(&evaluate.file(name)?);
    let (predictions, base) = (open(split.predictions())?, open(split.base_predictions())?);
    predictions.check_length(examples.len())?;
    base.check_length(examples.len())?;

    let temperature = temperature(&evaluate.manifest, split);
    let findings = Findings::read(&ingest.file(file_name::AUDIT)?, split, &examples)?;
    let mut windows = features.iter().peekable();
    let mut questions = Vec::with_capacity(examples.len());
    for (index, example) in examples.iter().enumerate() {
        let of_question = |feature: &Feature<'_>| feature.example_index as usize == index;
        let mut own_windows: Vec<Feature<'_>> = Vec::new();
        while let Some(window) = windows.next_if(of_question) {
            own_windows.push(window);
        }
        let context = contexts.get(example.context_id);
        let labelled: Vec<LabelledAnswer<'_>> = example
            .answers
            .iter()
            .map(|answer| LabelledAnswer { start: answer.start, text: answer.text })
            .collect();
        let (mut prediction, base) = (predictions.get(index), base.get(index));
        let uncalibrated = confidence(&prediction);
        if let Some(temperature) = temperature {
            let candidates = prediction.n_best.iter_mut();
            calibrate(candidates.map(|candidate| (candidate.score, &mut candidate.probability)), temperature);
        }
        let category = (prediction.exact_match < 1.0).then(|| {
            Category::of(&WrongAnswer {
                context: context.context,
                ground_truths: &labelled,
                is_in_window: own_windows
                    .iter()
                    .any(|window| labelled.iter().any(|answer| holds(window, answer))),
                prediction: LabelledAnswer {
                    start: prediction.start_char,
                    text: &prediction.prediction_text,
                },
                base_prediction: Some(&base.prediction_text),
            })
        });
        questions.push(EvaluatedQuestion {
            id: example.id.to_owned(),
            question: example.question.to_owned(),
            context_id: example.context_id,
            article: context.title.to_owned(),
            ground_truths: labelled.iter().map(|answer| (answer.text.to_owned(), answer.start)).collect(),
            confidence: confidence(&prediction),
            uncalibrated,
            slices: slices(&SlicedQuestion {
                question: example.question,
                context: context.context,
                ground_truths: &labelled,
                windows: own_windows.len(),
                article: context.title,
            })
            .into_iter()
            .chain(findings.of(example.id, example.context_id))
            .chain(own.of(example.id))
            .collect(),
            prediction,
            base,
            category,
        });
    }
    own.warn_about_strangers(questions.iter().map(|question| question.id.as_str()), split.as_str());
    Ok((questions, contexts))
}

/// What the audit found, by question and by context.
struct Findings {
    of_questions: BTreeMap<String, BTreeSet<Finding>>,
    of_contexts: BTreeMap<u32, BTreeSet<Finding>>,
}

impl Findings {
    fn read(path: &Path, split: SplitName, examples: &Examples) -> Result<Self, Error> {
        let mut findings = Self { of_questions: BTreeMap::new(), of_contexts: BTreeMap::new() };
        // A finding about a context names only the first of its questions.
        let mut about_contexts: BTreeMap<String, BTreeSet<Finding>> = BTreeMap::new();
        for row in artifact::read_audit(path)? {
            let row = row?;
            if row.split != split.as_str() {
                continue;
            }
            let found = if row.field == "context" { &mut about_contexts } else { &mut findings.of_questions };
            found.entry(row.id).or_default().insert(row.finding);
        }
        if !about_contexts.is_empty() {
            for example in examples.iter() {
                if let Some(found) = about_contexts.get(example.id) {
                    findings.of_contexts.entry(example.context_id).or_default().extend(found);
                }
            }
        }
        Ok(findings)
    }

    fn of(&self, id: &str, context_id: u32) -> impl Iterator<Item = Slice> {
        let found = self.of_questions.get(id).into_iter().chain(self.of_contexts.get(&context_id)).flatten();
        let found: BTreeSet<Finding> = found.copied().collect();
        found.into_iter().map(|finding| Slice { slicing: AUDIT.to_owned(), value: finding.name().to_owned() })
    }
}

/// Whether the window holds all characters of the answer.
fn holds(window: &Feature<'_>, answer: &LabelledAnswer<'_>) -> bool {
    let Ok(start) = u32::try_from(answer.start) else { return false };
    let end = start.saturating_add(answer.text.chars().count() as u32);
    let mut tokens = window.offset_mapping.iter().flatten();
    let Some(first) = tokens.next() else { return false };
    let last = tokens.last().unwrap_or(first);
    first.0 <= start && end <= last.1
}

/// The probability of the chosen candidate. Because of the threshold, others may be more probable.
fn confidence(prediction: &Prediction) -> f64 {
    let is_chosen = |candidate: &&artifact::Candidate| {
        candidate.start_char == prediction.start_char && candidate.end_char == prediction.end_char
    };
    prediction.n_best.iter().find(is_chosen).map_or(0.0, |candidate| candidate.probability)
}
