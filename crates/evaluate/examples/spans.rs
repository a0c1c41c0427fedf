//! Times the selection of answers from logits that a file holds, for `scripts/bench/compare`.
//!
//! ```text
//! spans INGEST_DIR FEATURES_DIR LOGITS ANSWERS
//! ```
//!
//! LOGITS holds, for each validation feature in turn, the start logits of its tokens and then its end logits, f32,
//! little-endian. ANSWERS is written: a line of JSON for each question, with its `id`, the answer's `text` and the
//! `n_best`. Prints one JSON object: the `seconds` from tables and logits in memory to the written answers, and how
//! many `features` there are.

use std::error::Error;
use std::io::{BufWriter, Write};
use std::path::Path;
use std::time::Instant;

use answerer::{Window, select_answer};
use artifact::{Artifact, Contexts, Examples, Feature, Features, SplitName};
use distilbert::QaLogits;
use rayon::prelude::*;
use serde::Serialize;
use serde_json::json;
use squad::{SpanCandidate, SpanPrediction, SpanSettings};

/// The defaults of pipeline.toml and of `run_qa`.
const SETTINGS: SpanSettings = SpanSettings { n_best: 20, max_answer_length: 30, null_threshold: 0.0 };

/// Whether there may be no answer: not in SQuAD v1.1.
const VERSION_2: bool = false;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [ingest, features, logits, answers] = arguments.as_slice() else {
        return Err("usage: spans INGEST_DIR FEATURES_DIR LOGITS ANSWERS".into());
    };
    let (ingest, features) = (Artifact::open(Path::new(ingest))?, Artifact::open(Path::new(features))?);
    let contexts = Contexts::open(&ingest.file(SplitName::Validation.contexts())?)?;
    let examples = Examples::open(&ingest.file(SplitName::Validation.examples())?)?;
    let features = Features::open(&features.file(SplitName::Validation.features())?)?;
    examples.check_contexts(&contexts)?;
    features.check_examples(&examples)?;
    let logits = read_f32(Path::new(logits))?;
    let windows = with_logits(&features, &logits)?;

    let begin = Instant::now();
    let mut file = BufWriter::new(fs_err::File::create(answers)?);
    let questions: Vec<&[Window<'_>]> =
        windows.chunk_by(|a, b| a.0.example_index == b.0.example_index).collect();
    // Each line is the product of its question alone; evaluate has its rows written while the model works.
    let lines = questions.into_par_iter().map(|windows| {
        let example = examples.get(windows[0].0.example_index as usize);
        let context = contexts.get(example.context_id).context;
        let prediction = select_answer(context, windows, &SETTINGS, VERSION_2);
        let mut line = serde_json::to_vec(&Answer::new(example.id, &prediction))?;
        line.push(b'\n');
        Ok(line)
    });
    for line in lines.collect::<Result<Vec<_>, serde_json::Error>>()? {
        file.write_all(&line)?;
    }
    file.flush()?;
    let seconds = begin.elapsed().as_secs_f64();
    println!("{}", json!({ "seconds": seconds, "features": windows.len() }));
    Ok(())
}

/// A question's line of ANSWERS.
#[derive(Serialize)]
struct Answer<'a> {
    id: &'a str,
    text: &'a str,
    n_best: Vec<Ranked<'a>>,
}

#[derive(Serialize)]
struct Ranked<'a> {
    text: &'a str,
    probability: f64,
}

impl<'a> Answer<'a> {
    fn new(id: &'a str, prediction: &'a SpanPrediction) -> Self {
        let ranked = |candidate: &'a SpanCandidate| Ranked {
            text: &candidate.text,
            probability: candidate.probability,
        };
        Self { id, text: &prediction.text, n_best: prediction.n_best.iter().map(ranked).collect() }
    }
}

fn read_f32(path: &Path) -> std::io::Result<Vec<f32>> {
    let bytes = fs_err::read(path)?;
    Ok(bytes.as_chunks().0.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect())
}

/// Deals the logits out to the features.
fn with_logits<'a>(features: &'a Features, logits: &[f32]) -> Result<Vec<Window<'a>>, String> {
    let tokens: usize = features.iter().map(|feature| feature.input_ids.len()).sum();
    if logits.len() != 2 * tokens {
        return Err(format!("there are {} logits for {tokens} tokens, expected two for each", logits.len()));
    }
    let mut rest = logits;
    let window = |feature: Feature<'a>| {
        let tokens = feature.input_ids.len();
        let (start_logits, others) = rest.split_at(tokens);
        let (end_logits, others) = others.split_at(tokens);
        rest = others;
        let logits = QaLogits { start_logits: start_logits.to_vec(), end_logits: end_logits.to_vec() };
        (feature, logits)
    };
    Ok(features.iter().map(window).collect())
}
