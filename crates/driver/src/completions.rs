//! `completions`: the script by which a shell completes `distilburn`.

use clap::{Arg, ArgAction, Args, CommandFactory, ValueHint};
use clap_complete::Shell as ShellOfClap;
use stage::{CommonOptions, EVALUATE, ModelOptions, STAGES};

use crate::Error;
use crate::cli::{Cli, CompletionsOptions, Shell, TOOLS};

/// `distilburn completions`
pub(crate) fn print(options: &CompletionsOptions) -> Result<(), Error> {
    let shell = match options.shell {
        Shell::Bash => ShellOfClap::Bash,
        Shell::Zsh => ShellOfClap::Zsh,
        Shell::Fish => ShellOfClap::Fish,
    };
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut command(), "distilburn", &mut script);
    Ok(stage::print(&String::from_utf8_lossy(&script))?)
}

/// The command line, including options that are passed on to other binaries. Of tools, it has only the common options and
/// `--model`: their binaries know the rest.
fn command() -> clap::Command {
    let mut command = Cli::command();
    for (name, _, about) in TOOLS {
        let mut tool = CommonOptions::augment_args(clap::Command::new(name).about(about));
        if name != "merge" {
            tool = ModelOptions::augment_args(tool);
        }
        command = command.mut_subcommand(name, |_| tool);
    }
    for stage in STAGES {
        let mut alone = stage::stage_options(clap::Command::new(stage.name).about(stage.about));
        if stage.name == EVALUATE.name {
            // It also scores a finished model.
            let dataset =
                Arg::new("dataset").long("dataset").value_name("FILE").value_hint(ValueHint::FilePath);
            let json = Arg::new("json").long("json").action(ArgAction::SetTrue);
            alone = ModelOptions::augment_args(alone).args([dataset, json]);
        }
        command = command.mut_subcommand(stage.name, |_| alone);
    }
    command
}
