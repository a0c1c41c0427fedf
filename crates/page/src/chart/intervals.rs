//! Scores of several groups with their intervals, and the scores before.

use maud::{Markup, html};

use super::{Figure, Look, Scale, WIDTH, fitting, label, round, ticks};
use crate::Table;
use crate::number::grouped;

/// Scores of a group, per cent.
#[derive(Clone, Debug)]
pub struct IntervalRow {
    pub name: String,
    pub questions: u64,
    pub score: f64,
    pub interval: Option<(f64, f64)>,
    pub before: f64,
}

/// A row for each group, over a common axis from 0 to 100.
pub struct IntervalChart<'a> {
    pub id: &'a str,
    pub title: &'a str,
    pub description: &'a str,
    pub rows: &'a [IntervalRow],
    /// The score of all questions, drawn through all rows.
    pub overall: f64,
    /// The table of numbers; the caller has more of them.
    pub numbers: Table<'a>,
}

impl IntervalChart<'_> {
    #[must_use]
    pub fn render(self) -> Markup {
        const ROW: f64 = 24.0;
        const TOP: f64 = 8.0;
        const LETTER: f64 = 7.2;
        let longest = self.rows.iter().map(|row| row.name.chars().count()).max().unwrap_or(0);
        let names = (LETTER * longest as f64 + 6.0).clamp(20.0, 160.0);
        let x = Scale { from: (0.0, 100.0), to: (names + 10.0, WIDTH - 46.0) };
        let bottom = TOP + ROW * self.rows.len() as f64;
        let drawing = html! {
            @for tick in ticks(x.from, 4) {
                path.grid d={ "M" (round(x.at(tick))) " " (TOP) "V" (bottom) } {}
                (label(x.at(tick), bottom + 15.0, "middle", &format!("{tick}")))
            }
            path.overall d={ "M" (round(x.at(self.overall))) " " (TOP) "V" (bottom) } {}
            @for (index, row) in self.rows.iter().enumerate() {
                @let y = TOP + ROW * (index as f64 + 0.5);
                (label(names, y + 4.0, "end", &fitting(&row.name, names)))
                @if let Some((low, high)) = row.interval {
                    path.interval d={ "M" (round(x.at(low))) " " (y) "H" (round(x.at(high))) } {}
                }
                (Look::Diamond.mark(x.at(row.before), y))
                (Look::Dot.mark(x.at(row.score), y))
                (label(WIDTH - 2.0, y + 4.0, "end", &format!("{:.1}", row.score)))
            }
        };
        Figure {
            id: self.id,
            title: self.title,
            description: self.description,
            height: bottom + 22.0,
            drawing,
            legend: &[],
            numbers: self.numbers,
        }
        .render()
    }
}

impl IntervalRow {
    /// The description for a screen reader.
    #[must_use]
    pub fn in_words(&self) -> String {
        let interval =
            self.interval.map_or_else(String::new, |(low, high)| format!(", {low:.1} to {high:.1}"));
        format!("{}: {:.1}{interval} on {} questions", self.name, self.score, grouped(self.questions))
    }
}
