//! Commands of other binaries: stages, and what uses a model.

use std::ffi::{OsStr, OsString};
use std::iter;

use clap::builder::OsStringValueParser;
use clap::error::ErrorKind;
use clap::{Arg, ArgMatches, FromArgMatches, Subcommand};
use stage::{OutputOptions, STAGES};

/// The binary has only this command, and the same name.
const SERVE: &str = "serve";

/// Commands that do not concern the pipeline as a whole: name, the binary that has them, and a sentence.
pub(crate) const TOOLS: [(&str, &str, &str); 5] = [
    ("ask", "answer", "Answer questions about texts with the fine-tuned model"),
    ("predict", "answer", "Answer all questions in files"),
    ("merge", "answer", "Join the parts of `predict --shard`"),
    ("profile", "answer", "Measure how fast a model answers on this machine"),
    (SERVE, "serve", "Answer questions over HTTP, with a page to try it"),
];

/// A command of another binary, with all that was typed after it.
#[derive(Debug)]
pub(crate) struct Other {
    /// `distilburn-<binary>` has it.
    pub(crate) binary: &'static str,
    /// The arguments of that binary.
    pub(crate) args: Vec<OsString>,
    pub(super) output: OutputOptions,
}

impl Subcommand for Other {
    fn augment_subcommands(command: clap::Command) -> clap::Command {
        let forwarded = |name: &'static str, about: String| {
            let rest =
                Arg::new("args").num_args(0..).trailing_var_arg(true).allow_hyphen_values(true).hide(true);
            let rest = rest.value_parser(OsStringValueParser::new());
            clap::Command::new(name).about(about).disable_help_flag(true).arg(rest)
        };
        let stage =
            |stage: &stage::Declaration| forwarded(stage.name, format!("{} (this stage alone)", stage.about));
        command
            .subcommands(TOOLS.map(|(name, _, about)| forwarded(name, about.to_owned())))
            .subcommands(STAGES.into_iter().filter(|stage| is_forwarded(stage.name)).map(stage))
    }

    fn augment_subcommands_for_update(command: clap::Command) -> clap::Command {
        Self::augment_subcommands(command)
    }

    fn has_subcommand(name: &str) -> bool {
        TOOLS.iter().any(|tool| tool.0 == name)
            || stage::Declaration::of(name).is_some() && is_forwarded(name)
    }
}

/// Whether the driver passes a stage's command to its binary unchanged; `report` has one more option.
fn is_forwarded(stage: &str) -> bool {
    stage != stage::REPORT.name
}

impl FromArgMatches for Other {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let (name, rest) = matches.subcommand().ok_or(clap::Error::new(ErrorKind::MissingSubcommand))?;
        let typed = rest.get_many::<OsString>("args").into_iter().flatten().cloned();
        let output = OutputOptions::default();
        if let Some((name, binary, _)) = TOOLS.iter().find(|tool| tool.0 == name) {
            let command = Some((*name).into()).filter(|_| *name != SERVE);
            let args = command.into_iter().chain(typed).collect();
            return Ok(Self { binary, args, output });
        }
        if name == stage::EVALUATE.name && typed.clone().any(|arg| is_about_a_dataset(&arg)) {
            return Ok(Self {
                binary: "answer",
                args: iter::once(name.into()).chain(typed).collect(),
                output,
            });
        }
        let stage = stage::Declaration::of(name).ok_or(clap::Error::new(ErrorKind::InvalidSubcommand))?;
        Ok(Self { binary: stage.name, args: typed.collect(), output })
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

/// Whether `evaluate` is called for a finished model on other questions, which is not a stage.
fn is_about_a_dataset(arg: &OsStr) -> bool {
    let arg = arg.to_string_lossy();
    let name = arg.split('=').next().unwrap_or_default();
    name == "--dataset" || name == "--model"
}
