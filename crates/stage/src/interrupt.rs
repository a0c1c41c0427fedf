//! SIGINT, SIGTERM and SIGHUP become a flag that a stage looks at between two pieces of work.

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
        for signal in [SIGTERM, SIGHUP] {
            flag::register(signal, Arc::clone(&seen)).map_err(Error::Signals)?;
        }
        let mut signals = Signals::new([SIGINT, SIGTERM, SIGHUP]).map_err(Error::Signals)?;
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
