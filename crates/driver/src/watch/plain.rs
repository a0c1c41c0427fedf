//! A training in a few lines of text or one JSON object, for pipes, logs and `--once`.

use std::fmt::Write;

use serde_json::{Value, json};

use super::curve::label;
use super::training::{State, Training, Validation};
use super::view::{in_words, thousands};
use crate::table::align;

/// What the files say now.
pub(super) fn text(training: &Training) -> String {
    let mut text =
        format!("train {}: {}\n{}\n", training.name(), training.state.as_str(), training.dir.display());
    let Some(last) = &training.last else {
        for line in training.before_the_first_line() {
            let _ = writeln!(text, "{line}");
        }
        return text;
    };
    let step = training.step.as_ref().unwrap_or(last);
    let number = |value: Option<f64>| value.map_or_else(|| "–".to_owned(), |value| format!("{value:.3}"));
    let mut rows: Vec<[String; 2]> = Vec::new();
    let of = |done: u64, all: u64| format!("{} of {}", thousands(done as f64), thousands(all as f64));
    let mut add =
        |name: &str, value: Option<String>| rows.extend(value.map(|value| [name.to_owned(), value]));
    add("step", Some(of(last.global_step, last.total_steps)));
    add("epoch", Some(of(last.epoch.into(), last.epochs.into())));
    add("loss", Some(format!("{} (smoothed {})", number(step.loss), number(step.loss_smoothed))));
    add("learning rate", step.learning_rate.map(|rate| format!("{rate:.2e}")));
    add("gradient norm", step.grad_norm.map(|norm| format!("{norm:.2}")));
    add("scale", step.loss_scale.map(label));
    let skipped = training.skipped_steps();
    add("skipped steps", (step.loss_scale.is_some() || skipped > 0).then(|| skipped.to_string()));
    add("features/s", step.features_per_s.map(|speed| format!("{speed:.1}")));
    add("tokens/s", step.tokens_per_s.map(thousands));
    add("left", training.eta().map(in_words));
    let best = training.best().map(|best| {
        let step = thousands(best.global_step as f64);
        format!("{:.1}, exact match {:.1}, at step {step}", best.f1, best.exact_match)
    });
    add("best F1", Some(best.unwrap_or_else(|| "no validation yet".to_owned())));
    let _ = write!(text, "{}", align(&rows));
    if training.state == State::Stopped {
        text.push_str("the command that started it resumes it\n");
    }
    text
}

/// The same for a program; `last` and `step` have the fields of `metrics.jsonl`.
pub(super) fn json(training: &Training) -> Value {
    json!({
        "path": training.dir,
        "state": training.state.as_str(),
        "last": training.last,
        "step": training.step,
        "skipped_steps": training.skipped_steps(),
        "eta_s": training.eta().map(|eta| eta.as_secs()),
        "best": training.best().map(validation),
        "validations": training.validations.iter().map(validation).collect::<Vec<_>>(),
    })
}

fn validation(validation: &Validation) -> Value {
    let Validation { global_step, loss, exact_match, f1 } = validation;
    json!({ "global_step": global_step, "loss": loss, "exact_match": exact_match, "f1": f1 })
}
