//! The report in short, as Markdown: for a pull request, or the page of a CI job.

use std::fmt::Write;

use artifact::ScoreWithInterval;
use page::number::{grouped, p_value, signed};
use page::text::{markdown, shortened};

use crate::figures::Figures;
use crate::inputs::Inputs;
use crate::verdict::{Verdict, phrase, with_interval};

/// Rows of each table.
const ROWS: usize = 10;
/// Letters of a question or an answer.
const LETTERS: usize = 120;

pub(crate) fn render(inputs: &Inputs, figures: &Figures, verdict: &Verdict) -> String {
    let mut text = format!("## {} {}\n", markdown(&verdict.scores), markdown(&verdict.worst));
    let all = figures.all();
    let row = |name: &str, before: ScoreWithInterval, after| {
        format!("| {name} | {} | {} |\n", with_interval(before), with_interval(after))
    };
    let _ = write!(
        text,
        "\n| {} {} questions | before fine-tuning | after |\n|---|---:|---:|\n{}{}",
        grouped(all.questions),
        inputs.split,
        row("F1 (95 % interval)", all.base_f1, all.f1),
        row("exact match", all.base_exact_match, all.exact_match),
    );
    text.push('\n');
    for note in &verdict.notes {
        let _ = writeln!(text, "- {}", markdown(note));
    }
    worst(&mut text, figures);
    categories(&mut text, figures);
    if inputs.texts {
        errors(&mut text, inputs, figures);
    }
    let _ = writeln!(
        text,
        "\nThe page `report.html` has all slices, up to 500 wrong answers, calibration, data, cost and recipe. {}",
        markdown(&format!(
            "distilburn {}, {}.",
            crate::sections::version(inputs),
            crate::sections::name(inputs)
        ))
    );
    text
}

fn worst(text: &mut String, figures: &Figures) {
    let worst = figures.worst();
    if worst.is_empty() {
        return;
    }
    text.push_str("\n### Worst at\n\n| | questions | F1 | from the others | p, corrected |\n|---|---:|---:|---:|---:|\n");
    for slice in worst.into_iter().take(ROWS) {
        let row = &slice.row;
        let _ = writeln!(
            text,
            "| {} | {} | {} | {} | {} |",
            markdown(&phrase(&row.slicing, &shortened(&row.value, LETTERS))),
            grouped(row.questions),
            with_interval(row.f1),
            row.difference_from_rest.map_or_else(String::new, |difference| signed(difference, 1)),
            row.p_value_of_rest.map_or_else(String::new, |p| markdown(&p_value(p))),
        );
    }
}

fn categories(text: &mut String, figures: &Figures) {
    if figures.categories.is_empty() {
        return;
    }
    text.push_str("\n### Wrong answers\n\n| | answers | share |\n|---|---:|---:|\n");
    for (category, count) in &figures.categories {
        let share = 100.0 * *count as f64 / figures.wrong().max(1) as f64;
        let _ = writeln!(text, "| {} | {} | {share:.1} % |", markdown(category.label()), grouped(*count));
    }
}

/// The wrong answers that the model was most certain of.
fn errors(text: &mut String, inputs: &Inputs, figures: &Figures) {
    let mut wrong: Vec<_> = inputs.questions.iter().filter(|question| question.category.is_some()).collect();
    if wrong.is_empty() {
        return;
    }
    let weight =
        |question: &analysis::EvaluatedQuestion| question.confidence * (1.0 - question.prediction.f1);
    wrong.sort_by(|a, b| weight(b).total_cmp(&weight(a)).then_with(|| a.id.cmp(&b.id)));
    let _ = write!(
        text,
        "\n<details><summary>The {} of {} that it was most certain of</summary>\n\n\
         | question | model | gold | confidence{calibrated} |\n|---|---|---|---:|\n",
        wrong.len().min(ROWS),
        grouped(figures.wrong()),
        calibrated = if inputs.calibration().is_some() { ", calibrated" } else { ", not calibrated" },
    );
    let cell = |text: &str| {
        if text.is_empty() { "*no answer*".to_owned() } else { markdown(&shortened(text, LETTERS)) }
    };
    for question in wrong.into_iter().take(ROWS) {
        let _ = writeln!(
            text,
            "| {} | {} | {} | {:.0} % |",
            cell(&question.question),
            cell(&question.prediction.prediction_text),
            cell(question.ground_truths.first().map_or("", |(gold, _)| gold)),
            100.0 * question.confidence,
        );
    }
    text.push_str("\n</details>\n");
}
