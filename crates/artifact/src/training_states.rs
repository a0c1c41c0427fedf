//! What the training states in the folder [`file_name::CHECKPOINTS`](crate::file_name::CHECKPOINTS) of a train artifact
//! in the making are called: the train stage writes them, the driver says where a training goes on.

use std::io;
use std::path::{Path, PathBuf};

use crate::Result;

/// The file that says that the state of this step is whole.
#[must_use]
pub fn seal_path(checkpoints: &Path, global_step: u64) -> PathBuf {
    checkpoints.join(format!("step-{global_step:08}.json"))
}

/// Steps whose state is whole by its seal, ascending; none where there is no such folder.
pub fn sealed_steps(checkpoints: &Path) -> Result<Vec<u64>> {
    let mut steps = Vec::new();
    let entries = match fs_err::read_dir(checkpoints) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(steps),
        Err(error) => return Err(error.into()),
    };
    for entry in entries {
        let name = entry?.file_name();
        let name = name.to_string_lossy();
        let step =
            name.strip_prefix("step-").and_then(|name| name.strip_suffix(".json")?.parse::<u64>().ok());
        steps.extend(step);
    }
    steps.sort_unstable();
    Ok(steps)
}
