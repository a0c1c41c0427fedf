//! Settings and store: what a command works on.

use std::collections::BTreeMap;
use std::sync::Once;

use artifact::{Artifact, FolderKind, Store};

use crate::settings::{Loaded, expand_home_of};
use crate::{
    Declaration, EXPECTED_CODE, Error, Fetcher, Input, Interrupt, Planned, ProgressMode, Settings,
    SettingsOptions, plan,
};

/// The settings and the store that the command line names.
#[derive(Debug)]
pub struct Workspace {
    /// Settings, and their places.
    pub loaded: Loaded,
    /// The artifact store.
    pub store: Store,
    /// What was typed, for the commands that messages recommend.
    pub options: SettingsOptions,
    /// `--force`: an unusable artifact counts as missing.
    pub force: bool,
    /// How the progress of downloads is shown.
    pub progress: ProgressMode,
    /// Whether the network must not be used.
    pub offline: bool,
    given: BTreeMap<String, Artifact>,
}

impl Workspace {
    /// Reads the settings and opens the artifacts that `--input` gives.
    pub fn open(options: &SettingsOptions, inputs: &[Input]) -> Result<Self, Error> {
        static TOLD: Once = Once::new();
        let loaded = options.request().load()?;
        match &loaded.file {
            Some(file) => tracing::debug!(file = %file.display(), "settings"),
            // The driver that started this stage has logged it already.
            None if std::env::var_os(EXPECTED_CODE).is_some() => {}
            // Only once, even if a command tries several profiles.
            None => TOLD.call_once(|| {
                tracing::info!(
                    "no pipeline.toml here: using the built-in settings; paths are relative to this folder"
                );
            }),
        }
        let root = options.artifacts.as_deref().map(expand_home_of);
        let root = root.unwrap_or_else(|| loaded.folder().join("artifacts"));
        if root.is_file() {
            return Err(Error::StoreIsFile { path: root });
        }
        let mut given = BTreeMap::new();
        for input in inputs {
            given.insert(input.stage.clone(), open_input(input)?);
        }
        let progress = ProgressMode::None;
        let (store, options) = (Store::new(root), options.clone());
        Ok(Self { loaded, store, options, force: false, progress, offline: false, given })
    }

    #[must_use]
    pub fn settings(&self) -> &Settings {
        &self.loaded.settings
    }

    /// All stages.
    pub fn plan(&self) -> Result<Vec<Planned>, Error> {
        plan::plan(self, None)
    }

    /// `target` as the last of the stages it needs.
    pub fn plan_to(&self, target: &Declaration) -> Result<Vec<Planned>, Error> {
        plan::plan(self, Some(target))
    }

    /// The finished artifact of a stage under these settings; `needed_by` names the caller, for the error.
    pub fn artifact(&self, stage: &Declaration, needed_by: &str) -> Result<Artifact, Error> {
        let run = self.options.command(&format!("distilburn run --to {}", stage.name));
        let remedy = format!("make it and what it needs with `{run}`");
        self.artifact_or(stage, needed_by, (format!("an artifact of {}", stage.name), remedy))
    }

    /// The same; `what` it is, and the remedy, are said if the store holds none of this stage. Then a source that is
    /// missing is not the user's first problem.
    pub(crate) fn artifact_or(
        &self,
        stage: &Declaration,
        needed_by: &str,
        (what, remedy): (String, String),
    ) -> Result<Artifact, Error> {
        let found = self.plan_to(stage).and_then(|planned| {
            let last = planned.last().expect("a plan ends with its target");
            last.require(self, needed_by).cloned()
        });
        let is_missing = matches!(
            &found,
            Err(Error::NoSource { .. }
                | Error::ReadSource { .. }
                | Error::Fetch(_)
                | Error::MissingInput { .. })
        );
        if !is_missing || self.holds(stage) {
            return found;
        }
        Err(Error::NothingYet {
            command: needed_by.to_owned(),
            what,
            root: self.store.root().to_owned(),
            remedy,
        })
    }

    /// Whether the store has a finished artifact of this stage, made with any settings.
    fn holds(&self, stage: &Declaration) -> bool {
        let folders = self.store.folders().unwrap_or_default();
        folders.iter().any(|folder| {
            folder.stage == stage.name && matches!(folder.kind, FolderKind::Finished | FolderKind::Linked)
        })
    }

    /// Downloads remote sources.
    pub(crate) fn fetcher(&self, interrupt: Interrupt) -> Fetcher {
        let timeout_s = self.settings().ingest.download_timeout_s;
        Fetcher::new(self.store.root(), timeout_s, self.offline, self.progress, interrupt)
    }

    /// `--input`, by stage.
    pub(crate) fn given(&self) -> &BTreeMap<String, Artifact> {
        &self.given
    }
}

fn open_input(input: &Input) -> Result<Artifact, Error> {
    let artifact = Artifact::open(&expand_home_of(&input.dir))?;
    if Declaration::of(&input.stage).is_none() {
        let stages = crate::STAGES.map(|declaration| declaration.name).join(", ");
        return Err(Error::NotUpstream {
            name: input.stage.clone(),
            stage: "the pipeline".to_owned(),
            remedy: format!("the stages are {stages}"),
        });
    }
    if artifact.manifest.stage != input.stage {
        return Err(Error::OtherStage {
            stage: input.stage.clone(),
            dir: input.dir.clone(),
            found: artifact.manifest.stage,
        });
    }
    Ok(artifact)
}
