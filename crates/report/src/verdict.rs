//! The first sentences of the report: what came of it, and what the model is bad at.

use artifact::{PartScores, ScoreWithInterval, SplitName};
use page::number::{grouped, p_value, signed};

use crate::figures::{ALPHA, Figures, ScoredSlice};
use crate::inputs::Inputs;

/// Slices that the verdict names.
const NAMED: usize = 3;
/// Questions below which intervals are wide.
const FEW: u64 = 200;

/// In plain text: names of slices may come from data.
pub(crate) struct Verdict {
    pub scores: String,
    pub worst: String,
    /// What one should know before one relies on it.
    pub notes: Vec<String>,
}

impl Verdict {
    pub fn new(inputs: &Inputs, figures: &Figures) -> Self {
        Self { scores: scores(inputs, figures), worst: worst(figures), notes: notes(inputs, figures) }
    }

    pub fn in_words(&self) -> String {
        format!("{} {}", self.scores, self.worst)
    }
}

fn scores(inputs: &Inputs, figures: &Figures) -> String {
    let all = figures.all();
    let (before, after) = (all.base_f1.mean, all.f1.mean);
    let interval = all.f1.interval.map_or_else(String::new, |interval| {
        format!(" (95\u{a0}% interval {:.1} to {:.1})", interval.low, interval.high)
    });
    let plural = if all.questions == 1 { "" } else { "s" };
    let on = format!("{interval} on {} {} question{plural}", grouped(all.questions), inputs.split);
    match all.p_value_of_gain {
        Some(p_value) if p_value <= ALPHA => {
            let verb = if after > before { "rose" } else { "fell" };
            format!("F1 {verb} from {before:.1} to {after:.1}{on}.")
        }
        _ => format!("F1 is {after:.1}{on}. Before fine-tuning it was {before:.1}; that may be chance."),
    }
}

/// `77.2 (76.1 to 78.3)`
pub(crate) fn with_interval(score: ScoreWithInterval) -> String {
    let interval =
        score.interval.map_or_else(String::new, |of| format!(" ({:.1} to {:.1})", of.low, of.high));
    format!("{:.1}{interval}", score.mean)
}

fn worst(figures: &Figures) -> String {
    let (wrong, all) = (figures.wrong(), figures.all().questions);
    if wrong == 0 {
        return "Every answer is right.".to_owned();
    }
    if wrong == all {
        return "No answer is exactly right.".to_owned();
    }
    let worst = figures.worst();
    let named: Vec<String> = distinct(&worst).into_iter().take(NAMED).map(in_verdict).collect();
    match named.as_slice() {
        [] => "No kind of question is significantly worse than the others.".to_owned(),
        [only] => format!("It is worst at {only}."),
        [first @ .., last] => format!("It is worst at {} and {last}.", first.join(", ")),
    }
}

/// The worst of each slicing: three lengths of answers say less than a length, a word and a type.
fn distinct<'a>(worst: &[&'a ScoredSlice]) -> Vec<&'a ScoredSlice> {
    let mut distinct: Vec<&ScoredSlice> = Vec::new();
    for slice in worst {
        if !distinct.iter().any(|other| other.row.slicing == slice.row.slicing) {
            distinct.push(slice);
        }
    }
    distinct
}

fn in_verdict(slice: &ScoredSlice) -> String {
    format!("{} (F1 {:.1})", phrase(&slice.row.slicing, &slice.row.value), slice.row.f1.mean)
}

/// A slice in words.
pub(crate) fn phrase(slicing: &str, value: &str) -> String {
    match (slicing, value) {
        (_, "no answer") => "questions without an answer".to_owned(),
        ("question_word", "other") => "questions without a question word".to_owned(),
        ("question_word", word) => format!("“{word}” questions"),
        ("answer_type", "other") => "answers that are no name, number or date".to_owned(),
        ("answer_type", kind) => format!("answers that are a {kind}"),
        ("answer_length", "1") => "answers of one word".to_owned(),
        ("answer_length", words) => format!("answers of {} words", range(words)),
        ("context_length", words) => format!("contexts of {} words", range(words)),
        ("windows", "1") => "contexts in one window".to_owned(),
        ("windows", windows) => format!("contexts in {} windows", range(windows)),
        ("answer_position", part) => format!("answers in the {part} of their context"),
        ("shared_words", "none") => "questions that share no words with the answer’s sentence".to_owned(),
        ("shared_words", "more") => "questions that share most words with the answer’s sentence".to_owned(),
        ("shared_words", share) => {
            format!("questions that share {share} of their words with the answer’s sentence")
        }
        ("article", title) => format!("the article “{title}”"),
        ("script", script) => format!("contexts in {script} script"),
        ("audit", finding) => format!("the audit’s “{}”", finding.replace('_', " ")),
        ("own", name) => format!("your slice “{name}”"),
        (slicing, value) => format!("{slicing} = {value}"),
    }
}

/// `3-5` as people write it, `11+` in words.
pub(crate) fn range(value: &str) -> String {
    match value.strip_suffix('+') {
        Some(least) => format!("{least} or more"),
        None => value.replace('-', " to "),
    }
}

fn notes(inputs: &Inputs, figures: &Figures) -> Vec<String> {
    let mut notes = Vec::new();
    let all = figures.all();
    let scores = match inputs.split {
        SplitName::Test => inputs.evaluation.test.as_ref().unwrap_or(&inputs.evaluation.validation),
        _ => &inputs.evaluation.validation,
    };
    if inputs.split == SplitName::Test {
        let validation = &inputs.evaluation.validation;
        notes.push(format!(
            "The test questions chose nothing. On the {} validation questions, which chose the weights, F1 is {:.1} and \
             exact match {:.1}.",
            grouped(validation.questions),
            validation.f1,
            validation.exact_match
        ));
    } else if inputs.is_own_data {
        notes.push(
            "The same questions chose the best weights, so the scores are a little too high. Only a test split \
             (ingest.test) has no such advantage."
                .to_owned(),
        );
    }
    notes.push(match (all.p_value_of_gain, all.f1.interval) {
        (Some(p), Some(_)) => format!(
            "The intervals hold for new questions that are like these. The change of {} points of F1 {} (p {}).",
            signed(all.f1.mean - all.base_f1.mean, 1),
            if p <= ALPHA { "is significant" } else { "may be chance" },
            p_value(p)
        ),
        _ => "All questions are about one context, so there are no intervals: other contexts may give any score.".to_owned(),
    });
    if all.questions < FEW {
        notes.push(format!(
            "{} questions are few: read single slices as examples, not as measurements.",
            grouped(all.questions)
        ));
    }
    if let (Some(with), Some(without)) = (scores.has_answer, scores.no_answer) {
        let part = |part: PartScores| {
            format!(
                "F1 {:.1} and exact match {:.1} on {} questions",
                part.f1,
                part.exact_match,
                grouped(part.questions)
            )
        };
        notes.push(format!(
            "Where there is an answer: {}. Where there is none: {}.",
            part(with),
            part(without)
        ));
    }
    // Fewer do not matter.
    if 100 * scores.questions_with_longer_answers_alone > all.questions {
        notes.push(format!(
            "Of {} questions all answers are longer than evaluate.max_answer_length allows, so that none can be right.",
            grouped(scores.questions_with_longer_answers_alone)
        ));
    }
    if !inputs.is_own_data {
        notes.push(
            "The model was trained from another ingest artifact: training data and its audit, below, are not what it \
             learned from."
                .to_owned(),
        );
    }
    if !inputs.texts {
        notes.push("Contexts, questions, answers and titles are left out (report.texts = false).".to_owned());
    }
    notes
}
