//! Repositories of the Hugging Face Hub: which commit a revision is, which files it has, and those files.
//!
//! Why this is not `hf-hub`: version 1.0 needs an asynchronous runtime and has no offline mode, hash checks or
//! `Retry-After`. We need only two URLs and the cache's layout.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Deserialize;

use crate::cache::RepoFolder;
use crate::digest::Digest;
use crate::download::{Order, held};
use crate::environment::Environment;
use crate::error::{Error, Result};
use crate::http::{Client, Request};
use crate::repo::{Repo, RepoFile, RepoKind, Revision, has_size, is_commit};
use crate::{Listener, cache, model_files};

/// The longest response of the API that is read: a listing of about a hundred thousand files.
const MAX_LISTING_BYTES: u64 = 64 << 20;

/// The largest file of a model apart from its weights: a tokenizer of a quarter of a million tokens has 17 MB.
const MAX_SMALL_BYTES: u64 = 64 << 20;

/// The Hub, and the cache of its files on this machine.
#[derive(Debug, Clone)]
pub struct Hub {
    client: Client,
    environment: Environment,
}

/// What the API says about a repository at a revision.
#[derive(Debug, Deserialize)]
struct Info {
    sha: String,
    siblings: Vec<Sibling>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Sibling {
    rfilename: String,
    #[serde(default)]
    size: Option<u64>,
    #[serde(default)]
    blob_id: Option<String>,
    #[serde(default)]
    lfs: Option<Lfs>,
}

#[derive(Debug, Deserialize)]
struct Lfs {
    sha256: String,
    size: u64,
}

impl Hub {
    /// The Hub that the environment names.
    #[must_use]
    pub fn new(client: Client, environment: Environment) -> Self {
        Self { client, environment }
    }

    /// The present commit of `revision` (a branch, tag or commit), and its files.
    ///
    /// If offline, or if the Hub cannot be reached, it is the commit in the cache.
    pub fn resolve(&self, repo: &Repo, revision: &str, listener: Listener<'_>) -> Result<Revision> {
        let cached = || cache::RepoFolder::new(&self.environment.cache, repo).revision(revision);
        if self.environment.offline {
            return cached()?.ok_or_else(|| Error::offline(format!("{repo}@{revision}")));
        }
        match self.ask(repo, revision, listener) {
            Err(error @ Error::Unreachable { .. }) => match cached()? {
                Some(found) => {
                    tracing::warn!(%error, commit = found.commit, "the Hub cannot be reached: using the cached version");
                    Ok(found)
                }
                None => Err(error),
            },
            other => other,
        }
    }

    fn ask(&self, repo: &Repo, revision: &str, listener: Listener<'_>) -> Result<Revision> {
        let endpoint = &self.environment.endpoint;
        let url = format!(
            "{endpoint}/api/{}/{}/revision/{}?blobs=true",
            repo.kind.plural(),
            repo.id,
            utf8_percent_encode(revision, PART)
        );
        let request =
            Request { url: &url, token: self.environment.token.as_deref(), start: 0, if_range: None };
        let answer = self.client.get(&request, listener).map_err(|error| match error {
            Error::NotFound { url, status, .. } => Error::NotFound {
                url,
                status,
                remedy: format!(
                    "check the name and the revision of {}/{repo}@{revision} on the Hub",
                    repo.kind.plural()
                ),
            },
            error => error,
        })?;
        let not_the_hub = |message: String| Error::NotTheHub { url: url.clone(), message };
        let text = held(answer, &url, MAX_LISTING_BYTES, listener)?;
        let info: Info = serde_json::from_slice(&text).map_err(|error| not_the_hub(error.to_string()))?;
        if !is_commit(&info.sha) {
            return Err(not_the_hub(format!("{:?} is not a commit", info.sha)));
        }
        let mut files = BTreeMap::new();
        for sibling in info.siblings {
            if !cache::is_file_name(&sibling.rfilename) {
                return Err(Error::FileName { repo: repo.to_string(), name: sibling.rfilename });
            }
            let (digest, size_bytes) = match &sibling.lfs {
                Some(lfs) => (Digest::parse(&lfs.sha256), Some(lfs.size)),
                None => (sibling.blob_id.as_deref().and_then(Digest::parse), sibling.size),
            };
            let (Some(digest), Some(size_bytes)) = (digest, size_bytes) else {
                return Err(not_the_hub(format!("{} has no hash or no size", sibling.rfilename)));
            };
            files.insert(sibling.rfilename, RepoFile { size_bytes, digest });
        }
        cache::RepoFolder::new(&self.environment.cache, repo).remember(revision, &info.sha)?;
        Ok(Revision { commit: info.sha, files })
    }

    /// The file `name` of `revision`, from the cache or else from the Hub.
    pub fn file(
        &self,
        repo: &Repo,
        revision: &Revision,
        name: &str,
        listener: Listener<'_>,
    ) -> Result<PathBuf> {
        let no_file = || Error::NoFile { repo: repo.to_string(), name: name.to_owned() };
        let wanted = revision.files.get(name).ok_or_else(no_file)?;
        if !cache::is_file_name(name) || !is_commit(&revision.commit) {
            return Err(Error::FileName { repo: repo.to_string(), name: name.to_owned() });
        }
        if repo.kind == RepoKind::Model && model_files::is_small(name) && wanted.size_bytes > MAX_SMALL_BYTES
        {
            let (name, bytes) = (name.to_owned(), wanted.size_bytes);
            return Err(Error::TooLarge {
                repo: repo.to_string(),
                name,
                bytes,
                limit_bytes: MAX_SMALL_BYTES,
            });
        }
        let folder = RepoFolder::new(&self.environment.cache, repo);
        // A check of the size alone would miss a file that has changed since it was fetched.
        let mut damaged = None;
        let blob = folder.blob(&wanted.digest);
        if let Some(path) = folder.find(revision, name, wanted) {
            match wanted.digest.of_file_as(&path, listener)? {
                found if found == wanted.digest => return Ok(path),
                found => damaged = Some(Error::Damaged { path, found, expected: wanted.digest.clone() }),
            }
        }
        if !has_size(&blob, wanted.size_bytes) || wanted.digest.of_file_as(&blob, listener)? != wanted.digest
        {
            if self.environment.offline {
                let missing = || Error::offline(format!("{name} of {repo}@{}", revision.commit));
                return Err(damaged.unwrap_or_else(missing));
            }
            if let Some(error) = &damaged {
                tracing::warn!(%error, "fetching it again");
            }
            self.fetch(repo, revision, name, &blob, listener)?;
        }
        folder.link(revision, name, &wanted.digest)
    }

    fn fetch(
        &self,
        repo: &Repo,
        revision: &Revision,
        name: &str,
        blob: &Path,
        listener: Listener<'_>,
    ) -> Result<()> {
        let prefix = match repo.kind {
            RepoKind::Model => "",
            RepoKind::Dataset => "datasets/",
        };
        let url = format!(
            "{}/{prefix}{}/resolve/{}/{}",
            self.environment.endpoint,
            repo.id,
            revision.commit,
            utf8_percent_encode(name, PATH)
        );
        let partial = blob.with_extension("incomplete");
        let order = Order {
            url: &url,
            name: &format!("{repo}/{name}"),
            token: self.environment.token.as_deref(),
            expected: Some(&revision.files[name].digest),
            size_bytes: Some(revision.files[name].size_bytes),
            remedy: "it was damaged in transit, or the server is not the Hub: try again",
            partial: &partial,
        };
        let lock = self.client.fill(&order, listener)?;
        fs_err::rename(&partial, blob)?;
        crate::download::forget_tag(&partial)?;
        drop(lock);
        Ok(())
    }

    /// The folder of the files of `revision` that [`Hub::file`] has returned.
    #[must_use]
    pub fn snapshot(&self, repo: &Repo, revision: &Revision) -> PathBuf {
        RepoFolder::new(&self.environment.cache, repo).snapshot(&revision.commit)
    }
}

/// The characters that need no escape in a part of a URL's path (RFC 3986, section 2.3).
const PART: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');
/// The same in a path of several parts.
const PATH: &AsciiSet = &PART.remove(b'/');
