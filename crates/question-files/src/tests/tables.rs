//! CSV and Parquet as tables of questions have them.

use arrow::array::{Int32Array, ListArray, NullArray, RecordBatch, StringArray, StructArray};
use arrow::buffer::OffsetBuffer;
use arrow::datatypes::{DataType, Field};

use super::shapes::{answers, cat};
use super::*;

#[test]
fn csv_is_read_as_python_writes_it() {
    let csv = "id,context,question,answer,answer_start\r\n\
               1,\"the \"\"cat\"\", a\nblack one, sat\",\"who, then?\",\"\"\"cat\"\"\",4.0\r\n\r\n\
               2,the 5\" cat sat,who?,[sic] cat,4";
    let questions = flat(&read_all(csv.as_bytes()).unwrap());
    let expected = [
        ("the \"cat\", a\nblack one, sat", "1", "who, then?", "\"cat\""),
        ("the 5\" cat sat", "2", "who?", "[sic] cat"),
    ];
    let found: Vec<_> = questions
        .iter()
        .map(|(_, context, qa)| {
            assert_eq!(qa.answers()[0].answer_start, Some(4));
            (context.as_str(), qa.id.as_str(), qa.question.as_str(), qa.answers()[0].text.as_str())
        })
        .collect();
    assert_eq!(found, expected);
    for delimiter in ["\t", ";"] {
        let text = format!(
            "context{delimiter}question{delimiter}answers\nthe cat{delimiter}who?{delimiter}[\"cat\"]\n"
        );
        assert_eq!(answers(&text), Some(vec![cat(None)]), "{delimiter:?}");
    }
}

/// One row of Parquet with these columns beside context and question.
pub(super) fn parquet_row(columns: Vec<(&str, ArrayRef)>) -> Vec<u8> {
    let text = |text: &str| -> ArrayRef { Arc::new(StringArray::from(vec![text])) };
    let all = [("id", text("a")), ("context", text("the cat sat")), ("question", text("who?"))];
    let columns = all.into_iter().chain(columns).map(|(name, column)| (name, column, true));
    let batch = RecordBatch::try_from_iter_with_nullable(columns).unwrap();
    let mut bytes = Vec::new();
    let mut writer = ::parquet::arrow::ArrowWriter::try_new(&mut bytes, batch.schema(), None).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
    bytes
}

fn list_of(items: ArrayRef) -> ArrayRef {
    let item = Arc::new(Field::new("item", items.data_type().clone(), true));
    Arc::new(ListArray::new(item, OffsetBuffer::from_lengths([items.len()]), items, None))
}

fn structure(columns: Vec<(&str, ArrayRef)>) -> ArrayRef {
    let field = |(name, array): (&str, ArrayRef)| {
        (Arc::new(Field::new(name, array.data_type().clone(), true)), array)
    };
    Arc::new(StructArray::from(columns.into_iter().map(field).collect::<Vec<_>>()))
}

#[test]
fn columns_of_parquet_may_be_null_and_answers_of_any_shape() {
    let null = || -> ArrayRef { Arc::new(NullArray::new(1)) };
    let texts = || -> ArrayRef { Arc::new(StringArray::from(vec!["cat"])) };
    let starts = || -> ArrayRef { Arc::new(Int32Array::from(vec![4])) };
    let no_texts = || list_of(Arc::new(NullArray::new(0)));
    let placed = Some(vec![cat(Some(4))]);
    let dictionary = arrow::compute::cast(
        &texts(),
        &DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8)),
    )
    .unwrap();
    let table = [
        ("no column", vec![], None),
        (
            "title, answers and is_impossible of type Null",
            vec![("title", null()), ("answers", null()), ("is_impossible", null())],
            None,
        ),
        (
            "lists of Null",
            vec![("answers", structure(vec![("text", no_texts()), ("answer_start", no_texts())]))],
            Some(Vec::new()),
        ),
        ("a list of Null", vec![("answers", no_texts())], Some(Vec::new())),
        (
            "lists",
            vec![(
                "answers",
                structure(vec![("text", list_of(texts())), ("answer_start", list_of(starts()))]),
            )],
            placed.clone(),
        ),
        (
            "a list of structs",
            vec![("answers", list_of(structure(vec![("text", texts()), ("answer_start", starts())])))],
            placed.clone(),
        ),
        ("two columns", vec![("answer_text", texts()), ("answer_start", starts())], placed.clone()),
        ("a dictionary", vec![("answer", dictionary), ("answer_start", starts())], placed),
        ("a list of texts", vec![("answers", list_of(texts()))], Some(vec![cat(None)])),
    ];
    for (what, columns, expected) in table {
        let articles = read_all(&parquet_row(columns)).unwrap_or_else(|message| panic!("{what}: {message}"));
        let questions = flat(&articles);
        assert_eq!((&*questions[0].0, &*questions[0].2.id), ("", "a"), "{what}");
        assert_eq!(questions[0].2.answers, expected, "{what}");
    }
}

#[test]
fn the_null_column_of_the_collected_faults_is_read() {
    let path =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data/faults/null-column/train.parquet");
    if !path.is_file() {
        eprintln!("skipped: {} is not there", path.display());
        return;
    }
    assert!(!flat(&read_path(&path).unwrap()).is_empty());
}
