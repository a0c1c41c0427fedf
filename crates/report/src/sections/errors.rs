//! Wrong answers: how many of which category, and the answers themselves to browse.

use std::collections::BTreeMap;
use std::ops::Range;

use analysis::EvaluatedQuestion;
use analysis::categories::Category;
use analysis::slices::{SLICINGS, Slice};
use artifact::Candidate;
use maud::{Markup, PreEscaped, html};
use page::chart::{Bar, BarChart};
use page::number::grouped;
use page::text::shortened;
use page::{Marks, passage};

use crate::figures::Figures;
use crate::inputs::Inputs;
use crate::selection::select;

/// Wrong answers that a page shows.
const MOST: usize = 500;
/// Bytes that they may take: a page stays below 2 MB.
const MOST_BYTES: usize = 1_500_000;
/// Characters of the context on each side of an answer.
const AROUND: usize = 200;
/// Characters of questions, and of answers outside of their contexts.
const LETTERS: usize = 300;
/// Rivals of an answer that are listed.
const CANDIDATES: usize = 5;
/// Gold answers that are listed.
const GOLDS: usize = 4;
/// Articles that can be filtered by.
const ARTICLES: usize = 100;

pub(super) fn render(inputs: &Inputs, figures: &Figures) -> Markup {
    let wrong = figures.wrong();
    if wrong == 0 {
        return html! { p { "There are none." } };
    }
    html! {
        div.charts {
            (categories(figures))
            div {
                p {
                    "An answer is wrong if it is not exactly a gold answer. Each counts once, for the first kind that fits, from top \
                     to bottom."
                }
                @if let Some((_, count)) = figures.categories.iter().find(|(category, _)| is_telling(figures, *category)) {
                    p { "Where the model gave the same answer before fine-tuning (" (grouped(*count)) "), look at the label first: it \
                        may be what is wrong." }
                }
            }
        }
        @if inputs.texts { (browse(inputs, figures)) } @else {
            p { "The answers themselves are left out (" code { "report.texts = false" } "). " code { "questions.arrow" }
                " has the category, slices and scores of each question by its id." }
        }
    }
}

/// Whether a base model that gives the same answer says something about the label: one that is often right does.
fn is_telling(figures: &Figures, category: Category) -> bool {
    const RIGHT: f64 = 30.0;
    category == Category::SameAsBase && figures.all().base_exact_match.mean >= RIGHT
}

fn categories(figures: &Figures) -> Markup {
    let bars: Vec<Bar> = figures
        .categories
        .iter()
        .map(|(category, count)| Bar { name: category.label().to_owned(), count: *count })
        .collect();
    let words: Vec<String> = bars.iter().map(|bar| format!("{}: {}", bar.name, grouped(bar.count))).collect();
    BarChart {
        id: "categories",
        title: "What is wrong with them",
        description: &format!(
            "{}. Each wrong answer counts once, for the first that fits.",
            words.join("; ")
        ),
        of: "wrong answers",
        bars: &bars,
    }
    .render()
}

fn browse(inputs: &Inputs, figures: &Figures) -> Markup {
    let numbers = Numbers::new(inputs);
    let (mut shown, mut bytes) = (Vec::new(), 0);
    for index in select(&inputs.questions, figures, MOST) {
        let question = &inputs.questions[index];
        let item = item(index, question, inputs, &numbers).into_string();
        bytes += item.len();
        if bytes > MOST_BYTES {
            break;
        }
        shown.push((question, item));
    }
    shown.sort_by(|(a, _), (b, _)| b.confidence.total_cmp(&a.confidence).then(a.id.cmp(&b.id)));
    let left_out = figures.wrong() - shown.len() as u64;
    html! {
        h3 { "The answers" }
        p {
            "The most confident come first. "
            mark { "Gold answers" } ", the " mark.predicted { "model’s answer" } " and " mark.both { "what they share" }
            " are marked in their context. "
            @if left_out > 0 {
                (grouped(shown.len() as u64)) " are shown, chosen so that every category and slice has its share; "
                (grouped(left_out)) " are left out. " code { "distilburn errors --top " (figures.wrong()) } " lists all."
            }
        }
        (controls(figures, &numbers))
        ol.errors #errors { @for (_, item) in &shown { (PreEscaped(item)) } }
        p.print-only { "Only the first 40 are printed." }
    }
}

/// The slices that can be filtered by, each with a number that is short enough to stand 500 times in a page.
struct Numbers<'a> {
    of: BTreeMap<&'a Slice, usize>,
}

impl<'a> Numbers<'a> {
    fn new(inputs: &'a Inputs) -> Self {
        let mut counts: BTreeMap<&Slice, usize> = BTreeMap::new();
        for question in inputs.questions.iter().filter(|question| question.category.is_some()) {
            for slice in &question.slices {
                *counts.entry(slice).or_default() += 1;
            }
        }
        let (mut articles, mut others): (Vec<_>, Vec<_>) =
            counts.into_iter().partition(|(slice, _)| slice.slicing == "article");
        articles.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
        articles.truncate(ARTICLES);
        others.extend(articles);
        Self { of: others.into_iter().enumerate().map(|(number, (slice, _))| (slice, number)).collect() }
    }

    fn of(&self, slices: &[Slice]) -> String {
        let numbers = slices.iter().filter_map(|slice| self.of.get(slice)).map(usize::to_string);
        numbers.collect::<Vec<_>>().join(" ")
    }
}

fn controls(figures: &Figures, numbers: &Numbers<'_>) -> Markup {
    let labels = SLICINGS.map(|slicing| (slicing.name, slicing.label));
    let groups = labels.into_iter().chain([("audit", "findings of the audit"), ("own", "your own slices")]);
    html! {
        div.controls #browse role="search" aria-label="Wrong answers" hidden {
            label { "Search" input #search type="search" autocomplete="off"; }
            label { "Kind of question" select #slice {
                option value="" { "all kinds" }
                @for (slicing, label) in groups {
                    @let own: Vec<_> = figures.of_slicing(slicing).filter_map(|slice| {
                        let row = &slice.row;
                        let name = Slice { slicing: row.slicing.clone(), value: row.value.clone() };
                        numbers.of.get(&name).map(|number| (number, &row.value))
                    }).collect();
                    @if !own.is_empty() { optgroup label=(label) {
                        @for (number, value) in own { option value=(number) { (shortened(value, 60)) } }
                    } }
                }
            } }
            label { "Category" select #category {
                option value="" { "all categories" }
                @for (category, _) in &figures.categories { option value=(category.name()) { (category.label()) } }
            } }
            label { "Order" select #order {
                option value="confidence" { "most confident first" }
                option value="change" { "worse than before fine-tuning first" }
                option value="data" { "order of the data" }
            } }
            output #shown aria-live="polite" {}
        }
    }
}

fn item(index: usize, question: &EvaluatedQuestion, inputs: &Inputs, numbers: &Numbers<'_>) -> Markup {
    let prediction = &question.prediction;
    let context = inputs.contexts.get(question.context_id).context;
    let golds = golds(question);
    let marks = Marks {
        gold: question.ground_truths.iter().filter_map(|(text, start)| range(*start, text)).collect(),
        predicted: range(prediction.start_char, &prediction.prediction_text),
    };
    let category = question.category.unwrap_or(Category::OtherSentence);
    let change = prediction.f1 - question.base.f1;
    html! {
        li data-row=(index) data-category=(category.name()) data-slices=(numbers.of(&question.slices))
            data-confidence=(format!("{:.4}", question.confidence)) data-change=(format!("{change:.3}")) {
            h3 dir="auto" { (shortened(&question.question, LETTERS)) }
            dl.answers {
                dt { "gold" } dd { (answers(&golds, "gold")) }
                dt { "model" } dd { (answers(&[prediction.prediction_text.as_str()], "predicted")) }
                dt { "before" } dd { (answers(&[question.base.prediction_text.as_str()], "")) }
            }
            p.context dir="auto" { (passage(context, &marks, AROUND)) }
            p.facts {
                (format!("{:.0} % sure · F1 {:.0}, before {:.0} · ", 100.0 * question.confidence, 100.0 * prediction.f1, 100.0 * question.base.f1))
                (category.label()) " · "
                @if !question.article.is_empty() { bdi { (shortened(&question.article, 60)) } " · " }
                bdi.hash { (shortened(&question.id, 60)) }
            }
            (candidates(&prediction.n_best))
        }
    }
}

/// Gold answers without repetitions, in their order; an empty one where there is none.
fn golds(question: &EvaluatedQuestion) -> Vec<&str> {
    let mut golds: Vec<&str> = Vec::new();
    for (gold, _) in &question.ground_truths {
        if !golds.contains(&gold.as_str()) {
            golds.push(gold);
        }
    }
    if golds.is_empty() { vec![""] } else { golds }
}

fn answers(texts: &[&str], class: &str) -> Markup {
    html! {
        @for (index, text) in texts.iter().take(GOLDS).enumerate() {
            @if index > 0 { " · " }
            @if text.is_empty() { span.quiet { "no answer" } }
            @else if class.is_empty() { bdi { (shortened(text, LETTERS)) } }
            @else { mark class=(class) { bdi { (shortened(text, LETTERS)) } } }
        }
        @if texts.len() > GOLDS { " · " (texts.len() - GOLDS) " more" }
    }
}

fn range(start: i32, text: &str) -> Option<Range<usize>> {
    let start = usize::try_from(start).ok()?;
    Some(start..start + text.chars().count())
}

fn candidates(n_best: &[Candidate]) -> Markup {
    html! {
        @if n_best.len() > 1 { details {
            summary { "Other candidates" }
            ol.candidates { @for candidate in n_best.iter().take(CANDIDATES) {
                li { @if candidate.text.is_empty() { span.quiet { "no answer" } } @else { bdi { (shortened(&candidate.text, 120)) } }
                    (format!(" · {:.1} %", 100.0 * candidate.probability)) }
            } }
        } }
    }
}
