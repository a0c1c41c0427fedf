//! Detects the format of a file by its first bytes, whatever its name.

use std::io::{self, BufRead, Seek as _};

use fs_err::File;
use serde::de::IgnoredAny;

use crate::QuestionFile;
use crate::compression::{self, Text};
use crate::delimited;
use crate::error::{Error, Result};
use crate::field::Field;

const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// The contents of a file, by format.
pub(crate) enum Contents {
    Parquet(std::fs::File),
    Arrow(std::fs::File),
    /// One object that holds everything.
    Object(Text),
    List(Text),
    /// One object per line.
    Lines(Text),
    /// A header and rows, with the delimiter.
    Table(u8, Text),
}

/// What a file is read for.
pub(crate) struct Wanted {
    /// Whether a text that begins with `{` has one object per line.
    pub(crate) is_line: fn(&[u8]) -> bool,
    /// Whether a column is used.
    pub(crate) knows: fn(&str) -> bool,
    /// What the file should hold, for messages.
    pub(crate) what: &'static str,
}

/// Opens `file` and examines its beginning.
pub(crate) fn contents(file: &QuestionFile, wanted: &Wanted) -> Result<Contents> {
    let name = &file.name;
    let (mut text, is_compressed) = text(file, wanted.what)?;
    // A buffer of blanks tells nothing. A file of blanks may be made to fill memory; reading will detect that.
    while is_blank(text.fill_buf().map_err(|source| Error::io(name, source))?) {
        let blanks = text.buffer().len();
        text.consume(blanks);
    }
    let first = text.fill_buf().map_err(|source| Error::io(name, source))?;
    let is_parquet = first.starts_with(b"PAR1");
    if is_parquet || first.starts_with(b"ARROW1") {
        let file = if is_compressed {
            unpacked(&mut text, name)?
        } else {
            File::open(&file.path).map_err(|source| Error::io(name, source))?.into_file()
        };
        return Ok(if is_parquet { Contents::Parquet(file) } else { Contents::Arrow(file) });
    }
    let start = first.trim_ascii_start();
    Ok(match start {
        [] => return Err(Error::Empty { name: name.clone(), what: wanted.what }),
        [b'{', ..] if is_by_columns(start) => {
            let found = "JSON column by column";
            let help =
                "write it row by row: `to_json(FILE, orient=\"records\", lines=True)` of pandas".to_owned();
            return Err(Error::Foreign { name: name.clone(), found, what: wanted.what, help });
        }
        [b'{', ..] if (wanted.is_line)(start) => Contents::Lines(text),
        [b'{', ..] => Contents::Object(text),
        [b'[', ..] => Contents::List(text),
        _ => match delimited::delimiter(first, &wanted.knows) {
            Some(delimiter) => Contents::Table(delimiter, text),
            None => return Err(unknown(start, name, wanted.what)),
        },
    })
}

fn is_blank(buffer: &[u8]) -> bool {
    !buffer.is_empty() && buffer.trim_ascii_start().is_empty()
}

/// The text of a regular file after its byte order mark, and whether it was compressed. Unsupported formats are
/// refused.
pub(crate) fn text(file: &QuestionFile, what: &'static str) -> Result<(Text, bool)> {
    let QuestionFile { path, name, asked_by } = file;
    let no_file = |found| Error::NoFile { asked_by, name: name.clone(), found };
    // Checked before it is opened, because opening a FIFO would wait for its writer.
    match fs_err::metadata(path) {
        Ok(metadata) if metadata.is_file() => {}
        Ok(metadata) if metadata.is_dir() => return Err(no_file("a directory")),
        Ok(_) => return Err(no_file("not a regular file")),
        Err(source) if source.kind() == io::ErrorKind::NotFound => return Err(no_file("missing")),
        Err(source) => return Err(Error::Read { name: name.clone(), source }),
    }
    let opened = File::open(path).and_then(compression::open);
    let (mut text, is_compressed) = opened.map_err(|source| Error::io(name, source))?;
    let first = text.fill_buf().map_err(|source| Error::io(name, source))?;
    refuse_foreign(first, name, what)?;
    let mark = if first.starts_with(BYTE_ORDER_MARK) { BYTE_ORDER_MARK.len() } else { 0 };
    text.consume(mark);
    Ok((text, is_compressed))
}

/// Parquet and Arrow need random access, so a file that was compressed as a whole is decompressed into an unnamed file.
fn unpacked(text: &mut Text, name: &str) -> Result<std::fs::File> {
    let mut unpack = || {
        let mut file = tempfile::tempfile()?;
        io::copy(text, &mut file)?;
        file.rewind()?;
        Ok(file)
    };
    unpack().map_err(|source| Error::io(name, source))
}

/// Refuses formats that another tool can convert, with the command for it.
fn refuse_foreign(first: &[u8], name: &str, what: &'static str) -> Result<()> {
    const TAR_MAGIC_AT: usize = 257;
    let begins = |magic: &[u8]| first.starts_with(magic);
    let file = || quoted(name);
    let unpack = |command: String| format!("unpack it, then name the file inside: `{command}`");
    let (found, help) = if begins(b"version https://git-lfs") {
        return Err(Error::GitLfs { name: name.to_owned() });
    } else if begins(b"PK\x03\x04") {
        let is_sheet = [".xlsx", ".ods"].iter().any(|end| name.to_lowercase().ends_with(end));
        if is_sheet {
            ("a spreadsheet", "save it as CSV".to_owned())
        } else {
            ("a zip archive", unpack(format!("unzip {}", file())))
        }
    } else if begins(b"\xfd7zXZ\0") {
        ("xz-compressed", unpack(format!("xz --decompress --keep {}", file())))
    } else if begins(b"BZh") {
        ("bzip2-compressed", unpack(format!("bzip2 --decompress --keep {}", file())))
    } else if begins(b"7z\xbc\xaf\x27\x1c") {
        ("a 7z archive", unpack(format!("7z x {}", file())))
    } else if begins(b"Rar!") {
        ("a RAR archive", unpack(format!("7z x {}", file())))
    } else if first.get(TAR_MAGIC_AT..).is_some_and(|rest| rest.starts_with(b"ustar")) {
        ("a tar archive", unpack(format!("tar -xf {}", file())))
    } else if begins(b"\xff\xff\xff\xff") {
        let command = "python3 -c 'import sys, datasets; datasets.Dataset.from_file(sys.argv[1]).to_parquet(sys.argv[2])'";
        ("an Arrow stream", format!("write it as Parquet: `{command} {} NEW.parquet`", file()))
    } else if first.trim_ascii_start().starts_with(b"<") {
        let help = "it may be the page that shows the file: fetch the file itself by its \"raw\" or \"download\" link";
        ("a web page or XML", help.to_owned())
    } else if let [byte @ 0xff, 0xfe, ..] | [byte @ 0xfe, 0xff, ..] = first {
        let (line, column, byte) = (1, 1, *byte);
        return Err(Error::Utf8 { name: name.to_owned(), line, column, byte, encoding: "utf-16" });
    } else {
        return Ok(());
    };
    Err(Error::Foreign { name: name.to_owned(), found, what, help })
}

/// Quoted for a shell.
fn quoted(name: &str) -> String {
    let is_plain = |c: char| c.is_alphanumeric() || "-_./:@+,".contains(c);
    if name.chars().all(is_plain) { name.to_owned() } else { format!("'{}'", name.replace('\'', r"'\''")) }
}

fn unknown(start: &[u8], name: &str, what: &'static str) -> Error {
    const SHOWN_BYTES: usize = 16;
    let start = start[..start.len().min(SHOWN_BYTES)].escape_ascii().to_string();
    Error::Form { name: name.to_owned(), start, what }
}

/// Whether the first object of a JSON text has a column of a table under each key; the first key that should hold a
/// text decides.
fn is_by_columns(start: &[u8]) -> bool {
    let mut values = keys(start).filter_map(|(key, value)| {
        let (field, _) = Field::named(std::str::from_utf8(key).ok()?)?;
        matches!(field, Field::Id | Field::Title | Field::Context | Field::Question).then_some(value)
    });
    values.next().is_some_and(|value| b"[{".contains(&value))
}

/// Whether another object follows the first one of a JSON text.
pub(crate) fn has_second(start: &[u8]) -> bool {
    let mut objects = serde_json::Deserializer::from_slice(start).into_iter::<IgnoredAny>();
    let is_whole = objects.next().is_some_and(|object| object.is_ok());
    is_whole && start[objects.byte_offset()..].trim_ascii_start().starts_with(b"{")
}

/// The keys of the first object of a JSON text within `start`, each with the first byte of its value.
pub(crate) fn keys(start: &[u8]) -> impl Iterator<Item = (&[u8], u8)> {
    let (mut depth, mut position) = (0_usize, 0);
    std::iter::from_fn(move || {
        while let Some(byte) = start.get(position) {
            position += 1;
            match byte {
                b'{' | b'[' => depth += 1,
                b'}' | b']' => {
                    depth = depth.saturating_sub(1);
                    if depth == 0 {
                        position = start.len();
                    }
                }
                b'"' => {
                    let begin = position;
                    while let Some(byte) = start.get(position).filter(|byte| **byte != b'"') {
                        position += if *byte == b'\\' { 2 } else { 1 };
                    }
                    let text = start.get(begin..position).unwrap_or_default();
                    position += 1;
                    let rest = start.get(position..).unwrap_or_default().trim_ascii_start();
                    if depth == 1 && rest.starts_with(b":") {
                        return Some((text, *rest[1..].trim_ascii_start().first().unwrap_or(&0)));
                    }
                }
                _ => {}
            }
        }
        None
    })
}
