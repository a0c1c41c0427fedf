//! What settings make of a whole training, and what stops one: the tiny model, the real stages.

use std::fs;

use serde_json::Value;

use crate::bench::{Bench, Said};
use crate::tiny::{self, DATA};
use crate::whole::alone;

const RECIPE: &str = "--set train.epochs=4 --set train.batch_size=2 --set train.warmup_steps=4";
/// A rate at which no weight changes by as much as the loss can show.
const NO_CHANGE: &str = "--set train.learning_rate=1e-30";

struct Training {
    folder: String,
    metrics: Value,
    /// Its rows of metrics.jsonl about a validation.
    validations: Vec<Value>,
}

/// The text of an error on one line.
fn flat(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn train(bench: &Bench, settings: &str) -> Said {
    bench.run(&format!("distilburn-train --quiet {DATA} {RECIPE} {settings}"))
}

fn trained(bench: &Bench, settings: &str) -> Training {
    let said = train(bench, settings);
    assert_eq!(said.code, Some(0), "{settings}: {said:?}");
    let folder = said.stdout.trim().to_owned();
    let read = |name: &str| fs::read_to_string(bench.path(&folder).join(name)).unwrap();
    let manifest: Value = serde_json::from_str(&read("manifest.json")).unwrap();
    let rows = read("metrics.jsonl");
    let rows = rows.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let validations = rows.filter(|row| row["kind"] == "validation").collect();
    Training { metrics: manifest["metrics"].clone(), validations, folder }
}

#[test]
fn a_training_that_no_longer_improves_stops_early() {
    let _alone = alone();
    let bench = tiny::bench();
    let training = trained(&bench, &format!("{NO_CHANGE} --set train.early_stopping_patience=2"));
    let steps: Vec<_> = training.validations.iter().map(|row| row["global_step"].as_u64().unwrap()).collect();
    // After three of the four epochs: the first is the best, the two after it are no better.
    assert_eq!(steps, [steps[0], 2 * steps[0], 3 * steps[0]]);
    assert_eq!(training.metrics["steps"], steps[2]);
    assert_eq!(training.metrics["best_step"], steps[0]);
}

#[test]
fn the_best_model_is_the_best_by_the_metric_that_was_asked_for() {
    let _alone = alone();
    let bench = tiny::bench();
    let best_step = |metric: &str, larger_is_better: bool| {
        let settings = format!(
            "--set train.metric_for_best={metric} --set train.learning_rate=3e-3 --set train.eval_every_steps=5"
        );
        let training = trained(&bench, &settings);
        assert!(training.validations.len() > 16);
        let value = |row: &Value| row[metric].as_f64().unwrap();
        let better = |a: &&Value, b: &&Value| {
            let order = value(a).total_cmp(&value(b));
            if larger_is_better { order.reverse() } else { order }
        };
        // Of equal ones the first.
        let best = training.validations.iter().min_by(better).unwrap();
        assert_eq!(training.metrics["best_step"], best["global_step"], "{metric}");
        assert_eq!(training.metrics["f1"], best["f1"], "{metric}");
        best["global_step"].as_u64().unwrap()
    };
    let steps = [best_step("f1", true), best_step("exact_match", true), best_step("loss", false)];
    assert!(steps[0] != steps[2], "loss and F1 have to disagree for this to show anything: {steps:?}");
}

#[test]
fn a_training_starts_from_the_weights_of_another_or_of_an_exported_model() {
    let _alone = alone();
    let bench = tiny::bench();
    let recipe = "--set train.learning_rate=1e-2";
    let first = trained(&bench, recipe);
    let loss = |training: &Training, index: usize| training.validations[index]["loss"].as_f64().unwrap();
    let best = first.metrics["validation_loss"].as_f64().unwrap();

    let said = bench.run(&format!("distilburn run --quiet {DATA} {RECIPE} {recipe}"));
    assert_eq!(said.code, Some(0), "{said:?}");
    let said = bench.run(&format!("distilburn path export {DATA} {RECIPE} {recipe}"));
    let exported = format!("{}/model", said.stdout.trim());

    let fresh = trained(&bench, NO_CHANGE);
    assert!((loss(&fresh, 0) - best).abs() > 0.1, "{} and {best} are of different weights", loss(&fresh, 0));
    for source in [&first.folder, &exported] {
        let second = trained(&bench, &format!("{NO_CHANGE} --set train.init_from={source}"));
        assert!((loss(&second, 0) - best).abs() < 1e-6, "{source}: {} for {best}", loss(&second, 0));
    }
}

#[test]
fn a_loss_that_is_not_finite_is_an_error_with_step_examples_and_state() {
    let _alone = alone();
    let bench = tiny::bench();
    let settings =
        "--set train.learning_rate=1e18 --set train.log_every_steps=1 --set train.checkpoint_every_steps=1";
    let said = train(&bench, settings);
    assert_eq!(said.code, Some(1), "{said:?}");
    let expected =
        "the loss is NaN and the gradient norm NaN at step 3; the newest training state is of step 2";
    assert!(flat(&said.stderr).contains(expected), "{}", said.stderr);
    assert_eq!(said.stderr.matches("sample-train-").count(), 2, "{}", said.stderr);
    // The state is still there: with the same settings it ends the same way.
    let said = bench.run(&format!("distilburn-train {DATA} {RECIPE} {settings}"));
    assert!(said.stderr.contains("going on from a training state global_step=2"), "{}", said.stderr);
    assert_eq!(said.code, Some(1));
}

#[test]
fn float16_gradients_that_no_scale_saves_are_an_error_that_names_a_parameter() {
    let _alone = alone();
    // Beyond the largest number of float16.
    let bench = tiny::with_ffn_scale(1e7);
    let said = train(&bench, "--set run.precision=fp16 --set run.allow_slow_precision=true");
    assert_eq!(said.code, Some(1), "{said:?}");
    let flat = flat(&said.stderr);
    assert!(flat.contains("not finite in 24 steps in a row, up to step 24"), "{flat}");
    assert!(flat.contains("first in distilbert.") || flat.contains("first in qa_outputs."), "{flat}");
}
