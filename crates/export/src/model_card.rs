//! The model card: `README.md` as Hugging Face shows it.

use std::fmt::Write;

use analysis::slices::SLICINGS;
use artifact::{Calibration, Interval, Origin, PartScores, Scores, SliceScores, Sources};
use distilbert::Config;
use serde_json::{Map, Value};

use crate::facts::Facts;

/// The whole card. The numbers are those of [`Facts`]; `parameters` is the size of the exported model.
pub(crate) fn model_card(facts: &Facts, config: &Config, parameters: u64) -> String {
    [
        front_matter(facts),
        introduction(facts, config, parameters),
        results(facts),
        usage(config, facts.usage.no_answer),
        training(facts),
        limits(facts),
        lineage(facts),
    ]
    .join("\n")
}

/// See <https://huggingface.co/docs/hub/model-cards>.
fn front_matter(facts: &Facts) -> String {
    // The name is known only if the base model was named by its Hub id.
    let base_model = match facts.base_model["name"].as_str() {
        Some(name) => format!("base_model: {}\n", Value::from(name)),
        None => String::new(),
    };
    let (data_type, data_name) = dataset(origins(facts, |sources| &sources.validation));
    let test = facts.test_results.as_ref().map_or_else(String::new, |scores| {
        let (data_type, data_name) = dataset(origins(facts, |sources| &sources.test));
        format!(
            "  - task:
      type: question-answering
      name: Extractive question answering
    dataset:
      type: {data_type}
      name: {data_name}
      split: test
{}",
            metrics(scores)
        )
    });
    format!(
        "---
library_name: transformers
pipeline_tag: question-answering
{base_model}tags:
- distilbert
- extractive-question-answering
- distilburn
metrics:
- exact_match
- f1
model-index:
- name: distilburn-{train:.8}
  results:
  - task:
      type: question-answering
      name: Extractive question answering
    dataset:
      type: {data_type}
      name: {data_name}
      split: validation
{scores}{test}---
",
        train = plain(value(&facts.lineage, "train")),
        scores = metrics(&facts.results),
    )
}

/// Type and name of what a split came from.
fn dataset(origins: &[Origin]) -> (String, Value) {
    let data_type = match origins {
        [Origin::Generated { .. }] => "distilburn-sample".to_owned(),
        [Origin::Hub { id, .. }] => Value::from(id.as_str()).to_string(),
        _ => "custom".to_owned(),
    };
    (data_type, Value::from(named(origins)))
}

/// The scores of a split, in the Hub's format.
fn metrics(scores: &Scores) -> String {
    format!(
        "    metrics:
    - type: exact_match
      name: Exact match
      value: {:.2}
    - type: f1
      name: F1
      value: {:.2}
",
        scores.exact_match, scores.f1
    )
}

fn introduction(facts: &Facts, config: &Config, parameters: u64) -> String {
    format!(
        "# DistilBERT for extractive question answering

Given a question and a text, finds the span of the text that answers it. A DistilBERT of {} layers × {}
({:.1} million parameters, fp32), fine-tuned with distilburn on {} questions.
",
        config.n_layers,
        config.dim,
        parameters as f64 / 1e6,
        questions(facts, "train"),
    )
}

fn results(facts: &Facts) -> String {
    let validation = results_table(facts, "validation", &facts.results);
    let note = "Per cent, with the answer normalisation of SQuAD's official script; intervals by context.";
    let chosen = match facts.evaluation["evaluate.null_threshold"].as_str() {
        Some("auto") => "the best weights, the no-answer threshold and the temperature",
        _ => "the best weights and the temperature",
    };
    match &facts.test_results {
        Some(test) => format!(
            "## Results\n\n{}\n{validation}\n{note} The validation questions chose\n{chosen}, so their scores are a little \
             too high; the test questions chose nothing.\n{}",
            results_table(facts, "test", test),
            slices(test),
        ),
        None => format!(
            "## Results\n\n{validation}\n{note} The same questions chose\n{chosen}, so their scores are a little too \
             high.\n{}",
            slices(&facts.results),
        ),
    }
}

fn results_table(facts: &Facts, split: &str, scores: &Scores) -> String {
    let head = match facts.base_model["qa_head"] {
        Value::Bool(true) => "the base model with its own head",
        _ => "the base model with an untrained head",
    };
    let mut table = format!(
        "| {} {split} questions | exact match | F1 |
|---|---|---|
| {head} | {:.2} | {:.2} |
| this model (95 % interval) | {:.2}{} | {:.2}{} |
",
        scores.questions,
        scores.base_exact_match,
        scores.base_f1,
        scores.exact_match,
        within(scores.exact_match_interval),
        scores.f1,
        within(scores.f1_interval),
    );
    for (what, part) in [("with an answer", scores.has_answer), ("without", scores.no_answer)] {
        if let Some(PartScores { exact_match, f1, .. }) = part {
            let _ = writeln!(table, "| this model, questions {what} | {exact_match:.2} | {f1:.2} |");
        }
    }
    table
}

fn within(interval: Option<Interval>) -> String {
    interval.map_or_else(String::new, |Interval { low, high }| format!(" ({low:.1} to {high:.1})"))
}

/// Slices with enough questions to be meaningful.
fn slices(scores: &Scores) -> String {
    /// The slicings that tell most in few lines.
    const SHOWN: [&str; 2] = ["question_word", "answer_type"];
    const LEAST_QUESTIONS: u64 = 20;
    let mut text = String::new();
    for slicing in SLICINGS.iter().filter(|slicing| SHOWN.contains(&slicing.name)) {
        let shown =
            |slice: &&SliceScores| slice.slicing == slicing.name && slice.questions >= LEAST_QUESTIONS;
        let rows: Vec<String> = scores
            .slices
            .iter()
            .filter(shown)
            .map(|SliceScores { value, questions, exact_match, f1, f1_interval, .. }| {
                format!("| {value} | {questions} | {exact_match:.1} | {f1:.1}{} |\n", within(*f1_interval))
            })
            .collect();
        if rows.len() > 1 {
            let _ = write!(
                text,
                "\n| {} | questions | exact match | F1 |\n|---|---|---|---|\n{}",
                slicing.label,
                rows.concat()
            );
        }
    }
    text
}

fn usage(config: &Config, no_answer: bool) -> String {
    /// The usual window length for `SQuAD`.
    const USUAL_MAX_LENGTH: usize = 384;
    // At [CLS], the first token, such a model says that there is no answer.
    let cls = if no_answer { "outside[0] = False  # [CLS] stands for \"no answer\"\n" } else { "" };
    let last = if no_answer {
        "print(context[offsets[first][0] : offsets[last][1]] if first > 0 else \"(no answer)\")"
    } else {
        "print(context[offsets[first][0] : offsets[last][1]])"
    };
    format!(
        "## Use

```python
import torch
from transformers import AutoModelForQuestionAnswering, AutoTokenizer

folder = \".\"  # where this file is
tokenizer = AutoTokenizer.from_pretrained(folder)
model = AutoModelForQuestionAnswering.from_pretrained(folder).eval()

question = \"Who wrote the book?\"
context = \"The book was written by Ada Lovelace in 1843.\"
inputs = tokenizer(question, context, truncation=\"only_second\", max_length={max_length},
                   return_offsets_mapping=True, return_tensors=\"pt\")
outside = torch.tensor([sequence != 1 for sequence in inputs.sequence_ids()])
{cls}offsets = inputs.pop(\"offset_mapping\")[0]
with torch.no_grad():
    output = model(**inputs)
start = output.start_logits[0].masked_fill(outside, -torch.inf)
end = output.end_logits[0].masked_fill(outside, -torch.inf)
scores = start[:, None] + end[None, :]
scores[torch.ones_like(scores).tril(-1).bool()] = -torch.inf  # an answer ends where it starts, or later
first, last = divmod(scores.argmax().item(), len(end))
{last}
```

Without Python: `distilburn ask --model FOLDER --question … --context …`, which also cuts long texts into windows.
",
        max_length = USUAL_MAX_LENGTH.min(config.max_position_embeddings),
    )
}

fn training(facts: &Facts) -> String {
    let data = named(origins(facts, |sources| &sources.train));
    let validation = named(origins(facts, |sources| &sources.validation));
    let test = match origins(facts, |sources| &sources.test) {
        [] => String::new(),
        test => format!("- Test data: {} questions, {}.\n", questions(facts, "test"), named(test)),
    };
    let base = &facts.base_model;
    let (family, converted) = match base["model_type"].as_str() {
        Some("bert") => ("BERT", ", converted to DistilBERT without loss (token types are all 0)"),
        _ => ("DistilBERT", ""),
    };
    let origin = named(origins(facts, |sources| &sources.base_model));
    let settings: Vec<String> = facts
        .recipe
        .as_object()
        .into_iter()
        .flatten()
        .map(|(key, setting)| format!("| {key} | {} |\n", plain(setting)))
        .collect();
    format!(
        "## Training

- Training data: {} questions, {data}.
- Validation data: {} questions, {validation}.
{test}- Base model: {family}{converted}, {origin}.
- {} optimizer steps; the weights are those after step {}, the best validation by F1.
- Ran on {}, matrix products in {}.

| setting | value |
|---|---|
{}",
        questions(facts, "train"),
        questions(facts, "validation"),
        facts.training.steps,
        facts.training.best_step,
        plain(value(&facts.ran_on, "device")),
        plain(value(&facts.ran_on, "precision")),
        settings.concat(),
    )
}

fn limits(facts: &Facts) -> String {
    let abstains = if facts.usage.no_answer {
        "- Its training data had questions without an answer, so it can reply that there is no answer (`no_answer` in\n  \
         `training_config.json`).\n"
    } else {
        "- It always gives an answer, because its training data had no questions without an answer.\n"
    };
    let confidence = match facts.results.calibration {
        Some(Calibration { temperature, uncalibrated, calibrated }) => format!(
            "- Its probabilities are not exact. On validation they differ from the share of right answers by {:.1} points on average\n  \
             (expected calibration error) if scores are divided by the temperature {temperature:.2}, as `distilburn ask` \
             does, else by \
             {:.1}.\n",
            100.0 * calibrated.expected_calibration_error,
            100.0 * uncalibrated.expected_calibration_error,
        ),
        None => "- Its scores are not probabilities.\n".to_owned(),
    };
    let mut text = format!(
        "## Limits

- It copies one span of the given text. It has no other knowledge and does not combine passages.
{confidence}{abstains}- The results above hold for text and questions like the validation split's; expect less elsewhere.
- It inherits the base model's language, vocabulary, biases and licence.
"
    );
    if matches!(origins(facts, |sources| &sources.train), [Origin::Generated { .. }]) {
        text.push_str(
            "- It was trained on generated paragraphs with a few question patterns: a demonstration, not a model to rely\n  on for real text.\n",
        );
    }
    text
}

fn lineage(facts: &Facts) -> String {
    let stages: Vec<String> = facts
        .lineage
        .iter()
        .map(|(stage, fingerprint)| format!("| {stage} | `{}` |\n", plain(fingerprint)))
        .collect();
    let versions: Vec<String> = facts
        .versions
        .as_object()
        .into_iter()
        .flatten()
        .map(|(name, version)| format!("{name} {}", plain(version)))
        .collect();
    format!(
        "## Lineage

| stage | artifact |
|---|---|
{}
Made with {}. `training_config.json` holds all of this as JSON.
",
        stages.concat(),
        versions.join(", "),
    )
}

/// Where a split or the base model came from; empty if that was not recorded.
fn origins(facts: &Facts, of: impl Fn(&Sources) -> &Vec<Origin>) -> &[Origin] {
    facts.sources.as_ref().map_or(&[], |sources| of(sources).as_slice())
}

/// The same in words.
fn named(origins: &[Origin]) -> String {
    let named = origins.iter().map(|origin| match origin {
        Origin::Generated { seed } => format!("generated by distilburn (seed {seed})"),
        Origin::File { name, blake3 } => format!("the file `{name}` (BLAKE3 `{blake3}`)"),
        Origin::Url { url, sha256 } => format!("<{url}> (SHA-256 `{sha256}`)"),
        Origin::Hub { id, commit } => format!("`{id}` of the Hugging Face Hub (commit `{commit}`)"),
        Origin::ShareOfTrain { percent } => format!("{percent} % of the training contexts, set aside"),
    });
    match named.collect::<Vec<_>>().as_slice() {
        [] => "from an unrecorded source".to_owned(),
        all => all.join(", "),
    }
}

fn questions(facts: &Facts, split: &str) -> String {
    facts.data.get(split).map_or_else(|| "unknown".to_owned(), |counts| counts.questions.to_string())
}

/// The value of `key` in a manifest; null if there is none.
fn value<'a>(map: &'a Map<String, Value>, key: &str) -> &'a Value {
    map.get(key).unwrap_or(&Value::Null)
}

/// A value as it reads in a sentence.
fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Null => "unknown".to_owned(),
        value => value.to_string(),
    }
}

#[cfg(test)]
mod tests;
