//! `distilburn-serve`

use std::process::ExitCode;

use distilburn_serve::Options;

fn main() -> ExitCode {
    stage::tool_main(Options::output, distilburn_serve::run)
}
