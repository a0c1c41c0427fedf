//! `evaluate --model M --dataset FILE`: a finished model on any labelled questions, outside the store.
//!
//! The same numbers as the stage's, of one model. Windows, choice of answers, threshold and temperature are the model's
//! own, as `ask` has them.

use std::convert::Infallible;
use std::fmt::Write;
use std::path::PathBuf;
use std::sync::Arc;

use analysis::{Judged, prediction_row};
use answerer::{Answerer, Question, open_model};
use artifact::{Calibration, Interval, NullThresholds, PartScores};
use clap::Args;
use question_files::{LabelledQuestion, labelled_questions};
use serde::Serialize;
use squad::{Rules, Scoring, SpanPrediction, TokenizedContext};
use stage::{CommonOptions, ModelOptions, Progress, Workspace};

use crate::Error;

/// Scores a finished model on labelled questions, without training
///
/// Prints exact match and F1 with 95 % intervals by context. If some questions have no answer, the rules of SQuAD v2.0
/// apply. Windows and the choice of answers are the model's own; `--set` overrides them as for `distilburn ask`, and
/// `--set evaluate.f1_units=characters` changes what F1 counts. Nothing is written.
#[derive(Debug, Args)]
pub struct EvaluateOptions {
    #[command(flatten)]
    model: ModelOptions,

    /// Questions and their answers, in any form that ingest reads: SQuAD JSON, JSON Lines, CSV, Parquet
    #[arg(long, value_name = "FILE")]
    dataset: PathBuf,

    /// Print one JSON object, with unrounded numbers
    #[arg(long)]
    json: bool,

    #[command(flatten)]
    pub(crate) common: CommonOptions,
}

/// As the stage has them in [`artifact::Scores`].
#[derive(Debug, Serialize)]
struct ModelScores {
    questions: usize,
    exact_match: f64,
    f1: f64,
    exact_match_interval: Option<Interval>,
    f1_interval: Option<Interval>,
    #[serde(skip_serializing_if = "Option::is_none")]
    has_answer: Option<PartScores>,
    #[serde(skip_serializing_if = "Option::is_none")]
    no_answer: Option<PartScores>,
    #[serde(skip_serializing_if = "Option::is_none")]
    null_threshold: Option<NullThresholds>,
    calibration: Option<Calibration>,
}

pub(crate) fn run(options: &EvaluateOptions) -> Result<(), Error> {
    let f1_units = Workspace::open(&options.common.settings, &[])?.settings().evaluate.f1_units;
    let questions = labelled_questions(&options.dataset, "--dataset")?;
    let answerer = open_model(options.model.model.as_deref(), &options.common, "evaluate --dataset")?;
    let rules = Rules::of(questions.iter().map(|question| question.answers.len()));
    let progress = Progress::start(options.common.output.progress(), "questions", questions.len() as u64);
    let mut judged = Judged::default();
    let mut of_question = questions.iter();
    answer(&answerer, &questions, |prediction| {
        progress.inc(1);
        let question = of_question.next().expect("as many answers as questions");
        let ground_truths: Vec<&str> = question.answers.iter().map(|answer| answer.text.as_str()).collect();
        let prediction = prediction_row(&question.id, prediction);
        judged.add(question.context_index, &prediction, &ground_truths, Scoring { rules, f1_units });
    })?;
    progress.finish();
    let usage = answerer.usage();
    let [exact_match_interval, f1_interval] = judged.score_intervals();
    let means = judged.tally.means();
    let [has_answer, no_answer] = judged.part_scores();
    let scores = ModelScores {
        questions: means.questions,
        exact_match: means.exact_match,
        f1: means.f1,
        exact_match_interval,
        f1_interval,
        has_answer,
        no_answer,
        null_threshold: judged.null_thresholds(usage.spans.null_threshold),
        calibration: judged.calibration(Some(usage.temperature)),
    };
    let text = if options.json {
        serde_json::to_string(&scores).expect("a struct with string keys") + "\n"
    } else {
        scores.text()
    };
    Ok(stage::print(&text)?)
}

/// Answers all questions in order. A context is tokenized once for the questions that follow each other about it.
fn answer(
    answerer: &Answerer,
    questions: &[LabelledQuestion],
    mut each: impl FnMut(SpanPrediction),
) -> Result<(), Error> {
    let mut context: Option<(u32, TokenizedContext)> = None;
    let mut failed = None;
    let prepared = questions.iter().map_while(|question| {
        let prepared = prepare(answerer, question, &mut context);
        prepared.map_err(|error| failed = Some(error)).ok()
    });
    answerer
        .answer_all(prepared, |(), prediction| {
            each(prediction);
            Ok::<(), Infallible>(())
        })
        .unwrap_or_else(|never| match never {});
    failed.map_or(Ok(()), Err)
}

fn prepare(
    answerer: &Answerer,
    question: &LabelledQuestion,
    context: &mut Option<(u32, TokenizedContext)>,
) -> Result<Question<()>, Error> {
    let failed =
        |source: answerer::Error| Error::Question { id: question.id.clone(), source: Box::new(source) };
    let tokens = match context {
        Some((index, tokens)) if *index == question.context_index => tokens,
        _ => {
            let tokens = answerer.tokenize(&question.context).map_err(failed)?;
            &context.insert((question.context_index, tokens)).1
        }
    };
    answerer.prepare((), &question.question, Arc::clone(&question.context), tokens).map_err(failed)
}

impl ModelScores {
    fn text(&self) -> String {
        let within = |interval: Option<Interval>| {
            interval.map_or_else(String::new, |Interval { low, high }| format!(" ({low:.1} to {high:.1})"))
        };
        let mut text = format!(
            "exact match {:.2}{}, F1 {:.2}{} on {} questions\n",
            self.exact_match,
            within(self.exact_match_interval),
            self.f1,
            within(self.f1_interval),
            self.questions,
        );
        let parts = [("with an answer", self.has_answer), ("without", self.no_answer)];
        for (what, part) in parts {
            if let Some(PartScores { questions, exact_match, f1 }) = part {
                let _ = writeln!(
                    text,
                    "  {what}: exact match {exact_match:.2}, F1 {f1:.2} ({questions} questions)"
                );
            }
        }
        if let Some(NullThresholds { used, attainable_f1, .. }) = self.null_threshold {
            let _ = writeln!(
                text,
                "  no-answer threshold {used:.2}; the best for this file, {:.2}, would give F1 {:.2}",
                attainable_f1.threshold, attainable_f1.score
            );
        }
        if let Some(Calibration { calibrated, .. }) = self.calibration {
            let _ = writeln!(
                text,
                "  confidences are off by {:.1} points on average (expected calibration error)",
                100.0 * calibrated.expected_calibration_error
            );
        }
        text
    }
}
