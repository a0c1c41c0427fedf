//! What says that a checkpoint is whole: the hashes of its files, written when all of them are on the disk.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::Path;
use std::time::{Duration, Instant};

use artifact::{CheckpointName, SMALL_FILE_BYTES, hash_file, read_small, replace_file, sealed_checkpoints};
use serde::{Deserialize, Serialize};

use super::{best_path, best_step, file_name, remove, remove_files};
use crate::Error;
use crate::checkpoint::{Checkpoint, CheckpointPaths, Snapshot};

/// A checkpoint that is on the disk.
pub(super) struct Sealed {
    pub(super) checkpoint: CheckpointName,
    /// The best weights that it refers to.
    pub(super) best: Option<BestWeights>,
    pub(super) took: Duration,
}

/// The best weights, as they were when a checkpoint was sealed with them first.
#[derive(Clone)]
pub(super) struct BestWeights {
    pub(super) global_step: u64,
    blake3: String,
}

/// `step-N.json`
#[derive(Serialize, Deserialize)]
struct Seal {
    /// File name → BLAKE3.
    blake3: BTreeMap<String, String>,
}

impl Seal {
    /// That of a checkpoint; one that is no seal is not an error of reading.
    fn read(dir: &Path, checkpoint: CheckpointName) -> io::Result<serde_json::Result<Self>> {
        Ok(serde_json::from_slice(&read_small(&checkpoint.seal_path(dir), SMALL_FILE_BYTES)?))
    }
}

impl BestWeights {
    /// Holds the file against its hash.
    pub(super) fn check(&self, path: &Path) -> Result<(), Error> {
        if hash_file(path)? == self.blake3 {
            return Ok(());
        }
        let reason = "the contents have changed since the validation that found them best".to_owned();
        Err(Error::Checkpoint { path: path.to_owned(), reason })
    }
}

/// The checkpoint of a name, if its files are what its seal says, with the best weights that it refers to.
pub(super) fn verified(
    dir: &Path,
    checkpoint: CheckpointName,
) -> Result<(Checkpoint, Option<BestWeights>), Error> {
    let paths = CheckpointPaths::new(dir, checkpoint);
    let damaged = |reason| Error::Checkpoint { path: paths.tensors.clone(), reason };
    let seal = Seal::read(dir, checkpoint)?.map_err(|error| damaged(error.to_string()))?;
    // Before anything of them is mapped: reading says what is wrong with a disk, a map ends the process.
    for (name, sealed) in &seal.blake3 {
        if hash_file(&dir.join(name))? != *sealed {
            return Err(damaged(format!("the contents of {name} have changed")));
        }
    }
    let hash_of = |path: &Path| {
        let name = file_name(path);
        seal.blake3.get(&name).cloned().ok_or_else(|| damaged(format!("its seal has no hash of {name}")))
    };
    hash_of(&paths.tensors)?;
    hash_of(&paths.history)?;
    let saved = Checkpoint::open(&paths)?;
    let best = saved.counters.best.map(|best| {
        let global_step = best.global_step;
        Ok::<_, Error>(BestWeights { global_step, blake3: hash_of(&best_path(dir, global_step))? })
    });
    Ok((saved, best.transpose()?))
}

/// Brings a checkpoint to the disk, says that it is whole, and removes those that are too many. Where that fails, nothing of
/// it stays. `best` are the best weights of the checkpoint before, whose hash is not taken again.
pub(super) fn seal(
    dir: &Path,
    keep: usize,
    snapshot: Snapshot,
    best: Option<BestWeights>,
) -> Result<Sealed, Error> {
    let started = Instant::now();
    let checkpoint = snapshot.counters.name();
    let best = write_seal(dir, snapshot, best).inspect_err(|_| {
        // The seal first: without it the rest counts as nothing.
        let removed = remove_seal(dir, checkpoint)
            .and_then(|()| remove_files(dir, |name| CheckpointName::of_file(name) == Some(checkpoint)));
        if let Err(error) = removed {
            tracing::warn!(%error, "parts of a checkpoint stay behind until the next start");
        }
    })?;
    if let Err(error) = prune(dir, keep) {
        tracing::warn!(%error, "older checkpoints stay behind until the next one is sealed");
    }
    Ok(Sealed { checkpoint, best, took: started.elapsed() })
}

fn write_seal(
    dir: &Path,
    snapshot: Snapshot,
    best: Option<BestWeights>,
) -> Result<Option<BestWeights>, Error> {
    let counters = snapshot.counters.clone();
    let paths = snapshot.finish()?;
    let mut blake3 = BTreeMap::new();
    for path in [&paths.tensors, &paths.history] {
        blake3.insert(file_name(path), hash_file(path)?);
    }
    let best = match counters.best {
        None => None,
        Some(now) if best.as_ref().is_some_and(|best| best.global_step == now.global_step) => best,
        Some(now) => {
            let global_step = now.global_step;
            Some(BestWeights { global_step, blake3: hash_file(&best_path(dir, global_step))? })
        }
    };
    blake3
        .extend(best.iter().map(|best| (file_name(&best_path(dir, best.global_step)), best.blake3.clone())));
    let seal = serde_json::to_vec_pretty(&Seal { blake3 }).map_err(io::Error::from)?;
    replace_file(&counters.name().seal_path(dir), &seal)?;
    Ok(best)
}

fn remove_seal(dir: &Path, checkpoint: CheckpointName) -> Result<(), Error> {
    match remove(&checkpoint.seal_path(dir)) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error.into()),
        _ => Ok(()),
    }
}

/// Removes all but the newest `keep` checkpoints, and the best weights that none of those refers to.
pub(super) fn prune(dir: &Path, keep: usize) -> Result<(), Error> {
    let checkpoints = sealed_checkpoints(dir)?;
    let (old, kept) = checkpoints.split_at(checkpoints.len().saturating_sub(keep));
    let mut needed = BTreeSet::new();
    for &checkpoint in kept {
        // One that is damaged refers to nothing that could be used.
        needed.extend(Seal::read(dir, checkpoint)?.into_iter().flat_map(|seal| seal.blake3.into_keys()));
    }
    for checkpoint in old {
        // The seal first: without it the rest counts as nothing.
        remove(&checkpoint.seal_path(dir))?;
    }
    let newest_step = kept.last().map_or(0, |checkpoint| checkpoint.global_step);
    remove_files(dir, |name| match (CheckpointName::of_file(name), best_step(name)) {
        (Some(checkpoint), _) => !kept.contains(&checkpoint),
        // Those of its own step or a later one may have been written since it was taken.
        (_, Some(step)) => step < newest_step && !needed.contains(name),
        _ => false,
    })
}
