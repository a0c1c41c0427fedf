//! `run`: starts the stages that are out of date, and prints a summary.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::fmt::Write;
use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::process::{ExitCode, ExitStatus};
use std::time::Instant;

use artifact::{Artifact, EvaluateMetrics, Gain, Interval, PartScores, Scores, file_name};
use serde_json::{Value, json};
use stage::{Basis, EXPECTED_CODE, Planned, Workspace};

use crate::Error;
use crate::cli::{PlanOptions, RunOptions};
use crate::evaluations::Evaluation;
use crate::gate::Gate;
use crate::plan::{self, Step};
use crate::sibling::Children;
use crate::table::{align, duration, grouped, p_text};

/// The exit code of a run that was interrupted.
const INTERRUPTED: u8 = 130;

/// The exit code of a stage whose input is bad or damaged.
const BAD_DATA: u8 = 3;

/// A stage that is finished now.
struct Done {
    artifact: Artifact,
    /// None if there was nothing to do.
    elapsed_ms: Option<u64>,
}

/// `distilburn run`
pub(crate) fn run(options: &RunOptions) -> Result<ExitCode, Error> {
    let (dry_run, gates, options) = (options.dry_run, &options.require, &options.plan);
    if !gates.is_empty() && plan::ends_before(options, &stage::EVALUATE) {
        return Err(Error::NothingToRequire);
    }
    check_slices(gates, options)?;
    if dry_run {
        plan::print(options)?;
        return Ok(ExitCode::SUCCESS);
    }
    let start = Instant::now();
    let children = Children::new()?;
    let mut took = BTreeMap::new();
    let mut made_again = BTreeSet::new();
    let done = loop {
        match pass(options, &children, &mut took)? {
            // A stage that ran again may have given other results than later artifacts were made from.
            Pass::Done(_) if !options.force && plan::has_stale(options) => {}
            Pass::Done(done) => break done,
            Pass::Interrupted => return Ok(INTERRUPTED.into()),
            Pass::Failed(BAD_DATA) if !options.force => {
                // The stage may have found damage in an input that had seemed intact, and marked it.
                match plan::damaged(options).filter(|fingerprint| made_again.insert(fingerprint.clone())) {
                    Some(fingerprint) => {
                        tracing::warn!(fingerprint, "an input was damaged: it is made again");
                    }
                    None => return Ok(BAD_DATA.into()),
                }
            }
            Pass::Failed(code) => return Ok(code.into()),
        }
    };
    let elapsed_ms = start.elapsed().as_millis() as u64;
    let text =
        if options.json { format!("{:#}\n", to_json(&done, elapsed_ms)) } else { to_text(&done, elapsed_ms) };
    stage::print(&text)?;
    check_gates(gates, options)?;
    Ok(ExitCode::SUCCESS)
}

/// Refuses a slice of `--require` that does not exist: only after hours would its scores be missed.
fn check_slices(gates: &[Gate], options: &PlanOptions) -> Result<(), Error> {
    if gates.is_empty() {
        return Ok(());
    }
    let workspace = Workspace::open(&options.common.settings, &options.inputs)?;
    let own = &workspace.settings().report.slices;
    gates.iter().try_for_each(|gate| gate.check_slice(own.keys().map(String::as_str)))
}

/// Checks the model's scores against `--require`.
fn check_gates(gates: &[Gate], options: &PlanOptions) -> Result<(), Error> {
    if gates.is_empty() {
        return Ok(());
    }
    let workspace = Workspace::open(&options.common.settings, &options.inputs)?;
    let evaluation = Evaluation::find(&workspace, None, "run --require")?;
    let split = evaluation.split();
    let (questions, _) = evaluation.questions(split)?;
    gates.iter().try_for_each(|gate| gate.check(&questions, split))
}

/// How running the stages of a plan ended.
enum Pass {
    Done(Vec<Done>),
    Interrupted,
    /// A stage failed with this exit code.
    Failed(u8),
}

/// Plans, and runs what is out of date. `took` has the durations of the stages, by fingerprint, of this run and earlier
/// ones.
fn pass(options: &PlanOptions, children: &Children, took: &mut BTreeMap<String, u64>) -> Result<Pass, Error> {
    let (workspace, steps) = plan::steps(options)?;
    plan::check_inputs(&workspace, &steps)?;
    let mut done = Vec::new();
    for step in steps {
        if children.stopped() {
            return Ok(Pass::Interrupted);
        }
        let Step { planned, runs, why, .. } = step;
        let stage = planned.declaration.name;
        if !runs {
            // An artifact may be damaged if no stage that runs needs it.
            if let Some(artifact) = planned.artifact {
                if planned.basis == Basis::Settings {
                    artifact.remove_working_files();
                }
                done.push(Done { artifact, elapsed_ms: took.get(&planned.fingerprint).copied() });
            }
            continue;
        }
        tracing::info!(stage, why, "starting");
        let begun = Instant::now();
        let code = artifact::fingerprint(&planned.declaration.code());
        let status = children.run(stage, &args(options, &planned), (EXPECTED_CODE, &code))?;
        if !status.success() {
            // The stage has reported the error on stderr. A stage that a signal ended has no exit code.
            let interrupted = children.stopped() && status.code().is_none();
            let code = status.code().and_then(|code| u8::try_from(code).ok());
            tracing::error!(stage, %status, hint = hint(status), "the pipeline stops here");
            return Ok(Pass::Failed(code.unwrap_or(if interrupted { INTERRUPTED } else { 1 })));
        }
        let Some(artifact) = workspace.store.find(stage, &planned.fingerprint)? else {
            // The stage makes its own plan: if a file changed in between, it made another artifact.
            let now = workspace.plan_to(planned.declaration)?.pop();
            let changed = now.is_some_and(|now| now.fingerprint != planned.fingerprint);
            return Err(if changed {
                Error::InputsChanged { stage }
            } else {
                Error::NotMade { stage, dir: planned.dir }
            });
        };
        let elapsed_ms = begun.elapsed().as_millis() as u64;
        took.insert(planned.fingerprint, elapsed_ms);
        done.push(Done { artifact, elapsed_ms: Some(elapsed_ms) });
    }
    Ok(Pass::Done(done))
}

/// The most likely cause of the signal that ended a stage; empty if it ended by itself.
fn hint(status: ExitStatus) -> Option<&'static str> {
    use rustix::process::Signal;
    let signal = status.signal()?;
    let memory = [Signal::KILL, Signal::ABORT].map(Signal::as_raw).contains(&signal);
    memory.then_some(
        "it probably ran out of memory: check `ulimit -v` and the memory of the machine or its container",
    )
}

/// The stage's command line: the same settings, and the inputs that it needs.
fn args(options: &PlanOptions, planned: &Planned) -> Vec<OsString> {
    let mut args = options.common.settings.to_args();
    args.extend(options.common.output.to_args());
    if options.force {
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
    if let Some(evaluation) = evaluation(done) {
        text.push_str(&scores_text("validation", &evaluation.validation));
        match &evaluation.test {
            Some(scores) => text.push_str(&scores_text("test", scores)),
            None => text.push_str(
                "  validation chose the best weights, so its scores are a little too high; a test split \
                                   (ingest.test) has no such advantage\n",
            ),
        }
    }
    if let Some(model) = model_dir(done) {
        let _ = writeln!(text, "model directory: {}", model.display());
    }
    if let Some(page) = page(done) {
        let _ = writeln!(text, "report: {}", page.display());
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
    let evaluation = evaluation(done);
    let scores = evaluation.as_ref().map(|evaluation| &evaluation.validation);
    let mut answer = json!({
        "stages": stages,
        "elapsed_ms": elapsed_ms,
        "exact_match": scores.map(|scores| scores.exact_match),
        "f1": scores.map(|scores| scores.f1),
        "base_exact_match": scores.map(|scores| scores.base_exact_match),
        "base_f1": scores.map(|scores| scores.base_f1),
        "model_dir": model_dir(done),
        "report": page(done),
    });
    for (part, scores) in scores.into_iter().flat_map(parts) {
        answer[part] = json!(scores);
    }
    if let Some(test) = evaluation.as_ref().and_then(|evaluation| evaluation.test.as_ref()) {
        answer["test"] = json!(test);
    }
    answer
}

/// What evaluate found, if it is among the stages.
fn evaluation(done: &[Done]) -> Option<EvaluateMetrics> {
    let evaluate = done.iter().find(|stage| stage.artifact.manifest.stage == stage::EVALUATE.name)?;
    EvaluateMetrics::of(&evaluate.artifact.manifest).ok()
}

/// Scores of questions with and without an answer, if there are both.
fn parts(scores: &Scores) -> impl Iterator<Item = (&'static str, PartScores)> {
    let parts = [("has_answer", scores.has_answer), ("no_answer", scores.no_answer)];
    parts.into_iter().filter_map(|(part, scores)| Some((part, scores?)))
}

fn scores_text(split: &str, scores: &Scores) -> String {
    let within = |interval: Option<Interval>| {
        interval.map_or_else(String::new, |Interval { low, high }| format!(" ({low:.1} to {high:.1})"))
    };
    let mut text = format!(
        "{split}: exact match {:.2} → {:.2}{}, F1 {:.2} → {:.2}{} on {} questions\n",
        scores.base_exact_match,
        scores.exact_match,
        within(scores.exact_match_interval),
        scores.base_f1,
        scores.f1,
        within(scores.f1_interval),
        grouped(scores.questions),
    );
    if let Some(Gain { interval: Interval { low, high }, p_value }) = scores.f1_gain {
        let _ = writeln!(
            text,
            "  fine-tuning changed F1 by {:+.2} points (95 % interval {low:+.1} to {high:+.1}, p {})",
            scores.f1 - scores.base_f1,
            p_text(p_value)
        );
    }
    for (part, PartScores { questions, exact_match, f1 }) in parts(scores) {
        let what = if part == "has_answer" { "with an answer" } else { "without" };
        let _ = writeln!(text, "  {what}: exact match {exact_match:.2}, F1 {f1:.2} ({questions} questions)");
    }
    text
}

fn model_dir(done: &[Done]) -> Option<PathBuf> {
    of_stage(done, &stage::EXPORT, file_name::MODEL)
}

fn page(done: &[Done]) -> Option<PathBuf> {
    of_stage(done, &stage::REPORT, file_name::REPORT_HTML)
}

fn of_stage(done: &[Done], stage: &stage::Declaration, name: &str) -> Option<PathBuf> {
    let done = done.iter().find(|done| done.artifact.manifest.stage == stage.name)?;
    Some(done.artifact.dir.join(name))
}
