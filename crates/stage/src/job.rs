//! The context of a stage's `run`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Instant;

use artifact::Artifact;
use serde::Serialize;
use serde_json::{Map, Value};

use crate::{Fetcher, Interrupt, Progress, ProgressMode, Settings};

/// One run of one stage: inputs, the folder to write into, and what to tell the manifest and the user.
#[derive(Debug)]
pub struct Job {
    /// All settings. A stage reads those that its [`crate::Declaration`] lists, and devices, threads, paths and log
    /// intervals. Any other setting would be missing from its fingerprint.
    pub settings: Settings,
    /// Downloads the remote sources of the settings, in the versions that were pinned when the stage was planned.
    pub fetcher: Fetcher,
    pub(crate) inputs: BTreeMap<&'static str, Artifact>,
    pub(crate) output: PathBuf,
    pub(crate) fingerprint: String,
    pub(crate) metrics: Map<String, Value>,
    pub(crate) run_info: Map<String, Value>,
    pub(crate) progress: ProgressMode,
    pub(crate) interrupt: Interrupt,
    pub(crate) started: Instant,
}

impl Job {
    /// The artifact of an upstream stage, which the declaration lists.
    #[must_use]
    pub fn input(&self, stage: &str) -> &Artifact {
        self.inputs.get(stage).expect("a stage asks for the inputs that it declares")
    }

    /// The folder that the files of the artifact are written into. It becomes the artifact when `run`
    /// returns without an error.
    #[must_use]
    pub fn output(&self) -> &Path {
        &self.output
    }

    /// The artifact's fingerprint, for the metadata of its tables.
    #[must_use]
    pub fn fingerprint(&self) -> &str {
        &self.fingerprint
    }

    /// When the stage's process began its work.
    #[must_use]
    pub fn started(&self) -> Instant {
        self.started
    }

    /// A result, for `metrics` of the manifest.
    pub fn metric(&mut self, name: &str, value: impl Into<Value>) {
        self.metrics.insert(name.to_owned(), value.into());
    }

    /// All results of a stage at once, as the type that their readers share.
    pub fn metrics(&mut self, metrics: &impl Serialize) {
        self.metrics.extend(artifact::to_metrics(metrics));
    }

    /// A fact about the run that is not a result (device, precision, steps), for `run` of the manifest.
    pub fn run_info(&mut self, name: &str, value: impl Into<Value>) {
        self.run_info.insert(name.to_owned(), value.into());
    }

    /// Starts counting `what` towards `total` (0 = not known).
    #[must_use]
    pub fn progress(&self, what: &str, total: u64) -> Progress {
        Progress::start(self.progress, what, total)
    }

    /// True once the process was asked to stop. A stage checks this between two pieces of work, and returns an error
    /// with exit code 130.
    #[must_use]
    pub fn interrupted(&self) -> bool {
        self.interrupt.seen()
    }

    /// The same check for another thread.
    #[must_use]
    pub fn interrupt(&self) -> Interrupt {
        self.interrupt.clone()
    }
}
