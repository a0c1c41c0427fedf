//! What a split's features are like, for choosing `max_length` and `doc_stride` by evidence.

use serde_json::{Value, json};
use squad::Window;

/// Counted while the features are written.
#[derive(Debug)]
pub struct Statistics {
    max_length: usize,
    questions: u64,
    answered: u64,
    lost: u64,
    several_windows: u64,
    /// How many features have so many tokens.
    lengths: Vec<u64>,
}

impl Statistics {
    /// Nothing counted yet.
    #[must_use]
    pub fn new(max_length: usize) -> Self {
        Self {
            max_length,
            questions: 0,
            answered: 0,
            lost: 0,
            several_windows: 0,
            lengths: vec![0; max_length + 1],
        }
    }

    /// Counts a question; `answered`: whether it has an answer to find.
    pub fn count(&mut self, windows: &[Window], answered: Answered) {
        self.questions += 1;
        self.several_windows += u64::from(windows.len() > 1);
        for window in windows {
            self.lengths[window.input_ids.len()] += 1;
        }
        if answered == Answered::Yes {
            self.answered += 1;
            // `[CLS]`, at 0, stands for "not in this window".
            self.lost += u64::from(windows.iter().all(|window| window.start_position == 0));
        }
    }

    /// For the manifest.
    #[must_use]
    pub fn metrics(&self) -> Value {
        let features: u64 = self.lengths.iter().sum();
        let tokens: u64 = self.lengths.iter().zip(0..).map(|(count, length)| count * length).sum();
        let room = features * self.max_length as u64;
        json!({
            "questions": self.questions,
            "questions_in_several_windows": self.several_windows,
            "answers_lost": self.lost,
            "answers_lost_share": share(self.lost, self.answered),
            "features": features,
            "tokens": tokens,
            "padding_share_at_max_length": share(room - tokens, room),
            "length_mean": share(tokens, features),
            "length_percentiles": {
                "p5": self.percentile(features, 5),
                "p25": self.percentile(features, 25),
                "p50": self.percentile(features, 50),
                "p75": self.percentile(features, 75),
                "p95": self.percentile(features, 95),
                "p99": self.percentile(features, 99),
                "max": self.percentile(features, 100),
            },
        })
    }

    /// The smallest length that at least so many per cent of the features do not exceed.
    fn percentile(&self, features: u64, percent: u64) -> usize {
        let wanted = (features * percent).div_ceil(100);
        let mut reached = 0;
        let found = self.lengths.iter().position(|count| {
            reached += count;
            reached >= wanted
        });
        found.unwrap_or(0)
    }
}

/// Whether the data set gives a question an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answered {
    /// At least one.
    Yes,
    /// None.
    No,
}

fn share(part: u64, whole: u64) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 / whole as f64 }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn window(length: usize, start_position: i32) -> Window {
        Window {
            input_ids: vec![0; length],
            offset_mapping: vec![None; length],
            start_position,
            end_position: start_position,
        }
    }

    #[test]
    fn counts_windows_padding_and_lost_answers() {
        let mut statistics = Statistics::new(10);
        statistics.count(&[window(10, 0), window(4, 3)], Answered::Yes);
        statistics.count(&[window(6, 0)], Answered::Yes);
        statistics.count(&[window(5, 0)], Answered::No);
        let metrics = statistics.metrics();
        assert_eq!(metrics["features"], 4);
        assert_eq!(metrics["tokens"], 25);
        assert_eq!(metrics["answers_lost"], 1);
        assert_eq!(metrics["questions_in_several_windows"], 1);
        assert_eq!(metrics["padding_share_at_max_length"], 0.375);
        assert_eq!(metrics["length_percentiles"]["p50"], 5);
        assert_eq!(metrics["length_percentiles"]["max"], 10);
    }

    #[test]
    fn no_features_give_zeros() {
        let metrics = Statistics::new(10).metrics();
        assert_eq!(metrics["length_mean"], 0.0);
        assert_eq!(metrics["length_percentiles"]["max"], 0);
    }
}
