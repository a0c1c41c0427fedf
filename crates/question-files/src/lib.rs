//! Questions in every form that people keep them in, read as a stream.
//!
//! A file's first bytes tell its form and compression, whatever its name. Articles are read one after the other on a
//! thread of their own, so that a file may be larger than memory. Whether a question can be used, and where files
//! come from, is for whoever asks.

// For the test modules that are shared with other crates.
#[cfg(test)]
extern crate self as question_files;

mod ahead;
mod compression;
mod error;
mod json_lines;
mod json_text;
mod parquet;
mod question;
mod rows;
mod squad_json;
#[cfg(test)]
mod tests;

use std::io::{self, BufRead, Seek as _};
use std::path::{Path, PathBuf};

use fs_err::File;
use memchr::memchr;

use crate::compression::Text;
use crate::json_text::{Expected, JsonText};

pub use crate::ahead::Articles;
pub use crate::error::{Error, Result};
pub use crate::question::{Answer, Article, Paragraph, Qa};

/// Takes an article; an error of it ends the reading.
type Visit<'a> = &'a mut dyn FnMut(Article) -> Result<()>;

/// A file that questions are read from.
#[derive(Debug, Clone)]
pub struct QuestionFile {
    pub path: PathBuf,
    /// What the user calls it: a path, a URL, a file of the Hub.
    pub name: String,
    /// The setting or option that names it.
    pub asked_by: &'static str,
}

/// Every article of `files`, one file after the other. An error ends the iteration.
#[must_use]
pub fn articles(files: Vec<QuestionFile>) -> Articles {
    Articles::new(move |visit| {
        files.iter().try_for_each(|file| {
            read(file, &mut |article: Article| {
                refuse_nul(&article, &file.name)?;
                visit(article)
            })
        })
    })
}

/// Reads a list of question ids, plain or compressed.
pub fn read_ids(path: &Path, asked_by: &'static str) -> Result<Vec<String>> {
    let name = path.display().to_string();
    let (text, _) = open(&QuestionFile { path: path.to_owned(), name: name.clone(), asked_by })?;
    let form = "a list of question ids: [\"…\", \"…\"]";
    let mut json = JsonText::new(text, Expected { name: &name, form });
    let ids = json.value("the list")?;
    json.end()?;
    Ok(ids)
}

fn read(file: &QuestionFile, visit: Visit<'_>) -> Result<()> {
    const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";
    let name = &file.name;
    let (mut text, is_compressed) = open(file)?;
    let first = text.fill_buf().map_err(|source| Error::io(name, source))?;
    if first.starts_with(b"PAR1") {
        let file = if is_compressed {
            unpacked(&mut text, name)?
        } else {
            File::open(&file.path).map_err(|source| Error::io(name, source))?.into_file()
        };
        return parquet::read(file, name, visit);
    }
    let mark = if first.starts_with(BYTE_ORDER_MARK) { BYTE_ORDER_MARK.len() } else { 0 };
    check_form(&first[mark..], name)?;
    let is_lines = is_row(&first[mark..]);
    text.consume(mark);
    if is_lines { json_lines::read(text, name, visit) } else { squad_json::read(text, name, visit) }
}

/// The contents of a regular file.
fn open(file: &QuestionFile) -> Result<(Text, bool)> {
    let QuestionFile { path, name, asked_by } = file;
    let no_file = |found| Error::NoFile { asked_by, name: name.clone(), found };
    // Looked at before it is opened: opening a FIFO would wait for its writer.
    match fs_err::metadata(path) {
        Ok(metadata) if metadata.is_file() => {}
        Ok(metadata) if metadata.is_dir() => return Err(no_file("a folder")),
        Ok(_) => return Err(no_file("no regular file")),
        Err(source) if source.kind() == io::ErrorKind::NotFound => return Err(no_file("missing")),
        Err(source) => return Err(Error::Read { name: name.clone(), source }),
    }
    let opened = File::open(path).and_then(compression::open);
    opened.map_err(|source| Error::io(name, source))
}

/// Parquet is read from several places: what was compressed as a whole goes into a file without a name.
fn unpacked(text: &mut Text, name: &str) -> Result<std::fs::File> {
    let mut unpack = || {
        let mut file = tempfile::tempfile()?;
        io::copy(text, &mut file)?;
        file.rewind()?;
        Ok(file)
    };
    unpack().map_err(|source| Error::io(name, source))
}

/// Refuses a text that begins like nothing that is read.
fn check_form(start: &[u8], name: &str) -> Result<()> {
    const SHOWN_BYTES: usize = 16;
    let (name, start) = (name.to_owned(), start.trim_ascii_start());
    match start {
        [] | [b'{', ..] => Ok(()),
        [byte @ 0xff, 0xfe, ..] | [byte @ 0xfe, 0xff, ..] => {
            let (line, column, byte) = (1, 1, *byte);
            Err(Error::Utf8 { name, line, column, byte, encoding: "utf-16" })
        }
        _ => {
            let start = start[..start.len().min(SHOWN_BYTES)].escape_ascii().to_string();
            Err(Error::Form { name, start })
        }
    }
}

/// Whether a JSON text begins with a row and not with a SQuAD file: the first of its keys that belongs to one of
/// them decides.
fn is_row(start: &[u8]) -> bool {
    let (mut depth, mut position) = (0_usize, 0);
    while let Some(byte) = start.get(position) {
        match byte {
            b'{' | b'[' => depth += 1,
            b'}' | b']' => depth = depth.saturating_sub(1),
            b'"' => {
                let begin = position + 1;
                position = begin;
                while let Some(byte) = start.get(position).filter(|byte| **byte != b'"') {
                    position += if *byte == b'\\' { 2 } else { 1 };
                }
                let text = start.get(begin..position).unwrap_or_default();
                let rest = start.get(position + 1..).unwrap_or_default().trim_ascii_start();
                if depth == 1 && rest.starts_with(b":") {
                    match text {
                        b"data" | b"version" => return false,
                        b"id" | b"context" | b"question" | b"answers" => return true,
                        _ => {}
                    }
                }
            }
            _ => {}
        }
        position += 1;
    }
    false
}

fn refuse_nul(article: &Article, name: &str) -> Result<()> {
    let refuse = |text: &str, place: &dyn Fn() -> String| {
        if memchr(0, text.as_bytes()).is_some() {
            return Err(Error::Nul { name: name.to_owned(), place: place() });
        }
        Ok(())
    };
    refuse(&article.title, &|| format!("the title {:?}", article.title))?;
    for paragraph in &article.paragraphs {
        let first = paragraph.qas.first().map_or("", |qa| &qa.id);
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
