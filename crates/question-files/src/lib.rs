//! Reads questions in every supported format, as a stream.
//!
//! A file's first bytes tell its format and compression, whatever its name. A separate thread reads articles one after
//! another, so that a file may be larger than memory. Not here: whether a question can be used, and where files come
//! from (the callers).

// For the test modules that are shared with other crates.
#[cfg(test)]
extern crate self as question_files;

mod ahead;
mod arrow_file;
mod compression;
mod delimited;
mod error;
mod field;
mod form;
mod gather;
mod item;
mod json;
mod json_text;
mod labelled;
mod parquet;
mod predictions;
mod question;
mod scalar;
#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};

use memchr::memchr;
use serde_json::{Map, Value};

use crate::delimited::Records;
use crate::field::Field;
use crate::form::{Contents, Wanted};
use crate::gather::{Gather, Seen};
use crate::item::{ANY, Item};
use crate::json_text::{Expected, JsonText};
use crate::scalar::Word;

pub use crate::ahead::Articles;
pub use crate::error::{Error, Result};
pub use crate::gather::Understood;
pub use crate::labelled::{LabelledQuestion, labelled_questions};
pub use crate::predictions::predictions;
pub use crate::question::{Answer, Article, Paragraph, Qa};

/// Receives an article; an error ends the reading.
type Visit<'a> = &'a mut dyn FnMut(Article) -> Result<()>;

/// A file that questions are read from.
#[derive(Debug, Clone)]
pub struct QuestionFile {
    pub path: PathBuf,
    /// The user's name for it: a path, a URL, a file of the Hub.
    pub name: String,
    /// The setting or option that names it.
    pub asked_by: &'static str,
}

/// Every article of `files`, one file after another. An error ends the iteration.
#[must_use]
pub fn articles(files: Vec<QuestionFile>) -> Articles {
    Articles::new(move |visit, understood| {
        let mut seen = Seen::new();
        files.iter().try_for_each(|file| {
            understood(read(file, &mut seen, &mut |article: Article| {
                check_texts(&article, &file.name)?;
                visit(article)
            })?);
            Ok(())
        })
    })
}

/// Reads a list of question ids, plain or compressed.
pub fn read_ids(path: &Path, asked_by: &'static str) -> Result<Vec<String>> {
    let name = path.display().to_string();
    let what = "a list of question ids";
    let (text, _) = form::text(&QuestionFile { path: path.to_owned(), name: name.clone(), asked_by }, what)?;
    let form = "a list of question ids: [\"…\", \"…\"]";
    let mut json = JsonText::new(text, Expected { name: &name, form });
    let ids: Vec<Word> = json.value("the list")?;
    json.end()?;
    Ok(ids.into_iter().map(|id| id.0).collect())
}

/// The largest context: a novel has about one.
const MAX_CONTEXT_MIB: usize = 8;

const ROW_FORM: &str = "one object per question: {\"id\": …, \"title\": …, \"context\": …, \"question\": …, \
                        \"answers\": {\"text\": […], \"answer_start\": […]}}; crates/question-files/forms.md shows \
                        every form";

const COLUMNS: &str = "id, context, question, answers and answer_start";

fn read(file: &QuestionFile, seen: &mut Seen, visit: Visit<'_>) -> Result<Understood> {
    let name = &file.name;
    let wanted = Wanted { is_line, knows: |column| Field::named(column).is_some(), what: "questions" };
    let contents = form::contents(file, &wanted)?;
    let container = match contents {
        Contents::Parquet(_) => "Parquet",
        Contents::Arrow(_) => "Arrow",
        Contents::Object(_) => "SQuAD",
        Contents::List(_) => "a JSON list",
        Contents::Lines(_) => "JSON Lines",
        Contents::Table(b'\t', _) => "TSV",
        Contents::Table(..) => "CSV",
    };
    let mut gather = Gather::new(container, seen, visit);
    let mut take = |item: Item<ANY>| gather.push(item);
    let check = |names: &[&str]| {
        let error = |message| Error::Columns { name: name.clone(), message, columns: COLUMNS };
        item::check_columns(names).map_err(error)
    };
    let mut take_row = |number, row: Map<String, Value>| {
        let item = serde_path_to_error::deserialize(Value::Object(row));
        take(item.map_err(|error| Error::of_row(name, number, &error))?)
    };
    let expected = Expected { name, form: ROW_FORM };
    match contents {
        Contents::Parquet(file) => parquet::read(file, name, wanted.knows, &check, &mut take_row),
        Contents::Arrow(file) => arrow_file::read(file, name, wanted.knows, &check, &mut take_row),
        Contents::Object(text) => json::squad(text, name, &mut take),
        Contents::List(text) => json::list(text, expected, &mut take),
        Contents::Lines(text) => json::lines(text, expected, &mut take),
        Contents::Table(delimiter, text) => {
            delimited::read(Records::new(text, name, delimiter), &check, &mut take_row)
        }
    }?;
    gather.finish(name)
}

/// Whether a JSON text has one object per line and is not a SQuAD file: the first key that belongs to either of them
/// decides.
fn is_line(start: &[u8]) -> bool {
    let decides = |(key, value): (&[u8], u8)| match key {
        b"version" => Some(false),
        b"data" => Some(value == b'{'),
        b"title" => None,
        key => Field::named(std::str::from_utf8(key).ok()?).map(|_| true),
    };
    form::keys(start).find_map(decides).unwrap_or(false)
}

/// Checks that no text holds a NUL, and that no context is too large for a stage to be interrupted in time.
fn check_texts(article: &Article, name: &str) -> Result<()> {
    let refuse = |text: &str, place: &dyn Fn() -> String| {
        if memchr(0, text.as_bytes()).is_some() {
            return Err(Error::Nul { name: name.to_owned(), place: place() });
        }
        Ok(())
    };
    refuse(&article.title, &|| format!("the title {:?}", article.title))?;
    for paragraph in &article.paragraphs {
        let first = paragraph.qas.first().map_or("", |qa| &qa.id);
        if paragraph.context.len() > MAX_CONTEXT_MIB << 20 {
            return Err(Error::TooLarge {
                name: name.to_owned(),
                what: format!("the context of question {first:?}"),
                limit_mib: MAX_CONTEXT_MIB as u64,
                help: "a passage a question",
            });
        }
        refuse(&paragraph.context, &|| format!("the context of question {first:?}"))?;
        for qa in &paragraph.qas {
            refuse(&qa.id, &|| format!("the id {:?}", qa.id))?;
            refuse(&qa.question, &|| format!("the question {:?}", qa.id))?;
            for answer in qa.answers() {
                refuse(&answer.text, &|| format!("an answer of question {:?}", qa.id))?;
            }
        }
    }
    Ok(())
}
