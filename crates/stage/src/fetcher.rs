//! Pins remote sources: the first use of a URL or a Hub revision records its hash or commit in the store. From then on
//! this version is used, with or without network.

use std::collections::BTreeMap;
use std::io;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::time::Duration;

use artifact::{SMALL_FILE_BYTES, read_small};
use fetch::{Client, Digest, Environment, Event, Hub, Patience, Repo, Revision, redacted};
use serde::{Deserialize, Serialize};

use crate::{Error, Interrupt, Progress, ProgressMode};

/// The file in the store that records the version of each remote source. If it is deleted, versions are looked up
/// again.
const RECORDS: &str = ".sources.json";

/// The folder in the store for the files of URLs, named by their SHA-256.
const DOWNLOADS: &str = ".downloads";

/// Downloads files from URLs and from the Hub.
#[derive(Debug)]
pub struct Fetcher {
    store: PathBuf,
    client: Client,
    environment: Environment,
    hub: Hub,
    records: Records,
    progress: ProgressMode,
    interrupt: Interrupt,
}

/// The records, by URL or Hub revision.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
struct Records {
    /// Keyed by the BLAKE3 of the URL, because a URL may hold a password.
    #[serde(default)]
    urls: BTreeMap<String, UrlRecord>,
    /// Keyed by `datasets/owner/name@revision`.
    #[serde(default)]
    hub: BTreeMap<String, Revision>,
}

/// The record of a URL.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct UrlRecord {
    sha256: Digest,
    size_bytes: u64,
}

impl Fetcher {
    pub(crate) fn new(
        store: &Path,
        timeout_s: u64,
        offline: bool,
        progress: ProgressMode,
        interrupt: Interrupt,
    ) -> Self {
        let mut environment = Environment::from_process();
        environment.offline |= offline;
        let client = Client::new(Patience::with_timeout(Duration::from_secs(timeout_s)));
        let hub = Hub::new(client.clone(), environment.clone());
        let records = Records::read(&store.join(RECORDS));
        Self { store: store.to_owned(), client, environment, hub, records, progress, interrupt }
    }

    /// The SHA-256 of the file behind `url`: the recorded one, or else that of the downloaded file.
    pub(crate) fn pin_url(&mut self, url: &str) -> Result<Digest, Error> {
        match self.records.urls.get(&key(url)) {
            Some(record) => Ok(record.sha256.clone()),
            None => self.download(url, None),
        }
    }

    /// The file behind `url`, with its recorded hash.
    pub fn url(&mut self, url: &str) -> Result<PathBuf, Error> {
        let recorded = self.records.urls.get(&key(url)).cloned();
        let path = |sha256: &Digest| self.store.join(DOWNLOADS).join(sha256.hex());
        if let Some(record) = &recorded {
            let path = path(&record.sha256);
            if fs_err::metadata(&path).is_ok_and(|metadata| metadata.len() == record.size_bytes) {
                // A check of the size alone would miss a file that has changed since it was downloaded.
                let (found, expected) = (Digest::sha256(&path)?, record.sha256.clone());
                if found == expected {
                    return Ok(path);
                }
                let damaged = fetch::Error::Damaged { path, found, expected };
                if self.environment.offline {
                    return Err(damaged.into());
                }
                tracing::warn!(error = %damaged, "downloading it again");
            }
        }
        let recorded = recorded.as_ref().map(|record| (&record.sha256, record.size_bytes));
        let sha256 = self.download(url, recorded)?;
        Ok(self.store.join(DOWNLOADS).join(sha256.hex()))
    }

    fn download(&mut self, url: &str, expected: Option<(&Digest, u64)>) -> Result<Digest, Error> {
        if self.environment.offline {
            return Err(fetch::Error::offline(redacted(url)).into());
        }
        tracing::info!(url = redacted(url), "downloading");
        let folder = self.store.join(DOWNLOADS);
        let mut listener = listener(self.progress, self.interrupt.clone());
        let downloaded = self.client.download(url, &folder, expected, &mut listener)?;
        tracing::info!(
            url = redacted(url),
            size_bytes = downloaded.size_bytes,
            sha256 = downloaded.sha256.hex(),
            "downloaded"
        );
        let record = UrlRecord { sha256: downloaded.sha256.clone(), size_bytes: downloaded.size_bytes };
        self.record(|records| {
            records.urls.insert(key(url), record);
        });
        Ok(downloaded.sha256)
    }

    /// The recorded commit of `revision` of `repo`, with its files; without a record, it asks the Hub.
    pub fn revision(&mut self, repo: &Repo, revision: &str) -> Result<Revision, Error> {
        if let Some(recorded) = self.recorded(repo, revision) {
            return Ok(recorded);
        }
        let key = hub_key(repo, revision);
        tracing::info!(repo = repo.id, revision, "no such local path: asking the Hub");
        let mut listener = listener(self.progress, self.interrupt.clone());
        let found = self.hub.resolve(repo, revision, &mut listener)?;
        tracing::info!(repo = repo.id, revision, commit = found.commit, "revision of the Hub");
        // An incomplete cache does not have all files of the revision.
        if !self.environment.offline {
            self.record(|records| {
                records.hub.insert(key, found.clone());
            });
        }
        Ok(found)
    }

    /// The same, if it is recorded.
    pub(crate) fn recorded(&self, repo: &Repo, revision: &str) -> Option<Revision> {
        self.records.hub.get(&hub_key(repo, revision)).cloned()
    }

    /// A file of the Hub, in the cache.
    pub fn repo_file(&self, repo: &Repo, revision: &Revision, name: &str) -> Result<PathBuf, Error> {
        let mut listener = listener(self.progress, self.interrupt.clone());
        Ok(self.hub.file(repo, revision, name, &mut listener)?)
    }

    /// The folder of the cache in which [`Fetcher::repo_file`] puts the files of a revision.
    #[must_use]
    pub fn snapshot(&self, repo: &Repo, revision: &Revision) -> PathBuf {
        self.hub.snapshot(repo, revision)
    }

    /// Records something in the store, and keeps what other processes have recorded meanwhile. A store that cannot be
    /// written to does not stop the command.
    fn record(&mut self, note: impl FnOnce(&mut Records)) {
        let path = self.store.join(RECORDS);
        self.records = Records::read(&path);
        note(&mut self.records);
        if let Err(error) = self.records.write(&path) {
            tracing::warn!(%error, "the version could not be recorded: the next plan will use the network again");
        }
    }
}

impl Records {
    fn read(path: &Path) -> Self {
        match read_small(path, SMALL_FILE_BYTES) {
            Ok(json) => serde_json::from_slice(&json).unwrap_or_else(|error| {
                tracing::warn!(path = %path.display(), %error, "the record of sources is damaged: starting a new one");
                Self::default()
            }),
            Err(error) => {
                if error.kind() != io::ErrorKind::NotFound {
                    tracing::warn!(%error, "the record of sources is damaged: starting a new one");
                }
                Self::default()
            }
        }
    }

    fn write(&self, path: &Path) -> io::Result<()> {
        fs_err::create_dir_all(path.parent().unwrap_or(Path::new("")))?;
        artifact::replace_file(path, &serde_json::to_vec_pretty(self)?)
    }
}

fn hub_key(repo: &Repo, revision: &str) -> String {
    format!("{}/{repo}@{revision}", repo.kind.plural())
}

fn key(url: &str) -> String {
    blake3::hash(url.as_bytes()).to_hex()[..32].to_owned()
}

/// Shows the progress of a download, and stops it when the process is asked to stop.
fn listener(progress: ProgressMode, interrupt: Interrupt) -> impl FnMut(Event<'_>) -> ControlFlow<()> {
    let mut shown: Option<Progress> = None;
    move |event| {
        match event {
            Event::Started { name, total_bytes, present_bytes } => {
                let bar = Progress::start(progress, &format!("{name} (bytes)"), total_bytes);
                bar.skip(present_bytes);
                shown = Some(bar);
            }
            Event::Received(bytes) => {
                if let Some(bar) = &shown {
                    bar.inc(bytes);
                }
            }
            Event::Waiting => {}
        }
        if interrupt.seen() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    }
}
