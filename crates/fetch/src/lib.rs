//! Files from the network: a URL, or a repository of the Hugging Face Hub at a revision.
//!
//! A download resumes where it stopped, waits if the server asks for it, and is checked against its hash if known. The
//! Hub's files are in the Hub's own cache layout, shared with Python's `huggingface_hub`. Not here: what the files
//! mean, and which are needed.

mod cache;
mod digest;
mod download;
mod environment;
mod error;
mod http;
mod hub;
mod lock;
mod model_files;
mod redact;
mod repo;
mod waiting;

use std::ops::ControlFlow;

pub use digest::Digest;
pub use download::Downloaded;
pub use environment::Environment;
pub use error::{Error, Result};
pub use http::{Client, Patience, is_allowed};
pub use hub::Hub;
pub use model_files::{model_files, shards, weights_file};
pub use redact::redacted;
pub use repo::{Repo, RepoFile, RepoKind, Revision};

/// The progress of a download. The listener returns `Break` to stop it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event<'a> {
    /// The download of `name` begins.
    Started {
        /// For people: a URL, or a file of a repository.
        name: &'a str,
        /// Size of the whole file; 0 if the server does not say.
        total_bytes: u64,
        /// Already there from an earlier attempt.
        present_bytes: u64,
    },
    /// This many more bytes have arrived.
    Received(u64),
    /// Waiting for the server; no data arrives.
    Waiting,
}

/// Who listens to [`Event`]s.
pub type Listener<'a> = &'a mut dyn FnMut(Event<'_>) -> ControlFlow<()>;

/// Tells the listener, and stops if it wants to.
fn tell(listener: &mut dyn FnMut(Event<'_>) -> ControlFlow<()>, event: Event<'_>) -> Result<()> {
    match listener(event) {
        ControlFlow::Continue(()) => Ok(()),
        ControlFlow::Break(()) => Err(Error::Interrupted),
    }
}
