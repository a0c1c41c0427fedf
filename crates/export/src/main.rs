//! `distilburn-export`

use std::process::ExitCode;

fn main() -> ExitCode {
    stage::stage_main("export", distilburn_export::run)
}
