//! `errors`: what a model gets wrong, most confident first.

use std::collections::BTreeMap;
use std::fmt::Write;

use analysis::EvaluatedQuestion;
use analysis::categories::Category;
use analysis::slices::Slice;
use artifact::{Contexts, SplitName};
use serde_json::{Value, json};
use stage::Workspace;

use crate::Error;
use crate::cli::ErrorsOptions;
use crate::evaluations::Evaluation;
use crate::table::{columns, grouped, one_line};

/// Characters of the context shown on each side of a gold answer.
const AROUND: usize = 60;

/// `distilburn errors`
pub(crate) fn print(options: &ErrorsOptions) -> Result<(), Error> {
    let workspace = Workspace::open(&options.common.settings, &[])?;
    let slices = options.slice.iter().map(|slice| slice.parse()).collect::<Result<Vec<Slice>, _>>()?;
    let own = &workspace.settings().report.slices;
    slices.iter().try_for_each(|slice| slice.check(own.keys().map(String::as_str)))?;
    let evaluation = Evaluation::find(&workspace, options.model.as_deref(), "errors")?;
    let split = options.split.unwrap_or_else(|| evaluation.split());
    let (questions, contexts) = evaluation.questions(split)?;
    for slice in &slices {
        if !questions.iter().any(|question| question.slices.contains(slice)) {
            return Err(Error::EmptySlice { slice: slice.to_string(), split });
        }
    }
    let is_asked_for = |question: &&EvaluatedQuestion| {
        slices.iter().all(|slice| question.slices.contains(slice))
            && (options.category.is_empty()
                || question.category.is_some_and(|category| options.category.contains(&category)))
    };
    let in_slices =
        questions.iter().filter(|question| slices.iter().all(|slice| question.slices.contains(slice)));
    let total = in_slices.count();
    let mut wrong: Vec<&EvaluatedQuestion> =
        questions.iter().filter(is_asked_for).filter(|question| question.category.is_some()).collect();
    // Confident and completely wrong answers say most about the model, or about the data.
    let weight = |question: &EvaluatedQuestion| question.confidence * (1.0 - question.prediction.f1);
    wrong.sort_by(|a, b| weight(b).total_cmp(&weight(a)).then_with(|| a.id.cmp(&b.id)));
    let text = if options.json {
        let shown: Vec<Value> = wrong.iter().take(options.top).map(|question| to_json(question)).collect();
        let summary = json!({
            "evaluation": evaluation.artifact.manifest.fingerprint,
            "split": split.as_str(),
            "temperature": evaluation.temperature(split),
            "questions": total,
            "wrong": wrong.len(),
            "categories": counts(&wrong).into_iter().map(|(category, count)| (category.name(), count)).collect::<BTreeMap<_, _>>(),
            "errors": shown,
        });
        format!("{summary:#}\n")
    } else {
        to_text(&evaluation, split, total, &wrong, &contexts, options.top)
    };
    Ok(stage::print(&text)?)
}

fn counts(wrong: &[&EvaluatedQuestion]) -> Vec<(Category, u64)> {
    let of = |category| wrong.iter().filter(|question| question.category == Some(category)).count() as u64;
    let counts = Category::ALL.into_iter().map(|category| (category, of(category)));
    counts.filter(|(_, count)| *count > 0).collect()
}

fn to_text(
    evaluation: &Evaluation,
    split: SplitName,
    total: usize,
    wrong: &[&EvaluatedQuestion],
    contexts: &Contexts,
    top: usize,
) -> String {
    let confidences = match evaluation.temperature(split) {
        Some(temperature) => {
            format!("confidences are calibrated, as `ask` shows them: scores are divided by {temperature:.2}")
        }
        None => "confidences are not calibrated: this evaluation fitted no temperature".to_owned(),
    };
    let mut text = format!(
        "{}: {} of {} {split} questions are answered wrongly\n{confidences}\n\n",
        evaluation.name(),
        grouped(wrong.len() as u64),
        grouped(total as u64)
    );
    let rows: Vec<Vec<String>> = counts(wrong)
        .into_iter()
        .map(|(category, count)| {
            let share = 100.0 * count as f64 / wrong.len().max(1) as f64;
            vec![
                category.name().to_owned(),
                category.label().to_owned(),
                grouped(count),
                format!("{share:.1} %"),
            ]
        })
        .collect();
    text.push_str(&columns(&rows, 2));
    for question in wrong.iter().take(top) {
        let context = contexts.get(question.context_id).context;
        let golds: Vec<String> = distinct(question).iter().map(|gold| format!("{gold:?}")).collect();
        let category = question.category.map_or("", Category::label);
        let predicted = match question.prediction.prediction_text.as_str() {
            "" => "(no answer)".to_owned(),
            predicted => format!("{predicted:?}"),
        };
        let _ = write!(
            text,
            "\n{}\n  predicted  {predicted}  ({:.0} % sure, F1 {:.0})\n  gold       {}\n  {category}; {}\n",
            question.question.split_whitespace().collect::<Vec<_>>().join(" "),
            100.0 * question.confidence,
            100.0 * question.prediction.f1,
            if golds.is_empty() { "(no answer)".to_owned() } else { golds.join(", ") },
            one_line(&question.id),
        );
        if let Some((gold, start)) = question.ground_truths.first() {
            let _ = writeln!(text, "  {}", around(context, *start, gold.chars().count()));
        }
    }
    if wrong.len() > top {
        let _ = writeln!(text, "\n{} more: --top {}", grouped((wrong.len() - top) as u64), wrong.len());
    }
    text
}

/// Gold answers without repetitions, in their order.
fn distinct(question: &EvaluatedQuestion) -> Vec<&str> {
    let mut golds: Vec<&str> = Vec::new();
    for (gold, _) in &question.ground_truths {
        if !golds.contains(&gold.as_str()) {
            golds.push(gold);
        }
    }
    golds
}

/// An answer in its context, on one line.
fn around(context: &str, start: i32, length: usize) -> String {
    let start = usize::try_from(start).unwrap_or(0);
    let first = start.saturating_sub(AROUND);
    let shown: String = context.chars().skip(first).take(start - first + length + AROUND).collect();
    let more = context.chars().count() > start + length + AROUND;
    let shown = shown.split_whitespace().collect::<Vec<_>>().join(" ");
    format!("{}{shown}{}", if first > 0 { "…" } else { "" }, if more { "…" } else { "" })
}

fn to_json(question: &EvaluatedQuestion) -> Value {
    json!({
        "id": question.id,
        "question": question.question,
        "ground_truths": question.ground_truths.iter().map(|(text, start)| json!({"text": text, "start_char": start})).collect::<Vec<_>>(),
        "prediction_text": question.prediction.prediction_text,
        "start_char": question.prediction.start_char,
        "confidence": question.confidence,
        "f1": 100.0 * question.prediction.f1,
        "base_prediction_text": question.base.prediction_text,
        "category": question.category.map(Category::name),
        "slices": question.slices.iter().map(Slice::to_string).collect::<Vec<_>>(),
    })
}
