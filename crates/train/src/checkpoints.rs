//! The folder of checkpoints: sealed behind the training, found again after it was stopped.
//!
//! A checkpoint is `step-N.arrow` with `step-N.history.arrow`, and refers to `best-N.arrow`, the weights of the best validation
//! so far; `step-N.json`, written last, holds the hashes of all three and so says that they are whole. What has none
//! counts as nothing. The files of a checkpoint of after the step's validation begin with `step-N.validated`: they stand beside
//! those of before it, of which a kill must not cost any while they are written.
//! `starts.txt` has a line for each time the training was started, the step it went on from, and a dot for each step
//! that it made then.

mod seal;

use std::io::Write;
use std::path::{Path, PathBuf};
use std::thread::JoinHandle;
use std::time::Duration;

use artifact::{
    CheckpointName, HistoryRow, SMALL_FILE_BYTES, TEMPORARY_EXTENSION, read_small, sealed_checkpoints,
};
use fs_err::{File, OpenOptions};

use crate::Error;
use crate::checkpoint::{Checkpoint, Counters, Snapshot};
use crate::checkpoints::seal::{BestWeights, Sealed, seal, verified};
use crate::optimizer::AdamW;

const STARTS: &str = "starts.txt";

/// The folder, and the checkpoint that is being brought to the disk.
pub(crate) struct Checkpoints {
    dir: PathBuf,
    keep: usize,
    sealing: Option<JoinHandle<Result<Sealed, Error>>>,
    /// How long the last one took to reach the disk.
    pub(crate) last_seal: Duration,
    /// The newest one that is whole.
    pub(crate) newest: Option<CheckpointName>,
    /// The newest one that was taken, sealed or not.
    taken: Option<CheckpointName>,
    /// The best weights that checkpoints refer to, as they were when they were sealed first.
    best: Option<BestWeights>,
    /// Steps that a kill may cost; 0 = any number.
    every_steps: u64,
    starts: File,
}

impl Checkpoints {
    /// Opens the folder, which may be new, and removes what a kill or a full disk left unsealed. `keep` checkpoints are
    /// kept, and a kill costs `every_steps` at most.
    pub(crate) fn open(dir: &Path, keep: usize, every_steps: u64) -> Result<Self, Error> {
        fs_err::create_dir_all(dir)?;
        remove_unsealed(dir)?;
        let starts = dir.join(STARTS);
        if fs_err::symlink_metadata(&starts).is_ok_and(|there| !there.is_file()) {
            remove(&starts)?;
        }
        let starts = OpenOptions::new().create(true).append(true).open(starts)?;
        Ok(Self {
            dir: dir.to_owned(),
            keep,
            sealing: None,
            last_seal: Duration::ZERO,
            newest: None,
            taken: None,
            best: None,
            every_steps,
            starts,
        })
    }

    /// The newest checkpoint that is whole. Damaged ones are reported, and lose their seal once an older one is found whole:
    /// they must not be kept in place of it. Where all are damaged nothing is given up: the best weights, which all refer
    /// to, may be the only file that is, and every step would be done again without a word.
    pub(crate) fn open_newest(&mut self) -> Result<Option<Checkpoint>, Error> {
        let (mut damaged, mut unreadable, mut first) = (Vec::new(), None, None);
        let mut whole = None;
        for checkpoint in sealed_checkpoints(&self.dir)?.into_iter().rev() {
            match verified(&self.dir, checkpoint) {
                Ok((saved, best)) => {
                    (self.newest, self.taken, self.best) = (Some(checkpoint), Some(checkpoint), best);
                    whole = Some(saved);
                    break;
                }
                Err(error) if error.is_refused() => return Err(error),
                Err(error) => {
                    tracing::warn!(%checkpoint, %error, "a checkpoint is damaged: trying the one before it");
                    damaged.push(checkpoint);
                    first.get_or_insert_with(|| error.to_string());
                    unreadable = unreadable.or(Some(error).filter(Error::is_io));
                }
            }
        }
        // What fails every checkpoint may be what they lie on, and pass.
        if let Some(error) = unreadable.filter(|_| whole.is_none()) {
            return Err(error);
        }
        if let Some(reason) = first.filter(|_| whole.is_none()) {
            return Err(Error::NoWholeCheckpoint { dir: self.dir.clone(), count: damaged.len(), reason });
        }
        for checkpoint in damaged {
            remove(&checkpoint.seal_path(&self.dir))?;
        }
        Ok(whole)
    }

    pub(crate) fn note_start(&mut self, resumed_from_step: u64) -> Result<(), Error> {
        Ok(self.starts.write_all(format!("\n{resumed_from_step} ").as_bytes())?)
    }

    /// Notes a step that was made.
    pub(crate) fn note_step(&mut self) -> Result<(), Error> {
        Ok(self.starts.write_all(b".")?)
    }

    /// The step that each start went on from, and the steps made by all of them together.
    pub(crate) fn starts(&self) -> Result<(Vec<u64>, u64), Error> {
        let bytes = read_small(&self.dir.join(STARTS), SMALL_FILE_BYTES)?;
        let text = String::from_utf8_lossy(&bytes);
        let steps = text.lines().filter_map(|line| line.split(' ').next()?.parse().ok()).collect();
        Ok((steps, text.bytes().filter(|&byte| byte == b'.').count() as u64))
    }

    /// Removes best weights that newer ones have replaced, where no checkpoint will: without regular checkpoints there are none
    /// after the one that this start went on from, and they refer to weights of their own step or of before.
    pub(crate) fn discard_best(&self, global_step: u64) {
        if self.every_steps == 0 && self.newest_step() < global_step {
            let removed = fs_err::remove_file(self.best_path(global_step));
            if let Err(error) = removed {
                tracing::warn!(%error, "weights that are not the best any more stay behind");
            }
        }
    }

    /// Whether the best weights are as they were when a checkpoint was sealed with them.
    pub(crate) fn check_best(&self, global_step: u64) -> Result<(), Error> {
        match &self.best {
            Some(best) if best.global_step == global_step => best.check(&self.best_path(global_step)),
            _ => Ok(()),
        }
    }

    /// The step of the newest checkpoint that is whole; 0 where there is none.
    pub(crate) fn newest_step(&self) -> u64 {
        self.newest.map_or(0, |checkpoint| checkpoint.global_step)
    }

    /// Where the best weights of a validation are.
    pub(crate) fn best_path(&self, global_step: u64) -> PathBuf {
        best_path(&self.dir, global_step)
    }

    /// Whether a checkpoint is due after `global_step` steps of about `step_time`: early enough to be on the disk before
    /// a kill would cost more steps than it may.
    pub(crate) fn is_due(&self, global_step: u64, step_time: Duration) -> bool {
        if self.every_steps == 0 {
            return false;
        }
        let while_sealing = self.last_seal.as_secs_f64() / step_time.as_secs_f64().max(1e-6);
        let ahead = (while_sealing.ceil() as u64).clamp(1, self.every_steps.div_ceil(2));
        global_step - self.taken.map_or(0, |checkpoint| checkpoint.global_step)
            >= (self.every_steps - ahead).max(1)
    }

    /// Waits for the disk where a kill in the step after `global_step` would cost more steps than it may.
    pub(crate) fn hold(&mut self, global_step: u64) -> Result<(), Error> {
        let lost = global_step + 1 - self.newest_step();
        if self.every_steps > 0 && lost > self.every_steps { self.wait() } else { Ok(()) }
    }

    /// Takes a checkpoint, once the one before it is on the disk, and brings it there behind the training; nothing is done
    /// where it is there already.
    pub(crate) fn save(
        &mut self,
        counters: Counters,
        history: &[HistoryRow],
        optimizer: &AdamW,
        fingerprint: &str,
    ) -> Result<(), Error> {
        self.wait()?;
        let checkpoint = counters.name();
        if self.taken == Some(checkpoint) {
            return Ok(());
        }
        let (dir, keep) = (self.dir.clone(), self.keep);
        let snapshot = Snapshot::take(&dir, counters, history, optimizer, fingerprint)?;
        self.taken = Some(checkpoint);
        let best = self.best.clone();
        self.sealing = Some(std::thread::spawn(move || seal(&dir, keep, snapshot, best)));
        Ok(())
    }

    /// Waits until the newest checkpoint is on the disk.
    pub(crate) fn wait(&mut self) -> Result<(), Error> {
        if let Some(sealing) = self.sealing.take() {
            let sealed = sealing.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
            if sealed.is_err() {
                // Whatever of it is there, it may be taken again: to the same bits.
                self.taken = self.newest;
            }
            let Sealed { checkpoint, best, took } = sealed?;
            (self.newest, self.best, self.last_seal) = (Some(checkpoint), best, took);
        }
        Ok(())
    }
}

impl Drop for Checkpoints {
    /// A checkpoint is not given up because something else went wrong.
    fn drop(&mut self) {
        // A panic has said what it had to say.
        if let Some(Ok(Err(error))) = self.sealing.take().map(JoinHandle::join) {
            tracing::error!(%error, "the newest checkpoint is not on the disk");
        }
    }
}

/// Removes the files of checkpoints that have no seal, and what was never finished.
fn remove_unsealed(dir: &Path) -> Result<(), Error> {
    let sealed = sealed_checkpoints(dir)?;
    remove_files(dir, |name| {
        let unsealed = CheckpointName::of_file(name).is_some_and(|checkpoint| !sealed.contains(&checkpoint));
        unsealed || Path::new(name).extension().is_some_and(|extension| extension == TEMPORARY_EXTENSION)
    })
}

fn remove_files(dir: &Path, is_unused: impl Fn(&str) -> bool) -> Result<(), Error> {
    for entry in fs_err::read_dir(dir)? {
        let path = entry?.path();
        if is_unused(&file_name(&path)) {
            remove(&path)?;
        }
    }
    Ok(())
}

/// Removes whatever has this name.
fn remove(path: &Path) -> std::io::Result<()> {
    let is_dir = fs_err::symlink_metadata(path)?.is_dir();
    if is_dir { fs_err::remove_dir_all(path) } else { fs_err::remove_file(path) }
}

/// The step whose weights a file holds.
fn best_step(name: &str) -> Option<u64> {
    name.strip_prefix("best-")?.split('.').next()?.parse().ok()
}

fn best_path(dir: &Path, global_step: u64) -> PathBuf {
    dir.join(format!("best-{global_step:08}.arrow"))
}

fn file_name(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

#[cfg(test)]
mod tests;
