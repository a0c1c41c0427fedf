//! The `distilburn` command.

use std::process::ExitCode;

fn main() -> ExitCode {
    distilburn_driver::main()
}
