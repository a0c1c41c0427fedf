//! What can go wrong between an evaluation and its page.

use miette::Diagnostic;

/// What is wrong, and what to type next.
#[derive(Debug, thiserror::Error, Diagnostic)]
#[non_exhaustive]
pub enum Error {
    #[error(transparent)]
    #[diagnostic(transparent)]
    Artifact(#[from] artifact::Error),

    /// The questions and their slices could not be gathered.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Analysis(#[from] analysis::Error),

    /// A manifest that another version of distilburn wrote.
    #[error("the manifest of {stage} {fingerprint} lacks what the report needs: {reason}")]
    #[diagnostic(help("run it again with this version: `distilburn run --from {stage} --force`"))]
    OtherVersion { stage: String, fingerprint: String, reason: String },

    #[error(transparent)]
    #[diagnostic(help("check that the folder of the artifacts can be written to"))]
    Io(#[from] std::io::Error),

    #[error("interrupted")]
    #[diagnostic(help("run `distilburn report` again: it starts from the beginning"))]
    Interrupted,
}

impl stage::ExitKind for Error {
    fn exit_code(&self) -> u8 {
        match self {
            Self::Artifact(error) | Self::Analysis(analysis::Error::Artifact(error)) => error.exit_code(),
            Self::Analysis(_) | Self::OtherVersion { .. } => 3,
            Self::Io(_) => 1,
            Self::Interrupted => 130,
        }
    }
}
