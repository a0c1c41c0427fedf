//! `distilburn-evaluate`

use std::process::ExitCode;

fn main() -> ExitCode {
    stage::stage_main("evaluate", distilburn_evaluate::run)
}
