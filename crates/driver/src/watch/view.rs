//! Draws a training: a header of numbers, and the curves of loss, learning rate and F1.

use std::path::Path;
use std::time::Duration;

use artifact::LiveRow;
use ratatui::Frame;
use ratatui::layout::{Alignment, Constraint, Layout, Rect};
use ratatui::style::{Color, Style, Stylize};
use ratatui::symbols::Marker;
use ratatui::text::{Line, Span};
use ratatui::widgets::{
    Axis, Block, BorderType, Chart, Dataset, GraphType, LegendPosition, LineGauge, Padding, Paragraph,
};

use super::curve::{Point, Scale, label, smoothed};
use super::training::{State, Training};
use crate::table::{duration, grouped};

const RAW: Color = Color::DarkGray;
const LOSS: Color = Color::Cyan;
const RATE: Color = Color::Yellow;
const F1: Color = Color::Green;
const EXACT_MATCH: Color = Color::Magenta;

/// Rows of the header, its frame included.
const HEADER: u16 = 6;

/// With fewer rows, a chart is unreadable.
const LEAST_CHART: u16 = 7;

/// From this many columns on, charts are side by side.
const WIDE: u16 = 72;

/// The state to draw, independent of the terminal's size.
pub(super) struct View<'a> {
    pub(super) training: &'a Training,
    /// The weight of the old smoothed loss at each step.
    pub(super) smoothing: f64,
}

impl View<'_> {
    pub(super) fn draw(&self, frame: &mut Frame<'_>) {
        let [header, charts, footer] =
            Layout::vertical([Constraint::Length(HEADER), Constraint::Fill(1), Constraint::Length(1)])
                .areas(frame.area());
        self.header(frame, header);
        self.charts(frame, charts);
        self.footer(frame, footer);
    }

    fn header(&self, frame: &mut Frame<'_>, area: Rect) {
        let training = self.training;
        let (mark, colour) = match training.state {
            State::Running => ("●", Color::Green),
            State::Stopped => ("■", Color::Yellow),
            State::Finished => ("✓", Color::Cyan),
        };
        let block = block(&format!("train {}", training.name()), Color::Reset).title_top(
            Line::from(format!(" {mark} {} ", training.state.as_str())).fg(colour).right_aligned(),
        );
        let inner = block.inner(area);
        frame.render_widget(block, area);
        let rows: [Rect; 4] = Layout::vertical([Constraint::Length(1); 4]).areas(inner);
        let Some(last) = &training.last else {
            for (line, row) in training.before_the_first_line().into_iter().zip(&rows[..]) {
                frame.render_widget(Paragraph::new(line).dim(), *row);
            }
            return;
        };
        frame.render_widget(self.progress(last), rows[0]);
        let step = training.step.as_ref().unwrap_or(last);
        for (line, row) in
            [self.loss_line(step), self.speed_line(step), self.scores_line()].into_iter().zip(&rows[1..])
        {
            frame.render_widget(Paragraph::new(line), *row);
        }
    }

    fn progress(&self, last: &LiveRow) -> LineGauge<'static> {
        let ratio = last.global_step as f64 / last.total_steps.max(1) as f64;
        let left = self.training.eta().map_or_else(String::new, |left| format!(", {} left", in_words(left)));
        let text = format!(
            "step {}/{}, epoch {}/{}{left} ",
            thousands(last.global_step as f64),
            thousands(last.total_steps as f64),
            last.epoch,
            last.epochs
        );
        LineGauge::default()
            .ratio(ratio.clamp(0.0, 1.0))
            .label(text)
            .filled_symbol("━")
            .unfilled_symbol("─")
            .filled_style(Style::new().fg(LOSS))
            .unfilled_style(Style::new().fg(RAW))
    }

    fn loss_line(&self, step: &LiveRow) -> Line<'static> {
        let smooth = smoothed(&self.training.loss, self.smoothing).last().map(|(_, loss)| *loss);
        numbers(&[
            ("loss", smooth.map(|loss| format!("{loss:.3}")), LOSS),
            ("learning rate", step.learning_rate.map(|rate| format!("{rate:.2e}")), RATE),
            ("gradient norm", step.grad_norm.map(|norm| format!("{norm:.2}")), Color::Reset),
        ])
    }

    fn speed_line(&self, step: &LiveRow) -> Line<'static> {
        let skipped = self.training.skipped_steps();
        let fp16 = step.loss_scale.is_some() || skipped > 0;
        numbers(&[
            ("features/s", step.features_per_s.map(|speed| format!("{speed:.1}")), Color::Reset),
            ("tokens/s", step.tokens_per_s.map(thousands), Color::Reset),
            ("scale", step.loss_scale.map(label), Color::Reset),
            (
                "skipped",
                fp16.then(|| skipped.to_string()),
                if skipped > 0 { Color::Yellow } else { Color::Reset },
            ),
        ])
    }

    fn scores_line(&self) -> Line<'static> {
        let Some(best) = self.training.best() else {
            return Line::from("no validation yet").dim();
        };
        let mut line = numbers(&[
            ("best F1", Some(format!("{:.1}", best.f1)), F1),
            ("exact match", Some(format!("{:.1}", best.exact_match)), EXACT_MATCH),
            ("loss", best.loss.map(|loss| format!("{loss:.3}")), Color::Reset),
        ]);
        line.push_span(Span::from(format!("   at step {}", thousands(best.global_step as f64))).dim());
        line
    }

    fn charts(&self, frame: &mut Frame<'_>, area: Rect) {
        if area.height < LEAST_CHART {
            return;
        }
        if area.width >= WIDE && area.height >= 2 * LEAST_CHART {
            let [left, right] =
                Layout::horizontal([Constraint::Percentage(58), Constraint::Fill(1)]).areas(area);
            let [above, below] = Layout::vertical([Constraint::Fill(1); 2]).areas(right);
            self.loss_chart(frame, left);
            self.rate_chart(frame, above);
            self.score_chart(frame, below);
            return;
        }
        // The most important first, as many as there is room for.
        let draws: [fn(&Self, &mut Frame<'_>, Rect); 3] =
            [Self::loss_chart, Self::score_chart, Self::rate_chart];
        let wide = area.width >= WIDE;
        let count = if wide { 3 } else { usize::from(area.height / LEAST_CHART).min(3) };
        let layout: fn(Vec<Constraint>) -> Layout = if wide { Layout::horizontal } else { Layout::vertical };
        let areas = layout(vec![Constraint::Fill(1); count]).split(area);
        for (draw, area) in draws.into_iter().zip(areas.iter()) {
            draw(self, frame, *area);
        }
    }

    fn loss_chart(&self, frame: &mut Frame<'_>, area: Rect) {
        let smooth = smoothed(&self.training.loss, self.smoothing);
        let raw = curve(&self.training.loss, "each step", RAW).graph_type(GraphType::Scatter);
        let line = curve(&smooth, "smoothed", LOSS);
        let shown = if self.smoothing > 0.0 { vec![raw, line] } else { vec![line] };
        let highest = self.training.loss.iter().map(|(_, loss)| *loss).fold(0.0, f64::max);
        self.chart(frame, area, ("loss", LOSS), shown, highest);
    }

    fn rate_chart(&self, frame: &mut Frame<'_>, area: Rect) {
        let rates = &self.training.learning_rate;
        let highest = rates.iter().map(|(_, rate)| *rate).fold(0.0, f64::max);
        self.chart(frame, area, ("learning rate", RATE), vec![curve(rates, "", RATE)], highest);
    }

    fn score_chart(&self, frame: &mut Frame<'_>, area: Rect) {
        let points = |score: fn(&super::training::Validation) -> f64| -> Vec<Point> {
            self.training.validations.iter().map(|row| (row.global_step as f64, score(row))).collect()
        };
        let (f1, exact_match) = (points(|row| row.f1), points(|row| row.exact_match));
        let dots =
            |points, colour| curve(points, "", colour).marker(Marker::Dot).graph_type(GraphType::Scatter);
        let shown = vec![
            curve(&exact_match, "EM", EXACT_MATCH),
            curve(&f1, "F1", F1),
            // A single validation makes no line.
            dots(&exact_match, EXACT_MATCH),
            dots(&f1, F1),
        ];
        // Below ten, a tenth of a point would look like a leap.
        let highest = f1.iter().chain(&exact_match).map(|(_, score)| *score).fold(10.0, f64::max);
        self.chart(frame, area, ("F1 and exact match", F1), shown, highest);
    }

    fn chart(
        &self,
        frame: &mut Frame<'_>,
        area: Rect,
        (title, colour): (&str, Color),
        curves: Vec<Dataset<'_>>,
        highest: f64,
    ) {
        let steps =
            self.training.last.as_ref().map_or(1, |row| row.total_steps.max(row.global_step)).max(1) as f64;
        let scale = Scale::to(highest);
        // A label needs two rows to be told from the next, and ratatui spreads them evenly.
        let room = usize::from(area.height.saturating_sub(4) / 2).max(1);
        let ticks = if scale.ticks.len() - 1 <= room { scale.ticks.clone() } else { vec![0.0, scale.end] };
        let x_labels = [0.0, (steps / 2.0).round(), steps].map(thousands);
        let chart = Chart::new(curves)
            .block(block(title, colour))
            .legend_position((area.height >= 2 * LEAST_CHART).then_some(LegendPosition::TopRight))
            .hidden_legend_constraints((Constraint::Percentage(60), Constraint::Percentage(60)))
            .x_axis(Axis::default().bounds([0.0, steps]).labels(x_labels).style(Style::new().fg(RAW)))
            .y_axis(
                Axis::default()
                    .bounds([0.0, scale.end])
                    .labels(ticks.into_iter().map(label))
                    .labels_alignment(Alignment::Right)
                    .style(Style::new().fg(RAW)),
            );
        frame.render_widget(chart, area);
    }

    fn footer(&self, frame: &mut Frame<'_>, area: Rect) {
        let keys = Line::from(vec![
            " q".bold(),
            " quit   ".dim(),
            "+ −".bold(),
            format!(" smoothing {}", label(self.smoothing)).dim(),
        ]);
        let age = match (self.training.state, self.training.age) {
            (State::Finished, _) | (_, None) => String::new(),
            (State::Running, Some(age)) => format!("last line {} ago ", in_words(age)),
            (State::Stopped, Some(age)) => {
                format!("stopped {} ago; the same command resumes it ", in_words(age))
            }
        };
        let age = Line::from(age).dim().right_aligned();
        if keys.width() + age.width() < usize::from(area.width) {
            frame.render_widget(Paragraph::new(age), area);
        }
        let [left] = Layout::horizontal([Constraint::Length(keys.width() as u16)]).areas(area);
        frame.render_widget(Paragraph::new(keys), left);
    }
}

/// What is drawn while there is no training.
pub(super) fn draw_waiting(frame: &mut Frame<'_>, path: &Path) {
    let text = vec![
        Line::from(""),
        Line::from("no training here yet").bold(),
        Line::from(path.display().to_string()).dim(),
        Line::from(""),
        Line::from(vec!["start one with ".into(), "distilburn run".fg(LOSS), " in another terminal;".into()]),
        Line::from("it will appear here"),
        Line::from(""),
        Line::from(vec!["q".bold(), " quit".dim()]),
    ];
    frame.render_widget(Paragraph::new(text).centered().block(block("train", Color::Reset)), frame.area());
}

fn block(title: &str, colour: Color) -> Block<'static> {
    Block::bordered()
        .border_type(BorderType::Rounded)
        .border_style(Style::new().fg(RAW))
        .padding(Padding::horizontal(1))
        .title_top(Line::from(format!(" {title} ")).fg(colour).bold())
}

fn curve<'a>(points: &'a [Point], name: &'a str, colour: Color) -> Dataset<'a> {
    let curve =
        Dataset::default().data(points).marker(Marker::Braille).graph_type(GraphType::Line).fg(colour);
    if name.is_empty() { curve } else { curve.name(name) }
}

/// The names and values that exist, in one line.
fn numbers(values: &[(&str, Option<String>, Color)]) -> Line<'static> {
    let mut line = Line::default();
    for (name, value, colour) in values {
        let Some(value) = value else { continue };
        let space = if line.spans.is_empty() { "" } else { "   " };
        line.push_span(Span::from(format!("{space}{name} ")).dim());
        line.push_span(Span::styled(value.clone(), Style::new().fg(*colour).bold()));
    }
    line
}

/// A whole number in groups of three digits.
pub(super) fn thousands(value: f64) -> String {
    grouped(value.round() as u64)
}

/// A duration for people: whole seconds, or the driver's usual form.
pub(super) fn in_words(time: Duration) -> String {
    if time < Duration::from_mins(1) {
        format!("{} s", time.as_secs())
    } else {
        duration(time.as_millis() as u64)
    }
}
