//! Times a model's pass over the validation features, for `scripts/bench/compare`.
//!
//! ```text
//! inference INGEST_DIR FEATURES_DIR PRECISION THREADS BATCH_SIZE
//! ```
//!
//! A `BATCH_SIZE` of 1 runs one feature at a time with all threads; larger batches run side by side. The model is ingest's
//! base model on the CPU, with a new head if it has none. Prints one JSON object: the `seconds` from the first batch to the
//! logits of all features, and how many `features` there are.

use std::error::Error;
use std::ops::ControlFlow;
use std::path::Path;
use std::time::Instant;

use answerer::Split;
use artifact::{Artifact, Assets, SplitName, Tensors, file_name};
use distilbert::{
    BaseWeights, Config, DistilBertForQuestionAnswering, Predictor, QaLogits, Runtime, RuntimeOptions,
};
use serde_json::json;

/// The seed of a new head; it does not affect the time.
const SEED: u64 = 42;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [ingest, features, precision, threads, batch_size] = arguments.as_slice() else {
        return Err("usage: inference INGEST_DIR FEATURES_DIR PRECISION THREADS BATCH_SIZE".into());
    };
    let batch_size: usize = batch_size.parse()?;
    let runtime = Runtime::new(RuntimeOptions {
        device: "cpu",
        precision,
        threads: threads.parse()?,
        allow_slow_precision: false,
    })?;
    let (ingest, features) = (Artifact::open(Path::new(ingest))?, Artifact::open(Path::new(features))?);
    let config = Config::from_assets(&Assets::open(&ingest.file(file_name::ASSETS)?)?)?;
    let split = Split::open(SplitName::Validation, &ingest, &features)?;
    split.check_fits(&config)?;
    let pretrained = Tensors::open(&ingest.file(file_name::PRETRAINED)?, &artifact::TENSORS)?;
    let weights = BaseWeights::new(&pretrained, config.dim, SEED);
    let model = DistilBertForQuestionAnswering::new(&config, &weights, runtime.device())?;
    let predictor = Predictor::new(&model, &runtime);

    let begin = Instant::now();
    let input_ids: Vec<&[i32]> = split.features.iter().map(|feature| feature.input_ids).collect();
    let mut logits: Vec<QaLogits> = Vec::new();
    if batch_size == 1 {
        logits.extend(input_ids.iter().flat_map(|ids| predictor.logits(&[ids])));
    } else {
        predictor.logits_of_batches(
            input_ids.chunks(batch_size).map(<[_]>::to_vec),
            |ids| *ids,
            |batch| {
                logits.extend(batch.into_iter().map(|(_, logits)| logits));
                ControlFlow::Continue(())
            },
        );
    }
    let seconds = begin.elapsed().as_secs_f64();
    println!("{}", json!({ "seconds": seconds, "features": logits.len() }));
    Ok(())
}
