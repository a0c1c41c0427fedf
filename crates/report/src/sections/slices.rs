//! What kinds of questions the model is good and bad at.

use analysis::slices::SLICINGS;
use artifact::SliceRow;
use maud::{Markup, html};
use page::Table;
use page::chart::{IntervalChart, IntervalRow, Look, key};
use page::number::{grouped, p_value, signed};
use page::text::shortened;

use crate::figures::{ALPHA, Figures, LEAST_IN_SLICE, ScoredSlice};
use crate::inputs::Inputs;
use crate::verdict::{phrase, range, with_interval};

/// Rows of a chart; of more slices the ones with the lowest F1 are shown.
const MOST_ROWS: usize = 24;
/// Rows of the table of the worst.
const MOST_WORST: usize = 12;
/// Letters of a title.
const TITLE: usize = 60;

pub(super) fn render(inputs: &Inputs, figures: &Figures) -> Markup {
    html! {
        (worst(figures))
        h3 { "All kinds" }
        p { "F1 of each kind of question, with its 95 % interval. The dashed line is F1 of all questions." }
        (key(&[("fine-tuned", Look::Dot), ("before fine-tuning", Look::Diamond)]))
        div.charts.columns { @for (name, title) in kinds() {
            @let slices: Vec<&ScoredSlice> = figures.of_slicing(name).collect();
            @let tells_apart = slices.len() > 1 || slices.iter().any(|slice| slice.row.questions < figures.all().questions);
            @if tells_apart { (chart(name, &title, &slices, figures)) }
        } }
        @let empty: Vec<&String> = inputs.own_slices.iter().filter(|name| is_empty(figures, name)).collect();
        @if !empty.is_empty() {
            p { "No question is in these slices of " code { "report.slices" } ": "
                @for (index, name) in empty.iter().enumerate() { @if index > 0 { ", " } (shortened(name, TITLE)) } "." }
        }
    }
}

fn is_empty(figures: &Figures, own: &str) -> bool {
    !figures.of_slicing("own").any(|slice| slice.row.value == own)
}

/// All slicings with what people read.
fn kinds() -> impl Iterator<Item = (&'static str, String)> {
    let capital = |label: &str| {
        let mut letters = label.chars();
        letters
            .next()
            .map_or_else(String::new, |first| first.to_uppercase().collect::<String>() + letters.as_str())
    };
    let built_in = SLICINGS.into_iter().map(move |slicing| (slicing.name, capital(slicing.label)));
    let others = [("audit", "Findings of the audit"), ("own", "Your own slices")];
    built_in.chain(others.map(|(name, label)| (name, label.to_owned())))
}

/// Slices that are significantly worse than the rest.
fn worst(figures: &Figures) -> Markup {
    let worst = figures.worst();
    if worst.is_empty() {
        return html! { p {
            "No kind of question with at least " (LEAST_IN_SLICE)
            " questions is significantly worse than the others (two-sided tests of F1 by contexts, corrected by Holm’s method)."
        } };
    }
    let row = |slice: &&ScoredSlice| {
        let SliceRow { slicing, value, questions, f1, .. } = &slice.row;
        let difference = slice.row.difference_from_rest.unwrap_or_default();
        vec![
            html! { (phrase(slicing, &shortened(value, TITLE))) },
            html! { (grouped(*questions)) },
            html! { (with_interval(*f1)) },
            html! { (signed(difference, 1)) },
            html! { (slice.row.p_value_of_rest.map_or_else(String::new, p_value)) },
        ]
    };
    let table = Table {
        caption: "Kinds of questions that are significantly worse than the others, worst first",
        head: &["", "questions", "F1 (95 % interval)", "points from the others", "p, corrected"],
        words: 1,
        rows: worst.iter().take(MOST_WORST).map(row).collect(),
    };
    html! {
        (table.render())
        p.quiet {
            @if worst.len() > MOST_WORST { (worst.len() - MOST_WORST) " more are below. " }
            "Each kind is tested against all other questions: a t-test by contexts, corrected for the number of kinds by \
             Holm’s method. Kinds below " (LEAST_IN_SLICE) " questions are not tested."
        }
    }
}

fn chart(slicing: &str, title: &str, slices: &[&ScoredSlice], figures: &Figures) -> Markup {
    let mut shown: Vec<&ScoredSlice> = slices.to_vec();
    if shown.len() > MOST_ROWS || slicing == "article" {
        // Single questions of an article say nothing about it.
        shown.sort_by(|a, b| {
            let is_small = |slice: &ScoredSlice| slice.members.len() < LEAST_IN_SLICE;
            is_small(a).cmp(&is_small(b)).then(a.row.f1.mean.total_cmp(&b.row.f1.mean))
        });
        shown.truncate(MOST_ROWS);
    }
    let left = slices.len() - shown.len();
    let title = if left > 0 {
        format!("{title}: the {} lowest of {}", shown.len(), slices.len())
    } else {
        title.to_owned()
    };
    let rows: Vec<IntervalRow> = shown.iter().map(|slice| interval_row(slicing, &slice.row)).collect();
    let words: Vec<String> = rows.iter().map(IntervalRow::in_words).collect();
    let numbers = Table {
        caption: &title,
        head: &[
            "",
            "questions",
            "F1",
            "95 % interval",
            "exact match",
            "F1 before",
            "p of the change",
            "from the others",
            "p",
        ],
        words: 1,
        rows: shown.iter().zip(&rows).map(|(slice, row)| numbers(&slice.row, &row.name)).collect(),
    };
    IntervalChart {
        id: &format!("slices-{slicing}"),
        title: &title,
        description: &format!(
            "F1 in per cent. {}. All questions: {:.1}.",
            words.join("; "),
            figures.all().f1.mean
        ),
        rows: &rows,
        overall: figures.all().f1.mean,
        numbers,
    }
    .render()
}

fn interval_row(slicing: &str, row: &SliceRow) -> IntervalRow {
    let is_number = row.value.starts_with(|first: char| first.is_ascii_digit());
    let name = match slicing {
        "answer_length" | "context_length" | "windows" if is_number => range(&row.value),
        "audit" => row.value.trim_start_matches("answer_").replace('_', " "),
        _ => shortened(&row.value, TITLE),
    };
    let interval = row.f1.interval.map(|interval| (interval.low, interval.high));
    IntervalRow { name, questions: row.questions, score: row.f1.mean, interval, before: row.base_f1.mean }
}

fn numbers(row: &SliceRow, name: &str) -> Vec<Markup> {
    let p = |value: Option<f64>| value.map_or_else(|| "–".to_owned(), p_value);
    let interval = row.f1.interval.map(|of| format!("{:.1} to {:.1}", of.low, of.high));
    let is_certain = row.p_value_of_rest.is_some_and(|p_value| p_value <= ALPHA);
    vec![
        html! { (name) },
        html! { (grouped(row.questions)) },
        html! { (format!("{:.1}", row.f1.mean)) },
        html! { (interval.unwrap_or_else(|| "–".to_owned())) },
        html! { (format!("{:.1}", row.exact_match.mean)) },
        html! { (format!("{:.1}", row.base_f1.mean)) },
        html! { (p(row.p_value_of_gain)) },
        html! { @if is_certain { strong { (difference(row)) } } @else { (difference(row)) } },
        html! { (p(row.p_value_of_rest)) },
    ]
}

fn difference(row: &SliceRow) -> String {
    row.difference_from_rest.map_or_else(|| "–".to_owned(), |difference| signed(difference, 1))
}
