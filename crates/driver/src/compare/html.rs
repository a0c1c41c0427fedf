//! A comparison as a page.

use analysis::slices::SLICINGS;
use maud::{Markup, html};
use page::chart::{IntervalChart, IntervalRow, Look, key};
use page::number::{grouped, p_value, signed};
use page::text::shortened;
use page::{Document, Table};
use statistics::Interval;

use super::sides::Questions;
use super::{Change, Comparison, LEVEL, OfSlice};

/// Letters of a slice's name.
const NAME: usize = 60;

pub(super) fn page(questions: &Questions, comparisons: &[Comparison]) -> String {
    let asked = format!("{} {}", grouped(questions.ids.len() as u64), questions.what);
    let body = html! {
        a.skip href="#main" { "Skip to the comparison" }
        header {
            h1 { "distilburn compare · " (asked) }
            p { "A is " code { (comparisons[0].before) } "." }
        }
        main #main { @for (number, comparison) in (1..).zip(comparisons) {
            section id={ "b" (number) } aria-labelledby={ "b" (number) "-heading" } {
                h2 id={ "b" (number) "-heading" } { "B is " code { (comparison.after) } }
                (section(number, comparison))
            }
        } }
        footer { p {
            "Intervals, and tests of F1, are by contexts, because questions about one context are alike. They hold for other \
             questions, not for other seeds. p-values of slices are corrected by Holm’s method."
        } }
    };
    Document { title: &format!("{asked} – distilburn compare"), body }.render()
}

fn verdict(comparison: &Comparison) -> String {
    let Change { before, after, difference } = &comparison.f1;
    if comparison.is_same {
        return format!("The same answers: F1 {:.1}.", 100.0 * after.mean);
    }
    let words = comparison.verdict();
    let (first, rest) = words.split_at(1);
    format!(
        "{}{rest}. F1 {:.1} → {:.1} ({}).",
        first.to_uppercase(),
        100.0 * before.mean,
        100.0 * after.mean,
        signed(100.0 * difference.mean, 1),
    )
}

fn section(number: usize, comparison: &Comparison) -> Markup {
    html! {
        p.verdict { (verdict(comparison)) }
        @if !comparison.differs.is_empty() {
            h3 { "What differs, A → B" }
            ul { @for difference in &comparison.differs { li { code { (difference) } } } }
        }
        h3 { "Scores" }
        (scores(comparison).render())
        @if let Some(interval) = comparison.f1_by_article {
            p { "With whole articles resampled, the difference in F1 is " (points(interval)) "." }
        }
        @if let Some(flips) = comparison.flips {
            p {
                "B is right where A is wrong on " (grouped(flips.gained as u64)) " questions, and wrong where A is right on "
                (grouped(flips.lost as u64)) ". The p of exact match is that of the exact McNemar test."
            }
        }
        @for (side, spread) in ["A", "B"].iter().zip(comparison.spreads) {
            @if let Some((low, high)) = spread {
                p { "The runs of " (side) " have F1 from " (format!("{low:.1} to {high:.1}")) "." }
            }
        }
        @if !comparison.is_same {
            h3 { "Kinds of questions" }
            (key(&[("B, with its 95 % interval", Look::Dot), ("A", Look::Diamond)]))
            div.charts.columns { @for (slicing, label) in slicings() {
                @let slices: Vec<&OfSlice> = comparison.slices.iter().filter(|of| of.slice.slicing == slicing).collect();
                @if !slices.is_empty() { (chart(number, slicing, label, &slices, comparison)) }
            } }
        }
    }
}

/// Those of the data with what people read, and slices of one's own.
fn slicings() -> impl Iterator<Item = (&'static str, &'static str)> {
    let built_in = SLICINGS.into_iter().map(|slicing| (slicing.name, slicing.label));
    built_in.chain([("audit", "findings of the audit"), ("own", "your own slices")])
}

fn scores(comparison: &Comparison) -> Table<'static> {
    let row = |name: &str, change: &Change, p: Option<f64>| {
        let mut row = vec![html! { (name) }];
        row.extend(cells(change, p));
        row
    };
    Table {
        caption: "Scores of all questions",
        head: &["", "A", "B", "B − A", "95 % interval", "p"],
        words: 1,
        rows: vec![
            row("Exact match", &comparison.exact_match, comparison.exact_match_p_value()),
            row("F1", &comparison.f1, comparison.f1.difference.p_value()),
        ],
    }
}

fn cells(change: &Change, p: Option<f64>) -> [Markup; 5] {
    [
        format!("{:.1}", 100.0 * change.before.mean),
        format!("{:.1}", 100.0 * change.after.mean),
        signed(100.0 * change.difference.mean, 1),
        change.difference.interval(LEVEL).map_or_else(|| "–".to_owned(), points),
        p.map_or_else(|| "–".to_owned(), p_value),
    ]
    .map(|text| html! { (text) })
}

fn chart(number: usize, slicing: &str, label: &str, slices: &[&OfSlice], comparison: &Comparison) -> Markup {
    let name = |of: &OfSlice| shortened(&of.slice.value, NAME);
    let row = |of: &&OfSlice| IntervalRow {
        name: name(of),
        questions: of.f1.after.questions as u64,
        score: 100.0 * of.f1.after.mean,
        interval: of.f1.after.interval(LEVEL).map(|of| (100.0 * of.low, 100.0 * of.high)),
        before: 100.0 * of.f1.before.mean,
    };
    let rows: Vec<IntervalRow> = slices.iter().map(row).collect();
    let words: Vec<String> = rows.iter().map(IntervalRow::in_words).collect();
    let title = format!("F1 by {label}");
    let numbers = |of: &&OfSlice| {
        let mut row = vec![html! { (name(of)) }, html! { (grouped(of.f1.after.questions as u64)) }];
        row.extend(cells(&of.f1, Some(of.p_value)));
        row
    };
    let numbers = Table {
        caption: &title,
        head: &["", "questions", "A", "B", "B − A", "95 % interval", "p, corrected"],
        words: 1,
        rows: slices.iter().map(numbers).collect(),
    };
    IntervalChart {
        id: &format!("b{number}-{slicing}"),
        title: &title,
        description: &format!(
            "F1 of B in per cent. {}. All questions: {:.1}.",
            words.join("; "),
            100.0 * comparison.f1.after.mean
        ),
        rows: &rows,
        overall: 100.0 * comparison.f1.after.mean,
        numbers,
    }
    .render()
}

fn points(interval: Interval) -> String {
    format!("{} to {}", signed(100.0 * interval.low, 1), signed(100.0 * interval.high, 1))
}
