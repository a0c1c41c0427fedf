//! Reads JSON: SQuAD's own file, a list, or one object per line. One object is in memory at a time.

use std::io::{BufRead, Read as _};

use serde::de::{DeserializeOwned, IgnoredAny};

use crate::error::{Error, Result};
use crate::json_text::{Expected, JsonText, Place, parse};

const SQUAD_FORM: &str = "SQuAD v1.1 or v2.0: {\"data\": [{\"title\": …, \"paragraphs\": [{\"context\": …, \"qas\": [{\"id\": …, \
                    \"question\": …, \"answers\": [{\"text\": …, \"answer_start\": …}]}]}]}]}";

/// The longest line.
pub(crate) const MAX_LINE_MIB: u64 = 64;

/// Passes every item of the list `data` to `take`.
pub(crate) fn squad<T: DeserializeOwned>(
    text: impl BufRead,
    name: &str,
    take: &mut dyn FnMut(T) -> Result<()>,
) -> Result<()> {
    let mut json = JsonText::new(text, Expected { name, form: SQUAD_FORM });
    json.sign(b'{', "an object")?;
    let (mut has_data, mut is_first) = (false, true);
    while json.has_item(b'}', is_first)? {
        is_first = false;
        let key: String = json.value("a key")?;
        json.sign(b':', "an object")?;
        if key != "data" {
            json.value::<IgnoredAny>(&key)?;
            continue;
        }
        if has_data {
            return Err(json.error("duplicate field `data`".to_owned()));
        }
        has_data = true;
        items(&mut json, take)?;
    }
    if !has_data {
        return Err(json.error("missing field `data`".to_owned()));
    }
    json.end()
}

/// Passes every item of a list to `take`.
pub(crate) fn list<T: DeserializeOwned>(
    text: impl BufRead,
    expected: Expected<'_>,
    take: &mut dyn FnMut(T) -> Result<()>,
) -> Result<()> {
    let mut json = JsonText::new(text, expected);
    items(&mut json, take)?;
    json.end()
}

fn items<T: DeserializeOwned>(
    json: &mut JsonText<'_, impl BufRead>,
    take: &mut dyn FnMut(T) -> Result<()>,
) -> Result<()> {
    json.sign(b'[', "an object")?;
    let mut is_first = true;
    while json.has_item(b']', is_first)? {
        is_first = false;
        take(json.value("one item of the list")?)?;
    }
    Ok(())
}

/// Passes the object of every line to `take`.
pub(crate) fn lines<T: DeserializeOwned>(
    mut text: impl BufRead,
    expected: Expected<'_>,
    take: &mut dyn FnMut(T) -> Result<()>,
) -> Result<()> {
    let name = expected.name;
    let start = text.fill_buf().map_err(|source| Error::io(name, source))?.trim_ascii_start();
    if start.starts_with(b"{\n") || start.starts_with(b"{\r\n") {
        // The object spans several lines.
        let mut json = JsonText::new(text, expected);
        while json.peek()?.is_some() {
            take(json.value("one object")?)?;
        }
        return Ok(());
    }
    let mut line = Vec::new();
    for number in 1.. {
        line.clear();
        let limit = (MAX_LINE_MIB << 20) + 1;
        text.by_ref().take(limit).read_until(b'\n', &mut line).map_err(|source| Error::io(name, source))?;
        if line.is_empty() {
            break;
        }
        if line.len() as u64 == limit {
            return Err(Error::TooLarge {
                name: name.to_owned(),
                what: format!("line {number}"),
                limit_mib: MAX_LINE_MIB,
                help: "one question per line",
            });
        }
        // Without the line's end, so that an error there belongs to this line.
        let object = line.trim_ascii_end();
        if !object.is_empty() {
            take(parse(object, Place { lines: number - 1, bytes: 0 }, expected)?)?;
        }
    }
    Ok(())
}
