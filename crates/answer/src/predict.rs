//! `predict`: the answers to all questions of files that may be larger than memory.

mod job;
mod output;
mod part;
mod questions;
mod summary;

use std::collections::BTreeSet;
use std::fmt;
use std::io::{self, Write};
use std::path::PathBuf;
use std::str::FromStr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use answerer::Answerer;
use clap::Args;
use squad::{F1Units, QuestionScore, Scoring, SpanPrediction};
use stage::{CommonOptions, Interrupt, ModelOptions, Progress};

use self::part::{PART_QUESTIONS, Part, PartWriter, Row, Totals, questions_of};
use self::questions::{Asked, Census, Stream};
use self::summary::lines_of;
use crate::Error;

pub(crate) use self::job::{Folder, Job};
pub(crate) use self::output::Output;
pub(crate) use self::summary::summarize;

/// Answer all questions in files
///
/// FILEs are SQuAD JSON, JSON Lines, CSV, Parquet, Arrow or another form that ingest reads, with or without answers, plain or
/// compressed; crates/question-files/forms.md shows them all. Their questions are read as a stream.
///
/// The name of the output chooses its format: .json is one object of question id → answer text, which SQuAD's script and
/// `distilburn score` read; .jsonl, .parquet and .arrow also have positions, scores and probabilities. A question that cannot
/// be asked, such as one that is longer than a window, gets no answer; the column `error` says why. If the files hold answers,
/// the predictions are scored.
///
/// Answers are kept in parts, in a folder beside the output, and joined at the end. After a kill, the same command resumes and
/// gives the same bytes.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  distilburn predict dev.json --output predictions.json
  distilburn predict --model owner/name questions.parquet --output answers.parquet
  distilburn predict questions.jsonl.zst --output - | head
  distilburn predict questions.parquet --output answers.parquet --shard 2/8
  distilburn merge answers.parquet")]
pub struct PredictOptions {
    /// Questions and their contexts
    #[arg(value_name = "FILE", required = true)]
    files: Vec<PathBuf>,

    /// Where the answers go: a .json, .jsonl, .parquet or .arrow file, or - for JSON Lines on stdout
    #[arg(long, short, value_name = "FILE")]
    output: PathBuf,

    #[command(flatten)]
    model: ModelOptions,

    /// Answer one of N shares of the questions, for parallel jobs; `distilburn merge` joins them
    #[arg(long, value_name = "I/N")]
    shard: Option<Shard>,

    /// Start over, without the parts of an earlier run
    #[arg(long)]
    force: bool,

    /// Print a summary as one JSON object
    #[arg(long)]
    json: bool,

    #[command(flatten)]
    pub(crate) common: CommonOptions,
}

/// `2/8`: the second of eight shares.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Shard {
    /// From 0.
    index: u64,
    count: u64,
}

impl FromStr for Shard {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let expected = || "expected I/N with I from 1 to N, such as 2/8".to_owned();
        let (index, count) = text.split_once('/').ok_or_else(expected)?;
        match (index.parse::<u64>(), count.parse::<u64>()) {
            (Ok(index), Ok(count)) if (1..=count).contains(&index) => Ok(Self { index: index - 1, count }),
            _ => Err(expected()),
        }
    }
}

impl fmt::Display for Shard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.index + 1, self.count)
    }
}

pub(crate) fn run(options: &PredictOptions) -> Result<(), Error> {
    let interrupt = Interrupt::install()?;
    if options.output.as_os_str() == "-" {
        return match (options.shard, options.json) {
            (None, false) => stream(options, &interrupt),
            (Some(_), _) => Err(Error::OnStdout { what: "--shard" }),
            (None, true) => Err(Error::OnStdout { what: "--json" }),
        };
    }
    let output = Output::named(&options.output)?;
    let folder = Folder::beside(&options.output);
    check_output(options)?;
    if options.force && folder.path.is_dir() {
        // Not those that another process is writing.
        drop(folder.lock(shard_of(options))?);
        folder.remove()?;
    }
    let files = InputFiles::look(&options.files)?;
    let census = match folder.census(&files.hashes) {
        Some(census) => census,
        None => take_census(options, &interrupt)?,
    };
    let answerer = open(options)?;
    let job = Job::new(&files.hashes, census, &answerer)?;
    folder.begin(&job)?;
    let _lock = folder.lock(shard_of(options))?;

    let done = parts_done(&folder, &job.census, options.shard)?;
    let missing: BTreeSet<u64> =
        own_parts(&job.census, options.shard).filter(|part| !done.contains(part)).collect();
    let predicting = Predicting { options, answerer: &answerer, job: &job, interrupt: &interrupt };
    predicting.predict(&folder, &missing)?;
    files.check_unchanged()?;

    let mut parts = Vec::new();
    for part in 0..job.census.parts() {
        parts.extend(folder.part(part, &job.census)?);
    }
    if let Some(shard) = options.shard {
        tracing::info!(
            %shard, parts = parts.len(), of = job.census.parts(), folder = %folder.path.display(),
            "shard finished; when all are finished, join them with `distilburn merge`"
        );
        return Ok(());
    }
    let totals = output.join(&job, &parts)?;
    folder.remove()?;
    summarize(&totals, &output.path, options.json)
}

/// (index, count) of the share that is asked for.
fn shard_of(options: &PredictOptions) -> Option<(u64, u64)> {
    options.shard.map(|shard| (shard.index, shard.count))
}

/// Refuses to replace the questions by their answers.
fn check_output(options: &PredictOptions) -> Result<(), Error> {
    let Ok(output) = options.output.canonicalize() else { return Ok(()) };
    let is_output = |file: &PathBuf| file.canonicalize().is_ok_and(|file| file == output);
    if options.files.iter().any(is_output) {
        return Err(Error::OutputIsInput { path: options.output.clone() });
    }
    Ok(())
}

fn open(options: &PredictOptions) -> Result<Answerer, Error> {
    Ok(answerer::open_model(options.model.model.as_deref(), &options.common, "predict")?)
}

fn take_census(options: &PredictOptions, interrupt: &Interrupt) -> Result<Census, Error> {
    let progress = Progress::start(options.common.output.progress(), "check questions", 0);
    Census::take(&options.files, &progress, interrupt)
}

/// The parts that a run answers.
fn own_parts(census: &Census, shard: Option<Shard>) -> impl Iterator<Item = u64> {
    let Shard { index, count } = shard.unwrap_or(Shard { index: 0, count: 1 });
    (index..census.parts()).step_by(usize::try_from(count).unwrap_or(usize::MAX))
}

/// Those of a run's parts that are there; a damaged one is answered again.
fn parts_done(folder: &Folder, census: &Census, shard: Option<Shard>) -> Result<BTreeSet<u64>, Error> {
    let mut done = BTreeSet::new();
    for part in own_parts(census, shard) {
        match folder.part(part, census) {
            Ok(Some(_)) => drop(done.insert(part)),
            Ok(None) => {}
            Err(error @ Error::DamagedPart { .. }) => tracing::warn!(%error, "answering its questions again"),
            Err(error) => return Err(error),
        }
    }
    Ok(done)
}

/// The input files as they were at the beginning.
struct InputFiles<'a> {
    paths: &'a [PathBuf],
    /// BLAKE3, in the order of the paths.
    hashes: Vec<String>,
    stamps: Vec<(u64, Option<SystemTime>)>,
}

impl<'a> InputFiles<'a> {
    fn look(paths: &'a [PathBuf]) -> Result<Self, Error> {
        // A missing file is refused by the reader, in its own words.
        let is_file = |path: &&PathBuf| path.is_file();
        let hash = |path: &PathBuf| Ok(artifact::hash_file(path).map_err(answerer::Error::from)?);
        let hashes = paths.iter().filter(is_file).map(hash).collect::<Result<_, Error>>()?;
        Ok(Self { paths, hashes, stamps: stamps(paths) })
    }

    fn check_unchanged(&self) -> Result<(), Error> {
        let now = stamps(self.paths);
        match self.stamps.iter().zip(&now).position(|(before, now)| before != now) {
            Some(changed) => Err(Error::Changed { path: self.paths[changed].clone() }),
            None => Ok(()),
        }
    }
}

fn stamps(paths: &[PathBuf]) -> Vec<(u64, Option<SystemTime>)> {
    let stamp = |path: &PathBuf| {
        fs_err::metadata(path).map_or((0, None), |metadata| (metadata.len(), metadata.modified().ok()))
    };
    paths.iter().map(stamp).collect()
}

/// A run of the model over questions.
struct Predicting<'a> {
    options: &'a PredictOptions,
    answerer: &'a Answerer,
    job: &'a Job,
    interrupt: &'a Interrupt,
}

impl Predicting<'_> {
    /// Answers the questions of the parts that are missing, and writes each part when it is complete.
    fn predict(&self, folder: &Folder, missing: &BTreeSet<u64>) -> Result<(), Error> {
        if missing.is_empty() {
            return Ok(());
        }
        let census = &self.job.census;
        let own: u64 = own_parts(census, self.options.shard).map(|part| questions_of(part, census)).sum();
        let open: u64 = missing.iter().map(|part| questions_of(*part, census)).sum();
        let progress = Progress::start(self.options.common.output.progress(), "answer questions", own);
        if open < own {
            tracing::info!(answered = own - open, of = own, "resuming");
            progress.skip(own - open);
        }
        let mut writer = PartWriter::new();
        let answered = answer_all(
            &self.options.files,
            self.answerer,
            (self.interrupt, census),
            &|part| missing.contains(&part),
            |number, row, score| {
                writer.push(&row, score);
                progress.inc(1);
                let part = number / PART_QUESTIONS;
                if writer.questions() == questions_of(part, census) {
                    std::mem::replace(&mut writer, PartWriter::new()).finish(&folder.path, part)?;
                }
                Ok(())
            },
        );
        match answered {
            Err(Error::Interrupted { .. }) => Err(Error::Interrupted { kept: Some(folder.path.clone()) }),
            Ok(answered) if answered != open => Err(Error::Changed { path: self.options.files[0].clone() }),
            other => {
                progress.finish();
                other.map(drop)
            }
        }
    }
}

/// Answers the questions of the parts that `wants_part` names, and hands each answer to `each`, in order, with the question's
/// number. Returns how many there were.
fn answer_all(
    files: &[PathBuf],
    answerer: &Answerer,
    (interrupt, census): (&Interrupt, &Census),
    wants_part: &(dyn Fn(u64) -> bool + Sync),
    mut each: impl FnMut(u64, Row, Option<QuestionScore>) -> Result<(), Error>,
) -> Result<u64, Error> {
    let scoring = Scoring { rules: census.rules(), f1_units: F1Units::Words };
    let outcome = Mutex::new(Ok(()));
    let stream = Stream::new(files, answerer, wants_part, interrupt, &outcome);
    let mut count = 0;
    answerer.answer_all(stream, |asked: Arc<Asked>, prediction| {
        if interrupt.seen() {
            return Err(Error::Interrupted { kept: None });
        }
        let (row, score) = row_of(&asked, prediction, scoring);
        if row.score.is_some_and(|score| !score.is_finite()) {
            return Err(Error::NotFinite { path: answerer.folder().to_owned() });
        }
        count += 1;
        each(asked.number, row, score)
    })?;
    outcome.into_inner().unwrap_or_else(PoisonError::into_inner)?;
    if interrupt.seen() { Err(Error::Interrupted { kept: None }) } else { Ok(count) }
}

fn row_of(asked: &Asked, prediction: SpanPrediction, scoring: Scoring) -> (Row, Option<QuestionScore>) {
    let SpanPrediction { text, start_char, end_char, score, null_score, n_best } = prediction;
    let is_chosen = |start, end| (start, end) == (start_char, end_char);
    let chosen = n_best.iter().find(|candidate| is_chosen(candidate.start_char, candidate.end_char));
    let is_asked = asked.refused.is_none();
    // "empty" stands for no answer in run_qa.
    let prediction_text = if start_char < 0 { String::new() } else { text };
    let scored = asked.golds.as_ref().map(|golds| {
        let golds: Vec<&str> = golds.iter().map(String::as_str).collect();
        scoring.score(&prediction_text, &golds)
    });
    let row = Row {
        id: asked.id.clone(),
        prediction_text,
        start_char,
        end_char,
        score: is_asked.then_some(score),
        probability: chosen.filter(|_| is_asked).map(|chosen| chosen.probability),
        null_score: null_score.filter(|_| is_asked),
        error: asked.refused.clone(),
        exact_match: scored.map(|scored| scored.exact_match),
        f1: scored.map(|scored| scored.f1),
    };
    (row, scored)
}

/// Answers all questions on stdout, line by line.
fn stream(options: &PredictOptions, interrupt: &Interrupt) -> Result<(), Error> {
    let census = take_census(options, interrupt)?;
    let answerer = open(options)?;
    let progress = Progress::start(options.common.output.progress(), "answer questions", census.questions);
    let mut totals = Totals::default();
    let mut stdout = io::stdout().lock();
    let outcome = answer_all(&options.files, &answerer, (interrupt, &census), &|_| true, |_, row, score| {
        totals.count(&row, score);
        progress.inc(1);
        Ok(stdout.write_all(row.to_line().as_bytes()).and_then(|()| stdout.flush())?)
    });
    match outcome {
        // A reader that has seen enough, as `head` has, is no error.
        Err(Error::Io(error)) if error.kind() == io::ErrorKind::BrokenPipe => return Ok(()),
        other => other?,
    };
    progress.finish();
    for line in lines_of(&totals) {
        tracing::info!("{line}");
    }
    Ok(())
}

/// The parts of `folders` in order, one of each.
///
/// # Errors
/// Where one is missing, there twice, damaged, or of another job.
pub(crate) fn collect(folders: &[Folder]) -> Result<(Job, Vec<Part>), Error> {
    let mut job: Option<Job> = None;
    for folder in folders {
        let found = folder.job()?.ok_or_else(|| Error::NoParts { folder: folder.path.clone() })?;
        match &job {
            Some(first) => folder.check(&found, first)?,
            None => job = Some(found),
        }
    }
    let job = job.expect("clap asks for an output, whose folder is one");
    let (mut parts, mut missing) = (Vec::new(), Vec::new());
    for number in 0..job.census.parts() {
        let mut found: Option<Part> = None;
        for folder in folders {
            let Some(part) = folder.part(number, &job.census)? else { continue };
            if let Some(first) = &found {
                return Err(Error::PartTwice { first: first.path.clone(), second: part.path });
            }
            found = Some(part);
        }
        match found {
            Some(part) => parts.push(part),
            None => missing.push(number),
        }
    }
    if missing.is_empty() {
        return Ok((job, parts));
    }
    Err(Error::PartsMissing {
        questions: missing.iter().map(|part| questions_of(*part, &job.census)).sum(),
        of: job.census.questions,
        parts: job.census.parts(),
        missing: missing.into_iter().map(|part| format!("part {part}")).collect(),
    })
}
