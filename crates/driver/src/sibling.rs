//! The other binaries: finds them beside this one, starts them, and stops them when this one is stopped.

use std::ffi::OsString;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Command, ExitStatus, Output, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI32, Ordering};

use rustix::process::{Pid, Signal, kill_process};
use signal_hook::iterator::Signals;
use signal_hook::low_level;
use stage::{Declaration, EXPECTED_CODE};

use crate::Error;

/// The exit code of a process that was asked to stop.
const INTERRUPTED: i32 = 130;

/// `distilburn-<name>` beside this executable.
fn path(name: &str) -> Result<PathBuf, Error> {
    let own = std::env::current_exe()?;
    let path = own.with_file_name(format!("distilburn-{name}"));
    if path.is_file() { Ok(path) } else { Err(Error::NoSibling { path }) }
}

/// Becomes `distilburn-<name>`; returns only if that cannot be started.
pub(crate) fn replace(name: &str, args: &[OsString]) -> Error {
    let path = match path(name) {
        Ok(path) => path,
        Err(error) => return error,
    };
    Error::Start { source: Command::new(&path).args(args).exec(), path }
}

/// Runs the stage `distilburn-<name>` to its end; its stdout is kept. It ends when this process does.
pub(crate) fn output(name: &str, args: &[OsString]) -> Result<Output, Error> {
    let path = path(name)?;
    let mut command = Command::new(&path);
    if let Some(declaration) = Declaration::of(name) {
        command.env(EXPECTED_CODE, artifact::fingerprint(&declaration.code()));
    }
    command.args(args).stderr(Stdio::inherit()).output().map_err(|source| Error::Start { path, source })
}

/// Starts stages one after the other, and passes SIGINT, SIGTERM and SIGHUP on to the one that runs.
pub(crate) struct Children {
    /// The process that runs; 0 = none.
    running: Arc<AtomicI32>,
    stopped: Arc<AtomicBool>,
}

impl Children {
    pub(crate) fn new() -> Result<Self, Error> {
        let children = Self { running: Arc::default(), stopped: Arc::default() };
        let mut signals = Signals::new(stage::stop_signals())?;
        let (running, stopped) = (Arc::clone(&children.running), Arc::clone(&children.stopped));
        std::thread::spawn(move || {
            for _ in signals.forever() {
                stopped.store(true, Ordering::SeqCst);
                // All signals are passed on as SIGTERM: a terminal sends SIGINT to the stage as well, and a second
                // SIGINT would end it before it has saved its work.
                match Pid::from_raw(running.load(Ordering::SeqCst)) {
                    Some(pid) => drop(kill_process(pid, Signal::TERM)),
                    // During planning, which may wait for a server, nothing is lost.
                    None => low_level::exit(INTERRUPTED),
                }
            }
        });
        Ok(children)
    }

    /// Runs `distilburn-<name>` to its end. Its stdout, the artifact's directory, is known already.
    pub(crate) fn run(
        &self,
        name: &str,
        args: &[OsString],
        (key, value): (&str, &str),
    ) -> Result<ExitStatus, Error> {
        let path = path(name)?;
        let mut child = Command::new(&path)
            .args(args)
            .env(key, value)
            .stdout(Stdio::null())
            .spawn()
            .map_err(|source| Error::Start { path, source })?;
        self.running.store(child.id() as i32, Ordering::SeqCst);
        if self.stopped() {
            // The signal came between the two stages.
            if let Some(pid) = Pid::from_raw(child.id() as i32) {
                let _ = kill_process(pid, Signal::TERM);
            }
        }
        let status = child.wait();
        self.running.store(0, Ordering::SeqCst);
        Ok(status?)
    }

    /// True once a signal has come.
    pub(crate) fn stopped(&self) -> bool {
        self.stopped.load(Ordering::SeqCst)
    }
}
