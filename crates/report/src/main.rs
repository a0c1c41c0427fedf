//! The `distilburn-report` binary.

use std::process::ExitCode;

fn main() -> ExitCode {
    stage::stage_main("report", distilburn_report::run)
}
