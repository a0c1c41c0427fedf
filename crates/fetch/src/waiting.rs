//! Runs work that waits for a server in a thread, so that the listener can stop it meanwhile.

use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::thread;
use std::time::Duration;

use crate::error::{Error, Result};
use crate::{Event, Listener, tell};

/// Time between two calls of the listener.
const ASK_EVERY: Duration = Duration::from_millis(100);

/// Messages that a thread may be ahead.
const AHEAD: usize = 4;

/// Starts `work`, which passes its messages to the given function, and stops when that returns `false`, because nobody
/// waits any more. A thread that hangs in a connection ends with its time-out.
pub(crate) fn start<T: Send + 'static>(
    work: impl FnOnce(&dyn Fn(T) -> bool) + Send + 'static,
) -> Result<Receiver<T>> {
    let (sender, receiver) = sync_channel(AHEAD);
    let work = move || work(&|item| sender.send(item).is_ok());
    thread::Builder::new().name("fetch".to_owned()).spawn(work).map_err(Error::Io)?;
    Ok(receiver)
}

/// The next message, or `None` after the last.
pub(crate) fn next<T>(receiver: &Receiver<T>, listener: Listener<'_>) -> Result<Option<T>> {
    loop {
        match receiver.recv_timeout(ASK_EVERY) {
            Ok(item) => return Ok(Some(item)),
            Err(RecvTimeoutError::Disconnected) => return Ok(None),
            Err(RecvTimeoutError::Timeout) => tell(listener, Event::Waiting)?,
        }
    }
}
