//! `--require`: scores that a run must reach, or exit with code 5.

use std::str::FromStr;

use analysis::EvaluatedQuestion;
use analysis::slices::Slice;
use artifact::SplitName;
use statistics::{Bootstrap, Measure};

use crate::Error;

/// Seed of the resamples behind intervals; the same as in evaluate.
pub(crate) const SEED: u64 = 0;

/// A score of all questions or of a slice, and its required minimum: `f1=80`, `f1[question_word=why]=60`.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Gate {
    metric: Metric,
    slice: Option<Slice>,
    /// Per cent.
    least: f64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Metric {
    ExactMatch,
    F1,
}

impl FromStr for Gate {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        const FORM: &str = "expected f1=80, exact_match=70, or for a slice 'f1[question_word=why]=60'";
        let (what, least) = text.rsplit_once('=').ok_or(FORM)?;
        let least: f64 = least.trim().parse().map_err(|_| FORM)?;
        if !(0.0..=100.0).contains(&least) {
            return Err("a score is between 0 and 100".to_owned());
        }
        let (metric, slice) = match what.split_once('[') {
            Some((metric, slice)) => (metric, Some(slice.strip_suffix(']').ok_or(FORM)?)),
            None => (what, None),
        };
        let metric = match metric.trim() {
            "f1" => Metric::F1,
            "exact_match" => Metric::ExactMatch,
            _ => return Err(FORM.to_owned()),
        };
        let slice =
            slice.map(|slice| slice.parse::<Slice>().map_err(|error| error.to_string())).transpose()?;
        Ok(Self { metric, slice, least })
    }
}

impl Gate {
    /// Refuses a slice that does not exist, before anything runs. `own` are the names in `report.slices`.
    pub(crate) fn check_slice<'a>(&self, own: impl Iterator<Item = &'a str>) -> Result<(), Error> {
        Ok(self.slice.as_ref().map_or(Ok(()), |slice| slice.check(own))?)
    }

    /// Whether the questions of `split` reach it.
    ///
    /// # Errors
    /// [`Error::EmptySlice`], and [`Error::NotReached`], which says by how much they miss it.
    pub(crate) fn check(&self, questions: &[EvaluatedQuestion], split: SplitName) -> Result<(), Error> {
        let is_in = |question: &EvaluatedQuestion| {
            self.slice.as_ref().is_none_or(|slice| question.slices.contains(slice))
        };
        let members: Vec<usize> = (0..questions.len()).filter(|&index| is_in(&questions[index])).collect();
        if members.is_empty() {
            let slice = self.slice.as_ref().map_or_else(String::new, Slice::to_string);
            return Err(Error::EmptySlice { slice, split });
        }
        let clusters: Vec<u32> = questions.iter().map(|question| question.context_id).collect();
        let scores: Vec<f64> = questions
            .iter()
            .map(|question| match self.metric {
                Metric::ExactMatch => question.prediction.exact_match,
                Metric::F1 => question.prediction.f1,
            })
            .collect();
        let estimates = Bootstrap::new(SEED).estimate(&clusters, &[Measure::Score(&scores)], &[members]);
        let estimate = &estimates[0][0];
        let found = 100.0 * estimate.mean;
        // The decision uses the same two digits as the output.
        if (found * 100.0).round() >= (self.least * 100.0).round() {
            return Ok(());
        }
        let interval = estimate.interval(0.95).map_or_else(String::new, |interval| {
            format!(", 95 % interval {:.2} to {:.2}", 100.0 * interval.low, 100.0 * interval.high)
        });
        let metric = if self.metric == Metric::F1 { "F1" } else { "exact match" };
        let of = self.slice.as_ref().map_or_else(String::new, |slice| format!(" of {slice}"));
        Err(Error::NotReached {
            what: format!("{metric}{of} on {} {split} questions", estimate.questions),
            found: format!("{found:.2}"),
            least: format!("{:.2}", self.least),
            missing: format!("{:.2}", self.least - found),
            interval,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gates_are_read_as_they_are_written_and_others_are_refused() {
        let gate = |text: &str| text.parse::<Gate>();
        let slice = "question_word=why".parse().unwrap();
        assert_eq!(gate("f1=80"), Ok(Gate { metric: Metric::F1, slice: None, least: 80.0 }));
        assert_eq!(
            gate("exact_match[question_word=why]=60.5"),
            Ok(Gate { metric: Metric::ExactMatch, slice: Some(slice), least: 60.5 })
        );
        for text in [
            "f1",
            "f1=",
            "f1=x",
            "f1=101",
            "f1=-1",
            "f2=1",
            "f1[why]=3",
            "f1[question_word=why=3",
            "f1=NaN",
            "",
        ] {
            assert!(gate(text).is_err(), "{text:?}");
        }
    }
}
