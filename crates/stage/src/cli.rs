//! The options of every binary, and how one binary passes them to another.

use std::ffi::OsString;
use std::io::IsTerminal;
use std::path::PathBuf;

use clap::{Args, ValueEnum};

use crate::settings::Request;

/// Settings, store, logs and progress.
#[derive(Debug, Clone, Default, Args)]
pub struct CommonOptions {
    /// Which settings, and which store.
    #[command(flatten)]
    pub settings: SettingsOptions,
    /// Logs and progress.
    #[command(flatten)]
    pub output: OutputOptions,
}

/// Which settings, and which store.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Settings")]
pub struct SettingsOptions {
    /// Settings file [default: ./pipeline.toml if it exists, otherwise the built-in settings]
    ///
    /// Keys that the file leaves out keep their built-in values. Paths in the file are relative to it.
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,

    /// Apply the tables [profile.NAME.…] of the settings file on top
    #[arg(long, value_name = "NAME")]
    pub profile: Option<String>,

    /// Override one setting; repeatable
    ///
    /// The value is TOML, or else a string: --set train.epochs=1 --set run.device=cpu
    #[arg(long, value_name = "TABLE.KEY=VALUE")]
    pub set: Vec<String>,

    /// Folder of the artifact store [default: artifacts/ beside the settings file]
    #[arg(long, value_name = "DIR")]
    pub artifacts: Option<PathBuf>,
}

/// Which model is used.
#[derive(Debug, Clone, Default, Args)]
pub struct ModelOptions {
    /// The model: an exported folder, any DistilBERT or BERT folder with a question-answering head, a Hub id, or an
    /// artifact (its folder, or the beginning of its fingerprint) [default: the export of these settings]
    #[arg(long, value_name = "MODEL")]
    pub model: Option<String>,
}

/// What is written to stderr; stdout is only for data.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Output")]
pub struct OutputOptions {
    /// Warnings and errors only
    #[arg(short, long, conflicts_with = "verbose")]
    pub quiet: bool,

    /// Log more; twice for everything
    #[arg(short, long, action = clap::ArgAction::Count)]
    pub verbose: u8,

    /// Log lines as text, or one JSON object per line
    #[arg(
        long,
        value_enum,
        default_value_t,
        value_name = "FORMAT",
        hide_possible_values = true,
        help = "Format of the log lines: text, or json with one object per line"
    )]
    pub log_format: LogFormat,

    /// Progress on stderr
    #[arg(
        long,
        value_enum,
        default_value_t,
        value_name = "MODE",
        hide_possible_values = true,
        help = "Progress: bar, plain lines, none, or auto (a bar on a terminal, otherwise lines)"
    )]
    pub progress: ProgressMode,
}

/// Format of the log lines.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// One JSON object per line.
    Json,
}

/// Form of progress.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum ProgressMode {
    /// A bar on a terminal, otherwise lines.
    #[default]
    Auto,
    /// A moving bar.
    Bar,
    /// Log lines, a few seconds apart.
    Plain,
    /// Nothing.
    None,
}

/// `--input STAGE=DIR`
#[derive(Debug, Clone)]
pub struct Input {
    /// The stage whose artifact it is.
    pub stage: String,
    pub dir: PathBuf,
}

impl std::str::FromStr for Input {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.split_once('=') {
            Some((stage, dir)) if !stage.is_empty() && !dir.is_empty() => {
                Ok(Self { stage: stage.to_owned(), dir: dir.into() })
            }
            _ => Err("expected STAGE=DIR, for example ingest=artifacts/ingest/0123abcd".to_owned()),
        }
    }
}

impl SettingsOptions {
    pub(crate) fn request(&self) -> Request {
        Request { config: self.config.clone(), profile: self.profile.clone(), set: self.set.clone() }
    }

    /// The same options as arguments of another command line.
    #[must_use]
    pub fn to_args(&self) -> Vec<OsString> {
        let mut args = Vec::new();
        let mut option = |name: &str, value: OsString| args.extend([name.into(), value]);
        self.config.iter().for_each(|path| option("--config", path.into()));
        self.profile.iter().for_each(|name| option("--profile", name.into()));
        self.set.iter().for_each(|argument| option("--set", argument.into()));
        self.artifacts.iter().for_each(|dir| option("--artifacts", dir.into()));
        args
    }

    /// A command that a message tells the user to type, with these options.
    #[must_use]
    pub fn command(&self, words: &str) -> String {
        let quoted = self.to_args().into_iter().map(|word| {
            let word = word.to_string_lossy().into_owned();
            let plain = word.chars().all(|letter| letter.is_alphanumeric() || "-_=./:,".contains(letter));
            if plain { word } else { format!("'{word}'") }
        });
        std::iter::once(words.to_owned()).chain(quoted).collect::<Vec<_>>().join(" ")
    }
}

impl OutputOptions {
    /// The same options as arguments of another command line.
    #[must_use]
    pub fn to_args(&self) -> Vec<OsString> {
        let mut args: Vec<OsString> = vec!["-v".into(); usize::from(self.verbose)];
        if self.quiet {
            args.push("--quiet".into());
        }
        for (name, value) in [
            ("--log-format", self.log_format.to_possible_value()),
            ("--progress", self.progress.to_possible_value()),
        ] {
            args.extend(value.map(|value| format!("{name}={}", value.get_name()).into()));
        }
        args
    }

    /// The mode that `auto` stands for in this process.
    #[must_use]
    pub fn progress(&self) -> ProgressMode {
        match self.progress {
            _ if self.quiet => ProgressMode::None,
            ProgressMode::Auto if self.log_format == LogFormat::Text && std::io::stderr().is_terminal() => {
                ProgressMode::Bar
            }
            ProgressMode::Auto => ProgressMode::Plain,
            mode => mode,
        }
    }
}
