//! Typed, versioned Arrow tables and the store of artifacts made of them.
//!
//! A stage writes its tables into a [`Partial`] with the writers here; [`Partial::commit`] seals them with a
//! [`Manifest`] and moves them to their place in the [`Store`]. The next stage opens the [`Artifact`] and reads
//! the tables through memory maps, without copying. What the rows mean is the stages' business.

mod artifact;
mod error;
pub mod file_name;
mod ipc;
mod json;
mod kind;
mod listing;
mod live;
mod lock;
mod manifest;
mod mmap;
mod partial;
mod provenance;
mod regular_file;
mod row_writer;
mod show;
mod store;
mod table;
mod table_writer;
mod tables;
mod training_states;

pub use artifact::{Artifact, hash_file};
pub use error::{Error, Result};
pub use json::{canonical_json, fingerprint};
pub use kind::{
    ASSETS, AUDIT, CONTEXTS, EXAMPLES, FEATURES, FILES, HISTORY, KINDS, Kind, PREDICTIONS, TENSORS, TIMING,
    TRAINING_STATE,
};
pub use listing::Listing;
pub use live::{LiveRow, read_live};
pub use lock::Holder;
pub use manifest::{FileEntry, Input, MANIFEST_VERSION, Manifest, ManifestDraft};
pub use partial::{DAMAGED_PREFIX, Partial};
pub use provenance::{Origin, Sources};
pub use regular_file::{SMALL_FILE_BYTES, open_regular, read_small, read_small_text};
pub use row_writer::{Row, RowWriter};
pub use show::{TableDescription, describe, first_rows};
pub use store::Store;
pub use table_writer::TEMPORARY_EXTENSION;
pub use tables::assets::{Assets, AssetsWriter};
pub use tables::audit::{AuditRow, AuditWriter, Finding, Outcome, Severity, read_audit};
pub use tables::contexts::{Context, Contexts, ContextsWriter};
pub use tables::examples::{Answer, Example, Examples, ExamplesWriter};
pub use tables::features::{Feature, FeatureRow, Features, FeaturesWriter, Offsets};
pub use tables::files::{ExportedFile, read_files, write_files};
pub use tables::history::{HistoryKind, HistoryRow, read_history, write_history};
pub use tables::predictions::{Candidate, Prediction, Predictions, PredictionsWriter};
pub use tables::tensors::{TensorView, Tensors, TensorsWriter};
pub use tables::timing::{TimingRow, read_timing, write_timing};
pub use training_states::{StateName, sealed_states};
