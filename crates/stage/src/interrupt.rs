//! SIGINT, SIGTERM and SIGHUP (unless it is ignored) set a flag that a stage checks between two pieces of work. SIGXFSZ
//! (`ulimit -f`) becomes an error of the write that exceeds the limit.

use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM, SIGXFSZ};
use signal_hook::iterator::Signals;
use signal_hook::{flag, low_level};

use crate::Error;

/// The exit code of a process that was asked to stop.
const INTERRUPTED: i32 = 130;

/// Signals within this time count as one request to stop.
const ONE_REQUEST: Duration = Duration::from_secs(1);

/// Whether the process was asked to stop. Clones share the flag.
#[derive(Debug, Clone, Default)]
pub struct Interrupt(Arc<AtomicBool>);

impl Interrupt {
    /// Catches these signals from now on, and logs the first one. A second SIGINT ends the process at once, because the
    /// user does not want to wait. So does a second SIGTERM, unless it comes within `ONE_REQUEST`: a supervisor that
    /// signals all processes of a group reaches the stage twice, directly and through the driver, which passes signals
    /// on.
    pub fn install() -> Result<Self, Error> {
        let seen = Arc::new(AtomicBool::new(false));
        let once = Arc::new(AtomicBool::new(false));
        flag::register_conditional_shutdown(SIGINT, INTERRUPTED, Arc::clone(&once))
            .map_err(Error::Signals)?;
        flag::register(SIGINT, once).map_err(Error::Signals)?;
        flag::register(SIGINT, Arc::clone(&seen)).map_err(Error::Signals)?;
        let signals = stop_signals();
        for signal in signals.iter().filter(|signal| **signal != SIGINT) {
            flag::register(*signal, Arc::clone(&seen)).map_err(Error::Signals)?;
        }
        let mut signals = Signals::new(&signals).map_err(Error::Signals)?;
        thread::spawn(move || {
            let mut asked: Option<Instant> = None;
            let mut terminated: Option<Instant> = None;
            for signal in signals.forever() {
                if asked.replace(Instant::now()).is_none() {
                    tracing::warn!(
                        "stopping after the current step; a second Ctrl-C or SIGTERM stops at once and loses that step"
                    );
                }
                if signal == SIGTERM && terminated.get_or_insert_with(Instant::now).elapsed() > ONE_REQUEST {
                    low_level::exit(INTERRUPTED);
                }
            }
        });
        Ok(Self(seen))
    }

    /// True once a signal has arrived.
    #[must_use]
    pub fn seen(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// Makes a write beyond `ulimit -f` fail with an error that names the file. Without this, SIGXFSZ would end the process
/// silently.
pub(crate) fn survive_file_size_limit() -> Result<(), Error> {
    // A handler that does almost nothing has the effect of ignoring the signal, but child processes do not inherit it.
    flag::register(SIGXFSZ, Arc::default()).map(drop).map_err(Error::Signals)
}

/// The signals that ask a process to stop: SIGINT, SIGTERM, and SIGHUP unless it is ignored, as under `nohup`.
#[must_use]
pub fn stop_signals() -> Vec<i32> {
    let hangup = (!is_ignored(SIGHUP)).then_some(SIGHUP);
    [SIGINT, SIGTERM].into_iter().chain(hangup).collect()
}

/// Whether the process was started with a signal ignored; false if the system does not say.
fn is_ignored(signal: i32) -> bool {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let ignored = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let ignored = ignored.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or(0);
    ignored >> (signal - 1) & 1 == 1
}
