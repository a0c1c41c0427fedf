//! The same questions in every form that is read, for the tests of the reader and of the binary.

use std::io::Write as _;
use std::sync::Arc;

use ::parquet::arrow::ArrowWriter;
use ::parquet::basic::Compression;
use ::parquet::file::properties::WriterProperties;
use arrow::array::{
    Array as _, ArrayRef, Int32Array, Int64Array, ListArray, RecordBatch, StringArray, StructArray,
};
use arrow::buffer::OffsetBuffer;
use arrow::datatypes::{DataType, Field};
use flate2::write::GzEncoder;
use question_files::{Answer, Article, Paragraph, Qa};

pub fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

pub fn zstd(bytes: &[u8]) -> Vec<u8> {
    ::zstd::stream::encode_all(bytes, 1).unwrap()
}

/// Questions as (title, context, question), however they were grouped.
pub fn flat(articles: &[Article]) -> Vec<(String, String, Qa)> {
    let mut questions = Vec::new();
    for article in articles {
        for paragraph in &article.paragraphs {
            let with = |qa: &Qa| (article.title.clone(), paragraph.context.clone(), qa.clone());
            questions.extend(paragraph.qas.iter().map(with));
        }
    }
    questions
}

pub fn articles() -> Vec<Article> {
    let qa = |id: &str, answers: &[(&str, i32)]| Qa {
        id: id.to_owned(),
        question: format!("who \"is\" {id}?"),
        answers: Some(
            answers
                .iter()
                .map(|(text, start)| Answer { text: (*text).to_owned(), answer_start: Some(*start) })
                .collect(),
        ),
        is_impossible: None,
    };
    let paragraph = |context: &str, qas| Paragraph { context: context.to_owned(), qas };
    vec![
        Article {
            title: "Cäts".to_owned(),
            paragraphs: vec![
                paragraph("the cät sat\nhere", vec![qa("a", &[("cät", 4), ("here", 12)]), qa("b", &[])]),
                paragraph("a dog 👩‍🔬 ran", vec![qa("c", &[("dog", 2)])]),
            ],
        },
        Article { title: "Empty".to_owned(), paragraphs: vec![paragraph("nobody asks", vec![])] },
        Article {
            title: "Fish".to_owned(),
            paragraphs: vec![paragraph("fish swim", vec![qa("d", &[("fish", 0)])])],
        },
    ]
}

pub fn squad_json(articles: &[Article]) -> Vec<u8> {
    serde_json::to_vec(&serde_json::json!({ "version": "v2.0", "data": articles })).unwrap()
}

pub fn json_lines(articles: &[Article]) -> Vec<u8> {
    let line = |(title, context, qa): (String, String, Qa)| {
        let (text, starts): (Vec<_>, Vec<_>) =
            qa.answers().iter().map(|a| (a.text.clone(), a.answer_start.unwrap())).unzip();
        let answers = serde_json::json!({ "text": text, "answer_start": starts });
        let row = serde_json::json!({ "id": qa.id, "title": title, "context": context, "question": qa.question, "answers": answers });
        format!("{row}\n")
    };
    flat(articles).into_iter().map(line).collect::<String>().into_bytes()
}

/// An Arrow file of two record batches.
pub fn arrow_file(articles: &[Article]) -> Vec<u8> {
    let batch = batch(articles, |starts| Arc::new(Int32Array::from(starts)));
    let mut writer = arrow::ipc::writer::FileWriter::try_new(Vec::new(), &batch.schema()).unwrap();
    writer.write(&batch.slice(0, 1)).unwrap();
    writer.write(&batch.slice(1, batch.num_rows() - 1)).unwrap();
    writer.into_inner().unwrap()
}

/// `starts` makes the column `answers.answer_start` of all numbers.
pub fn parquet_with(
    articles: &[Article],
    starts: impl Fn(Vec<i32>) -> ArrayRef,
    compression: Compression,
) -> Vec<u8> {
    let batch = batch(articles, starts);
    let properties = WriterProperties::builder().set_compression(compression).build();
    let mut bytes = Vec::new();
    let mut writer = ArrowWriter::try_new(&mut bytes, batch.schema(), Some(properties)).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
    bytes
}

fn batch(articles: &[Article], starts: impl Fn(Vec<i32>) -> ArrayRef) -> RecordBatch {
    let rows = flat(articles);
    let texts = |of: &dyn Fn(&(String, String, Qa)) -> String| -> ArrayRef {
        Arc::new(StringArray::from(rows.iter().map(of).collect::<Vec<_>>()))
    };
    let lengths = OffsetBuffer::from_lengths(rows.iter().map(|row| row.2.answers().len()));
    let answers: Vec<&Answer> = rows.iter().flat_map(|row| row.2.answers()).collect();
    let list = |items: ArrayRef| -> (Arc<Field>, ArrayRef) {
        let item = Arc::new(Field::new("item", items.data_type().clone(), true));
        let list = ListArray::new(item, lengths.clone(), items, None);
        let name = if list.value_type() == DataType::Utf8 { "text" } else { "answer_start" };
        (Arc::new(Field::new(name, list.data_type().clone(), true)), Arc::new(list))
    };
    let text: ArrayRef =
        Arc::new(StringArray::from(answers.iter().map(|answer| answer.text.as_str()).collect::<Vec<_>>()));
    let starts = starts(answers.iter().map(|answer| answer.answer_start.unwrap()).collect());
    let answers: ArrayRef = Arc::new(StructArray::from(vec![list(text), list(starts)]));
    RecordBatch::try_from_iter([
        ("id", texts(&|row| row.2.id.clone())),
        ("title", texts(&|row| row.0.clone())),
        ("context", texts(&|row| row.1.clone())),
        ("question", texts(&|row| row.2.question.clone())),
        ("answers", answers),
    ])
    .unwrap()
}

pub fn parquet(articles: &[Article]) -> Vec<u8> {
    parquet_with(articles, |starts| Arc::new(Int32Array::from(starts)), Compression::SNAPPY)
}

/// A table that has nothing of a question.
pub fn other_columns() -> Vec<u8> {
    let ids: ArrayRef = Arc::new(Int64Array::from(vec![1, 2]));
    let batch = RecordBatch::try_from_iter([("id", ids)]).unwrap();
    let mut bytes = Vec::new();
    let mut writer = ArrowWriter::try_new(&mut bytes, batch.schema(), None).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
    bytes
}
