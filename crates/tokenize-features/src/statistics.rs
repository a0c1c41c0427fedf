//! Statistics of a split's features at the present and other settings, to help choose `max_length` and `doc_stride`.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use squad::{LabelledAnswer, Window, WindowSettings};

use crate::question::QuestionTokens;

/// Settings that are compared with the present one, if the model has enough positions.
const ALTERNATIVES: [(usize, usize); 5] = [(128, 64), (256, 128), (320, 128), (384, 128), (512, 128)];

/// Features per batch of a trainer that pads each batch to its longest.
const BATCH_FEATURES: u64 = 8;

/// Counted while the features are written.
#[derive(Debug)]
pub struct Statistics {
    questions: u64,
    answered: u64,
    /// How many questions have this many tokens, including their context and the special tokens.
    pair_lengths: Lengths,
    /// The figures of the written features.
    present: OfSettings,
    /// Other settings, only counted.
    alternatives: Vec<OfSettings>,
}

impl Statistics {
    /// Empty statistics; `positions` are those of the model.
    #[must_use]
    pub fn new(present: WindowSettings, positions: usize) -> Self {
        let alternatives =
            ALTERNATIVES.map(|(max_length, doc_stride)| WindowSettings { max_length, doc_stride });
        let others =
            alternatives.into_iter().filter(|other| other.max_length <= positions && *other != present);
        Self {
            questions: 0,
            answered: 0,
            pair_lengths: Lengths::default(),
            present: OfSettings::new(present),
            alternatives: others.map(OfSettings::new).collect(),
        }
    }

    /// Counts a question, its windows at the present settings and its first answer, if it has one.
    pub fn count(&mut self, windows: &[Window], answer: Option<LabelledAnswer<'_>>) {
        self.questions += 1;
        self.answered += u64::from(answer.is_some());
        // `[CLS]`, at 0, stands for "not in this window".
        let lost = answer.is_some() && windows.iter().all(|window| window.start_position == 0);
        self.present.count(windows.iter().map(|window| window.input_ids.len()), lost);
        let tokens = QuestionTokens::of(windows, self.present.settings, answer);
        self.pair_lengths.add(tokens.length(&(0..tokens.context)));
        for other in &mut self.alternatives {
            match tokens.windows(other.settings) {
                Some(windows) => {
                    let lost = answer.is_some() && tokens.loses_answer(&windows);
                    other.count(windows.iter().map(|window| tokens.length(window)), lost);
                }
                None => other.too_long += 1,
            }
        }
    }

    /// The metrics for the manifest: those of the present settings, and under `window_settings` all that were compared.
    #[must_use]
    pub fn metrics(&self) -> Value {
        let mut metrics = json!({ "questions": self.questions });
        let rows = self.rows();
        for (key, value) in rows[0].as_object().into_iter().flatten() {
            metrics[key] = value.clone();
        }
        metrics["pair_length_percentiles"] = self.pair_lengths.percentiles();
        metrics["window_settings"] = rows.into();
        metrics
    }

    /// The present settings and then the others, smallest first.
    fn rows(&self) -> Vec<Value> {
        let all = std::iter::once(&self.present).chain(&self.alternatives);
        all.map(|settings| settings.metrics(self.questions, self.answered)).collect()
    }
}

/// Figures about windows of one size.
#[derive(Debug)]
struct OfSettings {
    settings: WindowSettings,
    several_windows: u64,
    lost: u64,
    /// Questions at which the stage would stop.
    too_long: u64,
    lengths: Lengths,
    /// The batch that is being filled: its number of features, and the longest of them.
    batch: (u64, u64),
    /// Tokens of the full batches, padded to the longest of each.
    batch_room: u64,
}

impl OfSettings {
    fn new(settings: WindowSettings) -> Self {
        let lengths = Lengths::default();
        Self { settings, several_windows: 0, lost: 0, too_long: 0, lengths, batch: (0, 0), batch_room: 0 }
    }

    /// Counts a question by the lengths of its windows.
    fn count(&mut self, lengths: impl ExactSizeIterator<Item = usize>, lost: bool) {
        self.several_windows += u64::from(lengths.len() > 1);
        self.lost += u64::from(lost);
        for length in lengths {
            self.lengths.add(length);
            let (features, longest) = self.batch;
            self.batch = (features + 1, longest.max(length as u64));
            if self.batch.0 == BATCH_FEATURES {
                self.batch_room += self.batch.0 * self.batch.1;
                self.batch = (0, 0);
            }
        }
    }

    fn metrics(&self, questions: u64, answered: u64) -> Value {
        let (features, tokens) = (self.lengths.count(), self.lengths.sum());
        let room = features * self.settings.max_length as u64;
        let batch_room = self.batch_room + self.batch.0 * self.batch.1;
        json!({
            "max_length": self.settings.max_length,
            "doc_stride": self.settings.doc_stride,
            "features": features,
            "tokens": tokens,
            "questions_in_several_windows": self.several_windows,
            "questions_in_several_windows_share": share(self.several_windows, questions),
            "questions_too_long": self.too_long,
            "answers_lost": self.lost,
            "answers_lost_share": share(self.lost, answered),
            "padding_share_at_max_length": share(room - tokens, room),
            "padding_share_in_batches_of_8": share(batch_room - tokens, batch_room),
            "length_mean": share(tokens, features),
            "length_percentiles": self.lengths.percentiles(),
        })
    }
}

/// How often each length occurs.
#[derive(Debug, Default)]
struct Lengths(BTreeMap<usize, u64>);

impl Lengths {
    fn add(&mut self, length: usize) {
        *self.0.entry(length).or_default() += 1;
    }

    fn count(&self) -> u64 {
        self.0.values().sum()
    }

    fn sum(&self) -> u64 {
        self.0.iter().map(|(length, count)| *length as u64 * count).sum()
    }

    fn percentiles(&self) -> Value {
        json!({
            "p50": self.percentile(50),
            "p90": self.percentile(90),
            "p95": self.percentile(95),
            "p99": self.percentile(99),
            "max": self.percentile(100),
        })
    }

    /// The smallest length that at least this many per cent do not exceed; 0 if there is none.
    fn percentile(&self, percent: u64) -> usize {
        let wanted = (self.count() * percent).div_ceil(100);
        let mut reached = 0;
        let found = self.0.iter().find(|(_, count)| {
            reached += **count;
            reached >= wanted
        });
        found.map_or(0, |(length, _)| *length)
    }
}

fn share(part: u64, whole: u64) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 / whole as f64 }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SETTINGS: WindowSettings = WindowSettings { max_length: 10, doc_stride: 2 };
    const ANSWER: Option<LabelledAnswer<'static>> = Some(LabelledAnswer { start: 0, text: "a" });

    fn window(length: usize, start_position: i32) -> Window {
        let context = (2..length - 1).map(|token| (token as u32 + 100, token as u32 + 101));
        Window {
            input_ids: vec![0; length],
            offset_mapping: [None, None].into_iter().chain(context.map(Some)).chain([None]).collect(),
            start_position,
            end_position: start_position,
        }
    }

    #[test]
    fn counts_windows_padding_and_lost_answers() {
        let mut statistics = Statistics::new(SETTINGS, 10);
        statistics.count(&[window(10, 0), window(4, 3)], ANSWER);
        statistics.count(&[window(6, 0)], ANSWER);
        statistics.count(&[window(5, 0)], None);
        let metrics = statistics.metrics();
        assert_eq!(metrics["features"], 4);
        assert_eq!(metrics["tokens"], 25);
        assert_eq!(metrics["answers_lost"], 1);
        assert_eq!(metrics["answers_lost_share"], 0.5);
        assert_eq!(metrics["questions_in_several_windows"], 1);
        assert_eq!(metrics["padding_share_at_max_length"], 0.375);
        assert_eq!(metrics["length_percentiles"]["p50"], 5);
        assert_eq!(metrics["length_percentiles"]["max"], 10);
    }

    #[test]
    fn batches_of_eight_are_padded_to_their_longest() {
        let mut statistics = Statistics::new(SETTINGS, 10);
        for length in [10, 4, 4, 4, 4, 4, 4, 4, 6, 5] {
            statistics.count(&[window(length, 0)], None);
        }
        // 80 and 12 tokens, of which 38 and 11 are real.
        assert_eq!(statistics.metrics()["padding_share_in_batches_of_8"], 43.0 / 92.0);
    }

    #[test]
    fn no_features_give_zeros() {
        let metrics = Statistics::new(SETTINGS, 512).metrics();
        assert_eq!(metrics["length_mean"], 0.0);
        assert_eq!(metrics["length_percentiles"]["max"], 0);
        assert_eq!(metrics["window_settings"].as_array().unwrap().len(), 6);
    }

    #[test]
    fn settings_past_the_models_positions_are_left_out() {
        let rows = Statistics::new(WindowSettings { max_length: 384, doc_stride: 128 }, 400).rows();
        let sizes: Vec<_> = rows.iter().map(|row| row["max_length"].as_u64().unwrap()).collect();
        assert_eq!(sizes, [384, 128, 256, 320]);
    }
}
