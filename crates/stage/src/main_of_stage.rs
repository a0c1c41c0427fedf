//! `main` of every stage binary.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use artifact::{Artifact, Input as InputEntry, ManifestDraft, Partial};
use clap::{Args, Command, CommandFactory, FromArgMatches, Parser};
use miette::Diagnostic;
use serde_json::{Map, json};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::main_of_tool::print;
use crate::panics::error_of_panic;
use crate::plan::stale_input;
use crate::settings::expand_home_of;
use crate::sources::SeenFile;
use crate::{
    CommonOptions, Declaration, Error, ExitKind, Input, Interrupt, Job, Planned, Unfinished, Workspace, help,
    logs, parse, report,
};

/// The environment variable with which the driver passes the code hash that it planned with.
pub const EXPECTED_CODE: &str = "DISTILBURN_EXPECTED_CODE";

#[derive(Debug, Parser)]
struct StageOptions {
    #[command(flatten)]
    common: CommonOptions,

    /// Run again even if a finished artifact is there; a training starts over
    #[arg(long, help_heading = "Artifacts")]
    force: bool,

    /// Use this artifact directory as an input instead of the one for these settings; repeatable
    #[arg(long = "input", value_name = "STAGE=DIR", help_heading = "Artifacts")]
    inputs: Vec<Input>,

    /// Write the artifact into DIR (absent or empty) instead of the store
    #[arg(long, value_name = "DIR", help_heading = "Artifacts")]
    output: Option<PathBuf>,
}

/// Adds the options of a stage to a command.
#[must_use]
pub fn stage_options(command: Command) -> Command {
    StageOptions::augment_args(command)
}

/// Runs one stage as a process: command line, settings, logs, inputs, skipping what is finished, manifest,
/// exit code. Prints the artifact's directory to stdout.
pub fn stage_main<E>(stage: &str, run: fn(&mut Job) -> Result<(), E>) -> ExitCode
where
    E: Diagnostic + ExitKind,
{
    let declaration = Declaration::of(stage).expect("a stage is in the registry under its own name");
    let matches = parse::matches(help::add(StageOptions::command(), declaration));
    let options = StageOptions::from_arg_matches(&matches).unwrap_or_else(|error| error.exit());
    logs::init(&options.common.output);
    let span = (declaration.span)();
    let _entered = span.enter();
    match run_stage(declaration, &options, run) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            let (error, code): (&dyn Diagnostic, u8) = match &failure {
                Failure::Around(error) => (error.as_ref(), error.exit_code()),
                Failure::Stage(error) => (error, error.exit_code()),
            };
            report::report(error, code, options.common.output.log_format);
            code.into()
        }
    }
}

/// The exit code of a stage that was asked to stop.
const INTERRUPTED: u8 = 130;

/// An error of the code around a stage, or of the stage itself.
enum Failure<E> {
    Around(Box<Error>),
    Stage(E),
}

impl<E, F: Into<Error>> From<F> for Failure<E> {
    fn from(error: F) -> Self {
        Self::Around(Box::new(error.into()))
    }
}

fn run_stage<E: ExitKind>(
    declaration: &'static Declaration,
    options: &StageOptions,
    run: fn(&mut Job) -> Result<(), E>,
) -> Result<(), Failure<E>> {
    let started = (OffsetDateTime::now_utc(), Instant::now());
    crate::interrupt::survive_file_size_limit()?;
    check_build(declaration)?;
    check_inputs(declaration, &options.inputs)?;
    let mut workspace = Workspace::open(&options.common.settings, &options.inputs)?;
    workspace.force = options.force;
    workspace.progress = options.common.output.progress();
    let mut planned = workspace.plan_to(declaration)?;
    let own = planned.pop().expect("a plan ends with its target");

    if let (Some(artifact), None, false) = (&own.artifact, &options.output, options.force) {
        tracing::info!(fingerprint = own.fingerprint, "up to date");
        artifact.remove_working_files();
        return Ok(print_dir(artifact)?);
    }
    let mut inputs = BTreeMap::new();
    for stage in declaration.inputs {
        let input = planned.iter().find(|planned| planned.declaration.name == *stage);
        let input = input.expect("a plan holds the inputs of its target");
        let input = input.verified(&workspace, declaration.name)?;
        inputs.insert(*stage, input.clone());
    }

    let partial = patiently(|| match &options.output {
        Some(output) => Partial::at(&expand_home_of(output), declaration.name, &own.fingerprint),
        None => workspace.store.begin(declaration.name, &own.fingerprint),
    })?;
    if options.output.is_none()
        && !options.force
        && let Ok(Some(artifact)) = workspace.store.find(declaration.name, &own.fingerprint)
        && stale_input(declaration, &artifact, &planned).is_none()
    {
        // The other process has made it meanwhile.
        tracing::info!(fingerprint = own.fingerprint, "up to date");
        discard(&partial);
        return Ok(print_dir(&artifact)?);
    }
    if declaration.unfinished == Unfinished::Clear || options.force {
        partial.clear()?;
    }
    partial.note_parts(&own.parts)?;
    let interrupt = Interrupt::install()?;
    #[cfg(target_os = "linux")]
    if std::env::var_os(EXPECTED_CODE).is_some() {
        // If the driver is killed, its stage also stops, and saves its work.
        use rustix::process::{Signal, set_parent_process_death_signal};
        set_parent_process_death_signal(Some(Signal::TERM)).map_err(|error| Error::Signals(error.into()))?;
    }
    let mut job = Job {
        fetcher: workspace.fetcher(interrupt.clone()),
        settings: workspace.settings().clone(),
        inputs,
        output: partial.dir().to_owned(),
        fingerprint: own.fingerprint.clone(),
        metrics: Map::new(),
        run_info: Map::new(),
        progress: options.common.output.progress(),
        interrupt,
        started: started.1,
    };
    tracing::info!(fingerprint = own.fingerprint, "started");
    let outcome = catch_unwind(AssertUnwindSafe(|| run(&mut job)));
    let failure = match outcome {
        Ok(Ok(())) => check_unchanged(&own.outside.files).err().map(Failure::from),
        Ok(Err(error)) => Some(Failure::Stage(error)),
        Err(panic) => Some(Failure::from(error_of_panic(declaration.name, &*panic))),
    };
    if let Some(failure) = failure {
        let interrupted = matches!(&failure, Failure::Stage(error) if error.exit_code() == INTERRUPTED);
        if !interrupted
            && (declaration.unfinished == Unfinished::Clear || partial.is_empty().unwrap_or(false))
        {
            discard(&partial);
        }
        if interrupted && options.force && own.artifact.is_some() {
            tracing::warn!(
                "the interrupted work is lost: without --force the existing artifact is up to date, and with --force the \
                 stage starts over"
            );
        }
        return Err(failure);
    }
    if let Some(sources) = &own.outside.sources {
        let (name, value) = sources.metric();
        job.metric(name, value);
    }
    let artifact = partial.commit(draft(declaration, &own, job, started)?)?;
    tracing::info!(
        fingerprint = own.fingerprint,
        elapsed_s = (started.1.elapsed().as_secs_f64() * 10.0).round() / 10.0,
        "finished"
    );
    Ok(print_dir(&artifact)?)
}

/// Waits, up to a limit, for a stage whose driver was killed: it needs a moment to save its work and end.
fn patiently(begin: impl Fn() -> artifact::Result<Partial>) -> artifact::Result<Partial> {
    const LIMIT: Duration = Duration::from_secs(10);
    let start = Instant::now();
    let mut waits_for = None;
    loop {
        match begin() {
            Err(artifact::Error::Locked { pid, .. }) if start.elapsed() < LIMIT => {
                // `plan` and `status` briefly hold the lock of a stage that has ended, to check that it is free.
                if start.elapsed() > Duration::from_millis(100) && waits_for.as_ref() != Some(&pid) {
                    tracing::info!(process = pid, "waiting for the process that is writing this artifact");
                    waits_for = Some(pid);
                }
                std::thread::sleep(Duration::from_millis(50));
            }
            outcome => return outcome,
        }
    }
}

/// A driver that was built from other sources would look for another artifact than this binary makes.
fn check_build(declaration: &Declaration) -> Result<(), Error> {
    let found = artifact::fingerprint(&declaration.code());
    match std::env::var(EXPECTED_CODE) {
        Ok(expected) if expected != found => {
            Err(Error::OtherBuild { binary: declaration.binary(), found, expected })
        }
        _ => Ok(()),
    }
}

/// `--input` may name any stage upstream, not only the direct inputs.
fn check_inputs(declaration: &Declaration, given: &[Input]) -> Result<(), Error> {
    let upstream = declaration.upstream();
    match given.iter().find(|input| !upstream.contains(&input.stage.as_str())) {
        None => Ok(()),
        Some(input) => Err(Error::NotUpstream {
            name: input.stage.clone(),
            stage: declaration.name.to_owned(),
            remedy: match upstream.as_slice() {
                [] => format!("{} reads no artifacts: its settings name files", declaration.name),
                stages => format!("its inputs are {}", stages.join(", ")),
            },
        }),
    }
}

/// The files that were read must be those that were hashed.
fn check_unchanged(files: &[SeenFile]) -> Result<(), Error> {
    for file in files {
        // A missing file has changed too.
        if !file.is_unchanged().unwrap_or(false) {
            return Err(Error::Changed { path: file.path.clone() });
        }
    }
    Ok(())
}

fn draft(
    declaration: &Declaration,
    own: &Planned,
    job: Job,
    (date, clock): (OffsetDateTime, Instant),
) -> Result<ManifestDraft, artifact::Error> {
    let inputs = job.inputs.values().map(|artifact| InputEntry {
        stage: artifact.manifest.stage.clone(),
        fingerprint: artifact.manifest.fingerprint.clone(),
        content: Some(artifact.content()),
    });
    let mut run = Map::new();
    run.insert("started".to_owned(), json!(date.format(&Rfc3339).map_err(std::io::Error::other)?));
    run.insert("elapsed_ms".to_owned(), json!(clock.elapsed().as_millis() as u64));
    let mut versions = Map::new();
    versions.insert("distilburn".to_owned(), json!(env!("CARGO_PKG_VERSION")));
    versions.extend(declaration.libraries.iter().map(|(name, version)| ((*name).to_owned(), json!(version))));
    run.insert("versions".to_owned(), versions.into());
    if !job.settings.run.name.is_empty() {
        run.insert("name".to_owned(), job.settings.run.name.clone().into());
    }
    run.extend(job.run_info);
    Ok(ManifestDraft { parts: own.parts.clone(), inputs: inputs.collect(), metrics: job.metrics, run })
}

/// A failed run leaves nothing behind, unless the next one could resume from it.
fn discard(partial: &Partial) {
    if let Err(error) = fs_err::remove_dir_all(partial.dir()) {
        tracing::warn!(%error, "unfinished files could not be deleted");
    }
}

fn print_dir(artifact: &Artifact) -> Result<(), Error> {
    print(&format!("{}\n", artifact.dir.display()))
}
