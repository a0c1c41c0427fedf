//! Parses a command line. If someone typed a setting as an option, or a command of another tool, the error says what to
//! type instead.

use std::process::exit;

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{ArgMatches, Command};

use crate::settings::keys_named;

/// Options of other tools, above all transformers' `run_qa.py`, and what to type instead.
const OPTIONS: [(&str, &str); 22] = [
    ("adam-epsilon", "train.epsilon"),
    ("base-model", "ingest.base_model"),
    ("bf16", "run.precision=bf16"),
    ("eval-steps", "train.eval_every_steps"),
    ("fp16", "run.precision=fp16"),
    ("logging-steps", "train.log_every_steps"),
    ("lr", "train.learning_rate"),
    ("lr-scheduler-type", "train.schedule"),
    ("max-eval-samples", "ingest.max_validation_examples"),
    ("max-seq-length", "tokenize-features.max_length"),
    ("max-train-samples", "ingest.max_train_examples"),
    ("model-name-or-path", "ingest.base_model"),
    ("n-best-size", "evaluate.n_best"),
    ("null-score-diff-threshold", "evaluate.null_threshold"),
    ("num-train-epochs", "train.epochs"),
    ("per-device-eval-batch-size", "train.eval_batch_size"),
    ("per-device-train-batch-size", "train.batch_size"),
    ("save-steps", "train.checkpoint_every_steps"),
    ("save-total-limit", "train.keep_checkpoints"),
    ("seed", "run.seed"),
    ("train-file", "ingest.train"),
    ("validation-file", "ingest.validation"),
];

/// Commands that people may expect, and what to type instead.
const COMMANDS: [(&str, &str); 9] = [
    ("eval", "distilburn evaluate"),
    ("fit", "distilburn run --to train"),
    (
        "init",
        "write a pipeline.toml with the settings that you want to change; `distilburn train --help` lists them",
    ),
    ("gc", "distilburn clean"),
    ("list", "distilburn status"),
    ("ls", "distilburn status"),
    ("prune", "distilburn clean"),
    ("test", "distilburn evaluate"),
    ("verify", "distilburn status --verify"),
];

/// The arguments of this process; ends the process with exit code 2 if they are wrong.
pub(crate) fn matches(command: Command) -> ArgMatches {
    let args: Vec<String> = std::env::args_os().map(|arg| arg.to_string_lossy().into_owned()).collect();
    command.try_get_matches().unwrap_or_else(|error| {
        let typed = |kind| match error.get(kind) {
            Some(ContextValue::String(text)) => Some(text.clone()),
            _ => None,
        };
        let (what, help) = match error.kind() {
            ErrorKind::UnknownArgument => {
                let option = typed(ContextKind::InvalidArg).unwrap_or_default();
                (format!("unexpected argument '{option}'"), instead_of_option(&option, &args))
            }
            ErrorKind::InvalidSubcommand => {
                let name = typed(ContextKind::InvalidSubcommand).unwrap_or_default();
                let known = COMMANDS.iter().find(|(other, _)| *other == name);
                (format!("unrecognized subcommand '{name}'"), known.map(|(_, instead)| (*instead).to_owned()))
            }
            _ => error.exit(),
        };
        let Some(help) = help else { error.exit() };
        eprintln!("error: {what}\n  help: {help}");
        exit(2)
    })
}

/// The `--set` that does what the option was meant to do, with its value if there is one.
fn instead_of_option(option: &str, args: &[String]) -> Option<String> {
    let name = option.strip_prefix("--")?.replace('_', "-");
    let known = OPTIONS.iter().find(|(other, _)| *other == name).map(|(_, setting)| *setting);
    let keys = keys_named(&name);
    let settings: Vec<&str> = match known {
        Some(setting) => vec![setting],
        None => keys.iter().map(String::as_str).collect(),
    };
    if settings.is_empty() {
        return None;
    }
    let at = args.iter().position(|arg| arg == option || arg.starts_with(&format!("{option}=")))?;
    let value = match args[at].split_once('=') {
        Some((_, value)) => value,
        None => {
            args.get(at + 1).map(String::as_str).filter(|next| !next.starts_with("--")).unwrap_or("VALUE")
        }
    };
    let set = |setting: &str| {
        let value = if setting.contains('=') { String::new() } else { format!("={value}") };
        format!("`--set {setting}{value}`")
    };
    let sets: Vec<String> = settings.into_iter().map(set).collect();
    Some(format!("settings are given with --set: {}", sets.join(" or ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_setting_typed_as_an_option_is_named_with_its_value() {
        let help = |line: &str| {
            let args: Vec<String> = line.split(' ').map(str::to_owned).collect();
            let option = args.iter().find(|arg| arg.starts_with("--")).unwrap();
            instead_of_option(option.split('=').next().unwrap(), &args)
        };
        let set = |text: &str| Some(format!("settings are given with --set: {text}"));
        assert_eq!(help("run --epochs 1"), set("`--set train.epochs=1`"));
        assert_eq!(help("run --lr=1e-4"), set("`--set train.learning_rate=1e-4`"));
        assert_eq!(help("run --num_train_epochs 2"), set("`--set train.epochs=2`"));
        assert_eq!(help("run --fp16"), set("`--set run.precision=fp16`"));
        assert_eq!(help("run --batch-size"), set("`--set train.batch_size=VALUE`"));
        assert_eq!(help("run --nothing 1"), None);
    }

    #[test]
    fn every_setting_that_is_named_instead_exists() {
        for (option, setting) in OPTIONS {
            let key = setting.split('=').next().unwrap();
            let (_, name) = key.split_once('.').unwrap();
            assert!(
                keys_named(&name.replace('_', "-")).iter().any(|known| known == key),
                "{option}: {setting}"
            );
        }
    }
}
