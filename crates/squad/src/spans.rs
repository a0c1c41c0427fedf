//! From start and end logits to an answer: the best pieces of the context.
//!
//! Equal to `postprocess_qa_predictions` of transformers' question-answering example (`utils_qa.py`) on f32 logits. The
//! reference leaves the order of equal logits open, because `numpy.argsort` is not stable. Here it is that of a stable
//! sort: of equal logits, the later token is considered first; of spans with equal scores, the one considered first
//! ranks first (earlier window, then better start, then better end).

use crate::offsets::{CharIndex, CharOffset};
use std::cmp::Ordering;

/// The answer if there is no span at all.
const STAND_IN: &str = "empty";

/// How spans are selected; the settings of `[evaluate]`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SpanSettings {
    /// How many starts and ends of each window are paired, and how many spans are kept.
    pub n_best: usize,
    /// The most tokens in an answer.
    pub max_answer_length: usize,
    /// A question is left unanswered if the score of "no answer" exceeds the best span's by more than this. Only used
    /// if questions may have no answer.
    pub null_threshold: f64,
}

/// The model's logits for one window. Logits beyond the offsets (padding) are ignored.
#[derive(Clone, Copy, Debug)]
pub struct FeatureLogits<'a> {
    /// The window's offset mapping: characters of the context, `None` for tokens outside of it.
    pub offset_mapping: &'a [Option<(u32, u32)>],
    /// (tokens)
    pub start_logits: &'a [f32],
    /// (tokens)
    pub end_logits: &'a [f32],
}

/// The answer to a question, and the candidates that it was chosen from.
#[derive(Clone, Debug, PartialEq)]
pub struct SpanPrediction {
    /// The answer; empty if there is none.
    pub text: String,
    /// Where it starts in the context, in characters; -1 if it is not part of the context.
    pub start_char: i32,
    /// Where it ends, exclusive; -1 as for `start_char`.
    pub end_char: i32,
    /// Start logit + end logit; those of `[CLS]` if there is no answer.
    pub score: f64,
    /// The least score of `[CLS]` over the windows, if questions may have no answer.
    pub null_score: Option<f64>,
    /// The best candidates, best first. There may be one more than `n_best`: no answer, or the stand-in.
    pub n_best: Vec<SpanCandidate>,
}

/// A candidate for the answer.
#[derive(Clone, Debug, PartialEq)]
pub struct SpanCandidate {
    /// The piece of the context; empty for no answer.
    pub text: String,
    /// Where it starts in the context, in characters; -1 if it is not part of the context.
    pub start_char: i32,
    /// Where it ends, exclusive; -1 as for `start_char`.
    pub end_char: i32,
    /// Start logit + end logit.
    pub score: f64,
    /// Softmax over the candidates' scores.
    pub probability: f64,
}

impl SpanPrediction {
    /// Softens (above 1) or sharpens (below 1) the probabilities: softmax over scores / `temperature`. The answer and
    /// the order of the candidates stay the same.
    pub fn set_temperature(&mut self, temperature: f64) {
        let candidates = self.n_best.iter_mut();
        calibrate(candidates.map(|candidate| (candidate.score, &mut candidate.probability)), temperature);
    }
}

/// Sets probabilities to the softmax over scores / `temperature`, from pairs of a score and its probability.
pub fn calibrate<'a>(candidates: impl Iterator<Item = (f64, &'a mut f64)>, temperature: f64) {
    let candidates: Vec<_> = candidates.collect();
    let greatest = candidates.iter().map(|(score, _)| *score).fold(f64::NEG_INFINITY, f64::max);
    let weight = |score: f64| ((score - greatest) / temperature).exp();
    let weights: f64 = candidates.iter().map(|(score, _)| weight(*score)).sum();
    for (score, probability) in candidates {
        *probability = weight(score) / weights;
    }
}

/// Selects the answer to one question from the logits of its windows. `version_2` (SQuAD v2.0) allows "no answer".
///
/// If no window has any span, the answer is the word "empty" with score 0, as in the reference.
#[must_use]
pub fn select_spans(
    context: &str,
    features: &[FeatureLogits<'_>],
    settings: &SpanSettings,
    version_2: bool,
) -> SpanPrediction {
    let null = if version_2 { least_null(features) } else { None };
    let mut best = best_spans(features, settings, null);
    let n_best = candidates(context, &mut best);

    let chosen = if version_2 {
        let non_null = n_best.iter().position(|candidate| !candidate.text.is_empty());
        non_null.filter(|&index| !null.is_some_and(|null| prefers_null(null, best[index], settings)))
    } else {
        Some(0)
    };
    let null_score = null.map(|null| f64::from(null.score));
    if let Some(index) = chosen {
        let SpanCandidate { text, start_char, end_char, score, .. } = n_best[index].clone();
        SpanPrediction { text, start_char, end_char, score, null_score, n_best }
    } else {
        let score = null_score.unwrap_or(0.0);
        SpanPrediction { text: String::new(), start_char: -1, end_char: -1, score, null_score, n_best }
    }
}

/// A start and an end that go together. The reference computes in f32, and so does this code up to the softmax.
#[derive(Clone, Copy, Debug)]
struct Span {
    place: Place,
    start_logit: f32,
    end_logit: f32,
    score: f32,
    /// When it was considered: decides between equal scores.
    order: u32,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Place {
    /// Characters of the context, start and end.
    Context(u32, u32),
    /// No answer.
    Null,
    /// The reference's stand-in if there is no span at all.
    StandIn,
}

impl Span {
    fn new(place: Place, start_logit: f32, end_logit: f32) -> Self {
        Self { place, start_logit, end_logit, score: start_logit + end_logit, order: 0 }
    }
}

/// The span of `[CLS]` in the window with its least score: all windows must agree on "no answer".
fn least_null(features: &[FeatureLogits<'_>]) -> Option<Span> {
    let nulls = features.iter().filter_map(|feature| {
        Some(Span::new(Place::Null, *feature.start_logits.first()?, *feature.end_logits.first()?))
    });
    nulls.reduce(|least, null| if least.score > null.score { null } else { least })
}

/// The `n_best` best spans of all windows, best first, and "no answer" if that is allowed.
fn best_spans(features: &[FeatureLogits<'_>], settings: &SpanSettings, null: Option<Span>) -> Vec<Span> {
    let mut spans = Vec::new();
    let (mut starts, mut ends) = (Vec::new(), Vec::new());
    for feature in features {
        best_in_context(feature.start_logits, feature.offset_mapping, settings.n_best, &mut starts);
        best_in_context(feature.end_logits, feature.offset_mapping, settings.n_best, &mut ends);
        for start in &starts {
            let reach = start.index..start.index.saturating_add(settings.max_answer_length);
            for end in ends.iter().filter(|end| reach.contains(&end.index)) {
                let place = Place::Context(start.offsets.0, end.offsets.1);
                let order = spans.len() as u32;
                spans.push(Span { order, ..Span::new(place, start.logit, end.logit) });
            }
        }
    }
    spans.extend(null.map(|null| Span { order: spans.len() as u32, ..null }));
    keep_first(&mut spans, settings.n_best, |a, b| descending(a.score, b.score).then(a.order.cmp(&b.order)));

    if let Some(null) = null
        && !spans.iter().any(|span| span.place == Place::Null)
    {
        spans.push(null);
    }
    spans
}

/// A token of the context with one of its logits.
#[derive(Clone, Copy)]
struct Token {
    index: usize,
    logit: f32,
    offsets: (u32, u32),
}

/// Those of a window's `n` largest logits that belong to the context, largest first. The reference takes the `n`
/// largest of all tokens before it checks where they are.
fn best_in_context(logits: &[f32], offset_mapping: &[Option<(u32, u32)>], n: usize, best: &mut Vec<Token>) {
    best.clear();
    best.extend(logits.iter().enumerate().map(|(index, &logit)| Token { index, logit, offsets: (0, 0) }));
    keep_first(best, n, |a, b| descending(a.logit, b.logit).then(b.index.cmp(&a.index)));
    best.retain_mut(|token| match offset_mapping.get(token.index).copied().flatten() {
        Some(offsets) => {
            token.offsets = offsets;
            true
        }
        None => false,
    });
}

/// The spans with their texts and probabilities, and the stand-in if no span has a text.
fn candidates(context: &str, spans: &mut Vec<Span>) -> Vec<SpanCandidate> {
    let index = CharIndex::new(context);
    let text = |place| match place {
        Place::Context(start, end) => index.slice(CharOffset(start), CharOffset(end)),
        Place::Null => "",
        Place::StandIn => STAND_IN,
    };
    if spans.is_empty() || (spans.len() == 1 && text(spans[0].place).is_empty()) {
        spans.insert(0, Span::new(Place::StandIn, 0.0, 0.0));
    }
    let greatest = spans.iter().map(|span| f64::from(span.score)).fold(f64::NEG_INFINITY, f64::max);
    let weight = |span: &Span| (f64::from(span.score) - greatest).exp();
    let weights: f64 = spans.iter().map(weight).sum();
    let candidate = |span: &Span| {
        let (start_char, end_char) = match span.place {
            Place::Context(start, end) => (start as i32, end as i32),
            Place::Null | Place::StandIn => (-1, -1),
        };
        let (score, probability) = (f64::from(span.score), weight(span) / weights);
        SpanCandidate { text: text(span.place).to_owned(), start_char, end_char, score, probability }
    };
    spans.iter().map(candidate).collect()
}

/// Whether no answer beats the best span by more than the threshold.
fn prefers_null(null: Span, best: Span, settings: &SpanSettings) -> bool {
    null.score - best.start_logit - best.end_logit > settings.null_threshold as f32
}

/// The first `n` items in the given order, sorted; all if there are fewer.
fn keep_first<T>(items: &mut Vec<T>, n: usize, compare: impl Fn(&T, &T) -> Ordering) {
    if n > 0 && n < items.len() {
        items.select_nth_unstable_by(n - 1, &compare);
    }
    items.truncate(n);
    items.sort_unstable_by(&compare);
}

/// Larger first, and NaN before all, as in a reversed `numpy.argsort`: a diverged model shows in the score instead of
/// passing unnoticed.
fn descending(a: f32, b: f32) -> Ordering {
    b.partial_cmp(&a).unwrap_or_else(|| b.is_nan().cmp(&a.is_nan()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calibrated_probabilities_are_the_softmax_of_divided_scores() {
        let scores = [3.0, 2.5, 1.0, -7.5];
        let mut probabilities = [0.25; 4];
        calibrate(scores.into_iter().zip(&mut probabilities), 0.4);
        // 1 / (1 + e^-1.25 + e^-5 + e^-26.25)
        assert!((probabilities[0] - 0.773_250).abs() < 1e-6, "{probabilities:?}");
        assert!((probabilities.iter().sum::<f64>() - 1.0).abs() < 1e-12);
        assert!((probabilities[1] / probabilities[0] - (-1.25_f64).exp()).abs() < 1e-12);
    }
}
