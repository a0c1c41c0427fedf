//! The arithmetic of curves: smoothing, and axes with round numbers.

/// `global_step` and a value.
pub(super) type Point = (f64, f64);

/// The weights of the old smoothed value at each step; `+` and `-` switch between these.
pub(super) const SMOOTHINGS: [f64; 7] = [0.0, 0.5, 0.8, 0.9, 0.95, 0.98, 0.99];

/// An exponential mean, with Adam's bias correction at its start. Points may be any number of steps apart: the result
/// does not depend on how many of them were logged.
pub(super) fn smoothed(points: &[Point], smoothing: f64) -> Vec<Point> {
    let (mut sum, mut weight) = (0.0, 0.0);
    let mut earlier: Option<f64> = None;
    let mut result = Vec::with_capacity(points.len());
    for &(step, value) in points.iter().filter(|(_, value)| value.is_finite()) {
        let kept = smoothing.powf(earlier.map_or(1.0, |earlier| (step - earlier).max(1.0)));
        sum = kept * sum + (1.0 - kept) * value;
        weight = kept * weight + (1.0 - kept);
        earlier = Some(step);
        result.push((step, sum / weight));
    }
    result
}

/// An axis from 0 to at least `highest`.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Scale {
    pub(super) end: f64,
    /// Evenly spaced values, 0 and the end included.
    pub(super) ticks: Vec<f64>,
}

impl Scale {
    /// An axis with a tick at every 1, 2, 2.5 or 5 times a power of ten, so that there are few of them.
    pub(super) fn to(highest: f64) -> Self {
        const INTERVALS: f64 = 4.0;
        let highest = if highest.is_finite() && highest > 0.0 { highest } else { 1.0 };
        let power = 10_f64.powf((highest / INTERVALS).log10().floor());
        let candidates = [1.0, 2.0, 2.5, 5.0, 10.0].map(|factor| factor * power);
        // A rounding error above the end does not need another tick.
        let enough = |tick: &f64| *tick * INTERVALS >= highest * (1.0 - 1e-9);
        let tick = candidates.into_iter().find(enough).unwrap_or(10.0 * power);
        let count = (highest / tick - 1e-9).ceil();
        let ticks: Vec<f64> = (0..=count as u32).map(|index| f64::from(index) * tick).collect();
        Self { end: count * tick, ticks }
    }
}

/// A number of an axis, as short as possible.
pub(super) fn label(value: f64) -> String {
    match value.abs() {
        0.0 => "0".to_owned(),
        size if size < 1e-2 => format!("{value:.1e}").replace(".0e", "e"),
        _ => {
            let text = format!("{value:.3}");
            text.trim_end_matches('0').trim_end_matches('.').to_owned()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn smoothing_keeps_a_constant_and_does_not_mind_the_interval() {
        let constant: Vec<Point> = (1..50).map(|step| (f64::from(step), 3.0)).collect();
        assert!(smoothed(&constant, 0.95).iter().all(|(_, value)| (value - 3.0).abs() < 1e-12));
        // A step function seen at every step or every fifth: both forget the past at the same rate.
        let jump = |step: u32| (f64::from(step), if step <= 100 { 4.0 } else { 1.0 });
        let all: Vec<Point> = (1..=200).map(jump).collect();
        let fifth: Vec<Point> = (1..=40).map(|index| jump(5 * index)).collect();
        let (all, fifth) = (smoothed(&all, 0.95), smoothed(&fifth, 0.95));
        assert!((all[119].1 - fifth[23].1).abs() < 0.01, "{:?} {:?}", all[119], fifth[23]);
        assert_eq!(smoothed(&[(1.0, 2.0), (2.0, f64::NAN), (3.0, 4.0)], 0.0), [(1.0, 2.0), (3.0, 4.0)]);
    }

    #[test]
    fn axes_end_at_round_numbers() {
        assert_eq!(Scale::to(5.3).ticks, [0.0, 2.0, 4.0, 6.0]);
        assert_eq!(Scale::to(100.0).ticks, [0.0, 25.0, 50.0, 75.0, 100.0]);
        assert_eq!(Scale::to(2e-4).ticks.len(), 5);
        assert!(Scale::to(2e-4).end < 2.001e-4);
        assert_eq!(Scale::to(0.0), Scale::to(1.0));
        assert_eq!(Scale::to(f64::NAN), Scale::to(1.0));
        for highest in [1e-9, 0.007, 0.99, 1.01, 6.2, 381.0, 33_197.0] {
            let scale = Scale::to(highest);
            assert!(
                scale.end >= highest * (1.0 - 1e-9) && scale.end <= 2.6 * highest,
                "{highest}: {scale:?}"
            );
            assert!((3..=6).contains(&scale.ticks.len()), "{highest}: {scale:?}");
        }
    }

    #[test]
    fn labels_are_short() {
        let labels = [0.0, 5e-5, 1.5e-4, 0.25, 2.5, 100.0, 0.1 + 0.2].map(label);
        assert_eq!(labels, ["0", "5e-5", "1.5e-4", "0.25", "2.5", "100", "0.3"]);
    }
}
