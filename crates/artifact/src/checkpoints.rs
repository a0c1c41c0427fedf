//! What the checkpoints in the folder [`file_name::CHECKPOINTS`](crate::file_name::CHECKPOINTS) of a train artifact
//! in the making are called: the train stage writes them, the driver says where a training resumes.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use crate::Result;

const PREFIX: &str = "step-";
const VALIDATED: &str = "validated";
const SEAL: &str = ".json";

/// Where in the training a checkpoint was taken; ordered as the training gets there. Written, the first part of the names of
/// its files: `step-00000500`, or `step-00000500.validated`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct CheckpointName {
    /// Steps attempted.
    pub global_step: u64,
    /// Whether the validation after that step is in it.
    pub validated: bool,
}

impl CheckpointName {
    /// Of the checkpoint that a file belongs to, if it is one of a checkpoint.
    #[must_use]
    pub fn of_file(name: &str) -> Option<Self> {
        let mut parts = name.strip_prefix(PREFIX)?.split('.');
        let global_step = parts.next()?.parse().ok()?;
        Some(Self { global_step, validated: parts.next() == Some(VALIDATED) })
    }

    /// The file that says that the checkpoint is whole.
    #[must_use]
    pub fn seal_path(self, folder: &Path) -> PathBuf {
        folder.join(format!("{self}{SEAL}"))
    }
}

impl fmt::Display for CheckpointName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{PREFIX}{:08}", self.global_step)?;
        if self.validated { write!(f, ".{VALIDATED}") } else { Ok(()) }
    }
}

/// The checkpoints that are whole by their seal, ascending; none where there is no such folder.
pub fn sealed_checkpoints(folder: &Path) -> Result<Vec<CheckpointName>> {
    let mut checkpoints = Vec::new();
    let entries = match fs_err::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(checkpoints),
        Err(error) => return Err(error.into()),
    };
    for entry in entries {
        let name = entry?.file_name();
        let name = name.to_string_lossy();
        checkpoints.extend(
            CheckpointName::of_file(&name).filter(|checkpoint| name == format!("{checkpoint}{SEAL}")),
        );
    }
    checkpoints.sort_unstable();
    Ok(checkpoints)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_as_they_are_written_and_sorted_as_training_gets_there() {
        let dir = tempfile::tempdir().unwrap();
        let checkpoint = |global_step, validated| CheckpointName { global_step, validated };
        let expected = [checkpoint(9, false), checkpoint(9, true), checkpoint(100_000_000, false)];
        for sealed in expected {
            fs_err::write(sealed.seal_path(dir.path()), "").unwrap();
            assert_eq!(CheckpointName::of_file(&format!("{sealed}.history.arrow")), Some(sealed));
        }
        for other in [
            "step-00000010.arrow",
            "step-00000011.json.tmp",
            "step-00000009.old.json",
            "step-x.json",
            "best-00000012.arrow",
        ] {
            fs_err::write(dir.path().join(other), "").unwrap();
        }
        assert_eq!(sealed_checkpoints(dir.path()).unwrap(), expected);
        assert!(sealed_checkpoints(&dir.path().join("none")).unwrap().is_empty());
    }
}
