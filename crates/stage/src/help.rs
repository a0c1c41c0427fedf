//! The `--help` of a stage binary, complete enough for a newcomer.

use clap::Command;

use crate::settings::BUILT_IN;
use crate::{Declaration, EVALUATE};

/// Names the command after the stage, and adds what its options do not explain.
pub(crate) fn add(command: Command, declaration: &Declaration) -> Command {
    let binary = declaration.binary();
    command
        .name(declaration.name)
        .display_name(binary.clone())
        .bin_name(binary)
        .version(env!("CARGO_PKG_VERSION"))
        .about(declaration.about)
        .long_about(format!("{}.\n\n{}", declaration.about, declaration.details))
        .after_help(if declaration.name == EVALUATE.name { EVALUATE_A_MODEL } else { "" })
        .after_long_help(details(declaration))
}

/// A command of the same name, which the driver passes to another binary.
const EVALUATE_A_MODEL: &str = "\
A finished model on other questions, outside the store (only as `distilburn evaluate`):
      --dataset <FILE>   The questions and their answers, in any form that ingest reads
      --model <MODEL>    A model's folder, an artifact or a Hub id [default: the export of these settings]
      --json             Print one JSON object
  All its options: distilburn evaluate --dataset FILE --help";

/// The rest of what a newcomer needs to know.
fn details(declaration: &Declaration) -> String {
    let inputs = match declaration.inputs {
        [] => "The files that the settings name.".to_owned(),
        stages => format!(
            "The artifacts of {}: those in the store that match the settings, or those given with --input.",
            stages.join(", ")
        ),
    };
    let name = declaration.name;
    let binary = declaration.binary();
    format!(
        "\
Reads:
  {inputs}
Writes:
  {output}
  in artifacts/{name}/FINGERPRINT/, whose path is printed to stdout. The fingerprint depends on
  the settings below, the inputs and the code, so a finished artifact is never made twice.

{other_use}Settings (with their built-in values; change them in a settings file, or with --set):

{own}
{run}
Examples:
  {binary}
  {binary} --config my/pipeline.toml --set run.threads=4
  {binary} --output out/{name}

Exit codes:
  0 done; 2 usage or settings; 3 bad input data or artifact; 4 device or library;
  130 interrupted; 1 anything else",
        output = declaration.output,
        other_use = if name == EVALUATE.name { format!("{EVALUATE_A_MODEL}\n\n") } else { String::new() },
        own = section(name),
        run = if declaration.settings.iter().any(|setting| setting.starts_with("run.")) {
            section("run")
        } else {
            String::new()
        },
    )
}

/// The text of a table of the built-in settings, with its comments.
fn section(table: &str) -> String {
    let header = format!("[{table}]");
    let lines = BUILT_IN.lines().skip_while(|line| *line != header);
    let mut lines: Vec<&str> = lines
        .enumerate()
        .take_while(|(n, line)| *n == 0 || !line.starts_with('['))
        .map(|(_, line)| line)
        .collect();
    // Comments above the next table belong to that table.
    while lines.last().is_some_and(|line| line.starts_with('#') || line.is_empty()) {
        lines.pop();
    }
    lines.iter().flat_map(|line| ["  ", line, "\n"]).collect()
}
