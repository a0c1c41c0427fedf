//! `distilburn-evaluate`

use std::process::ExitCode;

fn main() -> ExitCode {
    stage::stage_main(&stage::EVALUATE, distilburn_evaluate::run)
}
