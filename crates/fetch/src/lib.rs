//! Files from the network: a URL, or a repository of the Hugging Face Hub at a revision.
//!
//! A download is resumed where it broke off, tried again when the server asks for patience, and compared with
//! the hash that is known for it. The Hub's files lie in the Hub's own cache layout, shared with Python's
//! `huggingface_hub`. What the files say, and which of them are wanted, is the business of whoever asks.

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

/// What a download tells while it goes on. The listener answers with `Break` to stop it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event<'a> {
    /// Bytes of `name` begin to come in.
    Started {
        /// For people: a URL, or a file of a repository.
        name: &'a str,
        /// Size of the whole; 0 where the server does not say.
        total_bytes: u64,
        /// Already there from an earlier attempt.
        present_bytes: u64,
    },
    /// So many more bytes have come in.
    Received(u64),
    /// The server is given time; nothing comes in.
    Waiting,
}

/// Who listens to [`Event`]s.
pub type Listener<'a> = &'a mut dyn FnMut(Event<'_>) -> ControlFlow<()>;

/// Tells the listener, and stops where it wants to.
fn tell(listener: &mut dyn FnMut(Event<'_>) -> ControlFlow<()>, event: Event<'_>) -> Result<()> {
    match listener(event) {
        ControlFlow::Continue(()) => Ok(()),
        ControlFlow::Break(()) => Err(Error::Interrupted),
    }
}
