//! `distilburn-answer`

use std::process::ExitCode;

use distilburn_answer::Options;

fn main() -> ExitCode {
    stage::tool_main(Options::output, distilburn_answer::run)
}
