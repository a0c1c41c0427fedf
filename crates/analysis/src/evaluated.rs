//! The questions of a split with the answers that they got, gathered from the tables of three artifacts.

use artifact::{Artifact, Contexts, Examples, Feature, Features, Prediction, Predictions, SplitName};
use squad::LabelledAnswer;

use crate::categories::{Category, WrongAnswer};
use crate::slices::{Slice, SlicedQuestion, slices};

/// A question, its gold answers, and what the model before and after fine-tuning answered.
#[derive(Clone, Debug)]
pub struct EvaluatedQuestion {
    pub id: String,
    pub question: String,
    /// The row of its context: questions about one context are not independent.
    pub context_id: u32,
    /// The article's title, empty where there is none.
    pub article: String,
    /// Texts, and the character of the context where each begins.
    pub ground_truths: Vec<(String, i32)>,
    pub prediction: Prediction,
    /// Before fine-tuning.
    pub base: Prediction,
    /// What the model gives the answer that it chose, 0 to 1.
    pub confidence: f64,
    pub slices: Vec<Slice>,
    /// Of a wrong answer.
    pub category: Option<Category>,
}

/// The questions of `split`, in the order of the data, and their contexts.
///
/// # Errors
/// Those of opening the tables, and tables that do not belong together.
pub fn evaluated(
    evaluate: &Artifact,
    ingest: &Artifact,
    features: &Artifact,
    split: SplitName,
) -> artifact::Result<(Vec<EvaluatedQuestion>, Contexts)> {
    let contexts = Contexts::open(&ingest.file(split.contexts())?)?;
    let examples = Examples::open(&ingest.file(split.examples())?)?;
    examples.check_contexts(&contexts)?;
    let features = Features::open(&features.file(split.features())?)?;
    features.check_examples(&examples)?;
    let open = |name| Predictions::open(&evaluate.file(name)?);
    let (predictions, base) = (open(split.predictions())?, open(split.base_predictions())?);
    predictions.check_length(examples.len())?;
    base.check_length(examples.len())?;

    let mut windows = features.iter().peekable();
    let mut questions = Vec::with_capacity(examples.len());
    for (index, example) in examples.iter().enumerate() {
        let of_question = |feature: &Feature<'_>| feature.example_index as usize == index;
        let mut own: Vec<Feature<'_>> = Vec::new();
        while let Some(window) = windows.next_if(of_question) {
            own.push(window);
        }
        let context = contexts.get(example.context_id);
        let labelled: Vec<LabelledAnswer<'_>> = example
            .answers
            .iter()
            .map(|answer| LabelledAnswer { start: answer.start, text: answer.text })
            .collect();
        let (prediction, base) = (predictions.get(index), base.get(index));
        let category = (prediction.exact_match < 1.0).then(|| {
            Category::of(&WrongAnswer {
                context: context.context,
                ground_truths: &labelled,
                is_in_window: own.iter().any(|window| labelled.iter().any(|answer| holds(window, answer))),
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
            slices: slices(&SlicedQuestion {
                question: example.question,
                context: context.context,
                ground_truths: &labelled,
                windows: own.len(),
                article: context.title,
            }),
            prediction,
            base,
            category,
        });
    }
    Ok((questions, contexts))
}

/// Whether the window has the context's characters from the answer's first to its last.
fn holds(window: &Feature<'_>, answer: &LabelledAnswer<'_>) -> bool {
    let Ok(start) = u32::try_from(answer.start) else { return false };
    let end = start.saturating_add(answer.text.chars().count() as u32);
    let mut tokens = window.offset_mapping.iter().flatten();
    let Some(first) = tokens.next() else { return false };
    let last = tokens.last().unwrap_or(first);
    first.0 <= start && end <= last.1
}

/// The probability of the chosen candidate, which a threshold may have put before more probable ones.
fn confidence(prediction: &Prediction) -> f64 {
    let is_chosen = |candidate: &&artifact::Candidate| {
        candidate.start_char == prediction.start_char && candidate.end_char == prediction.end_char
    };
    prediction.n_best.iter().find(is_chosen).map_or(0.0, |candidate| candidate.probability)
}
