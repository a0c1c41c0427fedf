//! Reads CSV and TSV with a header, by RFC 4180.
//!
//! It is strict where a lenient reader would silently change a text: a quote that is never closed would swallow the
//! following rows, and text after a closing quote would lose its quotes.

use std::io::BufRead;

use serde_json::{Map, Value};

use crate::error::{Error, Result};
use crate::field::Field;
use crate::json_text::too_many_parts;

/// The largest row.
const MAX_ROW_MIB: usize = 64;

/// The most fields of a row.
pub(crate) const MAX_FIELDS: usize = 10_000;

/// The delimiter, if `header`, the first line of a text, belongs to a table of questions.
///
/// `knows` says whether a column is used.
pub(crate) fn delimiter(header: &[u8], knows: &dyn Fn(&str) -> bool) -> Option<u8> {
    let line = header.split(|byte| b"\r\n".contains(byte)).next().unwrap_or_default();
    let line = std::str::from_utf8(line).ok()?.trim_end();
    let columns = |delimiter: u8| {
        let names = line.split(char::from(delimiter)).map(|name| name.trim().trim_matches('"'));
        names.filter(|name| knows(name)).count()
    };
    let best = b",\t;".iter().copied().max_by_key(|delimiter| (columns(*delimiter), *delimiter == b','))?;
    (columns(best) > 0 && line.as_bytes().contains(&best)).then_some(best)
}

/// Reads records, each field as text.
pub(crate) struct Records<'a, R> {
    text: R,
    name: &'a str,
    delimiter: u8,
    /// Line of the next byte, from 1.
    line: usize,
    fields: Vec<Vec<u8>>,
    /// What ends a line: `\r` alone on old Macs and in some exports of Excel.
    line_end: Option<u8>,
}

impl<'a, R: BufRead> Records<'a, R> {
    pub(crate) fn new(text: R, name: &'a str, delimiter: u8) -> Self {
        Self { text, name, delimiter, line: 1, fields: Vec::new(), line_end: None }
    }

    /// The next record that is not an empty line, and the line at which it begins.
    pub(crate) fn next(&mut self) -> Result<Option<(usize, Vec<String>)>> {
        loop {
            let begin = self.line;
            if !self.scan()? {
                return Ok(None);
            }
            if self.fields.len() == 1 && self.fields[0].is_empty() {
                continue;
            }
            let mut texts = Vec::with_capacity(self.fields.len());
            for field in self.fields.drain(..) {
                texts.push(String::from_utf8(field).map_err(|error| {
                    let at = error.utf8_error().valid_up_to();
                    let (name, byte) = (self.name.to_owned(), error.as_bytes()[at]);
                    Error::Utf8 { name, line: begin, column: at + 1, byte, encoding: "latin1" }
                })?);
            }
            return Ok(Some((begin, texts)));
        }
    }

    /// Reads the bytes of a record into `fields`; false at the end of the text.
    fn scan(&mut self) -> Result<bool> {
        #[derive(PartialEq)]
        enum At {
            Begin,
            Plain,
            Quoted,
            /// After a quote inside quotes.
            Closed,
        }
        self.fields.clear();
        let (mut at, mut field, mut bytes, begin) = (At::Begin, Vec::new(), 0, self.line);
        loop {
            let buffer = self.text.fill_buf().map_err(|source| Error::io(self.name, source))?;
            if buffer.is_empty() {
                if at == At::Quoted {
                    return Err(Error::row(self.name, begin, "a quote is never closed".to_owned()));
                }
                if bytes == 0 {
                    return Ok(false);
                }
                self.fields.push(field);
                return Ok(true);
            }
            let line_end = *self.line_end.get_or_insert_with(|| line_end(buffer));
            let mut taken = 0;
            for byte in buffer.iter().copied() {
                taken += 1;
                self.line += usize::from(byte == line_end);
                let is_end = byte == line_end || byte == self.delimiter;
                match at {
                    At::Begin if byte == b'"' => at = At::Quoted,
                    At::Quoted if byte == b'"' => at = At::Closed,
                    At::Closed if byte == b'"' => {
                        field.push(b'"');
                        at = At::Quoted;
                    }
                    At::Quoted => field.push(byte),
                    At::Closed if byte == b'\r' && !is_end => {}
                    At::Closed if !is_end => {
                        return Err(Error::row(
                            self.name,
                            begin,
                            "text follows a closing quote; inside quotes, write a quote twice".to_owned(),
                        ));
                    }
                    _ if is_end => {
                        if byte == line_end && at != At::Closed && field.last() == Some(&b'\r') {
                            field.pop();
                        }
                        if self.fields.len() == MAX_FIELDS {
                            let message = format!("a row has more than {MAX_FIELDS} fields");
                            return Err(Error::row(self.name, begin, message));
                        }
                        self.fields.push(std::mem::take(&mut field));
                        at = At::Begin;
                        if byte == line_end {
                            self.text.consume(taken);
                            return Ok(true);
                        }
                    }
                    _ => {
                        field.push(byte);
                        at = At::Plain;
                    }
                }
            }
            self.text.consume(taken);
            bytes += taken;
            if bytes > MAX_ROW_MIB << 20 {
                return Err(Error::TooLarge {
                    name: self.name.to_owned(),
                    what: format!("the row at line {begin}"),
                    limit_mib: MAX_ROW_MIB as u64,
                    help: "one question per row",
                });
            }
        }
    }
}

/// The line end of a text that begins with `start`.
fn line_end(start: &[u8]) -> u8 {
    let first = start.iter().position(|byte| b"\r\n".contains(byte));
    let is_old =
        first.is_some_and(|at| start[at] == b'\r' && start.get(at + 1).is_some_and(|next| *next != b'\n'));
    if is_old { b'\r' } else { b'\n' }
}

/// Passes every row under the header to `take` as an object, with its line. `check` gets the header first.
pub(crate) fn read(
    mut records: Records<'_, impl BufRead>,
    check: &dyn Fn(&[&str]) -> Result<()>,
    take: &mut dyn FnMut(usize, Map<String, Value>) -> Result<()>,
) -> Result<()> {
    let Some((_, header)) = records.next()? else { return Ok(()) };
    let names: Vec<&str> = header.iter().map(|name| name.trim()).collect();
    check(&names)?;
    while let Some((line, texts)) = records.next()? {
        let error = |message| Error::row(records.name, line, message);
        if texts.len() != names.len() {
            let (found, expected) = (texts.len(), names.len());
            return Err(error(format!(
                "found {found} fields, expected the {expected} of the header: a text with a delimiter or a line break \
                 in it needs quotes"
            )));
        }
        let mut row = Map::new();
        for (column, text) in names.iter().zip(texts) {
            let is_json = text.starts_with(['[', '{']);
            if let Some(found) = is_json.then(|| too_many_parts(text.as_bytes())).flatten() {
                return Err(error(format!("{column}: has {found}")));
            }
            row.insert((*column).to_owned(), cell(column, text));
        }
        take(line, row)?;
    }
    Ok(())
}

/// A cell's value: offsets may be JSON, and an empty cell of answers means no answers.
fn cell(column: &str, text: String) -> Value {
    match Field::named(column) {
        Some((Field::Answers | Field::AnswerStart | Field::DetectedAnswers, _)) if text.trim().is_empty() => {
            Value::Array(Vec::new())
        }
        Some((Field::AnswerStart | Field::DetectedAnswers, _)) if text.starts_with(['[', '{']) => {
            serde_json::from_str(&text).unwrap_or(Value::String(text))
        }
        Some((Field::Id | Field::IsImpossible, _)) if text.trim().is_empty() => Value::Null,
        _ => Value::String(text),
    }
}
