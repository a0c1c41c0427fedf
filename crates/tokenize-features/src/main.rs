//! The `distilburn-tokenize-features` binary.

use std::process::ExitCode;

fn main() -> ExitCode {
    stage::stage_main(&stage::TOKENIZE_FEATURES, distilburn_tokenize_features::run)
}
