//! Whatever a base model's files hold, the answer is tables or an error.

use std::fs;
use std::path::{Path, PathBuf};

use proptest::prelude::*;

use crate::ingest;

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/base_models").join(name)
}

/// A copy of a model's folder, with a `tokenizer.json` as one that was ingested has it.
fn copy(name: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for entry in fs::read_dir(fixture(name)).unwrap().map(Result::unwrap) {
        fs::copy(entry.path(), folder.path().join(entry.file_name())).unwrap();
    }
    let output = tempfile::tempdir().unwrap();
    ingest(folder.path(), output.path(), "f").unwrap();
    let assets = artifact::Assets::open(&output.path().join(artifact::file_name::ASSETS)).unwrap();
    fs::write(folder.path().join("tokenizer.json"), assets.get("tokenizer.json").unwrap()).unwrap();
    folder
}

/// An alteration: where, in thousandths of the file; how; with which byte.
fn alterations() -> impl Strategy<Value = Vec<(usize, u8, u8)>> {
    prop::collection::vec((0_usize..1000, 0_u8..3, any::<u8>()), 1..4)
}

fn altered(mut bytes: Vec<u8>, alterations: &[(usize, u8, u8)]) -> Vec<u8> {
    for &(place, how, byte) in alterations {
        let place = place * bytes.len() / 1000;
        match how {
            0 if !bytes.is_empty() => bytes[place] = byte,
            1 => bytes.insert(place, byte),
            _ => bytes.truncate(place),
        }
    }
    bytes
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn altered_files_give_an_answer(alterations in alterations(), file in 0_usize..6) {
        let folders = ["bert_safetensors", "bert_zip", "bert_sharded_mlm"];
        for name in folders {
            let folder = copy(name);
            let files = [
                "config.json", "tokenizer.json", "vocab.txt", "tokenizer_config.json", "model.safetensors",
                "model.safetensors.index.json",
            ];
            let path = folder.path().join(files[file]);
            if let Ok(bytes) = fs::read(&path) {
                fs::write(&path, altered(bytes, &alterations)).unwrap();
                let output = tempfile::tempdir().unwrap();
                let _ = ingest(folder.path(), output.path(), "f");
            }
        }
    }

    #[test]
    fn any_header_of_safetensors_gives_an_answer(header in "[\\PC]{0,200}", length in any::<u64>(), honest: bool) {
        let folder = copy("bert_safetensors");
        let length = if honest { header.len() as u64 } else { length };
        let bytes = [&length.to_le_bytes(), header.as_bytes(), &[0; 16]].concat();
        fs::write(folder.path().join("model.safetensors"), bytes).unwrap();
        let output = tempfile::tempdir().unwrap();
        prop_assert!(ingest(folder.path(), output.path(), "f").is_err());
    }
}
