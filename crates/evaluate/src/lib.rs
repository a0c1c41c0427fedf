//! The evaluate stage: trained weights and features in, predictions and scores of validation and test out; the same
//! of the base model, with the head that training began with.
//!
//! Not here: how spans are selected and scored (`squad`), how batches are run (`answerer`).

mod error;

use std::io::{BufWriter, Write};

use answerer::{AnswerSettings, AnsweredExample, Split, SplitOutcome, answer_split};
use artifact::{
    Artifact, Assets, Candidate, EvaluateMetrics, PartScores, Prediction, PredictionsWriter, Scores,
    SplitName, Tensors, file_name,
};
use distilbert::{BaseWeights, Config, DistilBertForQuestionAnswering, Predictor, Runtime, Weights};
use serde_json::{Map, Value};
use squad::{Means, SpanSettings};
use stage::Job;

pub use error::Error;

pub fn run(job: &mut Job) -> Result<(), Error> {
    let runtime = answerer::runtime(&job.settings.run)?;
    job.run_info("device", runtime.device_name());
    job.run_info("precision", runtime.precision_name());
    job.run_info("threads", runtime.threads());

    let (ingest, train) = (job.input("ingest").clone(), job.input("train").clone());
    let features = job.input("tokenize-features").clone();
    let config = Config::from_assets(&Assets::open(&ingest.file(file_name::ASSETS)?)?)?;
    let pretrained = Tensors::open(&ingest.file(file_name::PRETRAINED)?, &artifact::TENSORS)?;
    let base = BaseWeights::new(&pretrained, config.dim, seed_of(&train)?);
    let trained = Tensors::open(&train.file(file_name::WEIGHTS)?, &artifact::WEIGHTS)?;
    let score = |name: SplitName| -> Result<Scores, Error> {
        let split = Split::open(name, &ingest, &features)?;
        split.check_fits(&config)?;
        Evaluation { runtime: &runtime, config: &config, name, split: &split, job }.scores(&base, &trained)
    };
    let validation = score(SplitName::Validation)?;
    let has_test = ingest.lists(SplitName::Test.examples());
    let test = has_test.then(|| score(SplitName::Test)).transpose()?;
    job.metrics(&EvaluateMetrics { validation, test });
    Ok(())
}

/// The seed that training drew its head from, whatever today's settings say.
fn seed_of(train: &Artifact) -> Result<u64, Error> {
    train.manifest.parts.pointer("/settings/run.seed").and_then(Value::as_u64).ok_or(Error::NoSeed)
}

/// One split, answered by the model before and after fine-tuning.
struct Evaluation<'a> {
    runtime: &'a Runtime,
    config: &'a Config,
    name: SplitName,
    split: &'a Split,
    job: &'a Job,
}

impl Evaluation<'_> {
    fn scores(&self, base: &dyn Weights, trained: &dyn Weights) -> Result<Scores, Error> {
        let max_answer_length = self.job.settings.evaluate.max_answer_length;
        let long = self.split.long_answers(max_answer_length);
        if long.questions > 0 {
            tracing::warn!(
                split = self.name.as_str(),
                questions = long.questions,
                answers = long.answers,
                max_answer_length,
                "questions whose gold answers are all longer than evaluate.max_answer_length tokens cannot be answered exactly"
            );
        }
        let before = self.answer("base model", base, self.name.base_predictions(), |_, _| ())?;
        let mut texts = Map::new();
        let after = self.answer("fine-tuned model", trained, self.name.predictions(), |id, answer| {
            texts.insert(id.to_owned(), answer.into());
        })?;
        write_texts(self.job, self.name, &texts)?;
        after.warn_about_sameness("fine-tuned model");
        let part = |means: Means| PartScores {
            questions: means.questions as u64,
            exact_match: means.exact_match,
            f1: means.f1,
        };
        Ok(Scores {
            questions: self.split.examples.len() as u64,
            exact_match: after.score.exact_match,
            f1: after.score.f1,
            loss: after.score.loss,
            base_exact_match: before.score.exact_match,
            base_f1: before.score.f1,
            base_loss: before.score.loss,
            has_answer: after.parts.map(|parts| part(parts.has_answer)),
            no_answer: after.parts.map(|parts| part(parts.no_answer)),
            answers_longer_than_max_answer_length: long.answers as u64,
            questions_with_longer_answers_alone: long.questions as u64,
        })
    }

    /// Answers all questions with these weights and writes the answers to `file`; `each` gets ids and texts.
    fn answer(
        &self,
        what: &str,
        weights: &dyn Weights,
        file: &str,
        mut each: impl FnMut(&str, &str),
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
        let mut predictions =
            PredictionsWriter::create(&self.job.output().join(file), self.job.fingerprint())?;
        let progress = self.job.progress(what, self.split.examples.len() as u64);
        let outcome =
            answer_split(&predictor, self.split, settings.train.eval_batch_size, &answers, |answered| {
                if self.job.interrupted() {
                    return Err(Error::Interrupted);
                }
                progress.inc(1);
                let id = self.split.examples.get(answered.example_index).id;
                each(id, &answered.prediction.text);
                Ok(predictions.push(prediction_row(id, answered))?)
            })?;
        progress.finish();
        predictions.finish()?;
        let (score, parts) = (outcome.score, outcome.parts);
        tracing::info!(
            what,
            split = self.name.as_str(),
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

/// `predictions.json`, `predictions-test.json`: id → text, the form that SQuAD's evaluation script reads.
fn write_texts(job: &Job, split: SplitName, texts: &Map<String, Value>) -> Result<(), Error> {
    let name =
        if split == SplitName::Test { file_name::TEST_PREDICTIONS_JSON } else { file_name::PREDICTIONS_JSON };
    let mut file = BufWriter::new(fs_err::File::create(job.output().join(name))?);
    serde_json::to_writer(&mut file, texts).map_err(std::io::Error::from)?;
    Ok(file.flush()?)
}
