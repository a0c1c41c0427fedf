//! The page, section by section.

mod confidence;
mod cost;
mod data;
mod errors;
mod recipe;
mod slices;
mod training;

use artifact::ScoreWithInterval;
use maud::{Markup, html};
use page::Document;
use page::number::grouped;
use page::text::shortened;

use crate::figures::Figures;
use crate::inputs::Inputs;
use crate::verdict::{Verdict, with_interval};

/// Letters of a run's name.
const NAME: usize = 60;

/// A heading of the page, with the place that it has there.
struct Section {
    id: &'static str,
    name: &'static str,
    body: Markup,
}

pub(crate) fn render(inputs: &Inputs, figures: &Figures, verdict: &Verdict) -> String {
    let section = |id, name, body| Section { id, name, body };
    let sections = [
        section("slices", "Kinds of questions", slices::render(inputs, figures)),
        section("wrong", "Wrong answers", errors::render(inputs, figures)),
        section("confidence", "Confidence", confidence::render(inputs, figures)),
        section("training", "Training", training::render(inputs)),
        section("data", "Data", data::render(inputs)),
        section("cost", "Cost", cost::render(inputs)),
        section("recipe", "Recipe and lineage", recipe::render(inputs)),
    ];
    let name = name(inputs);
    let body = html! {
        a.skip href="#main" { "Skip to the report" }
        header {
            h1 { "distilburn report · " (name) }
            div.opening {
                div {
                    p.verdict { (verdict.scores) }
                    p.worst { (verdict.worst) }
                }
                ul.notes { @for note in &verdict.notes { li { (note) } } }
            }
            (tiles(inputs, figures))
            nav aria-label="Sections" { ul { @for section in &sections {
                li { a href={ "#" (section.id) } { (section.name) } }
            } } }
        }
        main #main {
            @for section in sections {
                section id=(section.id) aria-labelledby={ (section.id) "-heading" } {
                    h2 id={ (section.id) "-heading" } { (section.name) }
                    (section.body)
                }
            }
        }
        footer { p {
            "Written by distilburn " (version(inputs)) ". Per question and per slice, the numbers are in "
            code { "questions.arrow" } " and " code { "slices.arrow" } " beside this page."
        } }
    };
    Document { title: &format!("{} – distilburn report", verdict_in_tab(inputs, figures)), body }.render()
}

/// The evaluation, for people.
pub(crate) fn name(inputs: &Inputs) -> String {
    let name = inputs.manifests[2].run.get("name").and_then(|name| name.as_str());
    let name = name.map_or_else(String::new, |name| format!("{} · ", shortened(name, NAME)));
    format!("{name}evaluation {:.8} · {} split", inputs.manifests[3].fingerprint, inputs.split)
}

pub(crate) fn version(inputs: &Inputs) -> &str {
    inputs.manifests[3].run["versions"]["distilburn"].as_str().unwrap_or_default()
}

fn verdict_in_tab(inputs: &Inputs, figures: &Figures) -> String {
    format!(
        "F1 {:.1} on {} {} questions",
        figures.all().f1.mean,
        grouped(figures.all().questions),
        inputs.split
    )
}

/// The four numbers that one quotes.
fn tiles(inputs: &Inputs, figures: &Figures) -> Markup {
    let all = figures.all();
    let score = |name: &str, after: ScoreWithInterval, before: ScoreWithInterval| {
        let interval = after.interval.map(|interval| format!("{:.1} to {:.1}", interval.low, interval.high));
        html! { div { dt { (name) } dd {
            div.large { (format!("{:.1}", after.mean)) }
            @if let Some(interval) = interval { div.small { "95\u{a0}% interval " (interval) } }
            div.small { "before: " (with_interval(before)) }
        } } }
    };
    let share = 100.0 * figures.wrong() as f64 / all.questions.max(1) as f64;
    let calibration = 100.0 * confidence::calibration_error(inputs, figures);
    let when = if inputs.calibration().is_some() { "after" } else { "before" };
    let (confidence, accuracy) = figures.confidence_and_accuracy();
    let lean = match confidence - accuracy {
        difference if difference > 0.02 => ": it is too sure",
        difference if difference < -0.02 => ": it is too modest",
        _ => "",
    };
    html! {
        dl.tiles {
            (score("F1", all.f1, all.base_f1))
            (score("Exact match", all.exact_match, all.base_exact_match))
            div { dt { "Wrong answers" } dd {
                div.large { (grouped(figures.wrong())) }
                div.small { (format!("{share:.1}")) " % of " (grouped(all.questions)) " questions" }
            } }
            div { dt { "Confidence is off by" } dd {
                div.large { (format!("{calibration:.1}")) }
                div.small { "points on average" (lean) }
                div.small { "(expected calibration error, " (when) " calibration)" }
            } }
        }
    }
}
