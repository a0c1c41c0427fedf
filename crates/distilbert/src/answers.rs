//! Answering every question of a split: logits in batches, spans per question, loss and scores on the way.
//!
//! The model runs on the caller's thread; spans are selected and scored on another, behind it. A few batches of logits
//! and the windows of one question are held at a time, whatever the split's size.

use std::sync::mpsc::{Receiver, Sender, channel, sync_channel};
use std::thread;

use artifact::Feature;
use squad::{FeatureLogits, SpanPrediction, SpanSettings, select_spans};

use crate::{Predictor, QaLogits, Split};

/// Batches of logits that may wait for their spans to be selected.
const BATCHES_AHEAD: usize = 2;

/// The answer to one question, and how it compares with the gold answers.
#[derive(Clone, Debug)]
pub struct AnsweredExample {
    /// The question's row in the examples.
    pub example_index: usize,
    /// The chosen span and its rivals.
    pub prediction: SpanPrediction,
    /// 1 where it equals a gold answer after normalisation, else 0.
    pub exact_match: f64,
    /// Token overlap with the nearest gold answer, in [0, 1].
    pub f1: f64,
}

/// Means over a split.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct SplitScore {
    /// Mean over the features of the mean of start and end cross-entropy.
    pub loss: f64,
    /// Per cent of the questions.
    pub exact_match: f64,
    /// Per cent.
    pub f1: f64,
}

/// Answers all questions of `split` in order and hands each to `each`, which may stop it with an error.
///
/// `batch_size` is the number of features of one forward pass.
///
/// # Errors
/// What `each` returns.
pub fn answer_split<E>(
    predictor: &Predictor,
    split: &Split,
    batch_size: usize,
    settings: &SpanSettings,
    mut each: impl FnMut(AnsweredExample) -> Result<(), E>,
) -> Result<SplitScore, E> {
    let mut total = SplitScore::default();
    let mut take = |answers: Answers| -> Result<(), E> {
        total.loss += answers.loss;
        answers.examples.into_iter().try_for_each(|answered| {
            total.exact_match += answered.exact_match;
            total.f1 += answered.f1;
            each(answered)
        })
    };
    thread::scope(|scope| {
        let (to_worker, batches) = sync_channel(BATCHES_AHEAD);
        let (to_caller, answers) = channel();
        scope.spawn(move || select_behind(split, *settings, batches, to_caller));
        for start in (0..split.features.len()).step_by(batch_size.max(1)) {
            let end = split.features.len().min(start + batch_size.max(1));
            let features: Vec<Feature<'_>> = (start..end).map(|index| split.features.get(index)).collect();
            let input_ids: Vec<&[i32]> = features.iter().map(|feature| feature.input_ids).collect();
            let logits = predictor.logits(&input_ids);
            if to_worker.send(features.into_iter().zip(logits).collect()).is_err() {
                // It panicked: leaving the scope says so.
                break;
            }
            answers.try_iter().try_for_each(&mut take)?;
        }
        drop(to_worker);
        answers.iter().try_for_each(&mut take)
    })?;

    let questions = split.examples.len().max(1) as f64;
    Ok(SplitScore {
        loss: total.loss / split.features.len().max(1) as f64,
        exact_match: 100.0 * total.exact_match / questions,
        f1: 100.0 * total.f1 / questions,
    })
}

/// What became of one batch: the questions whose windows ended in it.
#[derive(Default)]
struct Answers {
    examples: Vec<AnsweredExample>,
    /// Sum over the batch's features.
    loss: f64,
}

/// Selects and scores spans until there are no more batches, or nobody takes the answers.
fn select_behind<'a>(
    split: &'a Split,
    settings: SpanSettings,
    batches: Receiver<Vec<(Feature<'a>, QaLogits)>>,
    to_caller: Sender<Answers>,
) {
    let version_2 = split.has_impossible();
    let mut windows = Windows::default();
    for batch in batches {
        let mut answers = Answers::default();
        for (feature, logits) in batch {
            answers.loss += feature_loss(&feature, &logits);
            if windows.example_index().is_some_and(|index| index != feature.example_index) {
                answers.examples.push(windows.answer(split, &settings, version_2));
                windows.features.clear();
            }
            windows.features.push((feature, logits));
        }
        if to_caller.send(answers).is_err() {
            return;
        }
    }
    if windows.example_index().is_some() {
        let examples = vec![windows.answer(split, &settings, version_2)];
        // Nobody takes it after an error.
        let _ = to_caller.send(Answers { examples, loss: 0.0 });
    }
}

/// The windows of one question, gathered over batches.
#[derive(Default)]
struct Windows<'a> {
    features: Vec<(Feature<'a>, QaLogits)>,
}

impl Windows<'_> {
    fn example_index(&self) -> Option<u32> {
        self.features.first().map(|(feature, _)| feature.example_index)
    }

    fn answer(&self, split: &Split, settings: &SpanSettings, version_2: bool) -> AnsweredExample {
        let example_index = self.example_index().expect("a question has at least one window") as usize;
        let example = split.examples.get(example_index);
        let context = split.contexts.get(example.context_id).context;
        let offsets: Vec<Vec<Option<(u32, u32)>>> =
            self.features.iter().map(|(feature, _)| feature.offset_mapping.iter().collect()).collect();
        let features: Vec<FeatureLogits<'_>> = self
            .features
            .iter()
            .zip(&offsets)
            .map(|((_, logits), offset_mapping)| FeatureLogits {
                offset_mapping,
                start_logits: &logits.start_logits,
                end_logits: &logits.end_logits,
            })
            .collect();
        let prediction = select_spans(context, &features, settings, version_2);
        let ground_truths: Vec<&str> = example.answers.iter().map(|answer| answer.text).collect();
        AnsweredExample {
            example_index,
            exact_match: squad::exact_match(&prediction.text, &ground_truths),
            f1: squad::f1(&prediction.text, &ground_truths),
            prediction,
        }
    }
}

/// Mean of start and end cross-entropy over the feature's own tokens.
fn feature_loss(feature: &Feature<'_>, logits: &QaLogits) -> f64 {
    let cross_entropy = |logits: &[f32], position: i32| {
        let max = f64::from(logits.iter().copied().fold(f32::NEG_INFINITY, f32::max));
        let sum: f64 = logits.iter().map(|&logit| (f64::from(logit) - max).exp()).sum();
        max + sum.ln() - f64::from(logits[position as usize])
    };
    f64::midpoint(
        cross_entropy(&logits.start_logits, feature.start_position),
        cross_entropy(&logits.end_logits, feature.end_position),
    )
}
