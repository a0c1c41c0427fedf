//! Prints a split of the generated corpus as a SQuAD file:
//! `cargo run --example sample -- validation 0 > validation.json` (the split, then `ingest.seed`).

use std::process::ExitCode;

use distilburn_ingest::sample;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let seed = arguments.get(1).map_or(Ok(0), |seed| seed.parse());
    let (Some(split), Ok(seed)) = (arguments.first(), seed) else {
        return usage();
    };
    let sample = sample::generate(seed);
    let dataset = match split.as_str() {
        "train" => sample.train,
        "validation" => sample.validation,
        _ => return usage(),
    };
    println!("{}", serde_json::json!(dataset));
    ExitCode::SUCCESS
}

fn usage() -> ExitCode {
    eprintln!("usage: sample train|validation [seed]");
    ExitCode::from(2)
}
