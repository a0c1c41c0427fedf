//! Answering every question of a split: logits in batches, spans per question, loss and scores on the way.
//!
//! Spans are selected and scored on other threads than the model's, behind it. A few batches of logits and the windows of
//! one question are held at a time, whatever the split's size.

use std::ops::ControlFlow;
use std::sync::mpsc::{Receiver, Sender, channel, sync_channel};
use std::thread;

use artifact::Feature;
use rayon::ThreadPoolBuilder;
use rayon::prelude::*;
use squad::{
    F1Units, FeatureLogits, Means, Parts, QuestionScore, Rules, Scoring, SpanPrediction, SpanSettings, Tally,
    select_spans,
};

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
    /// Sum over its features of the mean of start and end cross-entropy.
    pub loss: f64,
    /// How it compares with the gold answers.
    pub score: QuestionScore,
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

/// How spans are selected and scored.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AnswerSettings {
    /// How spans are selected.
    pub spans: SpanSettings,
    /// What F1 counts.
    pub f1_units: F1Units,
}

/// What the answers to a whole split are worth.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SplitOutcome {
    /// Means over all questions.
    pub score: SplitScore,
    /// EM and F1 of the questions with and without an answer, where any has none.
    pub parts: Option<Parts>,
    /// The text that all questions got (empty: no answer), where that is suspicious: there are at least
    /// [`SAME_ANSWERS`] of them, and it is wrong for some.
    pub only_answer: Option<String>,
}

/// So many questions with the same answer are no accident.
pub const SAME_ANSWERS: usize = 10;

impl SplitOutcome {
    /// Warns about a model that gives every question the same answer, or none. `what` was scored.
    pub fn warn_about_sameness(&self, what: &str) {
        match self.only_answer.as_deref() {
            Some("") => {
                tracing::warn!(what, "every question got no answer: the model has not learned to answer");
            }
            Some(answer) => {
                let answer: String = answer.chars().take(60).collect();
                tracing::warn!(
                    what,
                    answer,
                    "every question got the same answer: the model has not learned to answer"
                );
            }
            None => {}
        }
    }
}

/// Answers all questions of `split` in order and hands each to `each`, which may stop it with an error.
///
/// Scores follow SQuAD's v2.0 rules where the split has a question without answers, else v1.1's. `batch_size` is the
/// number of features of one forward pass. `each` runs on the caller's thread, and sees an answer a few batches after the
/// model has computed its logits: an error stops it that much later.
///
/// # Errors
/// What `each` returns.
pub fn answer_split<E>(
    predictor: &Predictor,
    split: &Split,
    batch_size: usize,
    settings: &AnswerSettings,
    mut each: impl FnMut(AnsweredExample) -> Result<(), E>,
) -> Result<SplitOutcome, E> {
    let batch_size = batch_size.max(1);
    let (mut loss, mut tally, mut only_answer) = (0.0, Tally::default(), OnlyAnswer::default());
    let mut take = |answers: Vec<AnsweredExample>| -> Result<(), E> {
        answers.into_iter().try_for_each(|answered| {
            loss += answered.loss;
            tally.add(answered.score);
            only_answer.add(&answered.prediction.text);
            each(answered)
        })
    };
    let pool = ThreadPoolBuilder::new().num_threads(torch_kernels::threads()).build();
    let pool = pool.expect("the system gives as many threads to this as to the model");
    thread::scope(|scope| {
        let (to_worker, batches) = sync_channel(BATCHES_AHEAD);
        let (to_caller, answers) = channel();
        let pool = &pool;
        scope.spawn(move || pool.install(|| select_behind(split, *settings, batches, to_caller)));
        let count = split.features.len();
        let batches = (0..count).step_by(batch_size).map(|start| start..count.min(start + batch_size));
        let input_ids = |index| split.features.get(index).input_ids;
        let mut done = 0;
        let mut outcome = Ok(());
        predictor.logits_of_batches(batches.map(|batch| batch.map(input_ids).collect()), |logits| {
            let features = (done..).map(|index| split.features.get(index));
            done += logits.len();
            let windows = features.zip(logits).map(|(feature, logits)| Window { feature, logits }).collect();
            if to_worker.send(windows).is_err() {
                // It panicked: leaving the scope says so.
                return ControlFlow::Break(());
            }
            outcome = answers.try_iter().try_for_each(&mut take);
            if outcome.is_err() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        });
        outcome?;
        drop(to_worker);
        answers.iter().try_for_each(&mut take)
    })?;

    let Means { questions, exact_match, f1 } = tally.means();
    let only_answer = match only_answer {
        OnlyAnswer::All(text) if questions >= SAME_ANSWERS && exact_match < 100.0 => Some(text),
        _ => None,
    };
    let score = SplitScore { loss: loss / split.features.len().max(1) as f64, exact_match, f1 };
    Ok(SplitOutcome { score, parts: tally.parts(), only_answer })
}

/// The text that all questions got so far.
#[derive(Debug, Default, PartialEq)]
enum OnlyAnswer {
    #[default]
    NoQuestions,
    All(String),
    Several,
}

impl OnlyAnswer {
    fn add(&mut self, text: &str) {
        match self {
            Self::NoQuestions => *self = Self::All(text.to_owned()),
            Self::All(before) if before != text => *self = Self::Several,
            Self::All(_) | Self::Several => {}
        }
    }
}

/// Selects and scores spans until there are no more batches, or nobody takes the answers: after each batch, in parallel,
/// those of the questions whose windows ended in it.
fn select_behind<'a>(
    split: &'a Split,
    settings: AnswerSettings,
    batches: Receiver<Vec<Window<'a>>>,
    to_caller: Sender<Vec<AnsweredExample>>,
) {
    let rules = split.rules();
    let answer_all = |windows: &[Window<'_>]| -> Vec<AnsweredExample> {
        let questions: Vec<&[Window<'_>]> = windows.chunk_by(Window::has_same_question).collect();
        questions.into_par_iter().map(|windows| answer(split, windows, &settings, rules)).collect()
    };
    let mut windows: Vec<Window<'_>> = Vec::new();
    for batch in batches {
        windows.extend(batch);
        // The last question may go on in the next batch.
        let last = windows.chunk_by(Window::has_same_question).next_back().map_or(0, <[_]>::len);
        let complete = windows.len() - last;
        if to_caller.send(answer_all(&windows[..complete])).is_err() {
            return;
        }
        windows.drain(..complete);
    }
    // Nobody takes it after an error.
    let _ = to_caller.send(answer_all(&windows));
}

fn answer(split: &Split, windows: &[Window<'_>], settings: &AnswerSettings, rules: Rules) -> AnsweredExample {
    let example_index = windows[0].feature.example_index as usize;
    let example = split.examples.get(example_index);
    let context = split.contexts.get(example.context_id).context;
    let prediction = select_answer(context, windows, &settings.spans, rules == Rules::V2);
    let ground_truths: Vec<&str> = example.answers.iter().map(|answer| answer.text).collect();
    AnsweredExample {
        example_index,
        score: Scoring { rules, f1_units: settings.f1_units }.score(&prediction.text, &ground_truths),
        loss: windows.iter().map(|window| feature_loss(&window.feature, &window.logits)).sum(),
        prediction,
    }
}

/// A feature with what the model says about it.
#[derive(Clone, Debug)]
pub struct Window<'a> {
    /// The feature.
    pub feature: Feature<'a>,
    /// Its logits.
    pub logits: QaLogits,
}

impl Window<'_> {
    /// Whether the two belong to one question.
    #[must_use]
    pub fn has_same_question(&self, other: &Self) -> bool {
        self.feature.example_index == other.feature.example_index
    }
}

/// The answer to a question about `context` from all of its windows; `version_2` says whether there may be none.
#[must_use]
pub fn select_answer(
    context: &str,
    windows: &[Window<'_>],
    settings: &SpanSettings,
    version_2: bool,
) -> SpanPrediction {
    let offsets: Vec<Vec<Option<(u32, u32)>>> =
        windows.iter().map(|window| window.feature.offset_mapping.iter().collect()).collect();
    let features: Vec<FeatureLogits<'_>> = windows
        .iter()
        .zip(&offsets)
        .map(|(window, offset_mapping)| FeatureLogits {
            offset_mapping,
            start_logits: &window.logits.start_logits,
            end_logits: &window.logits.end_logits,
        })
        .collect();
    select_spans(context, &features, settings, version_2)
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

#[cfg(test)]
mod tests;
