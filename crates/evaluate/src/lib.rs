//! The evaluate stage: a checkpoint and the validation features in, predictions and scores out; the base model
//! is scored too, with the head that training began with.
//!
//! Not here: how spans are selected and scored (`squad`), how batches are run (`distilbert`).

mod error;

use std::io::{BufWriter, Write};

use artifact::{Artifact, Assets, Candidate, Prediction, PredictionsWriter, Tensors, file_name};
use distilbert::{
    AnswerSettings, AnsweredExample, BaseWeights, Config, DistilBertForQuestionAnswering, Predictor, Runtime,
    RuntimeOptions, Split, SplitOutcome, Weights, answer_split,
};
use serde_json::{Map, Value};
use squad::{Parts, SpanSettings};
use stage::Job;

pub use error::Error;

/// Runs the stage.
///
/// # Errors
/// [`Error`], each with its remedy.
pub fn run(job: &mut Job) -> Result<(), Error> {
    let run = &job.settings.run;
    let runtime = Runtime::new(RuntimeOptions {
        device: &run.device,
        precision: run.precision.as_str(),
        threads: run.threads,
        allow_slow_precision: run.allow_slow_precision,
    })?;
    job.run_info("device", runtime.device_name());
    job.run_info("precision", runtime.precision_name());
    job.run_info("threads", runtime.threads());

    let (ingest, train) = (job.input("ingest").clone(), job.input("train").clone());
    let validation = Split::validation(&ingest, job.input("tokenize-features"))?;
    let config = Config::from_assets(&Assets::open(&ingest.file(file_name::ASSETS)?)?)?;
    validation.check_fits(&config)?;
    let max_answer_length = job.settings.evaluate.max_answer_length;
    let long = validation.long_answers(max_answer_length);
    if long.questions > 0 {
        tracing::warn!(
            questions = long.questions,
            answers = long.answers,
            max_answer_length,
            "questions whose gold answers are all longer than evaluate.max_answer_length tokens cannot be answered exactly"
        );
    }
    let evaluation = Evaluation { runtime: &runtime, config: &config, split: &validation, job };

    let pretrained = Tensors::open(&ingest.file(file_name::PRETRAINED)?)?;
    let base_weights = BaseWeights::new(&pretrained, config.dim, seed_of(&train)?);
    let base = evaluation.score("base model", &base_weights, |_| Ok(()))?;

    let mut predictions =
        PredictionsWriter::create(&job.output().join(file_name::PREDICTIONS_VALIDATION), job.fingerprint())?;
    let mut texts = Map::new();
    let checkpoint = Tensors::open(&train.file(file_name::CHECKPOINT)?)?;
    let tuned = evaluation.score("fine-tuned model", &checkpoint, |answered| {
        let id = validation.examples.get(answered.example_index).id;
        texts.insert(id.to_owned(), Value::from(answered.prediction.text.clone()));
        predictions.push(prediction_row(id, answered))?;
        Ok(())
    })?;
    predictions.finish()?;
    write_texts(job, &texts)?;

    tuned.warn_about_sameness("fine-tuned model");
    job.metric("exact_match", tuned.score.exact_match);
    job.metric("f1", tuned.score.f1);
    job.metric("loss", tuned.score.loss);
    job.metric("base_exact_match", base.score.exact_match);
    job.metric("base_f1", base.score.f1);
    job.metric("base_loss", base.score.loss);
    job.metric("questions", validation.examples.len());
    if let Some(Parts { has_answer, no_answer }) = tuned.parts {
        for (part, means) in [("has_answer", has_answer), ("no_answer", no_answer)] {
            job.metric(&format!("{part}_questions"), means.questions);
            job.metric(&format!("{part}_exact_match"), means.exact_match);
            job.metric(&format!("{part}_f1"), means.f1);
        }
    }
    job.metric("answers_longer_than_max_answer_length", long.answers);
    job.metric("questions_with_longer_answers_alone", long.questions);
    Ok(())
}

/// The seed that training drew its head from, whatever today's settings say.
fn seed_of(train: &Artifact) -> Result<u64, Error> {
    train.manifest.parts.pointer("/settings/run.seed").and_then(Value::as_u64).ok_or(Error::NoSeed)
}

/// What scoring two models has in common.
struct Evaluation<'a> {
    runtime: &'a Runtime,
    config: &'a Config,
    split: &'a Split,
    job: &'a Job,
}

impl Evaluation<'_> {
    fn score(
        &self,
        what: &str,
        weights: &dyn Weights,
        mut each: impl FnMut(AnsweredExample) -> Result<(), Error>,
    ) -> Result<SplitOutcome, Error> {
        let model = DistilBertForQuestionAnswering::new(self.config, weights, self.runtime.device())?;
        let predictor = Predictor::new(&model, self.runtime);
        let settings = &self.job.settings;
        let answers = AnswerSettings {
            spans: SpanSettings {
                n_best: settings.evaluate.n_best,
                max_answer_length: settings.evaluate.max_answer_length,
                null_threshold: settings.evaluate.null_threshold,
            },
            f1_units: settings.evaluate.f1_units,
        };
        let progress = self.job.progress(what, self.split.examples.len() as u64);
        let outcome =
            answer_split(&predictor, self.split, settings.train.eval_batch_size, &answers, |answered| {
                if self.job.interrupted() {
                    return Err(Error::Interrupted);
                }
                progress.inc(1);
                each(answered)
            })?;
        progress.finish();
        let (score, parts) = (outcome.score, outcome.parts);
        tracing::info!(
            what,
            exact_match = score.exact_match,
            f1 = score.f1,
            has_answer_exact_match = parts.map(|parts| parts.has_answer.exact_match),
            has_answer_f1 = parts.map(|parts| parts.has_answer.f1),
            no_answer_exact_match = parts.map(|parts| parts.no_answer.exact_match),
            no_answer_f1 = parts.map(|parts| parts.no_answer.f1),
            "scored"
        );
        Ok(outcome)
    }
}

fn prediction_row(id: &str, answered: AnsweredExample) -> Prediction {
    let AnsweredExample { prediction, score, .. } = answered;
    let n_best = prediction.n_best.into_iter().map(|candidate| Candidate {
        text: candidate.text,
        start_char: candidate.start_char,
        end_char: candidate.end_char,
        score: candidate.score,
        probability: candidate.probability,
    });
    Prediction {
        id: id.to_owned(),
        prediction_text: prediction.text,
        start_char: prediction.start_char,
        end_char: prediction.end_char,
        score: prediction.score,
        null_score: prediction.null_score,
        n_best: n_best.collect(),
        exact_match: score.exact_match,
        f1: score.f1,
    }
}

/// `predictions.json`: id → text, the form that SQuAD's evaluation script reads.
fn write_texts(job: &Job, texts: &Map<String, Value>) -> Result<(), Error> {
    let mut file = BufWriter::new(fs_err::File::create(job.output().join(file_name::PREDICTIONS_JSON))?);
    serde_json::to_writer(&mut file, texts).map_err(std::io::Error::from)?;
    Ok(file.flush()?)
}
