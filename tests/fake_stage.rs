//! A stage that does no work: which one is decided by the name that it is started under.
//!
//! With it the tests run the driver, and everything that `stage` does around a stage, in milliseconds.
//! `FAKE_STAGE` in the environment makes it fail, panic, wait for a signal, or change a file.

use std::process::ExitCode;
use std::time::{Duration, Instant};

use artifact::{EvaluateMetrics, Scores};
use miette::Diagnostic;
use stage::{ExitKind, Job};
use thiserror::Error;

#[derive(Debug, Error, Diagnostic)]
enum Error {
    #[error("row 7 of the data is bad")]
    #[diagnostic(help("mend row 7"))]
    Data,
    #[error("interrupted")]
    Interrupted,
    #[error(transparent)]
    Io(#[from] std::io::Error),
}

impl ExitKind for Error {
    fn exit_code(&self) -> u8 {
        match self {
            Self::Data => 3,
            Self::Interrupted => 130,
            Self::Io(_) => 1,
        }
    }
}

fn main() -> ExitCode {
    let exe = std::env::current_exe().expect("the tests start it by its path");
    let name =
        exe.file_name().and_then(|name| name.to_str()).and_then(|name| name.strip_prefix("distilburn-"));
    stage::stage_main(name.expect("the tests name it after a stage"), run)
}

fn run(job: &mut Job) -> Result<(), Error> {
    std::fs::write(job.output().join("work.txt"), job.fingerprint())?;
    match std::env::var("FAKE_STAGE").as_deref() {
        Ok("fail") => return Err(Error::Data),
        Ok("panic") => panic!("a bug"),
        Ok("wait") => wait(job)?,
        // The same work with another outcome, as on another number of threads.
        Ok("other") => std::fs::write(job.output().join("work.txt"), "another outcome")?,
        Ok("deaf") => wait_unmoved(job)?,
        // Someone writes to a file that this stage reads.
        Ok(text) => {
            if let Some(path) = text.strip_prefix("change:") {
                std::fs::write(path, std::fs::read_to_string(path)? + " ")?;
            }
        }
        Err(_) => {}
    }
    let progress = job.progress("rows", 3);
    progress.inc(3);
    progress.finish();
    let validation = Scores {
        questions: 10,
        exact_match: 80.0,
        f1: 85.5,
        loss: 1.0,
        base_exact_match: 1.0,
        base_f1: 4.25,
        base_loss: 5.0,
        ..Scores::default()
    };
    job.metrics(&EvaluateMetrics { validation, test: None });
    job.run_info("device", "cpu");
    Ok(())
}

/// Says that it is there by a file beside the artifact, then waits to be interrupted.
fn wait(job: &Job) -> Result<(), Error> {
    std::fs::write(job.output().join("waiting"), "")?;
    let start = Instant::now();
    while start.elapsed() < Duration::from_mins(1) {
        if job.interrupted() {
            return Err(Error::Interrupted);
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    Ok(())
}

/// The same, but takes no notice of it.
fn wait_unmoved(job: &Job) -> Result<(), Error> {
    std::fs::write(job.output().join("waiting"), "")?;
    std::thread::sleep(Duration::from_mins(1));
    Ok(())
}
