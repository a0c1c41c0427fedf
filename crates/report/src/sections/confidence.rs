//! Whether the model knows when it is wrong.

use artifact::{NullThresholds, SplitName};
use maud::{Markup, html};
use page::chart::{Axis, Line, LineChart, Look, ReliabilityBin, ReliabilityChart};
use statistics::Reliability;

use crate::figures::Figures;
use crate::inputs::Inputs;

/// Points of the curve; a file has one for each question.
const POINTS: usize = 100;

pub(super) fn render(inputs: &Inputs, figures: &Figures) -> Markup {
    let points = &figures.risk_coverage.points;
    // The least confidence at which so many answers are right.
    let reaching = |right: f64| points.iter().rfind(|point| 1.0 - point.risk >= right);
    html! {
        p {
            (calibration(inputs, figures))
            " The Brier score is " (format!("{:.3}", brier(inputs, figures))) "; 0 is perfect."
            @if let Some(point) = reaching(0.9).filter(|point| point.coverage < 1.0) {
                " Answering only where it is at least " (format!("{:.0} %", 100.0 * point.confidence))
                " sure covers " (format!("{:.0} %", 100.0 * point.coverage))
                " of the questions, and 9 in 10 of those answers are right."
            }
        }
        @for sentence in chosen(inputs, figures) { p { (sentence) } }
        div.charts { (reliability(inputs, figures)) (risk_coverage(figures)) }
        @if inputs.calibration().is_some() {
            details {
                summary { "Before calibration" }
                div.charts { (uncalibrated(figures)) }
            }
        }
    }
}

/// What evaluate chose, and what it brings.
fn chosen(inputs: &Inputs, figures: &Figures) -> Vec<String> {
    let scores = inputs.evaluation.test.as_ref().unwrap_or(&inputs.evaluation.validation);
    let temperature = inputs.calibration().map(|calibration| {
        let fitted = match inputs.split {
            SplitName::Test => "The temperature was fitted on the validation questions.",
            _ => {
                "The temperature was fitted on these questions, so the chart shows it at its best; for the calibration error and \
                 the Brier score, that of each paragraph was fitted on other paragraphs."
            }
        };
        format!(
            "All confidences on this page are calibrated: scores are divided by the temperature {:.2}, as `distilburn ask` does \
             with the exported model. Without it, the calibration error is {:.1} points. {fitted}",
            calibration.temperature,
            100.0 * figures.uncalibrated.expected_calibration_error,
        )
    });
    let threshold = scores.null_threshold.map(|NullThresholds { used, attainable_f1, .. }| {
        format!(
            "A question is left unanswered if \u{201c}no answer\u{201d} scores more than {used:.2} above the best answer. The best \
             threshold for these questions, {:.2}, gives an F1 of {:.1}.",
            attainable_f1.threshold, attainable_f1.score
        )
    });
    temperature.into_iter().chain(threshold).collect()
}

/// The expected calibration error of the confidences that are shown, 0 to 1. On validation, where the temperature was fitted,
/// it is the cross-fitted one.
pub(super) fn calibration_error(inputs: &Inputs, figures: &Figures) -> f64 {
    inputs.calibration().map_or(figures.reliability.expected_calibration_error, |calibration| {
        calibration.calibrated.expected_calibration_error
    })
}

fn brier(inputs: &Inputs, figures: &Figures) -> f64 {
    inputs.calibration().map_or(figures.brier, |calibration| calibration.calibrated.brier_score)
}

fn calibration(inputs: &Inputs, figures: &Figures) -> String {
    let (confidence, accuracy) = figures.confidence_and_accuracy();
    let (confidence, accuracy) = (100.0 * confidence, 100.0 * accuracy);
    let kind = match confidence - accuracy {
        difference if difference > 2.0 => "The model is too sure of itself",
        difference if difference < -2.0 => "The model is right more often than it says",
        _ => "On average, the model is about as sure as it should be",
    };
    format!(
        "{kind}: it says {confidence:.0} %, and {accuracy:.0} % of its answers are exactly right. Its calibration error is {:.1} \
         points.",
        100.0 * calibration_error(inputs, figures)
    )
}

fn bins(reliability: &Reliability) -> Vec<ReliabilityBin> {
    reliability
        .bins
        .iter()
        .map(|bin| ReliabilityBin {
            count: bin.count as u64,
            confidence: bin.confidence,
            accuracy: bin.accuracy,
        })
        .collect()
}

fn reliability(inputs: &Inputs, figures: &Figures) -> Markup {
    ReliabilityChart {
        id: "reliability",
        title: match inputs.calibration() {
            Some(_) => "Right answers by confidence, after calibration",
            None => "Right answers by confidence, not calibrated",
        },
        description: &format!(
            "A calibrated model follows the dashed diagonal: of the answers that it is 80 % sure of, 80 % are right. {} The \
             bars count the answers.",
            calibration(inputs, figures)
        ),
        bins: &bins(&figures.reliability),
    }
    .render()
}

fn uncalibrated(figures: &Figures) -> Markup {
    ReliabilityChart {
        id: "reliability-before",
        title: "Right answers by confidence, before calibration",
        description: &format!(
            "The same answers with confidences from undivided scores. The calibration error is {:.1} points.",
            100.0 * figures.uncalibrated.expected_calibration_error
        ),
        bins: &bins(&figures.uncalibrated),
    }
    .render()
}

fn risk_coverage(figures: &Figures) -> Markup {
    let points = &figures.risk_coverage.points;
    let every = points.len().div_ceil(POINTS).max(1);
    let last = points.len().saturating_sub(1);
    let curve = points.iter().enumerate().filter(|(index, _)| index.is_multiple_of(every) || *index == last);
    let percent = |value: f64| format!("{:.0} %", 100.0 * value);
    let at =
        |share: f64| points.iter().rfind(|point| point.coverage <= share).map_or(0.0, |point| point.risk);
    LineChart {
        id: "risk-coverage",
        title: "Wrong answers by share answered",
        description: &format!(
            "If it answers only the half that it is surest of, {} of the answers are wrong; if it answers all, {}.",
            percent(at(0.5)),
            percent(at(1.0))
        ),
        x: Axis { name: "answered, the surest first", format: percent, range: Some((0.0, 1.0)) },
        y: Axis { name: "wrong answers", format: percent, range: None },
        lines: &[Line {
            name: "wrong answers",
            look: Look::Solid,
            points: curve.map(|(_, point)| (point.coverage, point.risk)).collect(),
        }],
    }
    .render()
}
