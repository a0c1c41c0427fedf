//! The tables: a file each, with its columns, its writer and its reader.

pub(crate) mod assets;
pub(crate) mod audit;
pub(crate) mod contexts;
pub(crate) mod examples;
pub(crate) mod features;
pub(crate) mod files;
pub(crate) mod history;
pub(crate) mod predictions;
pub(crate) mod profile;
pub(crate) mod questions;
pub(crate) mod slices;
pub(crate) mod tensors;
pub(crate) mod timing;

use crate::kind::Kind;

/// Every kind that this build reads.
pub static KINDS: [&Kind; 15] = [
    &contexts::CONTEXTS,
    &examples::EXAMPLES,
    &tensors::TENSORS,
    &assets::ASSETS,
    &audit::AUDIT,
    &features::FEATURES,
    &tensors::WEIGHTS,
    &tensors::CHECKPOINT,
    &history::HISTORY,
    &timing::TIMING,
    &predictions::PREDICTIONS,
    &profile::PROFILE,
    &files::FILES,
    &questions::QUESTIONS,
    &slices::SLICES,
];
