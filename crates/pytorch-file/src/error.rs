//! What can be wrong with a `pytorch_model.bin`.

use std::path::{Path, PathBuf};

/// Shorthand of this crate's functions.
pub type Result<T> = std::result::Result<T, Error>;

/// What is wrong, where, and what to do next.
#[derive(Debug, thiserror::Error, miette::Diagnostic)]
#[non_exhaustive]
pub enum Error {
    /// The operating system refused; the message names the file.
    #[error(transparent)]
    #[diagnostic(help("check that the path is right and that you may read it"))]
    Io(#[from] std::io::Error),

    /// The pickle names something that could be code, or has an instruction that state dicts do not need.
    #[error("{} {what} (byte {at} of {part}), which no state dict needs", path.display())]
    #[diagnostic(help(
        "no code of the file was run. If you trust its source, load the model in PyTorch and save it again, as \
         `torch.save(model.state_dict(), …)` or as model.safetensors; otherwise delete it"
    ))]
    Foreign {
        path: PathBuf,
        /// The name, or the opcode.
        what: String,
        /// Where, in bytes.
        at: u64,
        /// The file, or an entry of the zip.
        part: &'static str,
    },

    /// The file is damaged, or has another format.
    #[error("{}: {reason}", path.display())]
    #[diagnostic(help(
        "it is damaged, incomplete or not a state dict: fetch it again, or save the model again with \
         `torch.save(model.state_dict(), …)`"
    ))]
    Form {
        path: PathBuf,
        /// What was found, and expected.
        reason: String,
    },
}

/// An [`Error`] that does not know its file yet.
#[derive(Debug)]
pub(crate) enum Fault {
    Io(std::io::Error),
    Foreign { what: String, at: u64 },
    Form(String),
}

impl Fault {
    /// `part`: what the positions count in.
    pub(crate) fn of(self, path: &Path, part: &'static str) -> Error {
        let path = path.to_owned();
        match self {
            Self::Io(source) => Error::Io(source),
            Self::Foreign { what, at } => Error::Foreign { path, what, at, part },
            Self::Form(reason) => Error::Form { path, reason },
        }
    }
}

/// The most characters of a file's text that a message repeats.
const BRIEF_CHARS: usize = 100;

/// A text of the file for a message: escaped for terminals, and shortened.
pub(crate) fn brief(text: &str) -> String {
    let mut shown: String = text.chars().take(BRIEF_CHARS).flat_map(char::escape_debug).collect();
    if text.chars().nth(BRIEF_CHARS).is_some() {
        shown.push('…');
    }
    shown
}

impl From<std::io::Error> for Fault {
    fn from(error: std::io::Error) -> Self {
        Self::Io(error)
    }
}
