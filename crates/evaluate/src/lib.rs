//! The evaluate stage: computes predictions and scores of validation and test from trained weights and features, and the same
//! for the base model, with the head that training began with.
//!
//! Not here: how spans are selected and scored (`squad`), how batches are run (`answerer`), the statistics of the scores
//! (`analysis`).

mod error;

use std::io::{BufWriter, Write};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use analysis::slices::{Slice, SlicedQuestion, slices};
use analysis::{Judged, choose};
use answerer::{AnswerSettings, Answerer, LongAnswers, Parts, Split, SplitOutcome, Usage, answer_split};
use artifact::{
    Answer, Artifact, Assets, EvaluateMetrics, Example, Prediction, Predictions, PredictionsWriter, Scores,
    SplitName, Tensors, file_name, write_profile,
};
use distilbert::{BaseWeights, Config, DistilBertForQuestionAnswering, Predictor, Runtime, Weights};
use serde_json::{Map, Value};
use squad::{LabelledAnswer, QuestionScore, Rules, Scoring, SpanSettings, WindowSettings};
use stage::Job;
use stage::settings::NullThreshold;

pub use error::Error;

/// As ingest names it.
const TOKENIZER_JSON: &str = "tokenizer.json";

/// Questions that are asked again and again while the model's speed is measured.
const PROFILED_QUESTIONS: usize = 1000;

pub fn run(job: &mut Job) -> Result<(), Error> {
    let runtime = answerer::runtime(&job.settings.run)?;
    job.run_info("device", runtime.device_name());
    job.run_info("precision", runtime.precision_name());
    job.run_info("threads", runtime.threads());

    let (ingest, train) = (job.input("ingest").clone(), job.input("train").clone());
    let features = job.input("tokenize-features").clone();
    let assets = Assets::open(&ingest.file(file_name::ASSETS)?)?;
    let config = Config::from_assets(&assets)?;
    runtime.check_fits(&config)?;
    let pretrained = Tensors::open(&ingest.file(file_name::PRETRAINED)?, &artifact::TENSORS)?;
    let base = BaseWeights::new(&pretrained, config.dim, seed_of(&train)?);
    let trained = Tensors::open(&train.file(file_name::WEIGHTS)?, &artifact::WEIGHTS)?;
    let score = |name: SplitName, validation: Option<&Scores>| -> Result<Scores, Error> {
        let split = Split::open(name, &ingest, &features)?;
        split.check_fits(&config)?;
        let scoring = Scoring { rules: split.rules(), f1_units: job.settings.evaluate.f1_units };
        let evaluation = Evaluation { runtime: &runtime, config: &config, name, split: &split, scoring, job };
        let scores = evaluation.scores(&base, &trained, validation)?;
        write_texts(job, name)?;
        Ok(scores)
    };
    let validation = score(SplitName::Validation, None)?;
    let has_test = ingest.lists(SplitName::Test.examples());
    let test = has_test.then(|| score(SplitName::Test, Some(&validation))).transpose()?;
    job.metrics(&EvaluateMetrics { validation, test });
    let parts = Parts {
        config: &config,
        weights: &trained,
        tokenizer_json: assets.get(TOKENIZER_JSON).ok_or(Error::NoTokenizer)?,
    };
    profile(job, &parts, &runtime)
}

/// Measures how fast the fine-tuned model answers the validation questions, for `evaluate.profile_seconds`.
fn profile(job: &mut Job, parts: &Parts<'_>, runtime: &Runtime) -> Result<(), Error> {
    let seconds = job.settings.evaluate.profile_seconds;
    if seconds <= 0.0 {
        return Ok(());
    }
    let features = job.input("tokenize-features").clone();
    let split = Split::open(SplitName::Validation, job.input("ingest"), &features)?;
    let usage =
        Usage { windows: windows_of(&features)?, ..Usage::of(None, parts.config.max_position_embeddings) };
    let start = Instant::now();
    let answerer = Answerer::of(parts, usage, runtime)?;
    job.run_info("load_ms", start.elapsed().as_millis() as u64);
    let questions: Vec<(&str, &str)> = split
        .examples
        .iter()
        .take(PROFILED_QUESTIONS)
        .map(|example| (example.question, split.contexts.get(example.context_id).context))
        .collect();
    let rows = answerer.profile(&questions, Duration::from_secs_f64(seconds))?;
    job.run_info("peak_memory_bytes", stage::peak_memory());
    Ok(write_profile(&job.output().join(file_name::PROFILE), job.fingerprint(), &rows)?)
}

/// The seed that training drew its head from, whatever today's settings say.
fn seed_of(train: &Artifact) -> Result<u64, Error> {
    train.manifest.parts.pointer("/settings/run.seed").and_then(Value::as_u64).ok_or(Error::NoSeed)
}

/// The windows that the features are, whatever today's settings say.
fn windows_of(features: &Artifact) -> Result<WindowSettings, Error> {
    let setting = |key: &'static str| {
        let value = features.manifest.parts["settings"][key].as_u64();
        value.map(|value| value as usize).ok_or(Error::NoWindows { key })
    };
    let [max_length, doc_stride] =
        ["tokenize-features.max_length", "tokenize-features.doc_stride"].map(setting);
    Ok(WindowSettings { max_length: max_length?, doc_stride: doc_stride? })
}

/// One split, answered by the model before and after fine-tuning.
struct Evaluation<'a> {
    runtime: &'a Runtime,
    config: &'a Config,
    name: SplitName,
    split: &'a Split,
    scoring: Scoring,
    job: &'a Job,
}

impl Evaluation<'_> {
    /// The threshold of "auto" and the temperature are those of `validation`; without it, this split chooses them.
    fn scores(
        &self,
        base: &dyn Weights,
        trained: &dyn Weights,
        validation: Option<&Scores>,
    ) -> Result<Scores, Error> {
        let long = self.long_answers();
        let chooses = self.scoring.rules == Rules::V2;
        let first = match self.job.settings.evaluate.null_threshold {
            NullThreshold::At(threshold) => threshold,
            // Every question is answered until the threshold is known.
            NullThreshold::Chosen(_) if chooses => f64::INFINITY,
            NullThreshold::Chosen(_) => 0.0,
        };
        let (base_file, file) = (self.name.base_predictions(), self.name.predictions());
        let before = self.answer("base model", base, base_file, first)?;
        let after = self.answer("fine-tuned model", trained, file, first)?;
        let threshold = if first.is_finite() {
            first
        } else {
            let threshold = match validation {
                Some(scores) => scores.null_threshold.map_or(0.0, |thresholds| thresholds.used),
                None => self.judge(file)?.suggested_threshold(),
            };
            self.choose_again(base_file, threshold)?;
            self.choose_again(file, threshold)?;
            threshold
        };
        let temperature = validation
            .map(|scores| scores.calibration.as_ref().map_or(1.0, |calibration| calibration.temperature));
        let (judged_before, judged) = (self.judge(base_file)?, self.judge(file)?);
        for (what, answers) in [("base model", &judged_before), ("fine-tuned model", &judged)] {
            self.log(what, answers);
        }
        after.warn_about_sameness("fine-tuned model");
        let [exact_match_interval, f1_interval] = judged.score_intervals();
        let [has_answer, no_answer] = judged.part_scores();
        Ok(Scores {
            questions: self.split.examples.len() as u64,
            exact_match: judged.tally.means().exact_match,
            f1: judged.tally.means().f1,
            loss: after.score.loss,
            base_exact_match: judged_before.tally.means().exact_match,
            base_f1: judged_before.tally.means().f1,
            base_loss: before.score.loss,
            exact_match_interval,
            f1_interval,
            f1_gain: judged.f1_gain(&judged_before),
            has_answer,
            no_answer,
            slices: judged.slice_scores(&judged_before, &self.slices()),
            null_threshold: judged.null_thresholds(threshold),
            calibration: judged.calibration(temperature),
            answers_longer_than_max_answer_length: long.answers as u64,
            questions_with_longer_answers_alone: long.questions as u64,
        })
    }

    /// What each question is like.
    fn slices(&self) -> Vec<Vec<Slice>> {
        let mut windows = vec![0; self.split.examples.len()];
        for feature in self.split.features.iter() {
            windows[feature.example_index as usize] += 1;
        }
        let of_example = |(example, windows): (Example<'_>, usize)| {
            let context = self.split.contexts.get(example.context_id);
            let ground_truths: Vec<LabelledAnswer<'_>> = example
                .answers
                .iter()
                .map(|answer| LabelledAnswer { start: answer.start, text: answer.text })
                .collect();
            slices(&SlicedQuestion {
                question: example.question,
                context: context.context,
                ground_truths: &ground_truths,
                windows,
                article: context.title,
            })
        };
        self.split.examples.iter().zip(windows).map(of_example).collect()
    }

    /// Gold answers that no prediction can equal.
    fn long_answers(&self) -> LongAnswers {
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
        long
    }

    /// Answers all questions with these weights and writes the answers to `file`.
    fn answer(
        &self,
        what: &str,
        weights: &dyn Weights,
        file: &str,
        null_threshold: f64,
    ) -> Result<SplitOutcome, Error> {
        let model = DistilBertForQuestionAnswering::new(self.config, weights, self.runtime.device())?;
        let predictor = Predictor::new(&model, self.runtime);
        let settings = &self.job.settings;
        let answers = AnswerSettings {
            spans: SpanSettings {
                n_best: settings.evaluate.n_best,
                max_answer_length: settings.evaluate.max_answer_length,
                null_threshold,
            },
            f1_units: self.scoring.f1_units,
        };
        let mut predictions = PredictionsWriter::create(&self.path(file), self.job.fingerprint())?;
        let progress = self.job.progress(what, self.split.examples.len() as u64);
        let outcome =
            answer_split(&predictor, self.split, settings.train.eval_batch_size, &answers, |answered| {
                if self.job.interrupted() {
                    return Err(Error::Interrupted);
                }
                progress.inc(1);
                let id = self.split.examples.get(answered.example_index).id;
                let QuestionScore { exact_match, f1, .. } = answered.score;
                let row = analysis::prediction_row(id, answered.prediction);
                Ok(predictions.push(Prediction { exact_match, f1, ..row })?)
            })?;
        progress.finish();
        predictions.finish()?;
        Ok(outcome)
    }

    fn path(&self, file: &str) -> PathBuf {
        self.job.output().join(file)
    }

    /// Reads answers back and compares them with the gold ones.
    fn judge(&self, file: &str) -> Result<Judged, Error> {
        let predictions = Predictions::open(&self.path(file))?;
        let mut judged = Judged::default();
        for (example, prediction) in self.split.examples.iter().zip(predictions.iter()) {
            judged.add(example.context_id, &prediction, &texts(&example.answers), self.scoring);
        }
        Ok(judged)
    }

    /// Writes answers anew with another threshold.
    fn choose_again(&self, file: &str, null_threshold: f64) -> Result<(), Error> {
        let first = self.path(&format!("{file}.first"));
        fs_err::rename(self.path(file), &first)?;
        let predictions = Predictions::open(&first)?;
        let mut chosen = PredictionsWriter::create(&self.path(file), self.job.fingerprint())?;
        for (example, mut prediction) in self.split.examples.iter().zip(predictions.iter()) {
            choose(&mut prediction, null_threshold);
            let score = self.scoring.score(&prediction.prediction_text, &texts(&example.answers));
            (prediction.exact_match, prediction.f1) = (score.exact_match, score.f1);
            chosen.push(prediction)?;
        }
        chosen.finish()?;
        drop(predictions);
        Ok(fs_err::remove_file(first)?)
    }

    fn log(&self, what: &str, answers: &Judged) {
        let (means, parts) = (answers.tally.means(), answers.tally.parts());
        tracing::info!(
            what,
            split = self.name.as_str(),
            exact_match = means.exact_match,
            f1 = means.f1,
            has_answer_exact_match = parts.map(|parts| parts.has_answer.exact_match),
            has_answer_f1 = parts.map(|parts| parts.has_answer.f1),
            no_answer_exact_match = parts.map(|parts| parts.no_answer.exact_match),
            no_answer_f1 = parts.map(|parts| parts.no_answer.f1),
            "scored"
        );
    }
}

/// Of gold answers.
fn texts<'a>(answers: &[Answer<'a>]) -> Vec<&'a str> {
    answers.iter().map(|answer| answer.text).collect()
}

/// `predictions.json`, `predictions-test.json`: id → text, the form that SQuAD's evaluation script reads.
fn write_texts(job: &Job, split: SplitName) -> Result<(), Error> {
    let name =
        if split == SplitName::Test { file_name::TEST_PREDICTIONS_JSON } else { file_name::PREDICTIONS_JSON };
    let texts: Map<String, Value> = Predictions::open(&job.output().join(split.predictions()))?
        .iter()
        .map(|prediction| (prediction.id, prediction.prediction_text.into()))
        .collect();
    let mut file = BufWriter::new(fs_err::File::create(job.output().join(name))?);
    serde_json::to_writer(&mut file, &texts).map_err(std::io::Error::from)?;
    Ok(file.flush()?)
}
