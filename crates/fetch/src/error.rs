//! What can go wrong between here and a server, each with what to do about it.

use std::path::PathBuf;

use crate::digest::Digest;

/// Shorthand of this crate's functions.
pub type Result<T> = std::result::Result<T, Error>;

/// What was asked for, what came instead, and what to type next.
#[derive(Debug, thiserror::Error, miette::Diagnostic)]
#[non_exhaustive]
pub enum Error {
    /// The operating system refused; the message names the file.
    #[error(transparent)]
    #[diagnostic(help("check that there is room, and that you may write there"))]
    Io(#[from] std::io::Error),

    /// A connection would have to be opened, and may not.
    #[error("{what} is not here, and HF_HUB_OFFLINE forbids to fetch it")]
    #[diagnostic(help("{remedy}"))]
    Offline {
        /// URL, or repository and file.
        what: String,
        /// What to do.
        remedy: String,
    },

    /// Not `https://`, and not this machine.
    #[error("{url} is not https://")]
    #[diagnostic(help("only servers of this machine (127.0.0.1, localhost) are asked over http://"))]
    Insecure {
        /// As typed, or where a server redirects to.
        url: String,
    },

    /// No answer, or one that broke off, time after time.
    #[error("{url}: no complete answer in {attempts} attempts")]
    #[diagnostic(help("{remedy}"))]
    Unreachable {
        /// What was asked for.
        url: String,
        /// How often.
        attempts: u32,
        /// What to do.
        remedy: String,
        /// The last reason.
        source: Box<ureq::Error>,
    },

    /// 401 or 403.
    #[error("{url}: the server refuses access ({status})")]
    #[diagnostic(help("{remedy}"))]
    Refused {
        /// What was asked for.
        url: String,
        /// 401 or 403.
        status: u16,
        /// With a token or without.
        remedy: String,
    },

    /// 404 or 410.
    #[error("{url} does not exist ({status})")]
    #[diagnostic(help("{remedy}"))]
    NotFound {
        /// What was asked for.
        url: String,
        /// 404 or 410.
        status: u16,
        /// What could be wrong.
        remedy: String,
    },

    /// The server asks for more patience than there is.
    #[error("{url}: too many requests (429), the server asks to wait {wait_s} s")]
    #[diagnostic(help(
        "wait that long and start again: what has come in so far is kept; HF_TOKEN raises the Hub's limits"
    ))]
    TooManyRequests {
        /// What was asked for.
        url: String,
        /// The server's wish.
        wait_s: u64,
    },

    /// Another status that is no success.
    #[error("{url}: the server answers {status}")]
    #[diagnostic(help("try again later, or download the file by hand and name its path"))]
    Status {
        /// What was asked for.
        url: String,
        /// The HTTP status.
        status: u16,
    },

    /// A redirect that leads nowhere.
    #[error("{url}: {what}")]
    #[diagnostic(help("name the address that the file really has"))]
    Redirect {
        /// What was asked for.
        url: String,
        /// What is wrong with it.
        what: &'static str,
    },

    /// What came is not what was promised.
    #[error("{url} has {found}, expected {expected}")]
    #[diagnostic(help("{remedy}"))]
    Hash {
        /// What was asked for.
        url: String,
        /// Of what came.
        found: Digest,
        /// Recorded, or what the Hub says.
        expected: Digest,
        /// Why it can be.
        remedy: &'static str,
    },

    /// The Hub's answer is not in its form.
    #[error("{url}: the answer is not the Hub's: {message}")]
    #[diagnostic(help("check HF_ENDPOINT: it must name a Hugging Face Hub or a mirror of one"))]
    NotTheHub {
        /// What was asked for.
        url: String,
        /// What the parser said.
        message: String,
    },

    /// A file that the repository does not have.
    #[error("{repo} has no file {name}")]
    #[diagnostic(help("look at its files on the Hub, or name another revision: {repo}@REVISION"))]
    NoFile {
        /// The repository.
        repo: String,
        /// The file.
        name: String,
    },

    /// A name that would leave the cache's folder.
    #[error("{repo}: {name:?} is no file name")]
    #[diagnostic(help("the repository is broken, or HF_ENDPOINT is no Hub"))]
    FileName {
        /// The repository.
        repo: String,
        /// What the server called it.
        name: String,
    },

    /// Another process is at the same download and does not end.
    #[error("{} is being written by another process", path.display())]
    #[diagnostic(help("wait until it has finished, or end it"))]
    Busy {
        /// The unfinished file.
        path: PathBuf,
    },

    /// The listener stopped it.
    #[error("interrupted")]
    #[diagnostic(help("start again: what has come in so far is kept"))]
    Interrupted,
}

impl Error {
    /// What is not here, where no connection may be opened.
    #[must_use]
    pub fn offline(what: String) -> Self {
        let remedy = "run once with HF_HUB_OFFLINE=0, or copy the cache (HF_HOME) of a machine that has it";
        Self::Offline { what, remedy: remedy.to_owned() }
    }

    /// Puts `advice` before the remedy of an error that means that something is not to be had.
    #[must_use]
    pub fn advise(mut self, advice: &str) -> Self {
        if let Self::Offline { remedy, .. }
        | Self::Unreachable { remedy, .. }
        | Self::Refused { remedy, .. }
        | Self::NotFound { remedy, .. } = &mut self
        {
            *remedy = format!("{advice}; {remedy}");
        }
        self
    }
}
