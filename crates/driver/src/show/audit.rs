//! `show` of an audit: the figures of every split, then some of each finding.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::path::Path;

use artifact::{AuditRow, Finding, Outcome, SplitName, read_audit};
use serde_json::{Map, Value, json};

use super::shorten;
use crate::Error;
use crate::table::{columns, grouped, number};

/// Characters of an example's texts.
const TEXT_CHARACTERS: usize = 60;

/// A finding in `audit.arrow`.
#[derive(Default)]
struct Found {
    rows: BTreeMap<String, u64>,
    examples: Vec<AuditRow>,
}

type Findings = BTreeMap<Finding, Found>;

/// The table at `path` in words; `summary` is that of the manifest, if there is one.
pub(super) fn text(path: &Path, summary: Option<&Value>, examples: usize) -> Result<String, Error> {
    let findings = read(path, examples)?;
    let mut text = "audit:\n".to_owned();
    text.push_str(&counts(&findings, summary));
    if let Some(summary) = summary {
        text.push_str(&figures(summary));
    }
    for (finding, found) in &findings {
        if found.examples.is_empty() {
            continue;
        }
        let severity = finding.severity().name();
        let _ = write!(text, "\n{} ({severity}): {}\n", finding.name(), finding.about());
        for row in &found.examples {
            text.push_str(&example(row));
        }
    }
    if findings.is_empty() {
        text.push_str("\n  nothing was found\n");
    }
    Ok(text)
}

/// The same for programs.
pub(super) fn json(path: &Path, summary: Option<&Value>, examples: usize) -> Result<Value, Error> {
    let findings: Vec<Value> = read(path, examples)?
        .into_iter()
        .map(|(finding, found)| {
            let examples: Vec<Value> = found.examples.iter().map(example_json).collect();
            json!({
                "finding": finding.name(),
                "severity": finding.severity().name(),
                "about": finding.about(),
                "count": found.rows,
                "examples": examples,
            })
        })
        .collect();
    Ok(json!({ "summary": summary, "findings": findings }))
}

fn read(path: &Path, examples: usize) -> Result<Findings, Error> {
    let mut findings = Findings::new();
    for row in read_audit(path)? {
        let row = row?;
        let found = findings.entry(row.finding).or_default();
        *found.rows.entry(row.split.clone()).or_default() += 1;
        if found.examples.len() < examples {
            found.examples.push(row);
        }
    }
    Ok(findings)
}

/// The splits that the summary or a finding names, training first.
fn splits(findings: &Findings, summary: Option<&Value>) -> Vec<&'static str> {
    let is_there = |split: &&str| {
        summary.is_some_and(|summary| summary.get(split).is_some())
            || findings.values().any(|found| found.rows.contains_key(*split))
    };
    let names = SplitName::ALL.map(SplitName::as_str);
    names.into_iter().filter(|split| *split != "test" || is_there(split)).collect()
}

/// Questions and findings of each split.
fn counts(findings: &Findings, summary: Option<&Value>) -> String {
    let splits = splits(findings, summary);
    let row = |name: &str, kind: &str, cells: Vec<String>| -> Vec<String> {
        [name.to_owned(), kind.to_owned()].into_iter().chain(cells).collect()
    };
    let mut rows = vec![row("", "", splits.iter().map(|split| (*split).to_owned()).collect())];
    if let Some(summary) = summary {
        for name in ["questions", "answerable", "unanswerable", "realigned", "skipped"] {
            rows.push(row(name, "", splits.iter().map(|split| number(&summary[split][name])).collect()));
        }
        rows.push(row("", "", vec![String::new(); splits.len()]));
    }
    for (finding, found) in findings {
        let count = |split: &&str| grouped(found.rows.get(*split).copied().unwrap_or(0));
        rows.push(row(finding.name(), finding.severity().name(), splits.iter().map(count).collect()));
    }
    columns(&rows, 2)
}

/// Lengths, scripts and languages.
fn figures(summary: &Value) -> String {
    const STATISTICS: [&str; 6] = ["mean", "min", "p50", "p90", "p99", "max"];
    let splits = splits(&Findings::new(), Some(summary));
    let mut lengths =
        vec![["characters", "", "mean", "min", "p50", "p90", "p99", "max"].map(str::to_owned).to_vec()];
    for field in ["context", "question", "answer"] {
        for split in &splits {
            let statistics = &summary[split]["characters"][field];
            let numbers = STATISTICS.map(|name| number(&statistics[name]));
            lengths.push([field.to_owned(), (*split).to_owned()].into_iter().chain(numbers).collect());
        }
    }
    let mut text = format!("\n{}", columns(&lengths, 2));
    for (title, pointer) in [
        ("scripts of contexts", "/scripts/context"),
        ("scripts of questions", "/scripts/question"),
        ("languages of contexts (guessed from a sample)", "/languages/contexts"),
    ] {
        let counts: Vec<Option<&Map<String, Value>>> =
            splits.iter().map(|split| summary[split].pointer(pointer).and_then(Value::as_object)).collect();
        let names: BTreeSet<&String> = counts.iter().flatten().flat_map(|counts| counts.keys()).collect();
        let count = |counts: Option<&Map<String, Value>>, name: &str| {
            counts.and_then(|counts| counts.get(name)).and_then(Value::as_u64).unwrap_or(0)
        };
        let mut names: Vec<&String> = names.into_iter().collect();
        names.sort_by_key(|name| std::cmp::Reverse(counts.iter().map(|of| count(*of, name)).sum::<u64>()));
        let mut rows = vec![[title].iter().chain(&splits).map(|cell| (*cell).to_owned()).collect::<Vec<_>>()];
        rows.extend(names.iter().map(|name| {
            let counts = counts.iter().map(|of| grouped(count(*of, name)));
            std::iter::once((*name).clone()).chain(counts).collect()
        }));
        let _ = write!(text, "\n{}", columns(&rows, 1));
    }
    text
}

/// An example on one line, or on two if there is a remark.
fn example(row: &AuditRow) -> String {
    let mut line = format!("  {:10}  {}", row.split, shorten(&row.id, TEXT_CHARACTERS));
    let place = |text: &Option<String>, start: Option<i32>| {
        let text = text.as_ref().map(|text| format!("{:?}", shorten(text, TEXT_CHARACTERS)));
        let at = start.map(|start| format!("at {start}"));
        [text, at].into_iter().flatten().collect::<Vec<_>>().join(" ")
    };
    let answer = place(&row.answer_text, row.answer_start);
    let found = place(&row.found_text, row.found_start);
    match (answer.is_empty(), found.is_empty()) {
        (true, _) => {}
        (false, true) => {
            let _ = write!(line, "  {answer}");
        }
        (false, false) => {
            let arrow = if row.outcome == Outcome::Realigned { "→" } else { "in" };
            let arrow = if row.finding.severity() == artifact::Severity::Error { "→" } else { arrow };
            let _ = write!(line, "  {answer} {arrow} {found}");
        }
    }
    if let Some(other) = &row.other_id {
        let _ = write!(line, "  as {}", shorten(other, TEXT_CHARACTERS));
    }
    if row.outcome != Outcome::Kept {
        let _ = write!(line, "  {}", row.outcome.name());
    }
    if let Some(detail) = &row.detail {
        let _ = write!(line, "  ({detail})");
    }
    line.push('\n');
    line
}

fn example_json(row: &AuditRow) -> Value {
    json!({
        "split": row.split,
        "id": row.id,
        "outcome": row.outcome.name(),
        "field": row.field,
        "answer_index": row.answer_index,
        "answer_text": row.answer_text,
        "answer_start": row.answer_start,
        "found_text": row.found_text,
        "found_start": row.found_start,
        "other_id": row.other_id,
        "detail": row.detail,
    })
}
