//! The kinds of table: name, version, columns and the stage that writes them.
//!
//! A change of columns or of their meaning takes the next version in the same commit. The version is part of the
//! fingerprint of every stage that reads or writes the kind, so older artifacts are made again, not migrated.

use std::path::Path;

use arrow::datatypes::{DataType, Field, Fields};

use crate::file_name;
use crate::tables::{
    assets, audit, contexts, examples, features, files, history, predictions, tensors, timing,
};

/// What a table holds, as its schema metadata states it.
#[derive(Debug)]
pub struct Kind {
    /// `distilburn.kind`.
    pub name: &'static str,
    /// `distilburn.version`.
    pub version: u32,
    /// The stage to re-run when a table of this kind is unusable.
    pub producer: &'static str,
    columns: fn() -> Vec<Field>,
}

impl Kind {
    /// The columns, in order.
    pub(crate) fn fields(&self) -> Fields {
        (self.columns)().into()
    }

    /// The stage to re-run when the table at `path` is unusable: `checkpoint.arrow` and `pretrained.arrow` are
    /// of one kind but of two stages.
    pub(crate) fn producer_of(&self, path: &Path) -> &'static str {
        file_name::producer(path).unwrap_or(self.producer)
    }
}

/// Paragraphs: ingest/`contexts-….arrow`.
pub static CONTEXTS: Kind =
    Kind { name: "contexts", version: 1, producer: "ingest", columns: contexts::columns };
/// Questions: ingest/`examples-….arrow`.
pub static EXAMPLES: Kind =
    Kind { name: "examples", version: 1, producer: "ingest", columns: examples::columns };
/// Named weights: ingest/`pretrained.arrow`, train/`checkpoint.arrow`.
pub static TENSORS: Kind =
    Kind { name: "tensors", version: 1, producer: "ingest", columns: tensors::columns };
/// Small files, verbatim: ingest/`assets.arrow`.
pub static ASSETS: Kind = Kind { name: "assets", version: 1, producer: "ingest", columns: assets::columns };
/// What is odd about the data: ingest/`audit.arrow`.
pub static AUDIT: Kind = Kind { name: "audit", version: 1, producer: "ingest", columns: audit::columns };
/// Token windows: tokenize-features/`features-….arrow`.
pub static FEATURES: Kind =
    Kind { name: "features", version: 1, producer: "tokenize-features", columns: features::columns };
/// What training measured: train/`history.arrow`.
pub static HISTORY: Kind = Kind { name: "history", version: 1, producer: "train", columns: history::columns };
/// How fast it was: train/`timing.arrow`.
pub static TIMING: Kind = Kind { name: "timing", version: 1, producer: "train", columns: timing::columns };
/// Parameters and optimizer state by name, counters in the metadata: train/`checkpoints/step-….arrow`.
pub static TRAINING_STATE: Kind =
    Kind { name: "training-state", version: 1, producer: "train", columns: tensors::columns };
/// Answers with their scores: evaluate/`predictions-validation.arrow`.
pub static PREDICTIONS: Kind =
    Kind { name: "predictions", version: 1, producer: "evaluate", columns: predictions::columns };
/// The listing of an exported model: export/`files.arrow`.
pub static FILES: Kind = Kind { name: "files", version: 1, producer: "export", columns: files::columns };

/// Every kind that this build reads.
pub static KINDS: [&Kind; 11] = [
    &CONTEXTS,
    &EXAMPLES,
    &TENSORS,
    &ASSETS,
    &AUDIT,
    &FEATURES,
    &HISTORY,
    &TIMING,
    &TRAINING_STATE,
    &PREDICTIONS,
    &FILES,
];

/// A column that has a value in every row.
pub(crate) fn column(name: &str, data_type: DataType) -> Field {
    Field::new(name, data_type, false)
}

/// A column that may be null.
pub(crate) fn nullable(name: &str, data_type: DataType) -> Field {
    Field::new(name, data_type, true)
}

/// The type of lists of `item`, which is never null.
pub(crate) fn list_of(item: DataType) -> DataType {
    DataType::new_list(item, false)
}
