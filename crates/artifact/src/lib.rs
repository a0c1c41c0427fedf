//! Typed, versioned Arrow tables and the store of artifacts made of them.
//!
//! A stage writes its tables into a [`Partial`] with the writers here; [`Partial::commit`] seals them with a
//! [`Manifest`] and moves them to their place in the [`Store`]. The next stage opens the [`Artifact`] and reads the
//! tables through memory maps, without copying. The stages decide what the rows mean.

mod artifact;
mod checkpoints;
mod error;
pub mod file_name;
mod ipc;
mod json;
mod kind;
mod listing;
mod live;
mod lock;
mod manifest;
mod metrics;
mod mmap;
mod partial;
mod provenance;
mod regular_file;
mod row_writer;
mod show;
mod split_name;
mod store;
mod table;
mod table_writer;
mod tables;

pub use artifact::{Artifact, hash_file};
pub use checkpoints::{CheckpointName, sealed_checkpoints};
pub use error::{Error, Result};
pub use json::{canonical_json, fingerprint};
pub use kind::Kind;
pub use listing::Listing;
pub use live::{LiveRow, read_live};
pub use lock::Holder;
pub use manifest::{FileEntry, Input, MANIFEST_VERSION, Manifest, ManifestDraft};
pub use metrics::{
    BestScore, Calibration, CalibrationError, EvaluateMetrics, FeatureFigures, Gain, Interval, LengthFigures,
    NullThresholds, PartScores, Scores, SliceScores, SplitCounts, TrainMetrics, UnknownFigures, UnknownShare,
    WindowFigures, to_metrics,
};
pub use partial::{DAMAGED_PREFIX, PARTIAL_PREFIX, Partial};
pub use provenance::{Origin, Sources};
pub use regular_file::{
    SMALL_FILE_BYTES, TEMPORARY_EXTENSION, open_regular, read_small, read_small_text, replace_cache_file,
    replace_file,
};
pub use row_writer::{Row, RowWriter};
pub use show::{TableDescription, describe, first_rows};
pub use split_name::SplitName;
pub use store::{Folder, FolderKind, References, Store, Usage};
pub use tables::KINDS;
pub use tables::assets::{ASSETS, Assets, AssetsWriter};
pub use tables::audit::{AUDIT, AuditRow, AuditWriter, Finding, Outcome, Severity, read_audit};
pub use tables::contexts::{CONTEXTS, Context, Contexts, ContextsWriter};
pub use tables::examples::{Answer, EXAMPLES, Example, Examples, ExamplesWriter};
pub use tables::features::{FEATURES, Feature, FeatureRow, Features, FeaturesWriter, Offsets};
pub use tables::files::{ExportedFile, FILES, read_files, write_files};
pub use tables::history::{HISTORY, HistoryKind, HistoryRow, read_history, write_history};
pub use tables::predictions::{Candidate, PREDICTIONS, Prediction, Predictions, PredictionsWriter};
pub use tables::profile::{PROFILE, ProfileRow, read_profile, write_profile};
pub use tables::questions::{QUESTIONS, QuestionRow, read_questions, write_questions};
pub use tables::slices::{SLICES, ScoreWithInterval, SliceRow, read_slices, write_slices};
pub use tables::tensors::{CHECKPOINT, TENSORS, TensorView, Tensors, TensorsWriter, WEIGHTS};
pub use tables::timing::{TIMING, TimingRow, read_timing, write_timing};
