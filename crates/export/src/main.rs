//! `distilburn-export`

use std::process::ExitCode;

fn main() -> ExitCode {
    stage::stage_main(&stage::EXPORT, distilburn_export::run)
}
