//! What can go wrong between here and a server, each with what to do about it.

use std::path::PathBuf;

use crate::digest::Digest;
use crate::redacted;

/// Shorthand of this crate's functions.
pub type Result<T> = std::result::Result<T, Error>;

/// What was asked for, what came instead, and what to type next.
#[derive(Debug, thiserror::Error, miette::Diagnostic)]
#[non_exhaustive]
pub enum Error {
    /// The operating system refused; the message names the file.
    #[error(transparent)]
    #[diagnostic(help("check that the disk is not full and that you may write there"))]
    Io(#[from] std::io::Error),

    /// The download cannot be written.
    #[error("{} cannot be written", path.display())]
    #[diagnostic(help("free space on its disk, or raise `ulimit -f`, and run again: the download resumes"))]
    Write {
        /// The unfinished file.
        path: PathBuf,
        /// What the operating system said.
        source: std::io::Error,
    },

    /// A connection is needed but not allowed.
    #[error("{what} is not cached, and HF_HUB_OFFLINE forbids downloading it")]
    #[diagnostic(help("{remedy}"))]
    Offline {
        /// URL, or repository and file.
        what: String,
        /// What to do.
        remedy: String,
    },

    /// A URL that is not `https://` and not on this machine.
    #[error("{} is not https://", redacted(url))]
    #[diagnostic(help(
        "use https://; http:// is allowed only for servers on this machine (127.0.0.1, localhost)"
    ))]
    Insecure {
        /// The URL as typed, or the target of a redirect.
        url: String,
    },

    /// Repeatedly no response, or an incomplete one.
    #[error("{}: no complete answer in {attempts} attempts", redacted(url))]
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
    #[error("{}: the server refuses access ({status})", redacted(url))]
    #[diagnostic(help("{remedy}"))]
    Refused {
        /// What was asked for.
        url: String,
        /// 401 or 403.
        status: u16,
        /// The remedy, with or without a token.
        remedy: String,
    },

    /// 404 or 410.
    #[error("{} does not exist ({status})", redacted(url))]
    #[diagnostic(help("{remedy}"))]
    NotFound {
        /// What was asked for.
        url: String,
        /// 404 or 410.
        status: u16,
        /// What could be wrong.
        remedy: String,
    },

    /// The server asks for a longer wait than is allowed.
    #[error("{}: too many requests (429), the server asks to wait {wait_s} s", redacted(url))]
    #[diagnostic(help(
        "wait that long and run again: the download resumes. With HF_TOKEN set, the Hub's limits are higher"
    ))]
    TooManyRequests {
        /// What was asked for.
        url: String,
        /// The server's wish.
        wait_s: u64,
    },

    /// Another status that is not a success.
    #[error("{}: the server answers {status}", redacted(url))]
    #[diagnostic(help("try again later, or download the file by hand and name its path"))]
    Status {
        /// What was asked for.
        url: String,
        /// The HTTP status.
        status: u16,
    },

    /// A redirect that leads nowhere.
    #[error("{}: {what}", redacted(url))]
    #[diagnostic(help("name the final URL of the file"))]
    Redirect {
        /// What was asked for.
        url: String,
        /// What is wrong with it.
        what: &'static str,
    },

    /// The file is not the expected one.
    #[error("{} has {found}, expected {expected}", redacted(url))]
    #[diagnostic(help("{remedy}"))]
    Hash {
        /// What was asked for.
        url: String,
        /// The hash of the downloaded file.
        found: Digest,
        /// Recorded, or what the Hub says.
        expected: Digest,
        /// Why it can be.
        remedy: &'static str,
    },

    /// The server sends more bytes than the file has.
    #[error("{}: the server sends more than {limit_bytes} bytes, {why}", redacted(url))]
    #[diagnostic(help("{remedy}"))]
    TooLong {
        /// What was asked for.
        url: String,
        /// What was taken before this.
        limit_bytes: u64,
        /// Where the limit comes from.
        why: String,
        /// What to do.
        remedy: &'static str,
    },

    /// A file that does not fit on the disk.
    #[error("{} has {bytes} bytes, but only {free_bytes} are free in {}", redacted(url), folder.display())]
    #[diagnostic(help(
        "free space there, or move the artifacts folder (`--artifacts`) or HF_HUB_CACHE to another disk"
    ))]
    NoRoom {
        /// What was asked for.
        url: String,
        /// Listed or recorded.
        bytes: u64,
        /// On the disk of `folder`.
        free_bytes: u64,
        /// Where it would be stored.
        folder: PathBuf,
    },

    /// A small file of a model that is listed with the size of a weight file.
    #[error("{repo} lists {name} with {bytes} bytes, the limit is {limit_bytes}")]
    #[diagnostic(help(
        "a file of this kind is never that large: name another repository or revision: {repo}@REVISION"
    ))]
    TooLarge {
        repo: String,
        /// The file.
        name: String,
        /// Listed.
        bytes: u64,
        limit_bytes: u64,
    },

    /// A damaged file of the cache that cannot be fetched again.
    #[error("{} is damaged: it has {found}, expected {expected}", path.display())]
    #[diagnostic(help(
        "run once with HF_HUB_OFFLINE=0 to fetch it again, or copy it from a machine that has it"
    ))]
    Damaged {
        path: PathBuf,
        found: Digest,
        /// When it was fetched.
        expected: Digest,
    },

    /// Something other than a file in the place of a download.
    #[error("{} is not a regular file", path.display())]
    #[diagnostic(help("delete it: unfinished downloads are written there"))]
    NotAFile { path: PathBuf },

    /// A response that is not in the Hub's format.
    #[error("{}: the response is not from a Hugging Face Hub: {message}", redacted(url))]
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
        repo: String,
        /// The file.
        name: String,
    },

    /// A name that would leave the cache's folder.
    #[error("{repo}: {name:?} is not a file name")]
    #[diagnostic(help("the repository is broken, or HF_ENDPOINT is not a Hub"))]
    FileName {
        repo: String,
        /// What the server called it.
        name: String,
    },

    /// Another process is writing the same download and does not finish.
    #[error("{} is being written by another process", path.display())]
    #[diagnostic(help("wait for it to finish, or stop it"))]
    Busy {
        /// The unfinished file.
        path: PathBuf,
    },

    /// The listener stopped it.
    #[error("interrupted")]
    #[diagnostic(help("run again: the download resumes"))]
    Interrupted,
}

impl Error {
    /// The error for a file that is not cached, if no connection is allowed.
    #[must_use]
    pub fn offline(what: String) -> Self {
        let remedy = "run once with HF_HUB_OFFLINE=0, or copy the cache (HF_HOME) of a machine that has it";
        Self::Offline { what, remedy: remedy.to_owned() }
    }

    /// Puts `advice` before the remedy of an error that means that something is unavailable.
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
