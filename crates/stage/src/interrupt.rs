//! SIGINT and SIGTERM become a flag that a stage looks at between two pieces of work.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::flag;

use crate::Error;

/// Whether the process was asked to stop. Clones share one answer.
#[derive(Debug, Clone, Default)]
pub struct Interrupt(Arc<AtomicBool>);

impl Interrupt {
    /// Catches both signals from here on. A second SIGINT ends the process at once: a person has lost
    /// patience. A second SIGTERM does not, because the driver passes one on beside the terminal's SIGINT.
    pub fn install() -> Result<Self, Error> {
        let seen = Arc::new(AtomicBool::new(false));
        let once = Arc::new(AtomicBool::new(false));
        flag::register_conditional_shutdown(SIGINT, 130, Arc::clone(&once)).map_err(Error::Signals)?;
        flag::register(SIGINT, once).map_err(Error::Signals)?;
        flag::register(SIGINT, Arc::clone(&seen)).map_err(Error::Signals)?;
        flag::register(SIGTERM, Arc::clone(&seen)).map_err(Error::Signals)?;
        Ok(Self(seen))
    }

    /// True once a signal has come.
    #[must_use]
    pub fn seen(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}
