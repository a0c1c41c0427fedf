//! A comparison in words and as JSON.

use std::fmt::Write;

use serde_json::{Value, json};
use statistics::{Flips, Interval};

use super::sides::Questions;
use super::{Change, Comparison, LEVEL, OfSlice};
use crate::table::{columns, grouped, p_text};

/// Points of F1 within which two models are called equivalent.
const MARGIN: f64 = 1.0;

impl Comparison {
    pub(super) fn to_text(&self, questions: &Questions) -> String {
        let mut text = format!("A  {}\nB  {}\n", self.before, self.after);
        if !self.differs.is_empty() {
            let _ = write!(text, "\nWhat differs, A → B:\n  {}\n", self.differs.join("\n  "));
        }
        let _ = write!(text, "\n{} {}:\n", grouped(questions.ids.len() as u64), questions.what);
        if self.is_same {
            let (exact_match, f1) = (100.0 * self.exact_match.after.mean, 100.0 * self.f1.after.mean);
            let _ = writeln!(text, "  the same answers: exact match {exact_match:.2}, F1 {f1:.2}");
            return text;
        }
        let row = |name: &str, change: &Change, p_value: f64| {
            vec![
                name.to_owned(),
                format!("{:.2}", 100.0 * change.before.mean),
                format!("{:.2}", 100.0 * change.after.mean),
                format!("{:+.2}", 100.0 * change.difference.mean),
                change.difference.interval(LEVEL).map(points).unwrap_or_default(),
                p_text(p_value),
            ]
        };
        let head = ["", "A", "B", "B − A", "95 % interval", "p"].map(str::to_owned).to_vec();
        let p_of = |change: &Change| change.difference.p_value().unwrap_or(1.0);
        let rows = vec![
            head,
            row("exact match", &self.exact_match, self.exact_match_p_value().unwrap_or(1.0)),
            row("F1", &self.f1, p_of(&self.f1)),
        ];
        text.push_str(&columns(&rows, 1));
        if let Some(interval) = self.f1_by_article {
            let _ = writeln!(text, "\n  F1 with whole articles resampled: {}", points(interval));
        }
        if let Some(flips) = self.flips {
            let _ = writeln!(
                text,
                "\n  B is right where A is wrong on {} questions, and wrong where A is right on {} (p of exact match: exact McNemar test)",
                grouped(flips.gained as u64),
                grouped(flips.lost as u64),
            );
        }
        for (side, spread) in ["A", "B"].iter().zip(self.spreads) {
            if let Some((low, high)) = spread {
                let _ = writeln!(text, "\n  F1 of the runs of {side}: {low:.2} to {high:.2}");
            }
        }
        if self.spreads.iter().any(Option::is_some) {
            text.push_str("  intervals and p hold for other questions, not for other seeds\n");
        }
        let _ = writeln!(text, "\n  {}", self.verdict());
        let certain: Vec<Vec<String>> = self
            .slices
            .iter()
            .filter(|of| of.p_value <= 1.0 - LEVEL)
            .map(|of| row(&format!("{} ({})", of.slice, of.f1.after.questions), &of.f1, of.p_value))
            .collect();
        if certain.is_empty() {
            let _ = writeln!(
                text,
                "\n  none of {} slices differs significantly (Holm's correction)",
                self.slices.len()
            );
        } else {
            let head = ["F1 of slices (questions)", "A", "B", "B − A", "95 % interval", "p, corrected"];
            let rows: Vec<Vec<String>> =
                std::iter::once(head.map(str::to_owned).to_vec()).chain(certain).collect();
            let _ = write!(text, "\n{}", columns(&rows, 1));
        }
        text
    }

    /// What one may conclude, in a sentence.
    pub(super) fn verdict(&self) -> String {
        let difference = 100.0 * self.f1.difference.mean;
        let is_within_spread = self.spreads.iter().flatten().any(|(low, high)| difference.abs() < high - low);
        if is_within_spread {
            return format!(
                "B − A in F1 ({difference:+.2}) is smaller than the spread between seeds: no difference shown"
            );
        }
        match self.f1.difference.p_value() {
            Some(p) if p <= 1.0 - LEVEL && difference > 0.0 => "B is better in F1".to_owned(),
            Some(p) if p <= 1.0 - LEVEL => "B is worse in F1".to_owned(),
            Some(_) => match self.f1.difference.equivalence(MARGIN / 100.0) {
                Some(equivalence) if equivalence.p_value <= 1.0 - LEVEL => {
                    format!("A and B are equivalent within {MARGIN} points of F1")
                }
                _ => "the questions do not show which is better".to_owned(),
            },
            None => "all questions are about one context: nothing can be said about others".to_owned(),
        }
    }

    pub(super) fn to_json(&self) -> Value {
        let interval = |interval: Option<Interval>| {
            interval.map(|interval| json!({"low": 100.0 * interval.low, "high": 100.0 * interval.high}))
        };
        let change = |change: &Change| {
            json!({
                "a": 100.0 * change.before.mean,
                "b": 100.0 * change.after.mean,
                "difference": 100.0 * change.difference.mean,
                "interval": interval(change.difference.interval(LEVEL)),
                "p_value": change.difference.p_value(),
            })
        };
        let slice = |of: &OfSlice| {
            let mut answer = change(&of.f1);
            answer["slice"] = of.slice.to_string().into();
            answer["questions"] = of.f1.after.questions.into();
            answer["p_value_corrected"] = of.p_value.into();
            answer
        };
        json!({
            "a": self.before,
            "b": self.after,
            "differs": self.differs,
            "same_answers": self.is_same,
            "exact_match": change(&self.exact_match),
            "f1": change(&self.f1),
            "f1_interval_by_article": interval(self.f1_by_article),
            "gained": self.flips.map(|flips| flips.gained),
            "lost": self.flips.map(|flips| flips.lost),
            "mcnemar_p_value": self.flips.map(Flips::mcnemar_p_value),
            "spread": self.spreads.map(|spread| spread.map(|(low, high)| json!({"low": low, "high": high}))),
            "verdict": if self.is_same { "the same answers".to_owned() } else { self.verdict() },
            "f1_of_slices": self.slices.iter().map(slice).collect::<Vec<_>>(),
        })
    }
}

pub(super) fn points(interval: Interval) -> String {
    format!("{:+.2} to {:+.2}", 100.0 * interval.low, 100.0 * interval.high)
}
