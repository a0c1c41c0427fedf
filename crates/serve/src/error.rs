//! What can keep the server from starting.

use std::path::PathBuf;

use miette::Diagnostic;
use stage::ExitKind;
use thiserror::Error;

/// Errors of `distilburn-serve`.
#[derive(Debug, Error, Diagnostic)]
pub enum Error {
    /// Signals, or stdout.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Stage(#[from] stage::Error),
    /// The model.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Answerer(#[from] answerer::Error),
    /// The address is in use, or does not belong to this machine.
    #[error("cannot listen on {address}")]
    #[diagnostic(help(
        "choose another --port, or 0 for any free port; --host must be an address of this machine"
    ))]
    Listen { address: String, source: std::io::Error },
    /// An empty key.
    #[error("the API key in {origin} is empty")]
    #[diagnostic(help("put the key into it, or remove it to serve without a key"))]
    EmptyKey { origin: String },
    /// The file of the key.
    #[error("the API key cannot be read from {}", path.display())]
    #[diagnostic(help("check the path and its permissions"))]
    Key { path: PathBuf, source: std::io::Error },
    /// A `--cors-origin` that is not an origin.
    #[error("--cors-origin {origin} is not an origin")]
    #[diagnostic(help("an origin has a scheme and a host and no path: https://example.org, or * for all"))]
    Origin { origin: String },
    /// Threads that cannot be started.
    #[error("the server cannot be started")]
    #[diagnostic(help("check the limits of this account: `ulimit -a`"))]
    Start(#[source] std::io::Error),
}

impl ExitKind for Error {
    fn exit_code(&self) -> u8 {
        match self {
            Self::Stage(error) => error.exit_code(),
            Self::Answerer(error) => error.exit_code(),
            Self::Listen { .. } | Self::EmptyKey { .. } | Self::Key { .. } | Self::Origin { .. } => 2,
            Self::Start(_) => 1,
        }
    }
}
