//! Every format of the same questions reads the same, every damage is reported, and nothing makes a reader panic.

use std::fmt::Write as _;
use std::fs;
use std::sync::Arc;

use ::parquet::basic::{Compression, ZstdLevel};
use arrow::array::{ArrayRef, Float64Array, Int32Array, Int64Array};
use proptest::prelude::*;

use super::{Result, *};

#[path = "../../../tests/message.rs"]
mod message;
use self::message::message;

#[path = "../tests/forms/mod.rs"]
mod forms;

mod page;
mod shapes;
mod tables;

use self::forms::{
    arrow_file, articles, flat, gzip, json_lines, other_columns, parquet, parquet_with, squad_json, zstd,
};

/// The articles in a file with these contents, or the message that it is refused with.
fn read_all(bytes: &[u8]) -> std::result::Result<Vec<Article>, String> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("data");
    fs::write(&path, bytes).unwrap();
    read_path(&path).map_err(|error| message(&error, folder.path()))
}

/// The articles in a file with these contents, and what it was taken for, without the file's name.
fn read_understood(bytes: &[u8]) -> (Vec<Article>, Vec<String>) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("data");
    fs::write(&path, bytes).unwrap();
    let mut articles =
        crate::articles(vec![QuestionFile { path, name: "data".to_owned(), asked_by: "ingest.train" }]);
    let read = articles.by_ref().map(|article| article.unwrap_or_else(|error| panic!("{error}"))).collect();
    let lines = articles.understood().iter().map(|file| file.to_string().replacen("data: ", "", 1)).collect();
    (read, lines)
}

fn read_path(path: &Path) -> Result<Vec<Article>> {
    let (path, name) = (path.to_owned(), path.display().to_string());
    crate::articles(vec![QuestionFile { path, name, asked_by: "ingest.train" }]).collect()
}

#[test]
fn every_form_of_the_same_questions_reads_the_same() {
    let articles = articles();
    let expected = flat(&articles);
    let wide = |starts: Vec<i32>| -> ArrayRef {
        Arc::new(Int64Array::from_iter_values(starts.into_iter().map(i64::from)))
    };
    let forms = [
        ("SQuAD JSON", squad_json(&articles)),
        ("SQuAD JSON, data last", {
            let text = String::from_utf8(squad_json(&articles)).unwrap();
            format!("\u{feff} {}", text.replacen("\"version\":\"v2.0\",", "\"about\": {\"id\": 1}, ", 1))
                .into_bytes()
        }),
        ("JSON Lines", json_lines(&articles)),
        ("Parquet", parquet(&articles)),
        ("Arrow", arrow_file(&articles)),
        ("Parquet, int64", parquet_with(&articles, wide, Compression::ZSTD(ZstdLevel::default()))),
    ];
    for (form, bytes) in forms {
        for (how, bytes) in [("plain", bytes.clone()), ("gzip", gzip(&bytes)), ("zstd", zstd(&bytes))] {
            assert_eq!(flat(&read_all(&bytes).unwrap()), expected, "{form}, {how}");
        }
    }
    // Two members one after the other are one text.
    let text = squad_json(&articles);
    let (head, tail) = text.split_at(30);
    assert_eq!(flat(&read_all(&[gzip(head), gzip(tail)].concat()).unwrap()), expected);
}

#[test]
fn rows_about_one_context_are_one_paragraph() {
    let read = read_all(&json_lines(&articles())).unwrap();
    assert_eq!(read.iter().map(|article| article.paragraphs[0].qas.len()).collect::<Vec<_>>(), [2, 1, 1]);
}

const SQUAD: &str = r#"{"data": [{"title": "T", "paragraphs": [{"context": "the cat", "qas": [
 {"id": "a", "question": "who?", "answers": [{"text": "cat", "answer_start": 4}]}]}]}]}"#;

const LINES: &str = r#"{"id": "a", "title": "T", "context": "the cat", "question": "who?", "answers": {"text": ["cat"], "answer_start": [4]}}
{"id": "b", "title": "T", "context": "the cat", "question": "who?", "answers": {"text": ["cat"], "answer_start": [4]}}
"#;

/// Every kind of damage, with what is said about it.
#[test]
fn the_table_of_bad_input() {
    let squad = |from: &str, to: &str| SQUAD.replacen(from, to, 1).into_bytes();
    let second = |from: &str, to: &str| {
        let (first, second) = LINES.split_once('\n').unwrap();
        format!("{first}\n{}", second.replacen(from, to, 1)).into_bytes()
    };
    let invalid_utf8 =
        |text: &str| -> Vec<u8> { text.bytes().map(|byte| if byte == b'w' { 0xff } else { byte }).collect() };
    let cut = |bytes: Vec<u8>| bytes[..bytes.len() / 2].to_vec();
    // 400 MiB of blanks.
    let blanks = vec![b' '; 4 << 20];
    let gzip_bomb: Vec<u8> = gzip(&blanks).repeat(100);
    let zstd_bomb: Vec<u8> = zstd(&blanks).repeat(100);
    let nan = |starts: Vec<i32>| -> ArrayRef { Arc::new(Float64Array::from(vec![f64::NAN; starts.len()])) };
    let huge = |starts: Vec<i32>| -> ArrayRef { Arc::new(Int64Array::from(vec![1 << 40; starts.len()])) };
    let plain =
        parquet_with(&articles(), |starts| Arc::new(Int32Array::from(starts)), Compression::UNCOMPRESSED);
    let not_utf8 = replaced(&plain, "the c\u{e4}t".as_bytes(), b"the c\xff\xfft");
    let table = [
        ("nothing at all", Vec::new()),
        ("truncated gzip", cut(gzip(SQUAD.as_bytes()))),
        ("truncated zstd", cut(zstd(SQUAD.as_bytes()))),
        ("gzip bomb", gzip_bomb),
        ("zstd bomb", zstd_bomb),
        ("truncated SQuAD", cut(SQUAD.into())),
        ("truncated JSON Lines", LINES.as_bytes()[..LINES.len() - 20].to_vec()),
        ("truncated Parquet", cut(parquet(&articles()))),
        ("truncated Arrow", cut(arrow_file(&articles()))),
        ("Arrow that claims more than it has", {
            let mut bytes = arrow_file(&articles());
            let end = bytes.len();
            bytes[end - 10..end - 6].copy_from_slice(&i32::MAX.to_le_bytes());
            bytes
        }),
        ("invalid UTF-8, SQuAD", invalid_utf8(SQUAD)),
        ("invalid UTF-8, JSON Lines", invalid_utf8(LINES)),
        ("invalid UTF-8, Parquet", not_utf8),
        ("NUL in the file", squad("the cat", "the \0cat")),
        ("NUL escaped, context", squad("the cat", "the \\u0000cat")),
        ("NUL escaped, JSON Lines", second("who?", "who\\u0000?")),
        ("NaN, SQuAD", squad(": 4", ": NaN")),
        ("NaN, JSON Lines", second("[4]", "[NaN]")),
        ("NaN, Parquet", parquet_with(&articles(), nan, Compression::SNAPPY)),
        ("duplicate key, SQuAD", squad("\"id\": \"a\"", "\"id\": \"a\", \"id\": \"b\"")),
        ("duplicate key, top level", br#"{"data": [], "data": []}"#.to_vec()),
        ("duplicate key, JSON Lines", second("\"id\": \"b\"", "\"id\": \"b\", \"id\": \"c\"")),
        ("nested 10,000 deep", "[".repeat(10_000).into_bytes()),
        ("nested 10,000 deep, context", squad("\"the cat\"", &"[".repeat(10_000))),
        ("nested 10,000 deep, JSON Lines", second("[4]", &"{\"a\":".repeat(10_000))),
        ("id a fraction, SQuAD", squad("\"id\": \"a\"", "\"id\": 7.5")),
        ("id a list, JSON Lines", second("\"id\": \"b\"", "\"id\": [7]")),
        ("start a fraction", squad(": 4", ": 4.5")),
        ("start beyond 32 bits, SQuAD", squad(": 4", ": 99999999999")),
        ("start beyond 32 bits, Parquet", parquet_with(&articles(), huge, Compression::SNAPPY)),
        ("missing field, SQuAD", squad("\"question\"", "\"qestion\"")),
        ("missing field, JSON Lines", second("\"question\"", "\"qestion\"")),
        ("no data", br#"{"version": "1.1"}"#.to_vec()),
        ("more starts than texts", second("[4]", "[4, 5]")),
        ("text after the end", [SQUAD, "}"].concat().into_bytes()),
        ("a table of other columns", other_columns()),
    ];
    let mut text = String::new();
    for (what, bytes) in table {
        let message = read_all(&bytes).map(|articles| flat(&articles)).expect_err(what);
        let _ = write!(text, "{what}\n{}\n\n", message.replace('\n', "\n    ").trim_start());
    }
    insta::assert_snapshot!(text);
}

fn replaced(bytes: &[u8], from: &[u8], to: &[u8]) -> Vec<u8> {
    assert_eq!(from.len(), to.len());
    let mut bytes = bytes.to_vec();
    let places: Vec<usize> =
        bytes.windows(from.len()).enumerate().filter(|(_, part)| *part == from).map(|(at, _)| at).collect();
    assert!(!places.is_empty());
    for place in places {
        bytes[place..place + to.len()].copy_from_slice(to);
    }
    bytes
}

const LFS_POINTER: &str = "version https://git-lfs.github.com/spec/v1\n\
    oid sha256:4d7a214614ab2935c943f9e0ff69d22eadbb8f32b1258daaa5e2ca24d17e2393\nsize 12345\n";

#[test]
fn what_is_no_file_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let fifo = folder.path().join("fifo");
    assert!(std::process::Command::new("mkfifo").arg(&fifo).status().unwrap().success());
    let refused = |path: &Path| message(&read_path(path).unwrap_err(), folder.path());
    fs::write(folder.path().join("pointer"), LFS_POINTER).unwrap();
    let ids = |path: &Path| message(&read_ids(path, "ingest.train_ids").unwrap_err(), folder.path());
    let bad = folder.path().join("ids.json");
    fs::write(&bad, "[true]").unwrap();
    let messages = [
        refused(folder.path()),
        refused(&fifo),
        refused(&folder.path().join("absent.json")),
        refused(Path::new("/proc/self/mem")),
        ids(folder.path()),
        ids(&bad),
        refused(&folder.path().join("pointer")),
        ids(&folder.path().join("pointer")),
    ];
    insta::assert_snapshot!(messages.join("\n\n"));
}

/// Damages that a fuzzer makes, from a fixed seed: bits flipped, bytes cut out, pieces doubled.
#[test]
fn no_damage_makes_a_reader_panic() {
    let mut random = squad::SplitMix64::new(7);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("data");
    let articles = articles();
    let forms = [
        squad_json(&articles),
        json_lines(&articles),
        parquet(&articles),
        gzip(&squad_json(&articles)),
        zstd(&json_lines(&articles)),
    ];
    let (mut refused, mut accepted) = (0, 0);
    for whole in forms {
        for _ in 0..400 {
            let mut bytes = whole.clone();
            for _ in 0..=random.below(4) {
                let at = random.below(bytes.len() as u64) as usize;
                let until = (at + 1 + random.below(8) as usize).min(bytes.len());
                match random.below(3) {
                    0 => bytes[at] ^= 1 << random.below(8),
                    1 if bytes.len() > 16 => drop(bytes.drain(at..until)),
                    _ => {
                        let piece = bytes[at..until].to_vec();
                        drop(bytes.splice(at..at, piece));
                    }
                }
            }
            fs::write(&path, &bytes).unwrap();
            match read_path(&path) {
                Ok(_) => accepted += 1,
                Err(_) => refused += 1,
            }
        }
    }
    assert!(refused > 500 && accepted > 0, "{refused} refused, {accepted} accepted");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_bytes_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..300), start in 0_usize..5) {
        let start: &[u8] = [&b""[..], b"{\"data\": [", b"{\"id\": ", b"PAR1", b"\x1f\x8b\x08"][start];
        let _ = read_all(&[start, &bytes].concat());
    }

    #[test]
    fn any_questions_survive_every_form(
        rows in proptest::collection::vec(("[^\0]{1,8}", "[^\0]{0,12}", "[^\0]{0,30}", -3_i32..40), 1..12)
    ) {
        let articles: Vec<Article> = rows.into_iter().map(|(id, question, context, start)| {
            let answers = vec![Answer { text: question.clone(), answer_start: Some(start) }];
            let qas = vec![Qa { id, question, answers: Some(answers), is_impossible: None }];
            Article { title: "T".to_owned(), paragraphs: vec![Paragraph { context, qas }] }
        }).collect();
        for bytes in [squad_json(&articles), json_lines(&articles), parquet(&articles)] {
            prop_assert_eq!(flat(&read_all(&bytes).unwrap()), flat(&articles));
        }
    }
}

#[test]
fn a_name_that_is_passed_over_is_told() {
    let table = "id,context,question,query,answer\na,the cat sat,who sat?,who ran?,cat\n";
    let (articles, said) = read_understood(table.as_bytes());
    assert_eq!(articles[0].paragraphs[0].qas[0].question, "who sat?");
    assert!(said[0].contains("; ignored `query` beside `question`"), "{said:?}");
}

#[test]
fn a_row_of_parquet_with_answers_beyond_number_is_refused_before_it_is_decoded() {
    let mut articles = articles();
    let answer = Answer { text: "cat".to_owned(), answer_start: Some(0) };
    articles[0].paragraphs[0].qas[0].answers = Some(vec![answer; 20_000]);
    let said = read_all(&parquet(&articles)).unwrap_err();
    assert!(said.contains("has 20003 values in 4 rows, the limit is 14000"), "{said}");
}
