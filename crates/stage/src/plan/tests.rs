//! What a fingerprint depends on, what it does not, and which artifacts belong together.

use std::fs;
use std::path::PathBuf;

use artifact::{Input as InputEntry, ManifestDraft};
use tempfile::TempDir;

use super::*;
use crate::{EVALUATE, INGEST, Input, SettingsOptions, TOKENIZE_FEATURES};

/// A folder with a settings file and a base model.
struct Folder(TempDir);

impl Folder {
    fn new(settings: &str) -> Self {
        let folder = Self(tempfile::tempdir().unwrap());
        fs::create_dir(folder.path("model")).unwrap();
        fs::write(folder.path("model/config.json"), "{}").unwrap();
        fs::write(folder.path("pipeline.toml"), settings).unwrap();
        folder
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn workspace(&self, set: &[&str], inputs: &[Input]) -> Result<Workspace, Error> {
        let mut set: Vec<String> = set.iter().map(|argument| (*argument).to_owned()).collect();
        // A given artifact brings the base model that it was made from.
        if inputs.is_empty() {
            set.push(format!("ingest.base_model={}", self.path("model").display()));
        }
        let config = Some(self.path("pipeline.toml"));
        Workspace::open(&SettingsOptions { config, set, ..SettingsOptions::default() }, inputs)
    }

    fn fingerprints(&self, set: &[&str]) -> Vec<String> {
        let planned = self.workspace(set, &[]).unwrap().plan().unwrap();
        planned.into_iter().map(|planned| planned.fingerprint).collect()
    }

    /// Makes an empty artifact as `stage` would.
    fn make(&self, stage: &Declaration, set: &[&str]) -> Artifact {
        let workspace = self.workspace(set, &[]).unwrap();
        let planned = workspace.plan_to(stage).unwrap();
        let own = planned.last().unwrap();
        let of_stage = |stage: &&str| {
            let input = planned.iter().find(|planned| planned.declaration.name == *stage).unwrap();
            let content = input.artifact.as_ref().map(Artifact::content);
            InputEntry { stage: (*stage).to_owned(), fingerprint: input.fingerprint.clone(), content }
        };
        let inputs = stage.inputs.iter().map(of_stage).collect();
        let draft = ManifestDraft { parts: own.parts.clone(), inputs, ..ManifestDraft::default() };
        workspace.store.begin(stage.name, &own.fingerprint).unwrap().commit(draft).unwrap()
    }
}

fn input(artifact: &Artifact) -> Input {
    Input { stage: artifact.manifest.stage.clone(), dir: artifact.dir.clone() }
}

/// Another value than the built-in one.
fn changed(key: &str) -> &'static str {
    match key {
        "ingest.on_invalid" => "skip",
        "ingest.plausible_answers" => "ignore",
        "ingest.subset" => "first",
        "report.texts" => "false",
        "run.precision" => "bf16",
        "train.betas" => "[0.8, 0.9]",
        "train.freeze" => "[\"embeddings\"]",
        "train.gradient_checkpointing" => "true",
        "train.metric_for_best" => "loss",
        "train.schedule" => "cosine",
        "evaluate.f1_units" => "characters",
        "export.formats" => "[\"pytorch\"]",
        "train.epsilon"
        | "train.layerwise_lr_decay"
        | "train.learning_rate"
        | "train.warmup_ratio"
        | "train.weight_decay" => "0.5",
        "evaluate.null_threshold" | "train.max_grad_norm" => "2.5",
        "train.max_steps" | "tokenize-features.max_length" => "500",
        _ => "7",
    }
}

#[test]
fn every_declared_setting_changes_its_stage_and_nothing_upstream() {
    let folder = Folder::new("");
    let before = folder.fingerprints(&[]);
    for (index, declaration) in STAGES.into_iter().enumerate() {
        for key in declaration.settings {
            let after = folder.fingerprints(&[&format!("{key}={}", changed(key))]);
            assert_ne!(before[index], after[index], "{key} does not change {}", declaration.name);
            let first = before.iter().zip(&after).position(|(before, after)| before != after).unwrap();
            assert!(STAGES[first].settings.contains(key), "{key} changes {}", STAGES[first].name);
        }
    }
}

#[test]
fn every_setting_is_declared_or_known_not_to_matter() {
    /// They change no artifact.
    const NOT_DECLARED: [&str; 12] = [
        "run.name",
        "run.allow_slow_precision",
        "run.device",
        "run.threads",
        "evaluate.profile_seconds",
        "ingest.download_timeout_s",
        "train.checkpoint_every_steps",
        "train.keep_checkpoints",
        "train.log_every_steps",
        "train.max_minutes",
        "train.mlflow_experiment",
        "train.mlflow_uri",
    ];
    let folder = Folder::new("");
    let settings = serde_json::to_value(folder.workspace(&[], &[]).unwrap().settings()).unwrap();
    for (table, keys) in settings.as_object().unwrap() {
        for key in keys.as_object().unwrap().keys() {
            let key = format!("{table}.{key}");
            let declared = STAGES.iter().any(|declaration| declaration.counts(key.as_str()));
            assert_ne!(declared, NOT_DECLARED.contains(&key.as_str()), "{key}");
        }
    }
}

#[test]
fn devices_threads_and_log_intervals_change_nothing() {
    let folder = Folder::new("");
    let set = [
        "run.device=cuda:0",
        "run.threads=3",
        "run.allow_slow_precision=true",
        "train.log_every_steps=1",
        "train.checkpoint_every_steps=7",
        "train.keep_checkpoints=9",
        "train.max_minutes=3.5",
        "evaluate.profile_seconds=0.5",
    ];
    assert_eq!(folder.fingerprints(&[]), folder.fingerprints(&set));
}

#[test]
fn folder_and_order_of_keys_change_nothing() {
    let one = Folder::new("[train]\nepochs = 2\nbatch_size = 4\n[run]\nseed = 7\n");
    let other = Folder::new("[run]\nseed = 7\n[train]\nbatch_size = 4\nepochs = 2\n");
    assert_eq!(one.fingerprints(&[]), other.fingerprints(&[]));
}

#[test]
fn a_file_counts_by_its_contents() {
    let folder = Folder::new("[ingest]\ntrain = \"train.json\"\nvalidation = \"10%\"\n");
    fs::write(folder.path("train.json"), "one").unwrap();
    let before = folder.fingerprints(&[]);
    fs::copy(folder.path("train.json"), folder.path("copy.json")).unwrap();
    let copy = format!("ingest.train={}", folder.path("copy.json").display());
    assert_eq!(before, folder.fingerprints(&[&copy]));
    fs::write(folder.path("train.json"), "two").unwrap();
    assert_ne!(before, folder.fingerprints(&[]));
}

#[test]
fn a_share_of_the_training_data_counts_as_what_it_is() {
    let folder = Folder::new("");
    let share = |percent: &str| folder.fingerprints(&[&format!("ingest.validation={percent}")]);
    assert_eq!(share("10%"), share("10.0%"));
    assert_ne!(share("10%"), share("7.5%"));
    assert_ne!(share("10%"), folder.fingerprints(&[]));
}

#[test]
fn the_base_model_counts_by_the_files_that_are_read() {
    let folder = Folder::new("");
    let before = folder.fingerprints(&[]);
    fs::write(folder.path("model/README.md"), "about it").unwrap();
    assert_eq!(before, folder.fingerprints(&[]));
    fs::write(folder.path("model/vocab.txt"), "[PAD]").unwrap();
    assert_ne!(before, folder.fingerprints(&[]));
}

#[test]
fn a_missing_file_is_named_with_the_setting_and_its_line() {
    let folder = Folder::new("[ingest]\n\ntrain = \"nowhere.json\"\nvalidation = \"10%\"\n");
    let error = folder.workspace(&[], &[]).unwrap().plan().unwrap_err();
    let path = folder.path("").display().to_string();
    assert_eq!(
        error.to_string().replace(&path, ""),
        "pipeline.toml:3: ingest.train = nowhere.json: no such file"
    );
    assert_eq!(crate::ExitKind::exit_code(&error), 3);
}

#[test]
fn differences_name_setting_and_both_values() {
    let folder = Folder::new("");
    let artifact = folder.make(&TOKENIZE_FEATURES, &[]);
    let workspace = folder.workspace(&["tokenize-features.max_length=256", "ingest.seed=1"], &[]).unwrap();
    let planned = workspace.plan_to(&TOKENIZE_FEATURES).unwrap().pop().unwrap();
    let differences = planned.differences(&artifact.manifest);
    assert_eq!(differences.len(), 2, "{differences:?}");
    assert_eq!(differences[0], "tokenize-features.max_length: 384 → 256");
    assert!(differences[1].starts_with("input ingest: "), "{differences:?}");
}

#[test]
fn a_missing_input_names_the_command_that_makes_it() {
    let folder = Folder::new("");
    let workspace = folder.workspace(&[], &[]).unwrap();
    let error = workspace.artifact(&INGEST, "tokenize-features").unwrap_err();
    let help = miette::Diagnostic::help(&error).unwrap().to_string();
    assert!(error.to_string().starts_with("tokenize-features needs an artifact of ingest, and "), "{error}");
    assert!(error.to_string().ends_with("artifacts holds none yet"), "{error}");
    assert!(help.contains("make it and what it needs with `distilburn run --to ingest --config "), "{help}");
}

#[test]
fn a_given_artifact_brings_what_it_was_made_from() {
    let folder = Folder::new("");
    let ingest = folder.make(&INGEST, &["ingest.seed=5"]);
    let features = folder.make(&TOKENIZE_FEATURES, &["ingest.seed=5"]);
    let workspace = folder.workspace(&[], &[input(&features)]).unwrap();
    let planned = workspace.plan_to(&TRAIN).unwrap();
    assert_eq!(planned[0].artifact.as_ref(), Some(&ingest));
    assert_eq!(planned[0].basis, Basis::Lineage(features.dir.clone()));
    assert_eq!(planned[1].basis, Basis::Given);
    assert_eq!(planned[2].fingerprint, folder.fingerprints(&["ingest.seed=5"])[2]);
}

#[test]
fn given_artifacts_that_do_not_belong_together_are_refused() {
    let folder = Folder::new("");
    let ingest = folder.make(&INGEST, &["ingest.seed=5"]);
    let features = folder.make(&TOKENIZE_FEATURES, &["ingest.seed=6"]);
    let inputs = [input(&ingest), input(&features)];
    let error = folder.workspace(&[], &inputs).unwrap().plan_to(&TRAIN).unwrap_err();
    assert!(matches!(&error, Error::Lineage { input, .. } if input == "ingest"), "{error}");

    let features = folder.make(&TOKENIZE_FEATURES, &["ingest.seed=5"]);
    let train = folder.make(&TRAIN, &["ingest.seed=7"]);
    let workspace = folder.workspace(&[], &[input(&ingest), input(&features), input(&train)]).unwrap();
    assert!(workspace.plan_to(&EVALUATE).is_ok(), "a model is evaluated on other data");

    fs::remove_dir_all(&ingest.dir).unwrap();
    let not_there = folder.workspace(&[], &[input(&features)]).unwrap();
    let error = not_there.artifact(&INGEST, "train").unwrap_err();
    assert!(matches!(&error, Error::MissingLineage { input, .. } if input == "ingest"), "{error}");
}

#[test]
fn an_input_of_another_stage_is_refused() {
    let folder = Folder::new("");
    let ingest = folder.make(&INGEST, &[]);
    let mislabelled = Input { stage: "train".to_owned(), dir: ingest.dir };
    let error = folder.workspace(&[], &[mislabelled]).unwrap_err();
    assert!(matches!(&error, Error::OtherStage { found, .. } if found == "ingest"), "{error}");
}

#[test]
fn only_what_the_target_needs_is_planned() {
    let folder = Folder::new("");
    let names = |stage| {
        let planned = folder.workspace(&[], &[]).unwrap().plan_to(stage).unwrap();
        planned.into_iter().map(|planned| planned.declaration.name).collect::<Vec<_>>()
    };
    assert_eq!(names(&TOKENIZE_FEATURES), ["ingest", "tokenize-features"]);
    assert_eq!(names(&EVALUATE), ["ingest", "tokenize-features", "train", "evaluate"]);
}
