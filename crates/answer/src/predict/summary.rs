//! What came of a prediction: counts, and scores where there are golds.

use std::path::Path;

use serde_json::json;
use squad::Means;

use super::part::Totals;
use crate::Error;

/// Says what came of it.
pub(crate) fn summarize(totals: &Totals, output: &Path, as_json: bool) -> Result<(), Error> {
    if totals.refused > 0 {
        tracing::warn!(
            questions = totals.refused,
            "questions could not be asked and have no answer; the column `error` says why"
        );
    }
    if !as_json {
        let lines = lines_of(totals).join("\n");
        return Ok(stage::print(&format!("{}: {lines}\n", output.display()))?);
    }
    let mut object = json!({
        "output": output.display().to_string(), "questions": totals.questions, "no_answer": totals.no_answer,
        "refused": totals.refused,
    });
    for (part, Means { questions, exact_match, f1 }) in totals.means() {
        let key = |name: &str| if part.is_empty() { name.to_owned() } else { format!("{part}_{name}") };
        let labelled = if part.is_empty() { "labelled" } else { "questions" };
        object[key(labelled)] = questions.into();
        object[key("exact_match")] = exact_match.into();
        object[key("f1")] = f1.into();
    }
    Ok(stage::print(&format!("{object}\n"))?)
}

/// What came of it, for people.
pub(super) fn lines_of(totals: &Totals) -> Vec<String> {
    let mut lines = vec![match totals.no_answer {
        0 => format!("{} questions", totals.questions),
        none => format!("{} questions, {none} without an answer", totals.questions),
    }];
    for (part, Means { questions, exact_match, f1 }) in totals.means() {
        let of = match part {
            "has_answer" => "with an answer: ",
            "no_answer" => "without: ",
            _ => "",
        };
        lines.push(format!("{of}exact match {exact_match:.2}, F1 {f1:.2} ({questions} questions)"));
    }
    lines
}
