//! The names of the checkpoints in the folder [`file_name::CHECKPOINTS`](crate::file_name::CHECKPOINTS) of an
//! unfinished train artifact. The train stage writes them, and the driver shows where a training will resume.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use crate::Result;

const PREFIX: &str = "step-";
const VALIDATED: &str = "validated";
const SEAL: &str = ".json";

/// The point in the training at which a checkpoint was taken; ordered by time. As text, it is the first part of the
/// names of the checkpoint's files: `step-00000500`, or `step-00000500.validated`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct CheckpointName {
    /// Steps attempted.
    pub global_step: u64,
    /// Whether it includes the validation after that step.
    pub validated: bool,
}

impl CheckpointName {
    /// The point of the checkpoint that a file belongs to; `None` for other files.
    #[must_use]
    pub fn of_file(name: &str) -> Option<Self> {
        let mut parts = name.strip_prefix(PREFIX)?.split('.');
        let global_step = parts.next()?.parse().ok()?;
        Some(Self { global_step, validated: parts.next() == Some(VALIDATED) })
    }

    /// The seal: the file that says that the checkpoint is complete.
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

/// The checkpoints that have a seal, ascending; empty if there is no such folder.
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
