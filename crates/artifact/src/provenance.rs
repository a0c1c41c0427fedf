//! Where data and models came from: written by ingest into its manifest, read by the model card and by `show`.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{Manifest, SplitName};

/// The key of an ingest manifest's metrics that holds [`Sources`].
const METRIC: &str = "sources";

/// What an ingest artifact was made from.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sources {
    pub train: Vec<Origin>,
    pub validation: Vec<Origin>,
    /// Empty if there is no test split.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub test: Vec<Origin>,
    /// A folder's files, or a model of the Hub.
    pub base_model: Vec<Origin>,
}

/// One source. No paths: a manifest says nothing about the machine that it was made on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Origin {
    /// distilburn's own corpus.
    Generated { seed: u64 },
    /// A file; only its base name.
    File { name: String, blake3: String },
    /// Without credentials and query.
    Url { url: String, sha256: String },
    /// A repository of the Hugging Face Hub.
    Hub { id: String, commit: String },
    /// This many per cent of the training contexts, set aside.
    ShareOfTrain { percent: String },
}

impl Origin {
    /// Its name alone.
    #[must_use]
    pub fn name(&self) -> String {
        match self {
            Self::Generated { .. } => "generated".to_owned(),
            Self::File { name, .. } => name.clone(),
            Self::Url { url, .. } => url.clone(),
            Self::Hub { id, .. } => id.clone(),
            Self::ShareOfTrain { percent } => format!("{percent}% of the training contexts"),
        }
    }

    /// Its name and its version.
    #[must_use]
    pub fn with_hash(&self) -> String {
        match self {
            Self::Generated { seed } => format!("generated with the seed {seed}"),
            Self::File { name, blake3 } => format!("{name} (BLAKE3 {blake3})"),
            Self::Url { url, sha256 } => format!("{url} (SHA-256 {sha256})"),
            Self::Hub { id, commit } => format!("{id}@{commit}"),
            Self::ShareOfTrain { .. } => self.name(),
        }
    }
}

impl Sources {
    /// The metric of ingest: its name and value.
    #[must_use]
    pub fn metric(&self) -> (&'static str, Value) {
        (METRIC, serde_json::to_value(self).expect("sources have string keys only"))
    }

    /// Where a split came from.
    #[must_use]
    pub fn split(&self, split: SplitName) -> &[Origin] {
        match split {
            SplitName::Train => &self.train,
            SplitName::Validation => &self.validation,
            SplitName::Test => &self.test,
        }
    }

    /// The sources in the manifest of an ingest artifact; `None` if it has none.
    #[must_use]
    pub fn of(manifest: &Manifest) -> Option<Self> {
        serde_json::from_value(manifest.metrics.get(METRIC)?.clone()).ok()
    }
}
