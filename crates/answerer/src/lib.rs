//! A model → answers: to every question of a split, or to any questions about any texts.
//!
//! Windows run in batches of about equally many tokens, on the workers of a [`distilbert::Predictor`]. Other threads
//! then select the answers, which come in the order of the questions.
//!
//! Not here: the model (`distilbert`), how spans are selected and scored (`squad`), and where questions come from.

mod answerer;
mod error;
mod model;
mod pipeline;
mod profile;
mod scored;
mod split;
#[cfg(test)]
mod tests;
#[cfg(test)]
#[path = "../../../tests/word_piece.rs"]
mod word_piece;

use distilbert::{Runtime, RuntimeOptions};
use stage::settings::Run;

pub use answerer::{Answerer, Parts, Question, Usage};
pub use error::Error;
pub use model::open_model;
pub use profile::Latencies;
pub use scored::{
    AnswerSettings, AnsweredExample, SplitOutcome, SplitScore, Window, answer_split, select_answer,
};
pub use split::{LongAnswers, Split};

/// The device, precision and threads of `[run]`.
///
/// # Errors
/// The errors of [`Runtime::new`].
pub fn runtime(run: &Run) -> Result<Runtime, distilbert::Error> {
    if let Some(torch) = stage::python_package("torch") {
        distilbert::load_cuda(&torch, &run.device);
    }
    Runtime::new(RuntimeOptions {
        device: &run.device,
        precision: run.precision.as_str(),
        threads: run.threads,
        allow_slow_precision: run.allow_slow_precision,
    })
}
