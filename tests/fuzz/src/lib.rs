//! What the targets share: bytes as the file that a parser opens.

use std::path::Path;
use std::{fs, panic};

/// Reads questions from a file of these parts.
pub fn questions(parts: &[&[u8]]) {
    let_panics_be_caught();
    let file = tempfile::NamedTempFile::new().unwrap();
    fs::write(file.path(), parts.concat()).unwrap();
    let source =
        question_files::QuestionFile { path: file.path().to_owned(), name: "data".to_owned(), asked_by: "ingest.train" };
    question_files::articles(vec![source]).for_each(drop);
}

/// Reads predictions from a file of these parts.
pub fn predictions(parts: &[&[u8]]) {
    let_panics_be_caught();
    let file = tempfile::NamedTempFile::new().unwrap();
    fs::write(file.path(), parts.concat()).unwrap();
    let source = question_files::QuestionFile {
        path: file.path().to_owned(),
        name: "data".to_owned(),
        asked_by: "--predictions",
    };
    let _ = question_files::predictions(&source);
}

/// Ingests a small BERT with this file among its own.
pub fn base_model(name: &str, bytes: &[u8]) {
    let_panics_be_caught();
    let model = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../crates/pretrained/tests/fixtures/base_models/bert_safetensors");
    let folder = tempfile::tempdir().unwrap();
    for file in ["config.json", "vocab.txt", "model.safetensors"] {
        fs::copy(model.join(file), folder.path().join(file)).unwrap();
    }
    fs::write(folder.path().join(name), bytes).unwrap();
    let output = tempfile::tempdir().unwrap();
    let _ = pretrained::ingest(folder.path(), output.path(), "f");
}

/// libFuzzer's hook ends the process at any panic; those of the Parquet and tokenizers libraries are caught and
/// reported, and others still end it.
fn let_panics_be_caught() {
    panic::set_hook(Box::new(|_| ()));
}
