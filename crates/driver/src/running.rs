//! Whether a process is writing an unfinished artifact. Its lock tells: the system releases it when the process ends.

use std::fmt;
use std::path::Path;
use std::time::{Duration, SystemTime};

use artifact::{Holder, file_name};
use serde_json::{Value, json};

use crate::table::duration;

/// A training on another machine counts as running if it wrote a line within this time.
const FRESH: Duration = Duration::from_secs(15);

/// The process that is writing an unfinished artifact.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Running {
    /// None while the lock file is being written.
    pid: Option<i32>,
    /// The time since it took the lock.
    elapsed: Duration,
}

impl Running {
    /// Who has the lock of `dir`. The lock of another machine cannot be checked, so recent lines of metrics count
    /// instead.
    pub(crate) fn at(dir: &Path) -> Option<Self> {
        let holder = Holder::of(dir)?;
        let lives = match holder.is_held {
            Some(is_held) => is_held,
            None => last_line(dir)?.elapsed().ok()? < FRESH,
        };
        let since =
            fs_err::metadata(dir.with_added_extension("lock")).and_then(|lock| lock.modified()).ok()?;
        lives.then(|| Self { pid: holder.pid, elapsed: since.elapsed().unwrap_or_default() })
    }

    /// A process on another machine may have the lock; this cannot be checked here.
    pub(crate) fn elsewhere(dir: &Path) -> Self {
        let lock = fs_err::metadata(dir.with_added_extension("lock")).and_then(|lock| lock.modified()).ok();
        Self { pid: None, elapsed: lock.and_then(|since| since.elapsed().ok()).unwrap_or_default() }
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
