//! Files made to fill memory, or never to end. Each is read in its own process with 1 GiB of address space, and is
//! refused with a message that says why.

use std::io::{self, Read as _, Write as _};
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use distilburn_question_files::QuestionFile;
use rustix::process::{Resource, Rlimit, setrlimit};

mod parquet_file;

use parquet_file::{
    Column, DELTA_BYTE_ARRAY, DELTA_LENGTH_BYTE_ARRAY, FIXED_LEN_BYTE_ARRAY, GZIP, PLAIN, Page, Presence,
    RLE_DICTIONARY, SNAPPY, Struct, ZSTD, equal_numbers, file, group, leaf, levels, numbers, plain,
    references, schema_file,
};

/// The file that this process is to read.
const FILE: &str = "DISTILBURN_HOSTILE_FILE";

const ADDRESS_SPACE_BYTES: u64 = 1 << 30;

/// Far more than any takes, on a machine that is busy with other things.
const PATIENCE: Duration = Duration::from_mins(1);

const MIB: usize = 1 << 20;

/// No test: what the others start.
#[test]
fn reader() {
    let Some(path) = std::env::var_os(FILE) else { return };
    let limit = Some(ADDRESS_SPACE_BYTES);
    setrlimit(Resource::As, Rlimit { current: limit, maximum: limit }).unwrap();
    let file = QuestionFile { path: path.into(), name: "data".to_owned(), asked_by: "ingest.train" };
    let (mut questions, mut said) = (0, "read".to_owned());
    for article in distilburn_question_files::articles(vec![file]) {
        match article {
            Ok(article) => {
                questions += article.paragraphs.iter().map(|paragraph| paragraph.qas.len()).sum::<usize>();
            }
            Err(error) => {
                let cause = std::error::Error::source(&error).map(|cause| format!(": {cause}"));
                said = format!("{error}{}", cause.unwrap_or_default());
            }
        }
    }
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let peak = status.lines().find(|line| line.starts_with("VmHWM")).unwrap_or_default();
    eprintln!("{questions} questions, {}", peak.split_whitespace().collect::<Vec<_>>().join(" "));
    println!("<{said}>");
}

/// What is said of a file with these contents.
fn said(bytes: &[u8]) -> String {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), bytes).unwrap();
    said_of(file.path())
}

/// What is said of a file that begins like this and has zeros up to 4 GiB.
fn said_of_zeros(begin: &[u8]) -> String {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(begin).unwrap();
    file.as_file().set_len(4 << 30).unwrap();
    said_of(file.path())
}

fn said_of(path: &Path) -> String {
    let begun = Instant::now();
    let reader = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "reader", "--nocapture"])
        .env(FILE, path)
        .output()
        .unwrap();
    let [stdout, stderr] = [reader.stdout, reader.stderr].map(|text| String::from_utf8(text).unwrap());
    let elapsed = begun.elapsed();
    eprintln!("{elapsed:.1?}, {}", stderr.lines().last().unwrap_or_default());
    assert!(reader.status.success(), "{}: {stderr}", reader.status);
    assert!(elapsed < PATIENCE, "{elapsed:?}");
    let said = stdout.split_once('<').unwrap().1.rsplit_once('>').unwrap().0.to_owned();
    eprintln!("    {said}");
    said
}

/// Columns of so many rows, each referring to the same text.
fn column(name: &'static str, rows: i32, text: &[u8]) -> Column {
    let pages = vec![
        Page::dictionary(1, plain(text)),
        Page::data(rows, RLE_DICTIONARY, references(rows.cast_unsigned().into())),
    ];
    Column::text(name, rows.into(), pages)
}

/// Rows of sound questions, and one more column.
fn with(rows: i32, more: Column) -> Vec<u8> {
    file(rows.into(), &[column("context", rows, b"the cat sat"), column("question", rows, b"who?"), more])
}

/// One row with so many equal answers; the page says how many.
fn many_answers(announced: i64, count: u64) -> Vec<u8> {
    let body = [levels(&[(1, 0), (count - 1, 1)]), levels(&[(count, 1)]), references(count)].concat();
    let page = Page::data(i32::try_from(count).unwrap(), RLE_DICTIONARY, body);
    with(1, Column::texts("answers", announced, vec![Page::dictionary(1, plain(b"cat")), page]))
}

/// Letters that do not compress to less than two thirds.
fn random_text(bytes: usize) -> Vec<u8> {
    let mut state = 1_u32;
    let mut letter = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        b'A' + (state >> 27) as u8
    };
    (0..bytes).map(|_| letter()).collect()
}

fn zstd(bytes: impl io::Read) -> Vec<u8> {
    zstd::stream::encode_all(bytes, 1).unwrap()
}

#[test]
fn sound_files_of_this_kind_are_read() {
    assert_eq!(said(&with(100, column("title", 100, b"T"))), "read");
    assert_eq!(said(&many_answers(9_000, 9_000)), "read");
    let zeros = zstd([plain(&vec![b'x'; MIB]), plain(&vec![b'y'; MIB])].concat().as_slice());
    let pages = vec![Page::data(2, PLAIN, zeros).becomes(2 * MIB + 8)];
    assert_eq!(said(&with(2, Column { codec: ZSTD, ..Column::text("title", 2, pages) })), "read");
    let lengths = [equal_numbers(100, 3), b"cat".repeat(100)].concat();
    let pages = vec![Page::data(100, DELTA_LENGTH_BYTE_ARRAY, lengths)];
    assert_eq!(said(&with(100, Column::text("title", 100, pages))), "read");
}

#[test]
fn values_beyond_number_are_refused_whoever_announces_them() {
    insta::assert_snapshot!(said(&many_answers(150_000_000, 150_000_000)), @"data: column answers has 150000000 values in 1 rows, the limit is 11000");
    // The footer announces few; the page's own header says the truth.
    insta::assert_snapshot!(said(&many_answers(1, 150_000_000)), @"data is not valid Parquet: its parts contradict one another: a column has more values than its metadata says");
    // Within what a row group may have, and still too many for one row.
    let (count, rows) = (8_388_000, 8_400);
    let repetition = levels(&[(1, 0), (count - 1, 1), (rows - 1, 0)]);
    let body = [repetition, levels(&[(count + rows - 1, 1)]), references(count + rows - 1)].concat();
    let page = Page::data((count + rows - 1) as i32, RLE_DICTIONARY, body);
    let values = (count + rows - 1) as i64;
    let answers = Column::texts("answers", values, vec![Page::dictionary(1, plain(b"cat")), page]);
    insta::assert_snapshot!(said(&with(rows as i32, answers)), @"data, row 1: answers: the row has more than 250000 values");
    // Two billion rows in 300 bytes.
    let rows = i32::MAX;
    insta::assert_snapshot!(said(&with(rows, column("title", rows, b"T"))), @"data expands more than 250 to 1, which no text does: 362 bytes became more than 67199408");
}

#[test]
fn a_text_that_many_rows_refer_to_is_in_memory_once() {
    let rows = 1_000_000;
    let large = vec![b'x'; 64 * MIB];
    insta::assert_snapshot!(said(&with(rows, column("title", rows, &large))), @"data: row 1 is larger than 64 MiB");
    let count = 5_000;
    let body = [levels(&[(1, 0), (count - 1, 1)]), levels(&[(count, 1)]), references(count)].concat();
    let page = Page::data(5_000, RLE_DICTIONARY, body);
    let answers = Column::texts("answers", 5_000, vec![Page::dictionary(1, plain(&large[..4 * MIB])), page]);
    insta::assert_snapshot!(said(&with(1, answers)), @"data: row 1 is larger than 64 MiB");
}

#[test]
fn pages_that_expand_to_gigabytes_are_refused_before_they_do() {
    let title = |codec, page: Page| {
        let page = Page { is_dictionary: true, ..page };
        let data = Page::data(1, RLE_DICTIONARY, references(1));
        let data = if codec == ZSTD { Page { body: zstd(data.body.as_slice()), ..data } } else { data };
        said(&with(1, Column { codec, ..Column::text("title", 1, vec![page, data]) }))
    };
    let bytes = 1_500_000_000;
    let zeros = zstd(io::repeat(0).take(bytes));
    insta::assert_snapshot!(title(ZSTD, Page::data(1, PLAIN, zeros).becomes(bytes as usize)), @"data expands more than 250 to 1, which no text does: 45901 bytes became more than 1500000027");
    let claim = Page::data(1, PLAIN, vec![0; 100]).becomes(i32::MAX as usize);
    insta::assert_snapshot!(title(SNAPPY, claim.clone()), @"data expands more than 250 to 1, which no text does: 205 bytes became more than 2147483674");
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    io::copy(&mut io::repeat(0).take(bytes), &mut gzip).unwrap();
    let page = Page::data(1, PLAIN, gzip.finish().unwrap()).becomes(MIB);
    insta::assert_snapshot!(title(GZIP, page), @"data is not valid Parquet: its parts contradict one another: a page becomes larger than its header says");
    // Of two billion entries that are not there, and of a page that is longer than the file.
    insta::assert_snapshot!(title(SNAPPY, Page { values: i32::MAX, ..Page::data(1, PLAIN, vec![0; 100]) }), @"data: pages of 32768 MiB are needed at once at column title, the limit is 256 MiB");
    let page = Page { compressed_bytes: i32::MAX, ..Page::data(1, PLAIN, vec![0; 100]) };
    let pages = Column { extra_bytes: 1 << 40, ..Column::text("title", 1, vec![page]) };
    insta::assert_snapshot!(said(&with(1, pages)), @"data is not valid Parquet: its parts contradict one another: a page is larger than its column");
    // Each page is small enough; one row has a hundred of them.
    let text = random_text(7 * MIB / 100).repeat(100);
    let body = [levels(&[(1, 1)]), levels(&[(1, 1)]), plain(&text)].concat();
    let page = Page::data(1, PLAIN, zstd(body.as_slice())).becomes(body.len());
    let answers = Column { codec: ZSTD, ..Column::texts("answers", 100, vec![page; 100]) };
    insta::assert_snapshot!(said(&with(1, answers)), @"data: pages of 258 MiB are needed at once at column answers, the limit is 256 MiB");
}

#[test]
fn lengths_that_are_coded_as_differences_are_counted() {
    let title = |rows: i32, encoding, body| {
        said(&with(rows, Column::text("title", rows.into(), vec![Page::data(rows, encoding, body)])))
    };
    insta::assert_snapshot!(title(1, DELTA_LENGTH_BYTE_ARRAY, equal_numbers(2_000_000_000, 0)), @"data is not valid Parquet: its parts contradict one another: the lengths of a page's texts are not valid");
    let both = [equal_numbers(2_000_000_000, 0), equal_numbers(2_000_000_000, 0)].concat();
    insta::assert_snapshot!(title(1, DELTA_BYTE_ARRAY, both), @"data is not valid Parquet: its parts contradict one another: the lengths of a page's texts are not valid");
    // A text of 8 MiB, and 999 that repeat all of it.
    let length = 8 * MIB;
    let mut prefixes = vec![length as i64; 1_000];
    let mut suffixes = vec![0; 1_000];
    (prefixes[0], suffixes[0]) = (0, length as i64);
    let body = [numbers(&prefixes), numbers(&suffixes), vec![b'x'; length]].concat();
    insta::assert_snapshot!(title(1_000, DELTA_BYTE_ARRAY, body), @"data: pages of 8008 MiB are needed at once at column title, the limit is 256 MiB");
}

#[test]
fn schemas_without_end_are_refused() {
    insta::assert_snapshot!(said(&schema_file(vec![group("schema", i32::MAX)])), @"data is not valid Parquet: its footer contradicts itself");
    let deep = |levels: i32| -> Vec<Struct> {
        let groups = (0..levels).map(|_| group("answers", 1));
        groups.chain([leaf("answers")]).collect()
    };
    insta::assert_snapshot!(said(&schema_file(deep(100_000))), @"data: its Parquet footer has 100001 levels of nested columns, the limit is 32");
    let wide = |columns: i32| {
        let texts = ["context", "question"].map(leaf).into_iter();
        let inner = (0..columns).map(|_| leaf("text"));
        let all =
            [group("schema", 3)].into_iter().chain(texts).chain([group("answers", columns)]).chain(inner);
        schema_file(all.collect())
    };
    insta::assert_snapshot!(said(&wide(1_000_000)), @"data: its Parquet footer has 1000005 structs, the limit is 500000");
    insta::assert_snapshot!(said(&wide(2_000)), @"data: its Parquet footer has 2002 columns of questions, the limit is 1000");
    insta::assert_snapshot!(said(&wide(400_000)), @"data: its Parquet footer has 400002 columns of questions, the limit is 1000");
    let mut large = b"PAR1".to_vec();
    large.resize(100 * MIB, 0x15);
    large.extend([&(90_u32 << 20).to_le_bytes(), b"PAR1".as_slice()].concat());
    insta::assert_snapshot!(said(&large), @"data: its Parquet footer has 90 MiB, the limit is 16 MiB");
    let fixed = Column {
        physical_type: FIXED_LEN_BYTE_ARRAY,
        type_length: i32::MAX,
        presence: Presence::Optional,
        ..Column::text("title", 64, vec![Page::data(64, PLAIN, levels(&[(64, 0)]))])
    };
    insta::assert_snapshot!(said(&with(64, fixed)), @"data: column title has the type FIXED_LEN_BYTE_ARRAY, which is not supported");
}

#[test]
fn texts_without_end_are_refused() {
    insta::assert_snapshot!(said_of_zeros(b"[{\"context\": \""), @"data: one item of the list is larger than 256 MiB");
    insta::assert_snapshot!(said_of_zeros(b"{\"id\": \"a\", \"context\": \""), @"data: line 1 is larger than 64 MiB");
    insta::assert_snapshot!(said_of_zeros(b"{\"version\": \""), @"data: version is larger than 256 MiB");
    insta::assert_snapshot!(said_of_zeros(b"id,context,question\n\""), @"data: the row at line 2 is larger than 64 MiB");
    insta::assert_snapshot!(said_of_zeros(b"id,context,question\n1,"), @"data: the row at line 2 is larger than 64 MiB");
    insta::assert_snapshot!(said_of_zeros(b"id,context,question"), @"data: the row at line 1 is larger than 64 MiB");
    let blanks = [b"{".to_vec(), vec![b' '; 300 * MIB], b"}".to_vec()].concat();
    insta::assert_snapshot!(said(&blanks), @"data, line 1, column 314572803: missing field `data`");
    // A window of 2 GiB, and one block of a byte repeated.
    insta::assert_snapshot!(said(b"\x28\xb5\x2f\xfd\x00\xa8\x03\x00\x10 "), @"data is not valid zstd: Frame requires too much memory for decoding");
}

#[test]
fn small_pieces_that_take_much_memory_are_refused() {
    let of = |begin: &str, piece: &str, end: &str| {
        let count = (60 * MIB - 100) / piece.len();
        said(format!("{begin}{}{end}", piece.repeat(count)).as_bytes())
    };
    insta::assert_snapshot!(of("[{\"context\":\"\",\"qas\":[", "{\"question\":\"\"},", "{\"question\":\"\"}]}]"), @"data: the value at line 1 has 23592929 commas and objects (each of these counts as five), the limit is 4000000");
    insta::assert_snapshot!(of("{\"context\":\"\",\"question\":\"\",\"answers\":[", "\"\",", "\"\"]}\n{}"), @"data: the value at line 1 has 20971493 commas and objects (each of these counts as five), the limit is 4000000");
    insta::assert_snapshot!(of("{\"data\":{},\"annotations\":[{\"result\":[", "{\"value\":{\"a\":1}},", "{}]}]}\n{}"), @"data: the value at line 1 has 38447738 commas and objects (each of these counts as five), the limit is 4000000");
    insta::assert_snapshot!(of("context,question,answers\na,b,\"[", "{\"\"\"\":1},", "{}]\"\n"), @"data, row 2: answers: has 41942975 commas and objects (each of these counts as five), the limit is 4000000");
    insta::assert_snapshot!(of("context,question,answers", ",x", "\n"), @"data, row 1: a row has more than 10000 fields");
    insta::assert_snapshot!(of("context,question\n", ",", "\n"), @"data, row 2: a row has more than 10000 fields");
}

/// The worst that the limits let through.
#[test]
fn within_the_limits_memory_suffices() {
    let of = |begin: &str, piece: &str, parts: usize, end: &str| {
        let text = format!("{begin}{}{end}", piece.repeat(3_990_000 / parts));
        said(format!("{text}{}", " ".repeat(MIB)).as_bytes())
    };
    let questions = "[{\"context\":\"\",\"qas\":[";
    insta::assert_snapshot!(of(questions, "{\"question\":\"\"},", 6, "{\"question\":\"\"}]}]"), @"read");
    let answers = "{\"context\":\"\",\"question\":\"\",\"answers\":[";
    insta::assert_snapshot!(of(answers, "\"\",", 1, "\"\"]}\n"), @"read");
    let task = "{\"context\":\"\",\"question\":\"\",\"data\":{},\"annotations\":[{\"result\":[";
    insta::assert_snapshot!(of(task, "{\"value\":{\"a\":1}},", 11, "{}]}]}\n"), @"read");
    insta::assert_snapshot!(of("context,question,answers\na,b,\"[", "{\"\"\"\":1},", 6, "{}]\"\n"), @"data, row 2: answers: missing field `text`");
}

/// Texts that are unlike each other are compared by their hash: one by one they would take days.
#[test]
fn a_million_answers_in_one_line_are_read_in_time() {
    let list = |kind: &str| {
        let texts = (0..500_000).map(|number| format!("\"{kind}{number}\""));
        texts.collect::<Vec<_>>().join(",")
    };
    let detected = list("d").replace("\"d", "{\"text\":\"d");
    let detected = detected.replace("\",", "\"},");
    let line = format!(
        "{{\"context\":\"c\",\"qas\":[{{\"qid\":\"a\",\"question\":\"q\",\"answers\":[{}],\"detected_answers\":[{detected}}}]}}]}}\n",
        list("a"),
    );
    insta::assert_snapshot!(said(line.as_bytes()), @"read");
}
