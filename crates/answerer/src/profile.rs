//! How fast a model answers on this machine, in two scenarios of `MLPerf` Inference (Reddi et al. 2020): `SingleStream`,
//! one question after another, and `Offline`, all of them as a stream.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::{Duration, Instant};

use artifact::ProfileRow;

use crate::Error;
use crate::answerer::Answerer;
use crate::pipeline::{Run, answer_all};

/// Questions whose windows are prepared for the model alone.
const READY: usize = 256;

impl Answerer {
    /// Asks the pairs (question, context) of `questions` repeatedly for about `budget`. Each scenario gets a quarter of
    /// it end to end, from texts to answers, and a quarter for the model alone, with prepared windows. Without
    /// questions there are no rows.
    ///
    /// # Errors
    /// Those of [`Self::prepare`].
    pub fn profile(&self, questions: &[(&str, &str)], budget: Duration) -> Result<Vec<ProfileRow>, Error> {
        let Some(&(question, context)) = questions.first() else { return Ok(Vec::new()) };
        // The first answer also pays for memory and packed weights.
        self.answer(question, context)?;
        let quarter = budget / 4;
        let prepare = |&(question, context): &(&str, &str)| -> Result<Vec<squad::Window>, Error> {
            Ok(self.prepare((), question, Arc::from(context), &self.tokenize(context)?)?.into_windows())
        };
        let ready = questions.iter().take(READY).map(prepare).collect::<Result<Vec<_>, Error>>()?;

        let mut asked = questions.iter().cycle();
        let end_to_end = Latencies::measure(quarter, || {
            let (question, context) = asked.next().expect("there is a question");
            self.answer(question, context).map(drop)
        })?;
        let mut asked = ready.iter().cycle();
        let model = Latencies::measure(quarter, || {
            let windows: Vec<&squad::Window> = asked.next().expect("there is a question").iter().collect();
            drop(self.logits(&windows));
            Ok::<(), Infallible>(())
        })
        .unwrap_or_else(|never| match never {});
        let mut rows = single_stream(END_TO_END, &end_to_end);
        rows.extend(single_stream(MODEL, &model));
        rows.extend(offline(END_TO_END, &self.stream(questions, quarter)?));
        rows.extend(offline(MODEL, &self.stream_of_windows(&ready, quarter)));
        Ok(rows)
    }

    fn stream(&self, questions: &[(&str, &str)], budget: Duration) -> Result<Done, Error> {
        let start = Instant::now();
        let mut failed = None;
        let asked = questions.iter().cycle().take_while(|_| start.elapsed() < budget);
        let prepared = asked.map_while(|(question, context)| {
            let prepared = self.tokenize(context).and_then(|tokens| {
                let mut question = self.prepare(0, question, Arc::from(*context), &tokens)?;
                question.key = question.tokens();
                Ok(question)
            });
            prepared.map_err(|error| failed = Some(error)).ok()
        });
        let mut done = Done::default();
        self.answer_all(prepared, |tokens, _| {
            done.add(tokens, start);
            Ok::<(), Infallible>(())
        })
        .unwrap_or_else(|never| match never {});
        failed.map_or(Ok(done), Err)
    }

    fn stream_of_windows(&self, questions: &[Vec<squad::Window>], budget: Duration) -> Done {
        let start = Instant::now();
        let asked = (0..).zip(questions.iter().cycle()).take_while(|_| start.elapsed() < budget);
        let windows =
            asked.flat_map(|(index, windows)| windows.iter().map(move |window| Ready { index, window }));
        let tokens = |windows: &[(Ready<'_>, distilbert::QaLogits)]| -> usize {
            windows.iter().map(|(ready, _)| ready.window.input_ids.len()).sum()
        };
        let mut done = Done::default();
        answer_all(&self.predictor, windows, self.batch_tokens(), tokens, |tokens| {
            done.add(tokens, start);
            Ok::<(), Infallible>(())
        })
        .unwrap_or_else(|never| match never {});
        done
    }
}

const END_TO_END: &str = "end to end";
const MODEL: &str = "model";

/// A window of question number `index`.
struct Ready<'a> {
    index: usize,
    window: &'a squad::Window,
}

impl Run for Ready<'_> {
    fn input_ids(&self) -> &[i32] {
        &self.window.input_ids
    }

    fn has_same_question(&self, other: &Self) -> bool {
        self.index == other.index
    }
}

/// What was answered so far.
#[derive(Default)]
struct Done {
    questions: usize,
    tokens: usize,
    /// The time until the last answer.
    elapsed: Duration,
}

impl Done {
    fn add(&mut self, tokens: usize, start: Instant) {
        self.questions += 1;
        self.tokens += tokens;
        self.elapsed = start.elapsed();
    }
}

/// How long each of several answers took.
#[derive(Debug)]
pub struct Latencies {
    /// In milliseconds, ascending; at least one.
    ascending: Vec<f64>,
}

impl Latencies {
    /// Runs `run` until `budget` is spent, at least once.
    ///
    /// # Errors
    /// The first of `run`.
    pub fn measure<E>(budget: Duration, mut run: impl FnMut() -> Result<(), E>) -> Result<Self, E> {
        let start = Instant::now();
        let mut ascending = Vec::new();
        while ascending.is_empty() || start.elapsed() < budget {
            let one = Instant::now();
            run()?;
            ascending.push(1000.0 * one.elapsed().as_secs_f64());
        }
        ascending.sort_by(f64::total_cmp);
        Ok(Self { ascending })
    }

    /// How many there are.
    #[must_use]
    pub fn samples(&self) -> usize {
        self.ascending.len()
    }

    /// Milliseconds by nearest rank: p50, p90 from 10 samples on, p99 from 1,000 on. With fewer samples, a percentile
    /// is meaningless.
    #[must_use]
    pub fn percentiles(&self) -> Vec<(&'static str, f64)> {
        const LEAST: [(&str, f64, usize); 3] = [("p50", 0.5, 1), ("p90", 0.9, 10), ("p99", 0.99, 1000)];
        let known = LEAST.into_iter().filter(|(_, _, least)| self.samples() >= *least);
        known.map(|(name, share, _)| (name, self.percentile(share))).collect()
    }

    /// Milliseconds.
    #[must_use]
    pub fn median(&self) -> f64 {
        self.percentile(0.5)
    }

    fn percentile(&self, share: f64) -> f64 {
        self.ascending[((share * self.samples() as f64).ceil() as usize).max(1) - 1]
    }
}

fn single_stream(scope: &str, latencies: &Latencies) -> Vec<ProfileRow> {
    let row = |(name, value): (&str, f64)| ProfileRow {
        scenario: "SingleStream".to_owned(),
        scope: scope.to_owned(),
        measure: format!("{name}_ms"),
        value,
        samples: latencies.samples() as u64,
    };
    latencies.percentiles().into_iter().map(row).collect()
}

fn offline(scope: &str, done: &Done) -> [ProfileRow; 2] {
    [("questions_per_s", done.questions), ("tokens_per_s", done.tokens)].map(|(measure, count)| ProfileRow {
        scenario: "Offline".to_owned(),
        scope: scope.to_owned(),
        measure: measure.to_owned(),
        value: count as f64 / done.elapsed.as_secs_f64().max(f64::MIN_POSITIVE),
        samples: done.questions as u64,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_by_nearest_rank_and_need_samples() {
        let of = |ascending: Vec<f64>| Latencies { ascending }.percentiles();
        assert_eq!(of((1..=20).map(f64::from).collect()), [("p50", 10.0), ("p90", 18.0)]);
        assert_eq!(of(vec![7.0]), [("p50", 7.0)]);
        assert_eq!(of((1..=1000).map(f64::from).collect())[2], ("p99", 990.0));
    }
}
