//! Reading a split: the generated corpus, or a SQuAD file as it lies on disk.
//!
//! Whether a file is compressed shows in its first bytes, not in its name. What the questions say is the
//! business of [`crate::check`].

use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;

use flate2::bufread::MultiGzDecoder;
use fs_err::File;
use serde::de::DeserializeOwned;
use squad::json::Dataset;

use crate::error::{Error, Result};

const GZIP_MAGIC: [u8; 2] = [0x1f, 0x8b];
const BUFFER_BYTES: usize = 1 << 18;

/// Reads a SQuAD v1.1 or v2.0 file, plain or gzip; `setting` is the setting that names it.
pub fn read_squad(path: &Path, setting: &'static str) -> Result<Dataset> {
    read_json(
        path,
        setting,
        "SQuAD v1.1 or v2.0: {\"data\": [{\"title\": …, \"paragraphs\": [{\"context\": …, \"qas\": [{\"id\": …, \
         \"question\": …, \"answers\": [{\"text\": …, \"answer_start\": …}]}]}]}]}",
    )
}

/// Reads a list of question ids.
pub fn read_ids(path: &Path, setting: &'static str) -> Result<Vec<String>> {
    read_json(path, setting, "a list of question ids: [\"…\", \"…\"]")
}

fn read_json<T: DeserializeOwned>(path: &Path, setting: &'static str, expected: &'static str) -> Result<T> {
    let no_file = |found| Error::NoFile { setting, path: path.to_owned(), found };
    // Looked at before it is opened: opening a FIFO would wait for its writer.
    match fs_err::metadata(path) {
        Ok(metadata) if metadata.is_file() => {}
        Ok(metadata) if metadata.is_dir() => return Err(no_file("a folder")),
        Ok(_) => return Err(no_file("no regular file")),
        Err(source) if source.kind() == io::ErrorKind::NotFound => return Err(no_file("missing")),
        Err(source) => return Err(source.into()),
    }
    let mut file = BufReader::with_capacity(BUFFER_BYTES, File::open(path)?);
    if file.fill_buf()?.starts_with(&GZIP_MAGIC) {
        let text = BufReader::with_capacity(BUFFER_BYTES, MultiGzDecoder::new(file));
        parse(text, path, expected, |source| Error::Gzip { path: path.to_owned(), source })
    } else {
        parse(file, path, expected, Error::Io)
    }
}

fn parse<T: DeserializeOwned>(
    text: impl Read,
    path: &Path,
    expected: &'static str,
    io_error: impl Fn(io::Error) -> Error,
) -> Result<T> {
    serde_json::from_reader(text).map_err(|source| {
        if source.is_io() { io_error(source.into()) } else { Error::json(path, expected, &source) }
    })
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::io::Write as _;

    use flate2::Compression;
    use flate2::write::GzEncoder;

    use super::*;
    use crate::error::tests::message;

    const V1: &str = r#"{"data": [{"title": "T", "paragraphs": [{"context": "the cat", "qas": [
        {"id": "a", "question": "who?", "answers": [{"text": "cat", "answer_start": 4}]}]}]}], "version": "1.1"}"#;
    const V2: &str = r#"{"version": "v2.0", "data": [{"title": "T", "paragraphs": [{"context": "the cat", "qas": [
        {"id": "a", "question": "who?", "answers": [], "plausible_answers": [{"text": "cat", "answer_start": 4}],
         "is_impossible": true}]}]}]}"#;

    fn gzip(text: &str) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(text.as_bytes()).unwrap();
        encoder.finish().unwrap()
    }

    fn read(bytes: &[u8]) -> std::result::Result<Dataset, String> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("data.json");
        fs::write(&path, bytes).unwrap();
        read_squad(&path, "ingest.train").map_err(|error| message(&error, folder.path()))
    }

    #[test]
    fn both_versions_are_read() {
        assert_eq!(read(V1.as_bytes()).unwrap().data[0].paragraphs[0].qas[0].answers[0].text, "cat");
        let v2 = read(V2.as_bytes()).unwrap();
        assert!(v2.data[0].paragraphs[0].qas[0].is_impossible);
        assert!(v2.data[0].paragraphs[0].qas[0].answers.is_empty());
    }

    #[test]
    fn gzip_is_known_by_its_content() {
        assert_eq!(read(&gzip(V1)), read(V1.as_bytes()));
        // Two members one after the other are one text.
        let (head, tail) = V1.split_at(30);
        assert_eq!(read(&[gzip(head), gzip(tail)].concat()), read(V1.as_bytes()));
    }

    #[test]
    fn a_gzip_file_that_is_cut_short_is_named() {
        let whole = gzip(V1);
        insta::assert_snapshot!(read(&whole[..whole.len() / 2]).unwrap_err(), @r"
          data.json is not sound gzip
          cause: incomplete deflate stream
          help: it is damaged or was not copied whole: fetch it again
        ");
    }

    #[test]
    fn malformed_json_is_named_by_line_and_column() {
        insta::assert_snapshot!(read(b"{\"data\": [\n  {\"title\": }]}").unwrap_err(), @r#"
          data.json, line 2, column 13: expected value
          help: expected SQuAD v1.1 or v2.0: {"data": [{"title": …, "paragraphs": [{"context": …, "qas": [{"id": …, "question": …, "answers": [{"text": …, "answer_start": …}]}]}]}]}
        "#);
        insta::assert_snapshot!(read(b"{\"data\": [").unwrap_err(), @r#"
          data.json, line 1, column 10: EOF while parsing a list
          help: expected SQuAD v1.1 or v2.0: {"data": [{"title": …, "paragraphs": [{"context": …, "qas": [{"id": …, "question": …, "answers": [{"text": …, "answer_start": …}]}]}]}]}
        "#);
        insta::assert_snapshot!(read(V1.replace("the cat", "the \0cat").as_bytes()).unwrap_err(), @r#"
          data.json, line 1, column 58: control character (\u0000-\u001F) found while parsing a string
          help: expected SQuAD v1.1 or v2.0: {"data": [{"title": …, "paragraphs": [{"context": …, "qas": [{"id": …, "question": …, "answers": [{"text": …, "answer_start": …}]}]}]}]}
        "#);
        insta::assert_snapshot!(read(&[b'{', 0xff, b'}']).unwrap_err(), @r#"
          data.json, line 1, column 2: key must be a string
          help: expected SQuAD v1.1 or v2.0: {"data": [{"title": …, "paragraphs": [{"context": …, "qas": [{"id": …, "question": …, "answers": [{"text": …, "answer_start": …}]}]}]}]}
        "#);
        insta::assert_snapshot!(read(b"").unwrap_err(), @r#"
          data.json, line 1, column 0: EOF while parsing a value
          help: expected SQuAD v1.1 or v2.0: {"data": [{"title": …, "paragraphs": [{"context": …, "qas": [{"id": …, "question": …, "answers": [{"text": …, "answer_start": …}]}]}]}]}
        "#);
        assert!(read("[".repeat(10_000).as_bytes()).is_err());
    }

    #[test]
    fn values_of_a_wrong_type_are_named_by_line_and_column() {
        insta::assert_snapshot!(read(V1.replace("\"id\": \"a\"", "\"id\": 7").as_bytes()).unwrap_err(), @r#"
          data.json, line 2, column 17: invalid type: integer `7`, expected a string
          help: expected SQuAD v1.1 or v2.0: {"data": [{"title": …, "paragraphs": [{"context": …, "qas": [{"id": …, "question": …, "answers": [{"text": …, "answer_start": …}]}]}]}]}
        "#);
        insta::assert_snapshot!(read(V1.replace(": 4", ": 4.5").as_bytes()).unwrap_err(), @r#"
          data.json, line 2, column 88: invalid type: floating point `4.5`, expected i32
          help: expected SQuAD v1.1 or v2.0: {"data": [{"title": …, "paragraphs": [{"context": …, "qas": [{"id": …, "question": …, "answers": [{"text": …, "answer_start": …}]}]}]}]}
        "#);
        insta::assert_snapshot!(read(V1.replace("\"question\"", "\"query\"").as_bytes()).unwrap_err(), @r#"
          data.json, line 2, column 85: missing field `question`
          help: expected SQuAD v1.1 or v2.0: {"data": [{"title": …, "paragraphs": [{"context": …, "qas": [{"id": …, "question": …, "answers": [{"text": …, "answer_start": …}]}]}]}]}
        "#);
        insta::assert_snapshot!(read(br#"{"data": [], "data": []}"#).unwrap_err(), @r#"
          data.json, line 1, column 20: duplicate field `data`
          help: expected SQuAD v1.1 or v2.0: {"data": [{"title": …, "paragraphs": [{"context": …, "qas": [{"id": …, "question": …, "answers": [{"text": …, "answer_start": …}]}]}]}]}
        "#);
    }

    #[test]
    fn what_is_no_file_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let refused = |path: &Path| message(&read_ids(path, "ingest.train_ids").unwrap_err(), folder.path());
        insta::assert_snapshot!(refused(folder.path()), @r"
          FOLDER (ingest.train_ids) is a folder, expected a file
          help: correct it in the settings file, or give `--set ingest.train_ids=PATH`
        ");
        insta::assert_snapshot!(refused(&folder.path().join("absent.json")), @r"
          absent.json (ingest.train_ids) is missing, expected a file
          help: correct it in the settings file, or give `--set ingest.train_ids=PATH`
        ");
    }
}
