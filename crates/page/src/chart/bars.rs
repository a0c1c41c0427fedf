//! Counts as bars, each under its name.

use maud::{Markup, html};

use super::{Figure, Scale, WIDTH, label, round};
use crate::Table;
use crate::number::grouped;

/// A count with its name.
#[derive(Clone, Debug)]
pub struct Bar {
    pub name: String,
    pub count: u64,
}

/// A bar for each count; shares are relative to the sum.
pub struct BarChart<'a> {
    pub id: &'a str,
    pub title: &'a str,
    pub description: &'a str,
    /// The column's name for what is counted, such as "errors".
    pub of: &'a str,
    pub bars: &'a [Bar],
}

impl BarChart<'_> {
    #[must_use]
    pub fn render(&self) -> Markup {
        const ROW: f64 = 36.0;
        let most = self.bars.iter().map(|bar| bar.count).max().unwrap_or(0).max(1);
        let total = self.bars.iter().map(|bar| bar.count).sum::<u64>().max(1);
        let share = |count: u64| 100.0 * count as f64 / total as f64;
        let x = Scale { from: (0.0, most as f64), to: (0.0, WIDTH - 2.0) };
        let drawing = html! {
            @for (index, bar) in self.bars.iter().enumerate() {
                @let y = ROW * index as f64;
                (label(0.0, y + 15.0, "", &bar.name))
                (label(WIDTH - 2.0, y + 15.0, "end", &format!("{} · {}", grouped(bar.count), percent(share(bar.count)))))
                rect.ground x="0" y=(y + 21.0) width=(WIDTH - 2.0) height="8" rx="2" {}
                rect.bar x="0" y=(y + 21.0) width=(round(x.at(bar.count as f64))) height="8" rx="2" {}
            }
        };
        let rows = self.bars.iter().map(|bar| {
            vec![html! { (bar.name) }, html! { (grouped(bar.count)) }, html! { (percent(share(bar.count))) }]
        });
        Figure {
            id: self.id,
            title: self.title,
            description: self.description,
            height: ROW * self.bars.len().max(1) as f64,
            drawing,
            legend: &[],
            numbers: Table {
                caption: self.title,
                head: &["kind", self.of, "share"],
                words: 1,
                rows: rows.collect(),
            },
        }
        .render()
    }
}

fn percent(share: f64) -> String {
    if share < 9.95 { format!("{share:.1} %") } else { format!("{share:.0} %") }
}
