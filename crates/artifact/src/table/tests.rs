use std::sync::Arc;

use arrow::array::{ArrayRef, UInt32Array};
use arrow::datatypes::{DataType, Field, Schema};
use arrow::ipc::writer::FileWriter;
use tempfile::TempDir;

use super::*;
use crate::{
    Answer, Candidate, EXAMPLES, Example, Examples, ExamplesWriter, FEATURES, FeatureRow, Features,
    FeaturesWriter, PREDICTIONS, Prediction, PredictionsWriter, TENSORS, Tensors, TensorsWriter, describe,
    first_rows,
};

/// A small table of each nesting, as the bytes of its file.
fn small_table(kind: &Kind) -> Vec<u8> {
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("small.arrow");
    match kind.name {
        "examples" => {
            let mut writer = ExamplesWriter::create(&path, "f").unwrap();
            let answers = vec![Answer { text: "Zürich", start: 3 }, Answer { text: "in Zürich", start: 0 }];
            let example = Example { id: "q1", context_id: 0, question: "Wo?", answers, is_impossible: false };
            writer.push(&example).unwrap();
            writer.push(&Example { id: "q2", answers: vec![], ..example }).unwrap();
            writer.finish().unwrap();
        }
        "features" => {
            let mut writer = FeaturesWriter::create(&path, "f").unwrap();
            let row = FeatureRow {
                example_index: 0,
                input_ids: &[101, 7, 102],
                offset_mapping: &[None, Some((0, 4)), None],
                start_position: 1,
                end_position: 1,
            };
            writer.push(&row).unwrap();
            writer.push(&row).unwrap();
            writer.finish().unwrap();
        }
        "tensors" => {
            let mut writer = TensorsWriter::create(&path, "f").unwrap();
            writer.push_f32("qa_outputs.weight", &[2, 2], &[1.0, -2.0, 0.5, 4.0]).unwrap();
            writer.push("scale", "BF16", &[1], &[0x80, 0x3f]).unwrap();
            writer.finish().unwrap();
        }
        "predictions" => {
            let mut writer = PredictionsWriter::create(&path, "f").unwrap();
            let candidate =
                Candidate { text: "ü".to_owned(), start_char: 1, end_char: 2, score: 3.0, probability: 0.9 };
            let prediction = Prediction {
                id: "q1".to_owned(),
                prediction_text: "ü".to_owned(),
                start_char: 1,
                end_char: 2,
                score: 3.0,
                null_score: None,
                n_best: vec![candidate; 2],
                exact_match: 1.0,
                f1: 1.0,
            };
            writer.push(prediction.clone()).unwrap();
            writer.push(Prediction { null_score: Some(0.5), n_best: vec![], ..prediction }).unwrap();
            writer.finish().unwrap();
        }
        other => panic!("no small table of kind {other}"),
    }
    std::fs::read(path).unwrap()
}

const NESTED: [&Kind; 4] = [&EXAMPLES, &FEATURES, &TENSORS, &PREDICTIONS];

/// Opens a table from bytes and reads every value of it.
fn read_all(bytes: &[u8], kind: &'static Kind) -> Result<()> {
    let table = Table::from_buffer(Path::new("small.arrow"), &Buffer::from(bytes), &[kind])?;
    for batch in &table.batches {
        drop(format!("{batch:?}"));
    }
    match kind.name {
        "examples" => Examples::new(table)?.iter().for_each(drop),
        "features" => {
            Features::new(table)?.iter().for_each(|feature| feature.offset_mapping.iter().for_each(drop));
        }
        "tensors" => Tensors::new(table)?.iter().for_each(|tensor| drop(tensor.to_f32())),
        _ => {}
    }
    Ok(())
}

#[test]
fn a_table_cut_at_any_length_is_refused() {
    for kind in NESTED {
        let bytes = small_table(kind);
        read_all(&bytes, kind).unwrap();
        for length in 0..bytes.len() {
            match read_all(&bytes[..length], kind) {
                Err(Error::Damaged { .. } | Error::Foreign { .. }) => {}
                other => panic!("{} cut to {length} of {} bytes: {other:?}", kind.name, bytes.len()),
            }
        }
    }
}

#[test]
fn no_flipped_bit_makes_a_reader_panic() {
    for kind in NESTED {
        let bytes = small_table(kind);
        let mut refused = 0;
        for i in 0..bytes.len() {
            for bit in 0..8 {
                let mut flipped = bytes.clone();
                flipped[i] ^= 1 << bit;
                refused += usize::from(read_all(&flipped, kind).is_err());
            }
        }
        assert!(refused > bytes.len(), "only {refused} flips of {} were refused", 8 * bytes.len());
    }
}

#[test]
fn arrays_point_into_the_file() {
    for kind in NESTED {
        let file = Buffer::from(small_table(kind).as_slice());
        let table = Table::from_buffer(Path::new("small.arrow"), &file, &[kind]).unwrap();
        let inside = file.as_ptr_range();
        for column in table.batches.iter().flat_map(RecordBatch::columns) {
            for buffer in column.to_data().buffers() {
                assert!(inside.contains(&buffer.as_ptr()), "{} copies its columns", kind.name);
            }
        }
    }
}

#[test]
fn a_foreign_file_is_named_with_what_it_is() {
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("examples-train.arrow");
    std::fs::write(&path, b"PAR1 and so on").unwrap();
    let error = Examples::open(&path).unwrap_err();
    assert_eq!(
        error.to_string(),
        format!(
            "{} is not a distilburn table: it begins with \"PAR1 a\", an Arrow file with \"ARROW1\"",
            path.display()
        )
    );
    assert_eq!(help(&error), "re-run the `ingest` stage with `--force` to rewrite it");
    std::fs::write(&path, b"").unwrap();
    assert!(Examples::open(&path).unwrap_err().to_string().ends_with("table: it is empty"));
    assert!(matches!(Examples::open(dir.path()), Err(Error::Io(_) | Error::Foreign { .. })));
    assert!(matches!(Examples::open(&dir.path().join("absent.arrow")), Err(Error::Io(_))));
}

#[test]
fn an_arrow_file_of_other_make_is_named_so() {
    let (dir, path) = write_foreign(&[], "a");
    let error = Examples::open(&path).unwrap_err();
    assert!(error.to_string().ends_with("an Arrow file without `distilburn.kind`"), "{error}");
    assert!(matches!(describe(&path), Err(Error::Foreign { .. })));
    drop(dir);
}

#[test]
fn another_kind_is_refused_with_both_kinds() {
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("features-train.arrow");
    std::fs::write(&path, small_table(&EXAMPLES)).unwrap();
    let error = Features::open(&path).unwrap_err();
    assert_eq!(error.to_string(), format!("{} holds examples, expected features", path.display()));
    assert_eq!(help(&error), "re-run the `tokenize-features` stage with `--force` to rewrite it");
}

#[test]
fn another_version_is_refused_with_both_versions() {
    let (_dir, path) = write_foreign(&[(KIND_KEY, "contexts"), (VERSION_KEY, "7")], "a");
    let error = crate::Contexts::open(&path).unwrap_err();
    assert_eq!(error.to_string(), format!("{} holds contexts v7, this build reads v1", path.display()));
    assert_eq!(help(&error), "re-run the `ingest` stage with `--force` to rewrite it");
    let (_dir, path) = write_foreign(&[(KIND_KEY, "contexts")], "a");
    assert!(crate::Contexts::open(&path).unwrap_err().to_string().contains("contexts v(none)"));
}

#[test]
fn other_columns_are_refused_with_the_first_that_differs() {
    let (_dir, path) = write_foreign(&[(KIND_KEY, "contexts"), (VERSION_KEY, "1")], "context_id");
    let error = crate::Contexts::open(&path).unwrap_err();
    let text = error.to_string();
    assert!(text.contains("(contexts v1) has the column none where this build reads"), "{text}");
    assert!(text.contains("title"), "{text}");
}

#[test]
fn what_show_prints_of_a_table() {
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("features-train.arrow");
    std::fs::write(&path, small_table(&FEATURES)).unwrap();
    let description = describe(&path).unwrap();
    assert_eq!((description.kind.as_str(), description.version), ("features", 1));
    assert_eq!((description.rows, description.batches), (2, 1));
    assert_eq!(description.fingerprint, "f");
    let types: Vec<_> = description.columns.iter().map(|(_, data_type)| data_type.as_str()).collect();
    assert_eq!(types, ["u32", "list<i32>", "list<fixed_size_list<i32>[2]?>", "i32", "i32"]);
    assert_eq!(
        first_rows(&path, 1).unwrap(),
        [serde_json::json!({
            "example_index": 0, "input_ids": [101, 7, 102], "offset_mapping": [null, [0, 4], null],
            "start_positions": 1, "end_positions": 1,
        })]
    );
    assert_eq!(first_rows(&path, 9).unwrap().len(), 2);

    std::fs::write(&path, small_table(&PREDICTIONS)).unwrap();
    let rows = first_rows(&path, 2).unwrap();
    assert_eq!(rows[0]["n_best"][1]["text"], "ü");
    assert_eq!(rows[1]["null_score"], 0.5);
    std::fs::write(&path, small_table(&TENSORS)).unwrap();
    assert_eq!(first_rows(&path, 1).unwrap()[0]["data"], "16 bytes");
}

#[test]
fn readers_can_be_shared_between_threads() {
    fn shared<T: Send + Sync>() {}
    shared::<Examples>();
    shared::<Features>();
    shared::<Tensors>();
    shared::<crate::Contexts>();
    shared::<crate::Assets>();
    shared::<crate::Predictions>();
    shared::<Error>();
}

/// An Arrow file with one u32 column and this metadata.
fn write_foreign(metadata: &[(&str, &str)], column: &str) -> (TempDir, PathBuf) {
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("other.arrow");
    let metadata = metadata.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned()));
    let metadata: std::collections::BTreeMap<_, _> = metadata.collect();
    let schema = Schema::new(vec![Field::new(column, DataType::UInt32, false)]).with_metadata(metadata);
    let values: ArrayRef = Arc::new(UInt32Array::from(vec![1, 2]));
    let batch = RecordBatch::try_new(Arc::new(schema.clone()), vec![values]).unwrap();
    let mut writer = FileWriter::try_new(std::fs::File::create(&path).unwrap(), &schema).unwrap();
    writer.write(&batch).unwrap();
    writer.finish().unwrap();
    (dir, path)
}

fn help(error: &Error) -> String {
    miette::Diagnostic::help(error).unwrap().to_string()
}
