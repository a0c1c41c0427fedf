//! Shows whether confidences are reliable.

use maud::{Markup, html};

use super::{Figure, Look, Scale, WIDTH, axes, path, round};
use crate::Table;
use crate::number::grouped;

/// The answers whose confidence is in one bin; shares, 0 to 1.
#[derive(Clone, Copy, Debug)]
pub struct ReliabilityBin {
    pub count: u64,
    pub confidence: f64,
    pub accuracy: f64,
}

/// Accuracy over confidence, and how many answers have it.
pub struct ReliabilityChart<'a> {
    pub id: &'a str,
    pub title: &'a str,
    pub description: &'a str,
    /// Bins of equal width, from no confidence to full confidence.
    pub bins: &'a [ReliabilityBin],
}

impl ReliabilityChart<'_> {
    #[must_use]
    pub fn render(&self) -> Markup {
        const HEIGHT: f64 = 318.0;
        /// The height of the counts under the chart.
        const COUNTS: f64 = 44.0;
        let percent = |value: f64| format!("{:.0} %", 100.0 * value);
        let x = Scale { from: (0.0, 1.0), to: (48.0, WIDTH - 10.0) };
        let y = Scale { from: (0.0, 1.0), to: (HEIGHT - 40.0 - COUNTS, 30.0) };
        let most = self.bins.iter().map(|bin| bin.count).max().unwrap_or(0).max(1) as f64;
        let (floor, width) = (HEIGHT - 2.0, (x.to.1 - x.to.0) / self.bins.len().max(1) as f64);
        let filled = || self.bins.iter().filter(|bin| bin.count > 0);
        let place = |bin: &ReliabilityBin| (x.at(bin.confidence), y.at(bin.accuracy));
        let drawing = html! {
            (axes(&x, &y, (&percent, &percent), ("confidence", "right answers")))
            path.overall d=(path([(x.at(0.0), y.at(0.0)), (x.at(1.0), y.at(1.0))])) {}
            path class=(Look::Dots.class()) d=(path(filled().map(place))) {}
            @for bin in filled() {
                @let (x, y) = place(bin);
                (Look::Dots.mark(x, y))
            }
            @for (index, bin) in self.bins.iter().enumerate() {
                @let height = (COUNTS - 8.0) * bin.count as f64 / most;
                rect.count x=(round(x.to.0 + width * index as f64 + 1.0)) y=(round(floor - height))
                    width=(round(width - 2.0)) height=(round(height)) {}
            }
        };
        let rows = self.bins.iter().enumerate().filter(|(_, bin)| bin.count > 0).map(|(index, bin)| {
            let bins = self.bins.len() as f64;
            let (low, high) = (index as f64 / bins, (index + 1) as f64 / bins);
            vec![
                html! { (format!("{:.0} to {:.0} %", 100.0 * low, 100.0 * high)) },
                html! { (grouped(bin.count)) },
                html! { (format!("{:.1} %", 100.0 * bin.confidence)) },
                html! { (format!("{:.1} %", 100.0 * bin.accuracy)) },
            ]
        });
        let head = ["confidence", "questions", "mean confidence", "right answers"];
        Figure {
            id: self.id,
            title: self.title,
            description: self.description,
            height: HEIGHT,
            drawing,
            legend: &[],
            numbers: Table { caption: self.title, head: &head, words: 1, rows: rows.collect() },
        }
        .render()
    }
}
