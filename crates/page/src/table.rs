//! Tables with aligned numbers.

use maud::{Markup, html};

/// A table; wide ones scroll by themselves, so that the page does not.
#[derive(Debug)]
pub struct Table<'a> {
    /// What it shows.
    pub caption: &'a str,
    /// The names of the columns; the first column names the rows.
    pub head: &'a [&'a str],
    /// How many columns hold words; the ones after them hold numbers.
    pub words: usize,
    pub rows: Vec<Vec<Markup>>,
}

impl Table<'_> {
    #[must_use]
    pub fn render(&self) -> Markup {
        let class = |column: usize| (column >= self.words).then_some("n");
        html! {
            // Without a tab stop, it could not be scrolled without a mouse.
            div.scroll tabindex="0" role="region" aria-label=(self.caption) {
                table {
                    caption { (self.caption) }
                    thead { tr { @for (column, name) in self.head.iter().enumerate() {
                        @if name.is_empty() { td {} } @else { th scope="col" class=[class(column)] { (name) } }
                    } } }
                    tbody { @for row in &self.rows {
                        tr { @for (column, cell) in row.iter().enumerate() {
                            @if column == 0 { th scope="row" { (cell) } } @else { td class=[class(column)] { (cell) } }
                        } }
                    } }
                }
            }
        }
    }
}
