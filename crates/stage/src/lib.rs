//! What every stage of distilburn shares: its declaration, the settings, and a `main` around its `run`.
//!
//! [`stage_main`] parses the command line, reads the settings, finds the inputs, skips what is finished, and seals the
//! output with a manifest; the stage itself only reads its inputs and writes its files through a [`Job`]. The driver
//! plans from the same [`STAGES`] without linking them. Not here: LibTorch, questions, tensors.

mod check;
mod cli;
mod declaration;
mod error;
mod exit;
mod fetcher;
mod help;
mod installed;
mod interrupt;
mod job;
mod logs;
mod main_of_stage;
mod main_of_tool;
mod memory;
mod model;
mod panics;
mod parse;
mod plan;
mod progress;
mod report;
pub mod settings;
mod sources;
mod workspace;

pub use cli::{CommonOptions, Input, LogFormat, ModelOptions, OutputOptions, ProgressMode, SettingsOptions};
pub use declaration::{
    Declaration, EVALUATE, EXPORT, INGEST, REPORT, STAGES, TOKENIZE_FEATURES, TRAIN, Unfinished,
};
pub use error::Error;
pub use exit::ExitKind;
pub use fetcher::Fetcher;
pub use installed::python_package;
pub use interrupt::{Interrupt, stop_signals};
pub use job::Job;
pub use main_of_stage::{EXPECTED_CODE, stage_main, stage_options};
pub use main_of_tool::{print, tool_main};
pub use memory::peak_memory;
pub use plan::{Basis, Planned, differences};
pub use progress::Progress;
pub use report::one_line;
pub use settings::Settings;
pub use sources::{InitFrom, matches};
pub use workspace::Workspace;
