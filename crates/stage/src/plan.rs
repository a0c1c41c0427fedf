//! Which artifact each stage would make, and whether it is there.
//!
//! Fingerprints follow from settings, code and inputs alone, so the whole chain is known before anything
//! runs.

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use artifact::{Artifact, Manifest};
use serde_json::{Map, Value, json};

use crate::declaration::{Declaration, STAGES, TRAIN};
use crate::{Error, Interrupt, Workspace, sources};

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
    /// The artifact, when finished and whole.
    pub artifact: Option<Artifact>,
    /// What is wrong with the artifact where it is damaged.
    pub damage: Option<String>,
    /// Why it is this one.
    pub basis: Basis,
}

/// What decides which artifact a stage stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Basis {
    /// The settings, through the fingerprint.
    Settings,
    /// `--input STAGE=DIR`
    Given,
    /// The given artifact in this folder was made from it.
    Lineage(PathBuf),
}

/// Plans `target` and whatever it needs, in the order in which the stages run.
pub(crate) fn plan(workspace: &Workspace, target: Option<&Declaration>) -> Result<Vec<Planned>, Error> {
    let given = workspace.given();
    let lineage = lineage(given)?;
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
                basis: Basis::Given,
            }
        } else if let Some((fingerprint, by)) = lineage.get(stage) {
            let artifact = workspace.store.find(stage, fingerprint)?;
            Planned {
                declaration,
                fingerprint: fingerprint.clone(),
                parts: artifact.as_ref().map_or(Value::Null, |artifact| artifact.manifest.parts.clone()),
                dir: workspace.store.dir(stage, fingerprint),
                artifact,
                damage: None,
                basis: Basis::Lineage(by.clone()),
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
    let inputs = if declaration.inputs.is_empty() {
        sources::inputs(
            &workspace.loaded,
            workspace.store.root(),
            &mut workspace.fetcher(Interrupt::default()),
        )?
    } else {
        let of_stage = |stage: &&str| {
            let planned = upstream.iter().find(|planned| planned.declaration.name == *stage);
            ((*stage).to_owned(), json!(planned.expect("stages are planned after their inputs").fingerprint))
        };
        let mut inputs = declaration.inputs.iter().map(of_stage).collect::<Map<_, _>>();
        if declaration.name == TRAIN.name
            && let Some(weights) = sources::init_from(&workspace.loaded, workspace.store.root())?
        {
            inputs.insert("init_from".to_owned(), weights);
        }
        Value::Object(inputs)
    };
    let parts = json!({
        "stage": declaration.name,
        "code": declaration.code(),
        "settings": declaration.settings_read(&workspace.loaded.settings),
        "inputs": inputs,
    });
    let fingerprint = artifact::fingerprint(&parts);
    let (artifact, damage) = match workspace.store.find(declaration.name, &fingerprint) {
        Ok(found) => (found, None),
        Err(error) if error.is_damage() => (None, Some(error.to_string())),
        Err(artifact::Error::NotAFolder { path }) => return Err(artifact::Error::NotAFolder { path }.into()),
        Err(_) if workspace.force => (None, None),
        Err(error) => return Err(error.into()),
    };
    let dir = workspace.store.dir(declaration.name, &fingerprint);
    Ok(Planned { declaration, fingerprint, parts, dir, artifact, damage, basis: Basis::Settings })
}

/// Stage → fingerprint and the given artifact that was made from it, for stages that are not given
/// themselves. Given artifacts that contradict each other are refused, but for a trained model: it may be
/// evaluated on other data than it was validated on.
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
            let remedy = format!(
                "make it and all that it is made of with `{}`, or it alone with `{}`",
                workspace.options.command(&format!("distilburn run --to {input}")),
                workspace.options.command(&self.declaration.binary()),
            );
            let stage = needed_by.to_owned();
            match (&self.basis, &self.damage) {
                (Basis::Lineage(given), _) => Error::MissingLineage {
                    given: given.clone(),
                    input,
                    fingerprint: self.fingerprint.clone(),
                },
                (_, Some(damage)) => Error::DamagedInput { stage, input, damage: damage.clone(), remedy },
                (_, None) => Error::MissingInput { stage, input, dir: self.dir.clone(), remedy },
            }
        })
    }

    /// The finished artifact with every file compared with its hash: damage that leaves a table readable would show
    /// nowhere else.
    pub(crate) fn verified(&self, workspace: &Workspace, needed_by: &str) -> Result<&Artifact, Error> {
        let artifact = self.require(workspace, needed_by)?;
        match artifact.verify() {
            Err(error) if error.is_damage() && self.basis == Basis::Settings => {
                let stage = self.declaration.name;
                // Its size is right, so that without `--force` it counts as up to date.
                let command =
                    workspace.options.command(&format!("distilburn run --force --from {stage} --to {stage}"));
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
        let (old, new) = (&earlier.parts, &self.parts);
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

/// A hash needs no more than its first digits to be told from another.
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
