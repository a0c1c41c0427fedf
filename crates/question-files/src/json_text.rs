//! Reads a JSON text value by value; only one value is in memory at a time.
//!
//! This finds where a value ends; `serde_json` checks and parses it.

use std::fmt;
use std::io::BufRead;

use memchr::{memchr_iter, memchr2, memrchr};
use serde::de::DeserializeOwned;

use crate::error::Error;

/// The largest value: SQuAD's articles have about 100 KB.
pub(crate) const MAX_VALUE_MIB: usize = 256;

/// The most parts of a value; a question with an answer has about twenty. Each part takes up to 130 bytes of memory,
/// but may have only one byte in the file.
pub(crate) const MAX_PARTS: usize = 4_000_000;

/// A text of fewer bytes has too few parts to be counted.
const UNCOUNTED_BYTES: usize = 1 << 20;

/// How many parts a text has, if that exceeds the limit: a comma counts as one, an object as five.
pub(crate) fn too_many_parts(text: &[u8]) -> Option<TooManyParts> {
    if text.len() < UNCOUNTED_BYTES {
        return None;
    }
    let found = memchr_iter(b',', text).count() + 5 * memchr_iter(b'{', text).count();
    (found > MAX_PARTS).then_some(TooManyParts(found))
}

pub(crate) struct TooManyParts(usize);

impl fmt::Display for TooManyParts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} commas and objects (each of these counts as five), the limit is {MAX_PARTS}", self.0)
    }
}

/// A file and what it should hold, for messages.
#[derive(Debug, Clone, Copy)]
pub(super) struct Expected<'a> {
    pub(super) name: &'a str,
    pub(super) form: &'static str,
}

/// Lines and bytes before a place of a text.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Place {
    /// Whole lines.
    pub(super) lines: usize,
    /// Bytes of the line after them.
    pub(super) bytes: usize,
}

impl Place {
    /// The place after `text`, which begins here.
    pub(super) fn behind(self, text: &[u8]) -> Self {
        match memrchr(b'\n', text) {
            None => Self { bytes: self.bytes + text.len(), ..self },
            Some(last) => {
                Self { lines: self.lines + memchr_iter(b'\n', text).count(), bytes: text.len() - last - 1 }
            }
        }
    }
}

/// A text from which values are read.
pub(super) struct JsonText<'a, R> {
    text: R,
    expected: Expected<'a>,
    /// The place of the next byte.
    place: Place,
    value: Vec<u8>,
}

impl<'a, R: BufRead> JsonText<'a, R> {
    /// Starts at the beginning of `text`.
    pub(super) fn new(text: R, expected: Expected<'a>) -> Self {
        Self { text, expected, place: Place::default(), value: Vec::new() }
    }

    /// The next byte that is not white space; `None` at the end.
    pub(super) fn peek(&mut self) -> Result<Option<u8>, Error> {
        loop {
            let buffer = self.text.fill_buf().map_err(|source| Error::io(self.expected.name, source))?;
            let blanks = buffer.iter().take_while(|byte| b" \t\r\n".contains(byte)).count();
            let next = buffer.get(blanks).copied();
            let is_end = buffer.is_empty();
            self.place = self.place.behind(&buffer[..blanks]);
            self.text.consume(blanks);
            if next.is_some() || is_end {
                return Ok(next);
            }
        }
    }

    /// Skips `sign`, which must come next; `inside` names what would be cut off if the text ended here.
    pub(super) fn sign(&mut self, sign: u8, inside: &'static str) -> Result<(), Error> {
        match self.peek()? {
            Some(found) if found == sign => {
                self.pass();
                Ok(())
            }
            found => Err(self.unexpected(found, format!("expected `{}`", char::from(sign)), inside)),
        }
    }

    /// Whether an item follows in the list or object that `close` ends; skips `close`, or the comma before an item.
    pub(super) fn has_item(&mut self, close: u8, is_first: bool) -> Result<bool, Error> {
        let inside = if close == b']' { "a list" } else { "an object" };
        match self.peek()? {
            Some(found) if found == close => {
                self.pass();
                Ok(false)
            }
            Some(b',') if !is_first => {
                self.pass();
                Ok(true)
            }
            Some(_) if is_first => Ok(true),
            found => Err(self.unexpected(found, format!("expected `,` or `{}`", char::from(close)), inside)),
        }
    }

    /// The next value; `what` names it in the error if it is too large.
    pub(super) fn value<T: DeserializeOwned>(&mut self, what: &str) -> Result<T, Error> {
        self.peek()?;
        let begin = self.place;
        self.value.clear();
        let mut end = ValueEnd::default();
        loop {
            let buffer = self.text.fill_buf().map_err(|source| Error::io(self.expected.name, source))?;
            let (taken, is_whole) = end.find(buffer);
            self.value.extend_from_slice(&buffer[..taken]);
            self.place = self.place.behind(&buffer[..taken]);
            self.text.consume(taken);
            if is_whole || taken == 0 {
                return parse(&self.value, begin, self.expected);
            }
            if self.value.len() > MAX_VALUE_MIB << 20 {
                return Err(Error::TooLarge {
                    name: self.expected.name.to_owned(),
                    what: what.to_owned(),
                    limit_mib: MAX_VALUE_MIB as u64,
                    help: "put its paragraphs into several articles",
                });
            }
        }
    }

    /// Refuses anything after the last value.
    pub(super) fn end(&mut self) -> Result<(), Error> {
        match self.peek()? {
            None => Ok(()),
            Some(_) => Err(self.error("there is more text after the end".to_owned())),
        }
    }

    /// An error at the next byte.
    pub(super) fn error(&self, message: String) -> Error {
        let Expected { name, form } = self.expected;
        let (line, column) = (self.place.lines + 1, self.place.bytes + 1);
        Error::Json { name: name.to_owned(), line, column, message, expected: form }
    }

    fn unexpected(&self, found: Option<u8>, message: String, inside: &'static str) -> Error {
        if found.is_some() { self.error(message) } else { cut(self.expected, self.place, inside) }
    }

    fn pass(&mut self) {
        self.place.bytes += 1;
        self.text.consume(1);
    }
}

/// Finds where a value ends, one piece of text after another.
#[derive(Debug, Default)]
struct ValueEnd {
    /// The number of open lists and objects.
    depth: usize,
    in_string: bool,
    /// Whether the next byte follows a backslash.
    is_escaped: bool,
    /// Whether it is a number or a word: these end where something else begins.
    is_word: bool,
}

impl ValueEnd {
    /// How many bytes of `text` belong to the value, and whether the last of them ends it.
    fn find(&mut self, text: &[u8]) -> (usize, bool) {
        let mut at = 0;
        while let Some(byte) = text.get(at) {
            at += 1;
            if self.is_escaped {
                self.is_escaped = false;
            } else if self.in_string {
                let Some(skipped) = memchr2(b'"', b'\\', &text[at - 1..]) else { return (text.len(), false) };
                at += skipped;
                self.is_escaped = text[at - 1] == b'\\';
                self.in_string = self.is_escaped;
                if !self.in_string && self.depth == 0 {
                    return (at, true);
                }
            } else if self.is_word {
                if b"\"{[]},: \t\r\n".contains(byte) {
                    return (at - 1, true);
                }
            } else {
                match byte {
                    b'"' => self.in_string = true,
                    b'{' | b'[' => self.depth += 1,
                    b'}' | b']' if self.depth > 1 => self.depth -= 1,
                    b'}' | b']' => return (at, true),
                    // No value begins like this; `serde_json` will report it.
                    b',' | b':' if self.depth == 0 => return (at, true),
                    _ => self.is_word = self.depth == 0,
                }
            }
        }
        (at, false)
    }
}

/// The value that `text` is; `begin` is its place in the file.
pub(super) fn parse<T: DeserializeOwned>(
    text: &[u8],
    begin: Place,
    expected: Expected<'_>,
) -> Result<T, Error> {
    if let Some(found) = too_many_parts(text) {
        return Err(Error::Crammed {
            name: expected.name.to_owned(),
            line: begin.lines + 1,
            found: found.to_string(),
        });
    }
    let text = std::str::from_utf8(text).map_err(|error| not_utf8(text, error, begin, expected))?;
    serde_json::from_str(text).map_err(|error| {
        let place = Place {
            lines: begin.lines + error.line() - 1,
            bytes: if error.line() == 1 { begin.bytes } else { 0 } + error.column(),
        };
        let message = crate::error::in_words(&error);
        if error.is_eof() {
            let inside = message.trim_start_matches("EOF while parsing ").to_owned();
            return cut(expected, place, &inside);
        }
        let mut again = serde_json::Deserializer::from_str(text);
        let path =
            serde_path_to_error::deserialize::<_, T>(&mut again).err().map(|error| error.path().to_string());
        let path = path.filter(|path| path != ".").map_or_else(String::new, |path| format!("{path}: "));
        Error::Json {
            name: expected.name.to_owned(),
            line: place.lines + 1,
            column: place.bytes,
            message: format!("{path}{message}"),
            expected: expected.form,
        }
    })
}

fn not_utf8(text: &[u8], error: std::str::Utf8Error, begin: Place, expected: Expected<'_>) -> Error {
    let place = begin.behind(&text[..error.valid_up_to()]);
    if error.error_len().is_none() {
        return cut(expected, place, "a character");
    }
    Error::Utf8 {
        name: expected.name.to_owned(),
        line: place.lines + 1,
        column: place.bytes + 1,
        byte: text[error.valid_up_to()],
        encoding: "latin1",
    }
}

fn cut(expected: Expected<'_>, place: Place, inside: &str) -> Error {
    Error::Cut {
        name: expected.name.to_owned(),
        line: place.lines + 1,
        column: place.bytes,
        inside: inside.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use std::io::BufReader;

    use serde_json::Value;

    use super::*;

    const EXPECTED: Expected<'static> = Expected { name: "data", form: "JSON" };

    #[test]
    fn values_end_where_they_do_however_the_text_comes() {
        let text = r#" {"a\"}\\": [1, {}]} "x\\" -1.5e3,null[ "é]" ]true{"#;
        let whole = [r#"{"a\"}\\": [1, {}]}"#, r#""x\\""#, "-1.5e3", "null", r#"[ "é]" ]"#, "true"];
        for capacity in [1, 2, 3, 100] {
            let mut json = JsonText::new(BufReader::with_capacity(capacity, text.as_bytes()), EXPECTED);
            for expected in whole {
                if json.peek().unwrap() == Some(b',') {
                    json.sign(b',', "a list").unwrap();
                }
                let value: Value = json.value("a value").unwrap();
                assert_eq!(value, serde_json::from_str::<Value>(expected).unwrap());
            }
            assert!(matches!(json.value::<Value>("a value"), Err(Error::Cut { .. })));
            assert_eq!(json.peek().unwrap(), None);
        }
    }

    #[test]
    fn places_count_lines_and_bytes() {
        let place = Place::default().behind(b"ab\n\nc");
        assert_eq!((place.lines, place.bytes), (2, 1));
        let place = place.behind("é".as_bytes());
        assert_eq!((place.lines, place.bytes), (2, 3));
    }
}
