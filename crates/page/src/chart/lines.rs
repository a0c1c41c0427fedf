//! Curves.

use maud::{Markup, html};

use super::{Figure, Scale, WIDTH, axes, path, raw, round};
use crate::Table;

/// Rows of the table beneath; the artifacts have the values in between.
const ROWS: usize = 25;

/// How a series looks, in colour and in grey.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Look {
    /// A solid line.
    Solid,
    /// A solid line through filled dots.
    Dots,
    /// A dashed line in the second colour.
    Dashed,
    /// A dashed line through hollow diamonds in the second colour.
    Diamonds,
    /// Filled dots alone.
    Dot,
    /// Hollow diamonds alone.
    Diamond,
}

impl Look {
    pub(super) fn class(self) -> &'static str {
        match self {
            Self::Solid | Self::Dots => "line first",
            Self::Dashed | Self::Diamonds => "line second",
            Self::Dot | Self::Diamond => "none",
        }
    }

    /// The mark at a point.
    pub(super) fn mark(self, x: f64, y: f64) -> Markup {
        let (x, y) = (round(x), round(y));
        match self {
            Self::Solid | Self::Dashed => Markup::default(),
            Self::Dots | Self::Dot => html! { circle.dot cx=(x) cy=(y) r="4" {} },
            Self::Diamonds | Self::Diamond => {
                raw(format!(r#"<path class="diamond" d="M{x} {}l5 5l-5 5l-5-5z"/>"#, y - 5.0))
            }
        }
    }
}

/// A direction of a chart.
#[derive(Clone, Copy)]
pub struct Axis<'a> {
    pub name: &'a str,
    pub format: fn(f64) -> String,
    /// Without one, the axis covers all points and 0.
    pub range: Option<(f64, f64)>,
}

/// A series of points, from left to right.
#[derive(Debug)]
pub struct Line<'a> {
    pub name: &'a str,
    pub look: Look,
    pub points: Vec<(f64, f64)>,
}

/// One or more curves over a common axis.
pub struct LineChart<'a> {
    pub id: &'a str,
    pub title: &'a str,
    pub description: &'a str,
    pub x: Axis<'a>,
    pub y: Axis<'a>,
    pub lines: &'a [Line<'a>],
}

impl LineChart<'_> {
    #[must_use]
    pub fn render(&self) -> Markup {
        const HEIGHT: f64 = 248.0;
        let all = || self.lines.iter().flat_map(|line| &line.points);
        let x = Scale { from: range(self.x, all().map(|point| point.0)), to: (48.0, WIDTH - 10.0) };
        let y = Scale { from: range(self.y, all().map(|point| point.1)), to: (HEIGHT - 40.0, 30.0) };
        let place = |point: &(f64, f64)| (x.at(point.0), y.at(point.1.clamp(y.from.0, y.from.1)));
        let drawing = html! {
            (axes(&x, &y, (&self.x.format, &self.y.format), (self.x.name, self.y.name)))
            @for line in self.lines {
                path class=(line.look.class()) d=(path(line.points.iter().map(place))) {}
                @for point in &line.points {
                    @let (x, y) = place(point);
                    (line.look.mark(x, y))
                }
            }
        };
        let legend: Vec<(&str, Look)> = self.lines.iter().map(|line| (line.name, line.look)).collect();
        let head: Vec<&str> =
            std::iter::once(self.x.name).chain(self.lines.iter().map(|line| line.name)).collect();
        Figure {
            id: self.id,
            title: self.title,
            description: self.description,
            height: HEIGHT,
            drawing,
            legend: if legend.len() > 1 { &legend } else { &[] },
            numbers: Table { caption: self.title, head: &head, words: 0, rows: self.rows() },
        }
        .render()
    }

    /// The numbers at some of the places that have any, including the last.
    fn rows(&self) -> Vec<Vec<Markup>> {
        let mut places: Vec<f64> =
            self.lines.iter().flat_map(|line| line.points.iter().map(|point| point.0)).collect();
        places.sort_by(f64::total_cmp);
        places.dedup();
        // The shortest line has few points, and they matter.
        let few = self.lines.iter().filter(|line| line.points.len() <= ROWS);
        let few: Vec<f64> = few.flat_map(|line| line.points.iter().map(|point| point.0)).collect();
        let every = places.len().div_ceil(ROWS).max(1);
        let last = places.len().saturating_sub(1);
        let kept = places
            .iter()
            .enumerate()
            .filter(|(index, place)| index.is_multiple_of(every) || *index == last || few.contains(place));
        let cell = |line: &Line<'_>, place: f64| {
            let point = line.points.iter().find(|point| point.0.total_cmp(&place).is_eq());
            html! { (point.map_or_else(|| "–".to_owned(), |point| (self.y.format)(point.1))) }
        };
        kept.map(|(_, place)| {
            let name = html! { ((self.x.format)(*place)) };
            std::iter::once(name).chain(self.lines.iter().map(|line| cell(line, *place))).collect()
        })
        .collect()
    }
}

fn range(axis: Axis<'_>, values: impl Iterator<Item = f64>) -> (f64, f64) {
    axis.range.unwrap_or_else(|| {
        let (low, high) =
            values.fold((0.0_f64, 0.0_f64), |(low, high), value| (low.min(value), high.max(value)));
        (low, if high > low { high } else { low + 1.0 })
    })
}
