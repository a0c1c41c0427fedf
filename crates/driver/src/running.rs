//! Whether a process is at an artifact in the making, by its files alone: trying the lock would, for a moment, keep a
//! stage out.

use std::fmt;
use std::path::Path;
use std::time::{Duration, SystemTime};

use artifact::file_name;
use rustix::process::{Pid, test_kill_process};
use serde_json::{Value, json};

use crate::table::duration;

/// A line that is younger than this comes from a process that is there, if its lock is.
const FRESH: Duration = Duration::from_secs(15);

/// The most that is read of a lock: a process's number.
const LOCK_BYTES: u64 = 64;

/// The process that holds an artifact in the making.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Running {
    /// None while the lock file is being written.
    pid: Option<i32>,
    /// Since it took the lock.
    elapsed: Duration,
}

impl Running {
    /// Who has the lock of `dir`. A process that ends in order takes its lock file away; one that is killed leaves it,
    /// and its number says whether it lives, but for one on another machine, whose lines of metrics are fresh.
    pub(crate) fn at(dir: &Path) -> Option<Self> {
        let lock = dir.with_added_extension("lock");
        let pid =
            artifact::read_small_text(&lock, LOCK_BYTES).ok()?.trim().parse().ok().and_then(Pid::from_raw);
        // A process of another user may not be signalled, but is there. A number that another process has by now misleads.
        let lives = pid.is_some_and(|pid| test_kill_process(pid) != Err(rustix::io::Errno::SRCH));
        if !lives && last_line(dir)?.elapsed().ok()? >= FRESH {
            return None;
        }
        let since = fs_err::metadata(&lock).and_then(|metadata| metadata.modified()).ok()?;
        Some(Self {
            pid: pid.map(|pid| pid.as_raw_nonzero().get()),
            elapsed: since.elapsed().unwrap_or_default(),
        })
    }

    pub(crate) fn to_json(&self) -> Value {
        json!({ "pid": self.pid, "elapsed_ms": self.elapsed.as_millis() as u64 })
    }
}

impl fmt::Display for Running {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let elapsed = duration(self.elapsed.as_millis() as u64);
        match self.pid {
            Some(pid) => write!(f, "process {pid} for {elapsed}"),
            None => write!(f, "a process for {elapsed}"),
        }
    }
}

/// When the last line of its metrics was written.
pub(crate) fn last_line(dir: &Path) -> Option<SystemTime> {
    dir.join(file_name::METRICS).metadata().and_then(|metadata| metadata.modified()).ok()
}
