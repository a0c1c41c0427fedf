//! Which files of a folder or repository make up a model. These files are read, so they count in fingerprints.

use std::collections::BTreeSet;
use std::path::Path;

use serde_json::Value;

/// Read where present.
const ABOUT: [&str; 6] = [
    "added_tokens.json",
    "config.json",
    "special_tokens_map.json",
    "tokenizer.json",
    "tokenizer_config.json",
    "vocab.txt",
];

/// Formats of the weights: the first that exists is read, as in transformers. An index names the files (shards) that
/// together hold the weights.
const WEIGHTS: [&str; 4] = [
    "model.safetensors",
    "model.safetensors.index.json",
    "pytorch_model.bin",
    "pytorch_model.bin.index.json",
];

/// The most bytes of an index: it has a line for each tensor.
const INDEX_BYTES: u64 = 64 << 20;

/// Whether a file belongs to a model but does not hold weights.
pub(crate) fn is_small(name: &str) -> bool {
    ABOUT.contains(&name) || (WEIGHTS.contains(&name) && name.ends_with(".index.json"))
}

/// The folder's weight file, or the index of its shards.
#[must_use]
pub fn weights_file(folder: &Path) -> Option<&'static str> {
    WEIGHTS.into_iter().find(|name| folder.join(name).is_file())
}

/// The shards that an index names; `None` if it has another format, or names a file of another folder.
#[must_use]
pub fn shards(index: &Value) -> Option<BTreeSet<&str>> {
    let names = index["weight_map"].as_object()?.values().map(|name| {
        let name = name.as_str()?;
        (Path::new(name).file_name() == Some(name.as_ref())).then_some(name)
    });
    names.collect()
}

/// The names of all files of the folder that are read.
#[must_use]
pub fn model_files(folder: &Path) -> Vec<String> {
    let mut names: BTreeSet<String> = ABOUT.map(str::to_owned).into();
    if let Some(weights) = weights_file(folder) {
        names.insert(weights.to_owned());
        // An index that cannot be read is refused by ingest.
        let index = folder.join(weights);
        let is_small = fs_err::metadata(&index).is_ok_and(|metadata| metadata.len() <= INDEX_BYTES);
        let index = (is_small && weights.ends_with(".index.json")).then(|| fs_err::read(index));
        let index: Value = index
            .and_then(Result::ok)
            .and_then(|json| serde_json::from_slice(&json).ok())
            .unwrap_or_default();
        names.extend(shards(&index).unwrap_or_default().into_iter().map(str::to_owned));
    }
    names.into_iter().filter(|name| folder.join(name).is_file()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for (name, content) in files {
            fs_err::write(folder.path().join(name), content).unwrap();
        }
        folder
    }

    #[test]
    fn the_first_form_that_is_there_counts() {
        let both = folder(&[("config.json", ""), ("pytorch_model.bin", ""), ("model.safetensors", "")]);
        assert_eq!(model_files(both.path()), ["config.json", "model.safetensors"]);
        let bin = folder(&[("vocab.txt", ""), ("pytorch_model.bin", ""), ("rust_model.ot", "")]);
        assert_eq!(model_files(bin.path()), ["pytorch_model.bin", "vocab.txt"]);
    }

    #[test]
    fn shards_count_as_their_index_names_them() {
        let index =
            r#"{"weight_map": {"a": "one.safetensors", "b": "two.safetensors", "c": "one.safetensors"}}"#;
        let files =
            [("model.safetensors.index.json", index), ("one.safetensors", ""), ("three.safetensors", "")];
        assert_eq!(model_files(folder(&files).path()), ["model.safetensors.index.json", "one.safetensors"]);
        let outside: Value = serde_json::from_str(r#"{"weight_map": {"a": "../one.safetensors"}}"#).unwrap();
        assert_eq!(shards(&outside), None);
    }
}
