//! Writes the seeds of the fuzz targets, from the tests' forms and fixtures, into `tests/fuzz/corpus`.

use std::fs;
use std::path::Path;

use artifact::{Assets, file_name};

#[allow(dead_code, reason = "each target uses its part of it")]
#[path = "../../question-files/tests/forms/mod.rs"]
mod forms;

fn main() {
    let articles = forms::articles();
    let (squad, lines) = (forms::squad_json(&articles), forms::json_lines(&articles));
    // Without what the targets put before it.
    let articles_begin = squad.iter().position(|byte| *byte == b'[').unwrap() + 1;
    seed("squad_json", "questions", &squad[articles_begin..]);
    seed("json_lines", "questions", &lines[b"{\"id\": \"".len() - 1..]);
    seed("parquet", "questions", &forms::parquet(&articles)[4..]);
    seed("parquet", "other", &forms::other_columns()[4..]);
    seed("arrow", "questions", &forms::arrow_file(&articles)[b"ARROW1".len()..]);
    // Every example of the page of forms.
    let page = include_str!("../../question-files/forms.md");
    for (number, block) in page.split("\n```").skip(1).step_by(2).enumerate() {
        let (form, example) = block.split_once('\n').expect("a block has a first line");
        let (target, begin) = match form {
            "csv" => ("csv", example.find('\n').map_or(0, |end| end + 1)),
            _ if example.starts_with("[{\"") => ("json_list", 3),
            _ => continue,
        };
        seed(target, &format!("example-{number}"), &example.as_bytes()[begin..]);
    }
    seed("predictions", "object", b"\0a\": \"cat\"}");
    seed("predictions", "list", b"\x01\"a\", \"prediction_text\": \"cat\"}]");
    seed("predictions", "csv", b"\x02a,cat\n");
    seed("compressed", "gzip", &[&[0], &forms::gzip(&squad)[3..]].concat());
    seed("compressed", "zstd", &[&[1], &forms::zstd(&lines)[4..]].concat());

    let crates = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    for entry in fs::read_dir(crates.join("pytorch-file/tests/fixtures")).unwrap().map(Result::unwrap) {
        if entry.path().extension().is_some_and(|extension| extension == "bin") {
            seed("pytorch_file", entry.file_name().to_str().unwrap(), &fs::read(entry.path()).unwrap());
        }
    }
    let model = crates.join("pretrained/tests/fixtures/base_models/bert_safetensors");
    seed("safetensors", "bert", &fs::read(model.join("model.safetensors")).unwrap());
    let output = tempfile::tempdir().unwrap();
    pretrained::ingest(&model, output.path(), "f").unwrap();
    let assets = Assets::open(&output.path().join(file_name::ASSETS)).unwrap();
    seed("tokenizer_json", "bert", assets.get("tokenizer.json").unwrap());
}

fn seed(target: &str, name: &str, contents: &[u8]) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/fuzz/corpus").join(target);
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join(name), contents).unwrap();
}
