//! Charts as SVG, each with a title, a description and its numbers in a table beneath.
//!
//! All are as wide as a telephone, so that their letters are as large as the surrounding text on every screen; a page
//! puts several side by side. The style sheet sets colours by class, and dashes and hollow marks for grey prints.

mod bars;
mod intervals;
mod lines;
mod reliability;

pub use bars::{Bar, BarChart};
pub use intervals::{IntervalChart, IntervalRow};
pub use lines::{Axis, Line, LineChart, Look};
pub use reliability::{ReliabilityBin, ReliabilityChart};

use std::fmt::Write;

use maud::{Markup, PreEscaped, html};

use crate::Table;

/// The size of every chart, in its own units.
const WIDTH: f64 = 360.0;

/// A chart with what it says in words.
struct Figure<'a> {
    /// Its `id` in the page.
    id: &'a str,
    title: &'a str,
    description: &'a str,
    height: f64,
    drawing: Markup,
    /// The names of the series, with their looks.
    legend: &'a [(&'a str, Look)],
    numbers: Table<'a>,
}

impl Figure<'_> {
    fn render(&self) -> Markup {
        let (title, description) = (format!("{}-title", self.id), format!("{}-text", self.id));
        html! {
            figure id=(self.id) {
                figcaption { (self.title) }
                svg viewBox={ "0 0 " (WIDTH) " " (self.height) } role="img" aria-labelledby={ (title) " " (description) } {
                    title id=(title) { (self.title) }
                    desc id=(description) { (self.description) }
                    (self.drawing)
                }
                @if !self.legend.is_empty() { (key(self.legend)) }
                details {
                    summary { "Numbers" span.unseen { ": " (self.title) } }
                    (self.numbers.render())
                }
            }
        }
    }
}

/// What the marks of a chart mean.
#[must_use]
pub fn key(names: &[(&str, Look)]) -> Markup {
    html! { ul.legend { @for (name, look) in names {
        li {
            svg viewBox="0 0 26 10" aria-hidden="true" {
                path class=(look.class()) d="M1 5H25" {}
                (look.mark(13.0, 5.0))
            }
            (name)
        }
    } } }
}

/// From values to places on the page.
#[derive(Clone, Copy)]
struct Scale {
    from: (f64, f64),
    to: (f64, f64),
}

impl Scale {
    fn at(&self, value: f64) -> f64 {
        let (low, high) = self.from;
        let share = if high > low { (value - low) / (high - low) } else { 0.5 };
        self.to.0 + share * (self.to.1 - self.to.0)
    }
}

/// Round numbers within a range, about as many as requested.
fn ticks((low, high): (f64, f64), about: usize) -> Vec<f64> {
    let rough = (high - low) / about.max(1) as f64;
    if !(rough.is_finite() && rough > 0.0) {
        return vec![low];
    }
    let power = 10_f64.powf(rough.log10().floor());
    let step = [1.0, 2.0, 5.0, 10.0].into_iter().map(|step| step * power).find(|step| *step >= rough);
    let step = step.unwrap_or(10.0 * power);
    // Rounded, or 0.30000000000000004 becomes a label.
    let tick = |index: f64| (index * step * 1e12).round() / 1e12;
    let (first, last) = ((low / step).ceil(), (high / step + 1e-9).floor());
    (0..=(last - first).max(0.0) as usize).map(|index| tick(first + index as f64)).collect()
}

/// A letter string at a place.
fn label(x: f64, y: f64, class: &str, text: &str) -> Markup {
    html! { text x=(round(x)) y=(round(y)) class=(class) { (text) } }
}

/// A path through points.
fn path(points: impl IntoIterator<Item = (f64, f64)>) -> String {
    let mut path = String::new();
    for (index, (x, y)) in points.into_iter().enumerate() {
        let _ = write!(path, "{}{} {}", if index == 0 { "M" } else { "L" }, round(x), round(y));
    }
    path
}

/// A tenth of a unit is finer than a screen.
fn round(value: f64) -> f64 {
    (value * 10.0).round() / 10.0
}

/// The number of letters that fit into this width.
fn fitting(text: &str, width: f64) -> String {
    /// The average width of a letter, at the size of labels.
    const LETTER: f64 = 7.2;
    crate::text::shortened(text, (width / LETTER) as usize)
}

/// A horizontal and a vertical axis with their grids.
fn axes(
    x: &Scale,
    y: &Scale,
    labels: (&dyn Fn(f64) -> String, &dyn Fn(f64) -> String),
    names: (&str, &str),
) -> Markup {
    let (left, right, top, bottom) = (x.to.0, x.to.1, y.to.1, y.to.0);
    html! {
        @for tick in ticks(y.from, 4) {
            path.grid d={ "M" (round(left)) " " (round(y.at(tick))) "H" (round(right)) } {}
            (label(left - 6.0, y.at(tick) + 4.0, "end", &labels.1(tick)))
        }
        @for tick in ticks(x.from, 4) {
            path.grid d={ "M" (round(x.at(tick))) " " (round(bottom)) "v4" } {}
            (label(x.at(tick), bottom + 17.0, "middle", &labels.0(tick)))
        }
        path.axis d={ "M" (round(left)) " " (round(bottom)) "H" (round(right)) } {}
        (label(right, bottom + 33.0, "end quiet", names.0))
        (label(0.0, top - 18.0, "quiet", names.1))
    }
}

/// Raw SVG that holds nothing from data.
fn raw(svg: String) -> Markup {
    PreEscaped(svg)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_round_and_within_the_range() {
        assert_eq!(ticks((0.0, 100.0), 4), [0.0, 50.0, 100.0]);
        assert_eq!(ticks((0.0, 1.0), 5), [0.0, 0.2, 0.4, 0.6, 0.8, 1.0]);
        assert_eq!(ticks((0.0, 3e-4), 3), [0.0, 1e-4, 2e-4, 3e-4]);
        assert_eq!(ticks((5.0, 5.0), 4), [5.0]);
        assert_eq!(ticks((f64::NAN, 1.0), 4).len(), 1);
    }
}
