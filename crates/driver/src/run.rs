//! `run`: starts the stages that are not up to date, and sums up.

use std::ffi::OsString;
use std::fmt::Write;
use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::process::{ExitCode, ExitStatus};
use std::time::Instant;

use artifact::{Artifact, file_name};
use serde_json::{Value, json};
use stage::{Basis, EXPECTED_CODE, Planned, Workspace};

use crate::Error;
use crate::cli::{PlanOptions, RunOptions};
use crate::plan::{self, Step};
use crate::sibling::Children;
use crate::table::{align, duration};

/// The exit code of a run that was interrupted.
const INTERRUPTED: u8 = 130;

/// A stage that is finished now.
struct Done {
    artifact: Artifact,
    /// None where there was nothing to do.
    elapsed_ms: Option<u64>,
}

/// `distilburn run`
pub(crate) fn run(options: &RunOptions) -> Result<ExitCode, Error> {
    let (dry_run, options) = (options.dry_run, &options.plan);
    if dry_run {
        plan::print(options)?;
        return Ok(ExitCode::SUCCESS);
    }
    let start = Instant::now();
    let (workspace, steps) = plan::steps(options)?;
    let children = Children::new()?;
    let mut pipeline = Pipeline { options, workspace: &workspace, steps: &steps, children, done: Vec::new() };
    for step in &steps {
        if let Some(code) = pipeline.come_to(step)? {
            return Ok(code.into());
        }
    }
    let done = pipeline.done;
    let elapsed_ms = start.elapsed().as_millis() as u64;
    let text =
        if options.json { format!("{:#}\n", to_json(&done, elapsed_ms)) } else { to_text(&done, elapsed_ms) };
    stage::print(&text)?;
    Ok(ExitCode::SUCCESS)
}

/// The stages on their way.
struct Pipeline<'a> {
    options: &'a PlanOptions,
    workspace: &'a Workspace,
    steps: &'a [Step],
    children: Children,
    /// In the order of the stages.
    done: Vec<Done>,
}

impl Pipeline<'_> {
    /// Takes a step. Returns the exit code of the pipeline where it stops here.
    fn come_to(&mut self, step: &Step) -> Result<Option<u8>, Error> {
        let Step { planned, runs, why, .. } = step;
        if self.children.stopped() {
            return Ok(Some(INTERRUPTED));
        }
        if *runs {
            return self.make(planned, why, self.options.force);
        }
        let artifact = planned.require(self.workspace, "the pipeline")?.clone();
        if planned.basis == Basis::Settings {
            artifact.remove_working_files();
        }
        self.done.push(Done { artifact, elapsed_ms: None });
        Ok(None)
    }

    /// Runs a stage, once its inputs are whole.
    fn make(&mut self, planned: &Planned, why: &str, force: bool) -> Result<Option<u8>, Error> {
        for input in planned.declaration.inputs {
            if let Some(code) = self.mend(input)? {
                return Ok(Some(code));
            }
        }
        let stage = planned.declaration.name;
        tracing::info!(stage, why, "starting");
        let begun = Instant::now();
        let code = artifact::fingerprint(&planned.declaration.code());
        let args = args(self.options, planned, force);
        let status = self.children.run(stage, &args, (EXPECTED_CODE, &code))?;
        if !status.success() {
            // It has said on stderr what is wrong. A stage ended by a signal has no code of its own.
            let interrupted = self.children.stopped() && status.code().is_none();
            let code = status.code().and_then(|code| u8::try_from(code).ok());
            tracing::error!(stage, %status, hint = hint(status), "the pipeline stops here");
            return Ok(Some(code.unwrap_or(if interrupted { INTERRUPTED } else { 1 })));
        }
        let artifact = self.workspace.store.find(stage, &planned.fingerprint)?;
        let artifact = artifact.ok_or_else(|| Error::NotMade { stage, dir: planned.dir.clone() })?;
        let made = Done { artifact, elapsed_ms: Some(begun.elapsed().as_millis() as u64) };
        match self.done.iter_mut().find(|done| done.artifact.manifest.stage == stage) {
            Some(done) => *done = made,
            None => self.done.push(made),
        }
        Ok(None)
    }

    /// Makes an artifact again that was up to date by the sizes of its files, where their bytes are not those that
    /// its manifest lists. One that was given by `--input` is left as it is: its reader refuses it.
    fn mend(&mut self, stage: &str) -> Result<Option<u8>, Error> {
        let steps = self.steps;
        let step = steps.iter().find(|step| step.planned.declaration.name == stage);
        let Some(step) = step.filter(|step| step.planned.basis == Basis::Settings) else { return Ok(None) };
        let is_old = |done: &&Done| done.elapsed_ms.is_none() && done.artifact.manifest.stage == stage;
        match self.done.iter().find(is_old).map(|done| done.artifact.verify()) {
            Some(Err(error)) if error.is_damage() => {
                tracing::warn!(stage, %error, "its artifact is damaged: making it again");
                self.make(&step.planned, "its artifact is damaged", true)
            }
            _ => Ok(None),
        }
    }
}

/// What most often lies behind the signal that ended a stage; nothing where it ended by itself.
fn hint(status: ExitStatus) -> Option<&'static str> {
    use rustix::process::Signal;
    let signal = status.signal()?;
    let memory = [Signal::KILL, Signal::ABORT].map(Signal::as_raw).contains(&signal);
    memory.then_some(
        "most often it ran out of memory: see `ulimit -v`, the memory of the machine or of its container",
    )
}

/// The stage's command line: the same settings, and the inputs that concern it.
fn args(options: &PlanOptions, planned: &Planned, force: bool) -> Vec<OsString> {
    let mut args = options.common.settings.to_args();
    args.extend(options.common.output.to_args());
    if force {
        args.push("--force".into());
    }
    let upstream = planned.declaration.upstream();
    for input in options.inputs.iter().filter(|input| upstream.contains(&input.stage.as_str())) {
        let mut value: OsString = format!("--input={}=", input.stage).into();
        value.push(&input.dir);
        args.push(value);
    }
    args
}

fn to_text(done: &[Done], elapsed_ms: u64) -> String {
    let mut text = String::new();
    if done.iter().all(|stage| stage.elapsed_ms.is_none()) {
        let _ =
            writeln!(text, "everything is up to date, nothing to do ({:.2} s)", elapsed_ms as f64 / 1000.0);
    } else {
        let rows: Vec<[String; 3]> = done
            .iter()
            .map(|stage| {
                let time = stage.elapsed_ms.map_or("up to date".to_owned(), duration);
                [stage.artifact.manifest.stage.clone(), time, stage.artifact.dir.display().to_string()]
            })
            .collect();
        text.push_str(&align(&rows));
        let _ = writeln!(text, "done in {}", duration(elapsed_ms));
    }
    let scores = Scores::of(done);
    if let [Some(exact_match), Some(f1), base_exact_match, base_f1] = scores.0 {
        let change = |before: Option<f64>, after: f64| match before {
            Some(before) => format!("{before:.2} → {after:.2}"),
            None => format!("{after:.2}"),
        };
        let _ = writeln!(
            text,
            "exact match {}, F1 {} (validation, before → after fine-tuning)",
            change(base_exact_match, exact_match),
            change(base_f1, f1),
        );
    }
    if let Some(model) = model_dir(done) {
        let _ = writeln!(text, "model directory: {}", model.display());
    }
    text
}

fn to_json(done: &[Done], elapsed_ms: u64) -> Value {
    let stages: Vec<Value> = done
        .iter()
        .map(|stage| {
            json!({
                "stage": stage.artifact.manifest.stage,
                "fingerprint": stage.artifact.manifest.fingerprint,
                "path": stage.artifact.dir,
                "ran": stage.elapsed_ms.is_some(),
                "elapsed_ms": stage.elapsed_ms,
            })
        })
        .collect();
    let [exact_match, f1, base_exact_match, base_f1] = Scores::of(done).0;
    json!({
        "stages": stages,
        "elapsed_ms": elapsed_ms,
        "exact_match": exact_match,
        "f1": f1,
        "base_exact_match": base_exact_match,
        "base_f1": base_f1,
        "model_dir": model_dir(done),
    })
}

/// `exact_match`, `f1`, `base_exact_match`, `base_f1` of evaluate, where it is among the stages.
struct Scores([Option<f64>; 4]);

impl Scores {
    fn of(done: &[Done]) -> Self {
        let evaluate = done.iter().find(|stage| stage.artifact.manifest.stage == stage::EVALUATE.name);
        let metric = |name| evaluate?.artifact.manifest.metrics.get(name)?.as_f64();
        Self(["exact_match", "f1", "base_exact_match", "base_f1"].map(metric))
    }
}

fn model_dir(done: &[Done]) -> Option<PathBuf> {
    let export = done.iter().find(|stage| stage.artifact.manifest.stage == stage::EXPORT.name)?;
    Some(export.artifact.dir.join(file_name::MODEL))
}
