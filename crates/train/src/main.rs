//! `distilburn-train`

use std::process::ExitCode;

fn main() -> ExitCode {
    stage::stage_main(&stage::TRAIN, distilburn_train::run)
}
