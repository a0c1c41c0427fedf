//! The tokenize-features binary on an ingest artifact of the test's own.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use artifact::{
    Answer, Artifact, AssetsWriter, ContextsWriter, Example, ExamplesWriter, Features, ManifestDraft,
    Partial, SplitName, file_name,
};
use serde_json::{Map, Value, json};

#[path = "../../../tests/word_piece.rs"]
mod word_piece;

use word_piece::tokenizer_json;

const WORDS: [&str; 12] =
    ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "the", "cat", "sat", "on", "a", "mat", "where"];

/// A question of a split: id, its context, question, answers.
type Question<'a> = (String, u32, &'a str, Vec<Answer<'a>>);

/// Many questions, short and long contexts, one context that comes back at the end.
fn questions() -> (Vec<String>, Vec<Question<'static>>) {
    let contexts = (0..200).map(|i| "the cat sat on a mat . ".repeat(1 + i % 9)).collect();
    let question = |i: usize, context| {
        let answers = if i.is_multiple_of(5) { vec![] } else { vec![Answer { text: "cat", start: 4 }] };
        (format!("q{i}"), context, "where sat the cat ?", answers)
    };
    let mut questions: Vec<_> = (0..600).map(|i| question(i, i as u32 / 3)).collect();
    questions.push(question(601, 8));
    (contexts, questions)
}

/// A folder with an ingest artifact in `ingest/`.
fn bench(contexts: &[String], questions: &[Question<'_>]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("pipeline.toml"), "").unwrap();
    let fingerprint = artifact::fingerprint(&json!({"stage": "ingest"}));
    let partial = Partial::at(&folder.path().join("ingest"), "ingest", &fingerprint).unwrap();
    let path = |name: &str| partial.dir().join(name);
    let mut assets = AssetsWriter::create(&path(file_name::ASSETS), &fingerprint).unwrap();
    assets.push("config.json", br#"{"max_position_embeddings": 400}"#).unwrap();
    assets.push("tokenizer.json", tokenizer_json(&WORDS).to_string().as_bytes()).unwrap();
    assets.finish().unwrap();
    for (contexts_name, examples_name) in [
        (SplitName::Train.contexts(), SplitName::Train.examples()),
        (SplitName::Validation.contexts(), SplitName::Validation.examples()),
    ] {
        let mut writer = ContextsWriter::create(&path(contexts_name), &fingerprint).unwrap();
        for context in contexts {
            writer.push("title", context).unwrap();
        }
        writer.finish().unwrap();
        let mut writer = ExamplesWriter::create(&path(examples_name), &fingerprint).unwrap();
        for (id, context_id, question, answers) in questions {
            let (context_id, answers) = (*context_id, answers.clone());
            writer.push(&Example { id, context_id, question, answers, is_impossible: false }).unwrap();
        }
        writer.finish().unwrap();
    }
    let parts = json!({"stage": "ingest"});
    partial.commit(ManifestDraft { parts, inputs: vec![], metrics: Map::new(), run: Map::new() }).unwrap();
    folder
}

fn run(folder: &Path, output: &str, settings: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_distilburn-tokenize-features"));
    command.current_dir(folder).args(["--progress", "none", "--input", "ingest=ingest", "--output", output]);
    for setting in
        ["tokenize-features.max_length=24", "tokenize-features.doc_stride=4"].iter().chain(settings)
    {
        command.args(["--set", setting]);
    }
    command.output().unwrap()
}

fn finished(folder: &Path, output: &str, settings: &[&str]) -> (Artifact, PathBuf) {
    let result = run(folder, output, settings);
    assert!(result.status.success(), "{}", String::from_utf8_lossy(&result.stderr));
    let artifact = Artifact::open(&folder.join(output)).unwrap();
    let features = artifact.file(SplitName::Train.features()).unwrap();
    (artifact, features)
}

#[test]
fn features_point_at_their_examples_and_answers() {
    let (contexts, questions) = questions();
    let folder = bench(&contexts, &questions);
    let (artifact, path) = finished(folder.path(), "out", &[]);
    let features = Features::open(&path).unwrap();
    assert_eq!(artifact.manifest.metrics["train"]["features"], features.len());
    assert_eq!(artifact.manifest.metrics["train"]["questions"], questions.len());

    let mut seen = vec![0; questions.len()];
    let mut previous = 0;
    for feature in features.iter() {
        let (_, context_id, _, answers) = &questions[feature.example_index as usize];
        assert!(feature.example_index >= previous);
        previous = feature.example_index;
        seen[feature.example_index as usize] += 1;
        assert_eq!(&feature.input_ids[..7], [2, 11, 7, 5, 6, 1, 3]);
        // SQuAD's texts are ASCII here, so that characters are bytes.
        let context = &contexts[*context_id as usize];
        for (token, offsets) in feature.input_ids.iter().zip(feature.offset_mapping.iter()) {
            if let Some((start, end)) = offsets {
                let text = &context[start as usize..end as usize];
                assert_eq!(*token, WORDS.iter().position(|word| *word == text).map_or(1, |id| id as i32));
            }
        }
        if feature.start_position != 0 {
            let offsets = feature.offset_mapping.get(feature.start_position as usize).unwrap();
            assert_eq!(offsets, (4, 7));
            assert!(!answers.is_empty());
        }
    }
    assert!(seen.iter().all(|windows| *windows > 0));
    assert!(seen.iter().any(|windows| *windows > 1));
}

#[test]
fn words_that_the_vocabulary_lacks_are_counted_and_warned_about() {
    let contexts = vec!["the cat sat on a zebra zebra mat".to_owned(), "the mat".to_owned()];
    let question = |id: &str, context, text: &'static str, start| {
        (id.to_owned(), context, "where sat the yak", vec![Answer { text, start }])
    };
    let questions = [question("1", 0, "a zebra", 15), question("2", 0, "cat", 4), question("3", 1, "mat", 4)];
    let folder = bench(&contexts, &questions);
    let result = run(folder.path(), "out", &[]);
    let stderr = String::from_utf8(result.stderr).unwrap();
    assert!(result.status.success(), "{stderr}");
    // A warning and one line for each split.
    assert_eq!(stderr.matches("not in the base model's vocabulary").count(), 2, "{stderr}");
    assert_eq!(stderr.matches("wrote the features").count(), 2, "{stderr}");
    assert!(!stderr.contains("in_several_windows"), "{stderr}");
    let artifact = Artifact::open(&folder.path().join("out")).unwrap();
    let unknown = &artifact.manifest.metrics["train"]["unknown_tokens"];
    let part = |tokens: u64, unknown: u64| json!({"tokens": tokens, "unknown": unknown, "share": unknown as f64 / tokens as f64});
    // [UNK] for each zebra, for the yak of each question; a context counts once.
    assert_eq!(unknown["contexts"], part(10, 2));
    assert_eq!(unknown["questions"], part(12, 3));
    assert_eq!(unknown["answers"], part(4, 1));
}

#[test]
fn the_number_of_threads_makes_no_difference() {
    let (contexts, questions) = questions();
    let folder = bench(&contexts, &questions);
    let outputs = ["1", "2", "7"].map(|threads| {
        let (artifact, path) = finished(folder.path(), threads, &[&format!("run.threads={threads}")]);
        (artifact.manifest.fingerprint, artifact.manifest.metrics, fs::read(path).unwrap())
    });
    assert!(outputs.iter().all(|output| *output == outputs[0]));
}

#[test]
fn a_question_that_fills_its_window_is_named() {
    let (contexts, mut questions) = questions();
    questions[300].2 =
        "the the the the the the the the the the the the the the the the the the the the the the";
    let folder = bench(&contexts, &questions);
    let result = run(folder.path(), "out", &[]);
    let stderr = String::from_utf8(result.stderr).unwrap();
    assert_eq!(result.status.code(), Some(3), "{stderr}");
    assert!(stderr.contains("question \"q300\" of the train split"), "{stderr}");
    assert!(stderr.contains("raise tokenize-features.max_length"), "{stderr}");
    assert!(!folder.path().join("out").exists());
}

#[test]
fn windows_longer_than_the_model_can_read_are_refused() {
    let (contexts, questions) = questions();
    let folder = bench(&contexts, &questions);
    let result = run(folder.path(), "out", &["tokenize-features.max_length=401"]);
    let stderr = String::from_utf8(result.stderr).unwrap();
    assert_eq!(result.status.code(), Some(2), "{stderr}");
    assert!(stderr.contains("max_length is 401, the base model has 400 positions"), "{stderr}");
}

/// Long contexts with answers of all lengths everywhere, so that some are lost to every setting.
#[test]
fn what_other_settings_would_give_is_what_they_give() {
    const SENTENCE: &str = "the cat sat on a mat . ";
    let contexts: Vec<String> = (0..60).map(|i| SENTENCE.repeat(1 + i)).collect();
    let questions: Vec<Question<'_>> = (0..600_usize)
        .map(|i| {
            let context = &contexts[i % 60];
            let start = SENTENCE.len() * (i * 7 % (1 + i % 60)) + 4;
            let end = (start + 3 + 40 * (i % 11)).min(context.len() - 1);
            let answers = vec![Answer { text: &context[start..end], start: start as i32 }];
            (format!("q{i}"), (i % 60) as u32, "where sat the cat ?", answers)
        })
        .collect();
    let folder = bench(&contexts, &questions);
    let rows = |max_length: u64, doc_stride: u64| {
        let settings = [
            format!("tokenize-features.max_length={max_length}"),
            format!("tokenize-features.doc_stride={doc_stride}"),
        ];
        let output = format!("{max_length}-{doc_stride}");
        let (artifact, _) = finished(folder.path(), &output, &settings.each_ref().map(String::as_str));
        let metrics = artifact.manifest.metrics["train"].clone();
        let rows = metrics["window_settings"].as_array().unwrap().clone();
        assert_eq!(
            (&rows[0]["max_length"], &rows[0]["doc_stride"]),
            (&max_length.into(), &doc_stride.into())
        );
        rows
    };
    let all = [rows(24, 4), rows(128, 64), rows(256, 128), rows(384, 128)];
    let mut lost = 0;
    for present in &all[1..] {
        let same = |row: &&Value| row["max_length"] == present[0]["max_length"];
        for counted in all.iter().flat_map(|rows| rows.iter().filter(same)) {
            assert_eq!(*counted, present[0]);
        }
        lost += present[0]["answers_lost"].as_u64().unwrap();
    }
    assert!(lost > 0);
}
