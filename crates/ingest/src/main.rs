//! The `distilburn-ingest` binary.

use std::process::ExitCode;

fn main() -> ExitCode {
    stage::stage_main("ingest", distilburn_ingest::run)
}
