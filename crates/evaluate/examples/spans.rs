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

use artifact::{Artifact, Contexts, Examples, Feature, Features, file_name};
use distilbert::{QaLogits, Window, select_answer};
use serde_json::{Value, json};
use squad::{SpanPrediction, SpanSettings};

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
    let contexts = Contexts::open(&ingest.file(file_name::CONTEXTS_VALIDATION)?)?;
    let examples = Examples::open(&ingest.file(file_name::EXAMPLES_VALIDATION)?)?;
    let features = Features::open(&features.file(file_name::FEATURES_VALIDATION)?)?;
    examples.check_contexts(&contexts)?;
    features.check_examples(&examples)?;
    let logits = read_f32(Path::new(logits))?;
    let windows = with_logits(&features, &logits)?;

    let begin = Instant::now();
    let mut file = BufWriter::new(fs_err::File::create(answers)?);
    for windows in windows.chunk_by(|a, b| a.feature.example_index == b.feature.example_index) {
        let example = examples.get(windows[0].feature.example_index as usize);
        let context = contexts.get(example.context_id).context;
        let prediction = select_answer(context, windows, &SETTINGS, VERSION_2);
        serde_json::to_writer(&mut file, &answer(example.id, &prediction))?;
        file.write_all(b"\n")?;
    }
    file.flush()?;
    let seconds = begin.elapsed().as_secs_f64();
    println!("{}", json!({ "seconds": seconds, "features": windows.len() }));
    Ok(())
}

/// A question's line of ANSWERS.
fn answer(id: &str, prediction: &SpanPrediction) -> Value {
    let n_best = prediction.n_best.iter();
    let n_best: Vec<Value> = n_best
        .map(|candidate| json!({ "text": candidate.text, "probability": candidate.probability }))
        .collect();
    json!({ "id": id, "text": prediction.text, "n_best": n_best })
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
        Window { feature, logits }
    };
    Ok(features.iter().map(window).collect())
}
