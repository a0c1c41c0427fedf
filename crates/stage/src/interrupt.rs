//! SIGINT, SIGTERM and SIGHUP (unless it is ignored) become a flag that a stage looks at between two pieces of work.

use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::flag;
use signal_hook::iterator::Signals;

use crate::Error;

/// Whether the process was asked to stop. Clones share one answer.
#[derive(Debug, Clone, Default)]
pub struct Interrupt(Arc<AtomicBool>);

impl Interrupt {
    /// Catches these signals from here on, and says so at the first. A second SIGINT ends the process at once: a person
    /// has lost patience. A second SIGTERM does not, because the driver passes one on beside the terminal's SIGINT.
    pub fn install() -> Result<Self, Error> {
        let seen = Arc::new(AtomicBool::new(false));
        let once = Arc::new(AtomicBool::new(false));
        flag::register_conditional_shutdown(SIGINT, 130, Arc::clone(&once)).map_err(Error::Signals)?;
        flag::register(SIGINT, once).map_err(Error::Signals)?;
        flag::register(SIGINT, Arc::clone(&seen)).map_err(Error::Signals)?;
        let signals = stop_signals();
        for signal in signals.iter().filter(|signal| **signal != SIGINT) {
            flag::register(*signal, Arc::clone(&seen)).map_err(Error::Signals)?;
        }
        let mut signals = Signals::new(&signals).map_err(Error::Signals)?;
        thread::spawn(move || {
            if signals.forever().next().is_some() {
                tracing::warn!(
                    "stopping after the work at hand; a second Ctrl-C ends it at once, and loses it"
                );
            }
        });
        Ok(Self(seen))
    }

    /// True once a signal has come.
    #[must_use]
    pub fn seen(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// The signals that ask a process to stop: SIGINT, SIGTERM, and SIGHUP unless it is ignored, as under `nohup`.
#[must_use]
pub fn stop_signals() -> Vec<i32> {
    let hangup = (!is_ignored(SIGHUP)).then_some(SIGHUP);
    [SIGINT, SIGTERM].into_iter().chain(hangup).collect()
}

/// Whether the process was started with a signal ignored; where the system does not say, it was not.
fn is_ignored(signal: i32) -> bool {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let ignored = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let ignored = ignored.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or(0);
    ignored >> (signal - 1) & 1 == 1
}
