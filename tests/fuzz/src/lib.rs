//! What the targets share: bytes as the file that a parser opens.

use std::fs;
use std::path::Path;

/// Reads questions from a file of these parts.
pub fn questions(parts: &[&[u8]]) {
    let file = tempfile::NamedTempFile::new().unwrap();
    fs::write(file.path(), parts.concat()).unwrap();
    let source =
        ingest::SourceFile { path: file.path().to_owned(), name: "data".to_owned(), setting: "ingest.train" };
    let _ = ingest::each_article(&[source], &mut |_| Ok(()));
}

/// Ingests a small BERT with this file among its own.
pub fn base_model(name: &str, bytes: &[u8]) {
    let model = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../crates/ingest/tests/fixtures/base_models/bert_safetensors");
    let folder = tempfile::tempdir().unwrap();
    for file in ["config.json", "vocab.txt", "model.safetensors"] {
        fs::copy(model.join(file), folder.path().join(file)).unwrap();
    }
    fs::write(folder.path().join(name), bytes).unwrap();
    let output = tempfile::tempdir().unwrap();
    let _ = ingest::read_base_model(folder.path(), output.path(), "f");
}
