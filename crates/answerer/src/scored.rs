//! Answers every question of a split, and computes loss and scores.

use artifact::Feature;
use squad::{
    F1Units, FeatureLogits, Means, Parts, QuestionScore, Rules, Scoring, SpanPrediction, SpanSettings, Tally,
    select_spans,
};

use distilbert::{Predictor, QaLogits};

use crate::Split;
use crate::pipeline::{Run, answer_all};

/// The answer to one question, and how it compares with the gold answers.
#[derive(Clone, Debug)]
pub struct AnsweredExample {
    /// The question's row in the examples.
    pub example_index: usize,
    /// The chosen span and the other candidates.
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

/// Loss and scores over a whole split.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SplitOutcome {
    /// Means over all questions.
    pub score: SplitScore,
    /// EM and F1 of the questions with and without an answer, if any has none.
    pub parts: Option<Parts>,
    /// The one text that all questions got (empty: no answer), if that is suspicious: there are at least `SAME_ANSWERS`
    /// questions, and the text is wrong for some.
    pub only_answer: Option<String>,
}

/// From this many questions on, the same answer to all is no accident.
pub const SAME_ANSWERS: usize = 10;

impl SplitOutcome {
    /// Warns about a model that gives every question the same answer, or none. `what` names what was scored.
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

/// Answers all questions of `split` in order and passes each answer to `each`, which can stop with an error.
///
/// Scores follow SQuAD's v2.0 rules if the split has a question without answers, else v1.1's. A forward pass takes as
/// many tokens as `batch_size` average features of the split have. `each` runs on the caller's thread, a few batches
/// behind the model.
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
    let (mut loss, mut tally, mut only_answer) = (0.0, Tally::default(), OnlyAnswer::default());
    let rules = split.rules();
    let tokens: usize = split.features.iter().map(|feature| feature.input_ids.len()).sum();
    let mean = tokens.div_ceil(split.features.len().max(1));
    answer_all(
        predictor,
        split.features.iter(),
        batch_size.max(1) * mean,
        |windows| answer(split, windows, settings, rules),
        |answered| {
            loss += answered.loss;
            tally.add(answered.score);
            only_answer.add(&answered.prediction.text);
            each(answered)
        },
    )?;

    let Means { questions, exact_match, f1 } = tally.means();
    let only_answer = match only_answer {
        OnlyAnswer::All(text) if questions >= SAME_ANSWERS && exact_match < 100.0 => Some(text),
        _ => None,
    };
    let score = SplitScore { loss: loss / split.features.len().max(1) as f64, exact_match, f1 };
    Ok(SplitOutcome { score, parts: tally.parts(), only_answer })
}

/// The text that all questions so far have got.
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

impl Run for Feature<'_> {
    fn input_ids(&self) -> &[i32] {
        self.input_ids
    }

    fn has_same_question(&self, other: &Self) -> bool {
        self.example_index == other.example_index
    }
}

fn answer(split: &Split, windows: &[Window<'_>], settings: &AnswerSettings, rules: Rules) -> AnsweredExample {
    let example_index = windows[0].0.example_index as usize;
    let example = split.examples.get(example_index);
    let context = split.contexts.get(example.context_id).context;
    let prediction = select_answer(context, windows, &settings.spans, rules == Rules::V2);
    let ground_truths: Vec<&str> = example.answers.iter().map(|answer| answer.text).collect();
    AnsweredExample {
        example_index,
        score: Scoring { rules, f1_units: settings.f1_units }.score(&prediction.text, &ground_truths),
        loss: windows.iter().map(|(feature, logits)| feature_loss(feature, logits)).sum(),
        prediction,
    }
}

/// A feature with its logits.
pub type Window<'a> = (Feature<'a>, QaLogits);

/// The answer to a question about `context` from all of its windows; `version_2` says whether "no answer" is possible.
#[must_use]
pub fn select_answer(
    context: &str,
    windows: &[Window<'_>],
    settings: &SpanSettings,
    version_2: bool,
) -> SpanPrediction {
    let offsets: Vec<Vec<Option<(u32, u32)>>> =
        windows.iter().map(|(feature, _)| feature.offset_mapping.iter().collect()).collect();
    let features: Vec<FeatureLogits<'_>> = windows
        .iter()
        .zip(&offsets)
        .map(|((_, logits), offset_mapping)| FeatureLogits {
            offset_mapping,
            start_logits: &logits.start_logits,
            end_logits: &logits.end_logits,
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
