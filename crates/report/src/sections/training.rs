//! How the training went.

use artifact::{HistoryKind, HistoryRow};
use maud::{Markup, html};
use page::chart::{Axis, Line, LineChart, Look};
use page::number::{grouped, short};

use crate::inputs::Inputs;

/// Points of a curve: the means of as many stretches of a training.
const POINTS: usize = 120;

pub(super) fn render(inputs: &Inputs) -> Markup {
    let rows = |kind| inputs.history.iter().filter(move |row| row.kind == kind);
    let validation = |of: fn(&HistoryRow) -> Option<f64>| -> Vec<(f64, f64)> {
        rows(HistoryKind::Validation).filter_map(|row| finite((row.global_step as f64, of(row)?))).collect()
    };
    let steps = |of: fn(&HistoryRow) -> Option<f64>| {
        thinned(
            rows(HistoryKind::Train).filter_map(|row| finite((row.global_step as f64, of(row)?))).collect(),
        )
    };
    let (loss, rate) = (steps(|row| Some(row.loss)), steps(|row| row.learning_rate));
    let (f1, exact_match) = (validation(|row| row.f1), validation(|row| row.exact_match));
    let training = &inputs.training;
    let [loss_ends, f1_ends, rate_ends] = [&loss, &f1, &rate].map(|points| ends(points));
    html! {
        p {
            (grouped(training.steps)) " steps. The weights are those after step " (grouped(training.best_step))
            ", where F1 on validation was " (format!("{:.1}", training.f1)) "."
            @if training.steps > training.optimizer_steps {
                " In " (grouped(training.steps - training.optimizer_steps)) " steps the gradients overflowed, and the weights did not change."
            }
        }
        div.charts {
            (LineChart {
                id: "loss",
                title: "Loss",
                description: &format!("Training loss goes {loss_ends}; each point is the mean over a part of the training."),
                x: step_axis(),
                y: Axis { name: "cross-entropy", format: short, range: None },
                lines: &[
                    Line { name: "training", look: Look::Solid, points: loss },
                    Line { name: "validation", look: Look::Diamonds, points: validation(|row| Some(row.loss)) },
                ],
            }.render())
            (LineChart {
                id: "scores",
                title: "F1 and exact match on validation",
                description: &format!("F1 goes {f1_ends}."),
                x: step_axis(),
                y: Axis { name: "per cent", format: short, range: Some((0.0, 100.0)) },
                lines: &[
                    Line { name: "F1", look: Look::Dots, points: f1 },
                    Line { name: "exact match", look: Look::Diamonds, points: exact_match },
                ],
            }.render())
            (LineChart {
                id: "learning-rate",
                title: "Learning rate",
                description: &format!("It goes {rate_ends}."),
                x: step_axis(),
                y: Axis { name: "", format: short, range: None },
                lines: &[Line { name: "learning rate", look: Look::Solid, points: rate }],
            }.render())
        }
    }
}

fn step_axis() -> Axis<'static> {
    Axis { name: "step", format: |step| grouped(step.round() as u64), range: None }
}

fn finite(point: (f64, f64)) -> Option<(f64, f64)> {
    point.1.is_finite().then_some(point)
}

/// Means over parts of equal length.
fn thinned(points: Vec<(f64, f64)>) -> Vec<(f64, f64)> {
    let mean = |stretch: &[(f64, f64)]| {
        let sum = stretch.iter().map(|point| point.1).sum::<f64>();
        (stretch[stretch.len() - 1].0, sum / stretch.len() as f64)
    };
    points.chunks(points.len().div_ceil(POINTS).max(1)).map(mean).collect()
}

/// The first and the last value, in words.
fn ends(points: &[(f64, f64)]) -> String {
    match points {
        [] => "nowhere".to_owned(),
        [first, ..] => format!("from {} to {}", short(first.1), short(points[points.len() - 1].1)),
    }
}
