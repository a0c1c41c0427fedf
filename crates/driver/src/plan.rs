//! `plan` and `path`: what would run with these settings, and where the artifacts are.

use artifact::Store;
use serde_json::{Value, json};
use stage::{Basis, Declaration, Planned, STAGES, Workspace};

use crate::cli::{PathOptions, PlanOptions};
use crate::running::Running;
use crate::table::align;
use crate::{Error, prefix};

/// A stage and whether `run` would run it.
pub(crate) struct Step {
    pub(crate) planned: Planned,
    pub(crate) runs: bool,
    /// Why it would run, or why not.
    pub(crate) why: String,
    /// The process that is making it now.
    running: Option<Running>,
}

impl Step {
    fn is_up_to_date(&self) -> bool {
        !self.runs && self.planned.artifact.is_some()
    }
}

/// Settings, store and the stages that `--from` and `--to` select.
pub(crate) fn steps(options: &PlanOptions) -> Result<(Workspace, Vec<Step>), Error> {
    let range = range(options)?;
    let mut workspace = Workspace::open(&options.common.settings, &options.inputs)?;
    workspace.force = options.force;
    workspace.progress = options.common.output.progress();
    // Without --to, stages that no other stage reads also run.
    let planned = match &options.to {
        Some(_) => workspace.plan_to(STAGES[*range.end()])?,
        None => workspace.plan()?,
    };
    let first_to_run = STAGES[*range.start()];
    if let (Some(from), Some(to)) = (&options.from, &options.to)
        && !planned.iter().any(|planned| planned.declaration.name == first_to_run.name)
    {
        return Err(Error::NotNeeded { from: from.clone(), to: to.clone() });
    }
    let (mut steps, mut before): (Vec<Step>, Vec<Planned>) = (Vec::new(), Vec::new());
    for planned in planned {
        let position = |stage: &Declaration| STAGES.iter().position(|other| other.name == stage.name);
        if position(planned.declaration) < position(first_to_run) {
            if first_to_run.inputs.contains(&planned.declaration.name) {
                planned.require(&workspace, first_to_run.name)?;
            }
            before.push(planned);
            continue;
        }
        let (runs, why) = decide(&workspace, &planned, &steps)?;
        let unfinished = workspace.store.unfinished_dir(planned.declaration.name, &planned.fingerprint);
        steps.push(Step { planned, runs, why, running: Running::at(&unfinished) });
    }
    for stage in steps.iter().filter(|step| step.runs).map(|step| step.planned.declaration) {
        for input in before.iter().filter(|input| stage.inputs.contains(&input.declaration.name)) {
            input.require(&workspace, stage.name)?;
        }
    }
    Ok((workspace, steps))
}

/// Whether `--to` leaves a stage out.
pub(crate) fn ends_before(options: &PlanOptions, stage: &Declaration) -> bool {
    let position = |name: &str| STAGES.iter().position(|other| other.name == name);
    options.to.as_deref().is_some_and(|to| position(to) < position(stage.name))
}

/// Whether each stage that runs will find its inputs.
pub(crate) fn check_inputs(workspace: &Workspace, steps: &[Step]) -> Result<(), Error> {
    for step in steps.iter().filter(|step| step.runs) {
        let stage = step.planned.declaration;
        let inputs = steps.iter().filter(|other| stage.inputs.contains(&other.planned.declaration.name));
        for input in inputs.filter(|input| !input.runs) {
            input.planned.require(workspace, stage.name)?;
        }
    }
    Ok(())
}

/// The first artifact that `run` would make again because it is damaged.
pub(crate) fn damaged(options: &PlanOptions) -> Option<String> {
    let (_, steps) = steps(options).ok()?;
    let damaged = steps.into_iter().find(|step| step.runs && step.planned.damage.is_some());
    damaged.map(|step| step.planned.fingerprint)
}

/// Whether a stage has to run because an input of it was made again with other results.
pub(crate) fn has_stale(options: &PlanOptions) -> bool {
    steps(options).is_ok_and(|(_, steps)| steps.iter().any(|step| step.runs && step.planned.stale.is_some()))
}

fn range(options: &PlanOptions) -> Result<std::ops::RangeInclusive<usize>, Error> {
    let position = |name: &Option<String>, default: usize| {
        let position = |name: &String| STAGES.iter().position(|declaration| declaration.name == name);
        name.as_ref().and_then(position).unwrap_or(default)
    };
    let range = position(&options.from, 0)..=position(&options.to, STAGES.len() - 1);
    match (&options.from, &options.to) {
        (Some(from), Some(to)) if range.is_empty() => {
            Err(Error::Range { from: from.clone(), to: to.clone() })
        }
        _ => Ok(range),
    }
}

fn decide(workspace: &Workspace, planned: &Planned, earlier: &[Step]) -> Result<(bool, String), Error> {
    match &planned.basis {
        Basis::Given => return Ok((false, "given by --input".to_owned())),
        Basis::Lineage(by) => {
            let but = match (&planned.artifact, &planned.damage) {
                (Some(_), _) => String::new(),
                (None, Some(damage)) => format!(", but it is damaged: {damage}"),
                (None, None) => ", but it is not in the store".to_owned(),
            };
            return Ok((false, format!("{} was made from it{but}", by.display())));
        }
        Basis::Settings => {}
    }
    let name = planned.declaration.name;
    Ok(match &planned.artifact {
        Some(_) if workspace.force => (true, "--force".to_owned()),
        Some(_) => {
            // Its inputs need not exist any more.
            let gone = earlier
                .iter()
                .any(|step| step.runs && planned.declaration.inputs.contains(&step.planned.declaration.name));
            let why = if gone { "finished, but an input has to be made again" } else { "" };
            (false, why.to_owned())
        }
        None => (true, [reason(&workspace.store, planned, name), progress(workspace, planned)?].concat()),
    })
}

/// The step at which an interrupted training resumes, in words; empty for others.
fn progress(workspace: &Workspace, planned: &Planned) -> Result<String, Error> {
    if workspace.force || planned.declaration.name != stage::TRAIN.name {
        return Ok(String::new());
    }
    let unfinished = workspace.store.unfinished_dir(planned.declaration.name, &planned.fingerprint);
    let sealed = artifact::sealed_checkpoints(&unfinished.join(artifact::file_name::CHECKPOINTS))?;
    Ok(sealed.last().map_or_else(String::new, |newest| format!("; resumes from step {}", newest.global_step)))
}

/// Why there is no artifact: it is damaged, or something differs from the newest one.
fn reason(store: &Store, planned: &Planned, stage: &str) -> String {
    if let Some(input) = planned.stale {
        return format!("{input} was made again with other results");
    }
    if let Some(damage) = &planned.damage {
        return format!("its artifact is damaged: {damage}");
    }
    match store.latest(stage) {
        Ok(Some(latest)) if latest.manifest.fingerprint == planned.fingerprint => "--force".to_owned(),
        Ok(Some(latest)) => planned.differences(&latest.manifest).join("; "),
        Ok(None) => "not made yet".to_owned(),
        Err(error) => format!("the newest one cannot be used: {error}"),
    }
}

/// `distilburn plan`
pub(crate) fn print(options: &PlanOptions) -> Result<(), Error> {
    let (_, steps) = steps(options)?;
    let text = if options.json { format!("{:#}\n", to_json(&steps)) } else { to_text(&steps) };
    Ok(stage::print(&text)?)
}

pub(crate) fn to_text(steps: &[Step]) -> String {
    let rows: Vec<[String; 4]> = steps
        .iter()
        .map(|step| {
            let state = match (&step.running, step.runs) {
                (Some(_), _) => "running",
                (None, true) => "would run",
                (None, false) if step.planned.artifact.is_none() => "unusable",
                (None, false) => "up to date",
            };
            let running = step.running.as_ref().map(Running::to_string);
            let why =
                [running.unwrap_or_default(), step.why.clone()].into_iter().filter(|part| !part.is_empty());
            let why = why.collect::<Vec<_>>().join("; ");
            let fingerprint = &step.planned.fingerprint;
            // The fingerprint of an artifact given by `--input` may be anything.
            let fingerprint = fingerprint.get(..12).unwrap_or(fingerprint).to_owned();
            [step.planned.declaration.name.to_owned(), state.to_owned(), fingerprint, why]
        })
        .collect();
    align(&rows)
}

fn to_json(steps: &[Step]) -> Value {
    let stages: Vec<Value> = steps
        .iter()
        .map(|step| {
            json!({
                "stage": step.planned.declaration.name,
                "fingerprint": step.planned.fingerprint,
                "path": step.planned.dir,
                "up_to_date": step.is_up_to_date(),
                "why": step.why,
                "running": step.running.as_ref().map(Running::to_json),
            })
        })
        .collect();
    json!({ "up_to_date": steps.iter().all(Step::is_up_to_date), "stages": stages })
}

/// `distilburn path S`
pub(crate) fn print_path(options: &PathOptions) -> Result<(), Error> {
    let workspace = Workspace::open(&options.common.settings, &[])?;
    let (stage, fingerprint, dir, finished) = if let Some(declaration) = Declaration::of(&options.stage) {
        let planned = workspace.plan_to(declaration)?.pop().expect("a plan ends with its target");
        (declaration.name, planned.fingerprint, planned.dir, planned.artifact.is_some())
    } else {
        let found = prefix::find(&workspace.store, &options.stage)?;
        let (stage, fingerprint) = found.ok_or_else(|| Error::NoArtifact {
            prefix: options.stage.clone(),
            root: workspace.store.root().to_owned(),
        })?;
        let finished = workspace.store.find(stage, &fingerprint)?.is_some();
        let dir = workspace.store.dir(stage, &fingerprint);
        (stage, fingerprint, dir, finished)
    };
    let text = if options.json {
        json!({ "stage": stage, "fingerprint": fingerprint, "path": dir, "finished": finished }).to_string()
    } else {
        dir.display().to_string()
    };
    Ok(stage::print(&format!("{text}\n"))?)
}
