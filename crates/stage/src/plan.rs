//! Plans which artifact each stage would make, and whether it exists.
//!
//! Fingerprints depend only on settings, code and inputs, so the whole chain is known before anything runs.

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::PathBuf;

use artifact::Error::NotAFolder;
use artifact::{Artifact, Manifest};
use serde_json::{Map, Value, json};

use crate::declaration::{Declaration, STAGES, TRAIN};
use crate::sources::Outside;
use crate::{Error, Interrupt, Workspace};

/// One stage under the present settings.
#[derive(Debug, Clone)]
pub struct Planned {
    /// The stage.
    pub declaration: &'static Declaration,
    /// The fingerprint of its artifact.
    pub fingerprint: String,
    /// What the fingerprint was made from: `{stage, code, settings, inputs}`.
    pub parts: Value,
    /// Where the artifact is, or will be.
    pub dir: PathBuf,
    /// The artifact, if finished and undamaged.
    pub artifact: Option<Artifact>,
    /// What is wrong with the artifact, if it is damaged.
    pub damage: Option<String>,
    /// The input whose results have changed since the artifact was made; the artifact is then out of date.
    pub stale: Option<&'static str>,
    /// Why this artifact was chosen.
    pub basis: Basis,
    pub(crate) outside: Outside,
}

/// What decides which artifact is used for a stage.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Basis {
    /// The settings, through the fingerprint.
    Settings,
    /// `--input STAGE=DIR`
    Given,
    /// The given artifact in this folder was made from it.
    Lineage(PathBuf),
}

/// Plans `target` and all stages that it needs, in execution order.
pub(crate) fn plan(workspace: &Workspace, target: Option<&Declaration>) -> Result<Vec<Planned>, Error> {
    let given = workspace.given();
    let lineage = lineage(given)?;
    check_overruled(workspace, &lineage)?;
    let mut planned: Vec<Planned> = Vec::new();
    for declaration in needed(target, given, &lineage) {
        let stage = declaration.name;
        planned.push(if let Some(artifact) = given.get(stage) {
            Planned {
                declaration,
                fingerprint: artifact.manifest.fingerprint.clone(),
                parts: artifact.manifest.parts.clone(),
                dir: artifact.dir.clone(),
                artifact: Some(artifact.clone()),
                damage: None,
                stale: None,
                basis: Basis::Given,
                outside: Outside::default(),
            }
        } else if let Some((fingerprint, by)) = lineage.get(stage) {
            let (artifact, damage) = find(workspace, stage, fingerprint)?;
            Planned {
                declaration,
                fingerprint: fingerprint.clone(),
                parts: artifact.as_ref().map_or(Value::Null, |artifact| artifact.manifest.parts.clone()),
                dir: workspace.store.dir(stage, fingerprint),
                artifact,
                damage,
                stale: None,
                basis: Basis::Lineage(by.clone()),
                outside: Outside::default(),
            }
        } else {
            from_settings(workspace, declaration, &planned)?
        });
    }
    Ok(planned)
}

fn from_settings(
    workspace: &Workspace,
    declaration: &'static Declaration,
    upstream: &[Planned],
) -> Result<Planned, Error> {
    let mut fetcher = workspace.fetcher(Interrupt::default());
    let mut outside = (declaration.outside)(workspace, &mut fetcher)?;
    let mut inputs = Map::new();
    for stage in declaration.inputs {
        let planned = upstream.iter().find(|planned| planned.declaration.name == *stage);
        let planned = planned.expect("stages are planned after their inputs");
        inputs.insert((*stage).to_owned(), json!(planned.fingerprint));
    }
    inputs.append(&mut outside.parts);
    (declaration.check)(workspace, upstream, &mut fetcher)?;
    let parts = json!({
        "stage": declaration.name,
        "code": declaration.code(),
        "settings": declaration.settings_read(&workspace.loaded.settings),
        "inputs": inputs,
    });
    let fingerprint = artifact::fingerprint(&parts);
    let (artifact, damage) = match find(workspace, declaration.name, &fingerprint) {
        Err(Error::Artifact(error)) if workspace.force && !matches!(*error, NotAFolder { .. }) => {
            (None, None)
        }
        found => found?,
    };
    let stale = artifact.as_ref().and_then(|artifact| stale_input(declaration, artifact, upstream));
    let artifact = artifact.filter(|_| stale.is_none());
    let dir = workspace.store.dir(declaration.name, &fingerprint);
    let basis = Basis::Settings;
    Ok(Planned { declaration, fingerprint, parts, dir, artifact, damage, stale, basis, outside })
}

/// The first input of `artifact` that has since been made again with other results, or is itself out of date for this
/// reason.
pub(crate) fn stale_input(
    declaration: &Declaration,
    artifact: &Artifact,
    upstream: &[Planned],
) -> Option<&'static str> {
    let is_stale = |stage: &&&'static str| {
        let planned = upstream.iter().find(|planned| planned.declaration.name == **stage);
        let Some(planned) = planned else { return false };
        let read = artifact.manifest.inputs.iter().find(|input| input.stage == **stage);
        let read = read.and_then(|input| input.content.as_ref());
        let is_other = |now: &Artifact| read.is_some_and(|read| *read != now.content());
        planned.stale.is_some() || planned.artifact.as_ref().is_some_and(is_other)
    };
    declaration.inputs.iter().find(is_stale).copied()
}

/// The finished artifact, or what is wrong with it if it is damaged.
fn find(
    workspace: &Workspace,
    stage: &str,
    fingerprint: &str,
) -> Result<(Option<Artifact>, Option<String>), Error> {
    match workspace.store.find(stage, fingerprint) {
        Ok(found) => Ok((found, None)),
        Err(error) if error.is_damage() => Ok((None, Some(error.to_string()))),
        Err(error) => Err(error.into()),
    }
}

/// Refuses a `--set` that only concerns stages fixed by `--input` and made with another value: it would change nothing.
fn check_overruled(
    workspace: &Workspace,
    lineage: &BTreeMap<String, (String, PathBuf)>,
) -> Result<(), Error> {
    let given = workspace.given();
    if given.is_empty() {
        return Ok(());
    }
    // The input that fixes a stage.
    let fixed = |stage: &str| {
        given.values().find(|artifact| {
            let of = artifact.manifest.stage.as_str();
            of == stage || Declaration::of(of).is_some_and(|of| of.upstream().contains(&stage))
        })
    };
    for set in &workspace.options.set {
        let key = set.split('=').next().unwrap_or_default().trim();
        let readers: Vec<_> = STAGES.into_iter().filter(|stage| stage.counts(key)).collect();
        let inputs: Option<Vec<_>> = readers.iter().map(|stage| fixed(stage.name)).collect();
        // It has an effect if a stage that is not fixed reads it.
        for (stage, input) in readers.into_iter().zip(inputs.unwrap_or_default()) {
            let artifact = match (given.get(stage.name), lineage.get(stage.name)) {
                (Some(artifact), _) => Some(artifact.clone()),
                (None, Some((fingerprint, _))) => find(workspace, stage.name, fingerprint)?.0,
                (None, None) => None,
            };
            if !artifact.is_some_and(|artifact| is_made_with(workspace, stage, key, &artifact.manifest)) {
                let input = format!("{}={}", input.manifest.stage, input.dir.display());
                return Err(Error::Overruled { set: set.clone(), input, stage: stage.name });
            }
        }
    }
    Ok(())
}

/// Whether an artifact of `stage` was made with the present value of a setting.
fn is_made_with(workspace: &Workspace, stage: &Declaration, key: &str, manifest: &Manifest) -> bool {
    if stage.settings.contains(&key) {
        return manifest.parts["settings"][key] == stage.settings_read(workspace.settings())[key];
    }
    let outside = (stage.outside)(workspace, &mut workspace.fetcher(Interrupt::default()));
    let name = key.split_once('.').map_or(key, |(_, name)| name);
    outside.is_ok_and(|outside| outside.parts.get(name) == manifest.parts["inputs"].get(name))
}

/// Stage → fingerprint and the given artifact that was made from it, for stages that are not given themselves. Given
/// artifacts that contradict each other are refused, except for a trained model: it may be evaluated on other data than
/// it was validated on.
fn lineage(given: &BTreeMap<String, Artifact>) -> Result<BTreeMap<String, (String, PathBuf)>, Error> {
    let mut lineage: BTreeMap<String, (String, PathBuf)> = BTreeMap::new();
    for artifact in given.values() {
        for input in &artifact.manifest.inputs {
            let stated = given.get(&input.stage).map(|other| (&other.manifest.fingerprint, &other.dir));
            let implied = lineage.get(&input.stage).map(|(fingerprint, by)| (fingerprint, by));
            match stated.or(implied) {
                Some((found, _)) if *found != input.fingerprint && artifact.manifest.stage == TRAIN.name => {
                    tracing::warn!(
                        input = input.stage,
                        "the model was trained from another artifact than the one given"
                    );
                }
                Some((found, other)) if *found != input.fingerprint => {
                    return Err(Error::Lineage {
                        given: artifact.dir.clone(),
                        input: input.stage.clone(),
                        expected: input.fingerprint.clone(),
                        found: format!("{found} ({})", other.display()),
                    });
                }
                Some(_) => {}
                None => {
                    lineage.insert(input.stage.clone(), (input.fingerprint.clone(), artifact.dir.clone()));
                }
            }
        }
    }
    Ok(lineage)
}

/// `target` and the stages it needs; nothing is needed upstream of a stage whose artifact is fixed.
fn needed(
    target: Option<&Declaration>,
    given: &BTreeMap<String, Artifact>,
    lineage: &BTreeMap<String, (String, PathBuf)>,
) -> Vec<&'static Declaration> {
    let mut needed: Vec<&str> = Vec::new();
    for declaration in STAGES.into_iter().rev() {
        let wanted = target.is_none_or(|target| target.name == declaration.name);
        if !wanted && !needed.contains(&declaration.name) {
            continue;
        }
        needed.push(declaration.name);
        if !given.contains_key(declaration.name) && !lineage.contains_key(declaration.name) {
            needed.extend(declaration.inputs);
        }
    }
    STAGES.into_iter().filter(|declaration| needed.contains(&declaration.name)).collect()
}

impl Planned {
    /// The finished artifact, or the error that says how to make it.
    pub fn require(&self, workspace: &Workspace, needed_by: &str) -> Result<&Artifact, Error> {
        self.artifact.as_ref().ok_or_else(|| {
            let input = self.declaration.name.to_owned();
            let mut remedy = format!(
                "make it and its inputs with `{}`, or only it with `{}`",
                workspace.options.command(&format!("distilburn run --to {input}")),
                workspace.options.command(&self.declaration.binary()),
            );
            // Other commands, such as `errors`, have no such option.
            if Declaration::of(needed_by).is_some() {
                let _ = write!(remedy, "; to use one from elsewhere, add --input {input}=DIR");
            }
            let stage = needed_by.to_owned();
            match (&self.basis, &self.damage) {
                (Basis::Lineage(given), None) => Error::MissingLineage {
                    given: given.clone(),
                    input,
                    fingerprint: self.fingerprint.clone(),
                },
                (Basis::Lineage(_), Some(damage)) => Error::DamagedInput {
                    stage,
                    damage: damage.clone(),
                    remedy: format!(
                        "make it again with the same settings, or name an undamaged copy with --input {input}=DIR"
                    ),
                    input,
                },
                (_, Some(damage)) => Error::DamagedInput { stage, input, damage: damage.clone(), remedy },
                (_, None) => Error::MissingInput { stage, input, dir: self.dir.clone(), remedy },
            }
        })
    }

    /// The finished artifact, with every file compared with its hash: other checks miss damage that leaves a table
    /// readable.
    pub(crate) fn verified(&self, workspace: &Workspace, needed_by: &str) -> Result<&Artifact, Error> {
        let artifact = self.require(workspace, needed_by)?;
        match artifact.verify() {
            Err(error) if error.is_damage() && self.basis == Basis::Settings => {
                // Its sizes are right: without the mark it would count as up to date.
                artifact.mark_suspect();
                let stage = self.declaration.name;
                let command = workspace.options.command(&format!("distilburn run --to {stage}"));
                Err(Error::DamagedInput {
                    stage: needed_by.to_owned(),
                    input: stage.to_owned(),
                    damage: error.to_string(),
                    remedy: format!("make it again with `{command}`"),
                })
            }
            verified => Ok(verified.map(|()| artifact)?),
        }
    }

    /// What differs between this stage and an artifact made earlier, in words: settings, code, inputs.
    #[must_use]
    pub fn differences(&self, earlier: &Manifest) -> Vec<String> {
        differences(&earlier.parts, &self.parts)
    }
}

/// What differs between the parts of two fingerprints of one stage, in words: settings, code, inputs.
#[must_use]
pub fn differences(old: &Value, new: &Value) -> Vec<String> {
    let mut differences = Vec::new();
    compare("", &old["settings"], &new["settings"], &mut differences);
    compare("input ", &old["inputs"], &new["inputs"], &mut differences);
    if old["code"]["sources"] != new["code"]["sources"] {
        differences.push("its code changed".to_owned());
    }
    compare("version of ", &old["code"]["libraries"], &new["code"]["libraries"], &mut differences);
    compare("version of ", &old["code"]["kinds"], &new["code"]["kinds"], &mut differences);
    differences
}

fn compare(what: &str, old: &Value, new: &Value, differences: &mut Vec<String>) {
    let empty = Map::new();
    let (old, new) = (old.as_object().unwrap_or(&empty), new.as_object().unwrap_or(&empty));
    let keys: BTreeSet<&String> = old.keys().chain(new.keys()).collect();
    for key in keys {
        let (old, new) = (old.get(key), new.get(key));
        if old != new {
            differences.push(format!("{what}{key}: {} → {}", short(old), short(new)));
        }
    }
}

/// The first digits of a hash are enough to distinguish it.
fn short(value: Option<&Value>) -> String {
    match value {
        None => "none".to_owned(),
        Some(Value::String(text))
            if text.len() >= 32 && text.bytes().all(|byte| byte.is_ascii_hexdigit()) =>
        {
            text[..8].to_owned()
        }
        Some(Value::Object(files)) => format!("{} files", files.len()),
        Some(value) => value.to_string(),
    }
}
