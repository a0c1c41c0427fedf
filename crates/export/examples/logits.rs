//! distilburn's logits for features, as JSON for `scripts/reference/export_check.py`; fp32 on the CPU.
//!
//! ```text
//! cargo run --release -p distilburn-export --example logits -- MODEL_DIR FEATURES.arrow [COUNT] > logits.json
//! ```

use std::error::Error;
use std::path::Path;

use artifact::Features;
use distilbert::{Config, DistilBertForQuestionAnswering, Predictor, Runtime};
use pretrained::ModelFolder;
use serde_json::json;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let (folder, features, count) = match arguments.as_slice() {
        [folder, features] => (folder, features, 16),
        [folder, features, count] => (folder, features, count.parse()?),
        _ => return Err("usage: logits MODEL_DIR FEATURES.arrow [COUNT]".into()),
    };
    let runtime = Runtime::cpu_fp32(0)?;
    let folder = ModelFolder::open(Path::new(folder))?;
    let config = Config::from_json(&folder.config_json())?;
    let model = DistilBertForQuestionAnswering::new(&config, &folder.tensors()?, runtime.device())?;
    let features = Features::open(Path::new(features))?;
    let input_ids: Vec<&[i32]> = features.iter().take(count).map(|feature| feature.input_ids).collect();
    let logits = Predictor::new(&model, &runtime).logits(&input_ids);
    println!(
        "{}",
        json!({
            "input_ids": input_ids,
            "start_logits": logits.iter().map(|logits| &logits.start_logits).collect::<Vec<_>>(),
            "end_logits": logits.iter().map(|logits| &logits.end_logits).collect::<Vec<_>>(),
        })
    );
    Ok(())
}
