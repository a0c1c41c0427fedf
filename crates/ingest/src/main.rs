//! The `distilburn-ingest` binary.

use std::process::ExitCode;

fn main() -> ExitCode {
    stage::stage_main(&stage::INGEST, distilburn_ingest::run)
}
