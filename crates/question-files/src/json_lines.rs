//! JSON Lines: one row a line.

use std::io::{BufRead, Read as _};

use crate::Visit;
use crate::error::{Error, Result};
use crate::json_text::{Expected, Place, parse};
use crate::rows::Rows;

const FORM: &str = "one JSON object a line: {\"id\": …, \"title\": …, \"context\": …, \"question\": …, \
                    \"answers\": {\"text\": […], \"answer_start\": […]}}";

/// The longest line.
const MAX_LINE_MIB: u64 = 64;

/// Shows the questions of `text` to `visit`.
pub(super) fn read(mut text: impl BufRead, name: &str, visit: Visit<'_>) -> Result<()> {
    let mut rows = Rows::new(name, visit);
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
                help: "one question a line",
            });
        }
        // Without its end: an error there is one of this line.
        let row = line.trim_ascii_end();
        if !row.is_empty() {
            let begin = Place { lines: number - 1, bytes: 0 };
            rows.push(parse(row, begin, Expected { name, form: FORM })?, number)?;
        }
    }
    rows.flush()
}
