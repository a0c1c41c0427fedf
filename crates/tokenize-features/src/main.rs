//! The `distilburn-tokenize-features` binary.

use std::process::ExitCode;

fn main() -> ExitCode {
    stage::stage_main("tokenize-features", distilburn_tokenize_features::run)
}
