//! The report stage: turns an evaluation and its inputs into a page.
//!
//! `figures` computes, `sections` and `markdown` show. Not here: what slices and categories are (`analysis`), how certain a
//! number is (`statistics`), how a page looks (`page`).

mod error;
mod figures;
mod inputs;
mod markdown;
mod sections;
mod selection;
mod verdict;

use artifact::{QuestionRow, file_name};
use stage::Job;

pub use error::Error;

use crate::figures::Figures;
use crate::inputs::Inputs;
use crate::verdict::Verdict;

/// Runs the stage.
pub fn run(job: &mut Job) -> Result<(), Error> {
    let inputs = Inputs::read(job)?;
    let figures = Figures::new(&inputs.questions);
    if job.interrupted() {
        return Err(Error::Interrupted);
    }
    let verdict = Verdict::new(&inputs, &figures);
    let (output, fingerprint) = (job.output(), job.fingerprint());
    let questions: Vec<QuestionRow> = inputs.questions.iter().map(question_row).collect();
    artifact::write_questions(&output.join(file_name::QUESTIONS), fingerprint, &questions)?;
    let slices: Vec<_> = figures.slices.iter().map(|slice| slice.row.clone()).collect();
    artifact::write_slices(&output.join(file_name::SLICES), fingerprint, &slices)?;
    let html = sections::render(&inputs, &figures, &verdict);
    fs_err::write(output.join(file_name::REPORT_HTML), &html)?;
    let markdown = markdown::render(&inputs, &figures, &verdict);
    fs_err::write(output.join(file_name::REPORT_MD), markdown)?;
    tracing::info!(
        bytes = html.len(),
        questions = questions.len(),
        wrong = figures.wrong(),
        "wrote the page"
    );
    job.metric("split", inputs.split.as_str());
    job.metric("verdict", verdict.in_words());
    Ok(())
}

fn question_row(question: &analysis::EvaluatedQuestion) -> QuestionRow {
    QuestionRow {
        id: question.id.clone(),
        slices: question.slices.iter().map(ToString::to_string).collect(),
        category: question.category.map(|category| category.name().to_owned()),
        exact_match: question.prediction.exact_match,
        f1: question.prediction.f1,
        base_exact_match: question.base.exact_match,
        base_f1: question.base.f1,
        confidence: question.confidence,
    }
}
