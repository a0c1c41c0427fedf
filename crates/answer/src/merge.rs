//! `merge`: the parts that jobs have answered side by side, joined.

use std::path::PathBuf;

use clap::Args;
use stage::CommonOptions;

use crate::Error;
use crate::predict::{Folder, Output, collect, summarize};

/// Join the parts of `predict --shard`
///
/// Checks that no part is missing or duplicate, and that all have the same questions, model, settings and code.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  distilburn merge answers.parquet                       of jobs that all had --output answers.parquet
  distilburn merge answers.parquet one.parquet.parts two.parquet.parts")]
pub struct MergeOptions {
    /// The output file, as for `predict`
    #[arg(value_name = "OUTPUT")]
    output: PathBuf,

    /// Folders of parts; they are kept [default: OUTPUT.parts, which is removed at the end]
    #[arg(value_name = "PARTS")]
    folders: Vec<PathBuf>,

    /// Print a summary as one JSON object
    #[arg(long)]
    json: bool,

    #[command(flatten)]
    pub(crate) common: CommonOptions,
}

pub(crate) fn run(options: &MergeOptions) -> Result<(), Error> {
    let output = Output::named(&options.output)?;
    let beside = Folder::beside(&options.output);
    if options.folders.is_empty() {
        let (job, parts) = collect(std::slice::from_ref(&beside))?;
        let totals = output.join(&job, &parts)?;
        beside.remove()?;
        return summarize(&totals, &output.path, options.json);
    }
    let folders: Vec<Folder> = options.folders.iter().map(|path| Folder { path: path.clone() }).collect();
    let (job, parts) = collect(&folders)?;
    let totals = output.join(&job, &parts)?;
    summarize(&totals, &output.path, options.json)
}
