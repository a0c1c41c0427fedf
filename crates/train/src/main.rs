//! `distilburn-train`

use std::process::ExitCode;

fn main() -> ExitCode {
    stage::stage_main("train", distilburn_train::run)
}
