//! The ingest binary from the command line to the tables, with the real MiniLM folder and with data of its own.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::{env, fs};

use artifact::{Artifact, Assets, Contexts, Examples, SplitName, Tensors, file_name, read_audit};

const SQUAD: &str = r#"{"version": "1.1", "data": [
  {"title": "One", "paragraphs": [
    {"context": "The cät sat.", "qas": [
      {"id": "a", "question": "Who sat?", "answers": [{"text": "cät", "answer_start": 4}]},
      {"id": "b", "question": "Did what?", "answers": [{"text": "sat", "answer_start": 8}]}]},
    {"context": "Nobody asks about this.", "qas": []}]},
  {"title": "Two", "paragraphs": [
    {"context": "The cät sat.", "qas": [
      {"id": "c", "question": "Where?", "answers": []}]},
    {"context": "A dog ran.", "qas": [
      {"id": "d", "question": "Who ran?", "answers": [{"text": "dog", "answer_start": 2}]}]}]}]}"#;

fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn mini_lm() -> PathBuf {
    let folder = workspace().join(".cache/models/all-MiniLM-L6-v2");
    assert!(folder.join("model.safetensors").is_file(), "{} is missing: run scripts/setup", folder.display());
    folder
}

/// Real SQuAD, where this machine has it.
fn shared_data() -> Option<PathBuf> {
    let folder =
        env::var_os("DISTILBURN_DATA").map_or_else(|| workspace().join("../shared/data"), PathBuf::from);
    if folder.join("squad/train.json.gz").is_file() {
        return Some(folder);
    }
    println!("skipped: no {} (set DISTILBURN_DATA)", folder.join("squad/train.json.gz").display());
    None
}

/// A folder with the test's files in it and room for an artifact.
struct Bench {
    folder: tempfile::TempDir,
}

impl Bench {
    fn new(train: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("train.json"), train).unwrap();
        fs::write(folder.path().join("validation.json"), SQUAD).unwrap();
        fs::write(folder.path().join("pipeline.toml"), "").unwrap();
        Self { folder }
    }

    fn output(&self) -> PathBuf {
        self.folder.path().join("out")
    }

    fn run(&self, settings: &[String]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_distilburn-ingest"));
        let base_model = mini_lm();
        command.current_dir(self.folder.path()).args(["--progress", "none", "--output", "out"]);
        let defaults = [
            "ingest.train=train.json".to_owned(),
            "ingest.validation=validation.json".to_owned(),
            format!("ingest.base_model={}", base_model.canonicalize().unwrap().display()),
        ];
        for setting in defaults.iter().chain(settings) {
            command.args(["--set", setting]);
        }
        command.output().unwrap()
    }

    fn artifact(&self, settings: &[String]) -> Artifact {
        let output = self.run(settings);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        Artifact::open(&self.output()).unwrap()
    }

    /// Exit code and stderr of a run that must leave no artifact.
    fn refused(&self, settings: &[String]) -> (Option<i32>, String) {
        let output = self.run(settings);
        let left = fs::read_dir(self.folder.path()).unwrap().map(|entry| entry.unwrap().path());
        let left: Vec<_> = left.filter(|path| path.is_dir() && !path.ends_with("artifacts")).collect();
        assert!(left.is_empty(), "an artifact or an unfinished one: {left:?}");
        (output.status.code(), String::from_utf8(output.stderr).unwrap())
    }
}

fn examples(artifact: &Artifact, name: &str) -> Vec<(String, u32)> {
    let examples = Examples::open(&artifact.file(name).unwrap()).unwrap();
    examples.iter().map(|example| (example.id.to_owned(), example.context_id)).collect()
}

#[test]
fn a_share_of_the_training_contexts_can_be_set_aside() {
    let paragraph = |number: usize| {
        format!(
            r#"{{"context": "Cat {number} sat.", "qas": [
              {{"id": "{number}a", "question": "Who?", "answers": [{{"text": "Cat {number}", "answer_start": 0}}]}},
              {{"id": "{number}b", "question": "Why?", "answers": []}}]}}"#
        )
    };
    let paragraphs = (0..30).map(paragraph).collect::<Vec<_>>().join(",");
    let bench = Bench::new(&format!(r#"{{"data": [{{"title": "T", "paragraphs": [{paragraphs}]}}]}}"#));
    let artifact = bench.artifact(&["ingest.validation=10%".to_owned()]);
    let contexts = |name: &str| -> Vec<String> {
        let contexts = Contexts::open(&artifact.file(name).unwrap()).unwrap();
        (0..contexts.len() as u32).map(|row| contexts.get(row).context.to_owned()).collect()
    };
    let (train, validation) =
        (contexts(SplitName::Train.contexts()), contexts(SplitName::Validation.contexts()));
    assert_eq!((train.len(), validation.len()), (27, 3));
    assert!(validation.iter().all(|context| !train.contains(context)), "{validation:?}");
    let metrics = &artifact.manifest.metrics;
    assert_eq!(
        (&metrics["train"]["questions"], &metrics["validation"]["questions"]),
        (&54.into(), &6.into())
    );
    assert!(metrics["audit"]["validation"]["findings"].get("context_in_train").is_none());
}

#[test]
fn a_share_of_the_generated_corpus_comes_from_its_training_part() {
    let bench = Bench::new(SQUAD);
    let artifact = bench.artifact(&["ingest.train=sample".to_owned(), "ingest.validation=25%".to_owned()]);
    let metrics = &artifact.manifest.metrics;
    assert_eq!(
        (&metrics["train"]["contexts"], &metrics["validation"]["contexts"]),
        (&300.into(), &100.into())
    );
}

#[test]
fn an_accepted_wording_without_a_place_is_kept_behind_the_answer_that_is_trained_on() {
    let train = SQUAD.replace(
        "[{\"text\": \"dog\", \"answer_start\": 2}]",
        "[{\"text\": \"a hound\"}, {\"text\": \"dog\", \"answer_start\": 2}]",
    );
    let bench = Bench::new(&train);
    let artifact = bench.artifact(&[]);
    let examples = Examples::open(&artifact.file(SplitName::Train.examples()).unwrap()).unwrap();
    let answers = examples.iter().find(|example| example.id == "d").unwrap().answers;
    let answers: Vec<_> = answers.iter().map(|answer| (answer.text, answer.start)).collect();
    assert_eq!(answers, [("dog", 2), ("a hound", -1)]);
}

#[test]
fn validation_contexts_that_are_training_contexts_are_worth_a_warning() {
    const LINE: &str = "contexts are also in the training data";
    let warned = |train: &str| String::from_utf8(Bench::new(train).run(&[]).stderr).unwrap();
    let same = warned(SQUAD);
    let line = same.lines().find(|line| line.contains(LINE)).unwrap();
    assert!(line.contains("contexts=2 in_train=2 questions_in_train=4"), "{line}");
    let other = warned(&SQUAD.replace("The cät", "Our cät").replace("A dog", "B dog"));
    assert!(!other.contains(LINE), "{other}");
}

#[test]
fn a_script_without_spaces_between_words_is_worth_a_warning() {
    let chinese = r#"{"data": [{"title": "T", "paragraphs": [{"context": "日本的首都是东京。", "qas": [
      {"id": "a", "question": "首都?", "answers": [{"text": "东京", "answer_start": 6}]}]}]}]}"#;
    let said = String::from_utf8(Bench::new(chinese).run(&[]).stderr).unwrap();
    let line = said.lines().find(|line| line.contains("evaluate.f1_units=characters")).unwrap();
    assert!(line.contains("split=\"train\" script=\"Han\" contexts=100 %"), "{line}");
}

#[test]
fn squad_becomes_tables() {
    let bench = Bench::new(SQUAD);
    let artifact = bench.artifact(&[]);
    artifact.verify().unwrap();

    let contexts = Contexts::open(&artifact.file(SplitName::Train.contexts()).unwrap()).unwrap();
    let texts: Vec<_> = contexts.iter().map(|context| (context.title, context.context)).collect();
    assert_eq!(texts, [("One", "The cät sat."), ("Two", "A dog ran.")]);
    let ids = examples(&artifact, SplitName::Train.examples());
    assert_eq!(ids, [("a", 0), ("b", 0), ("c", 0), ("d", 1)].map(|(id, context)| (id.to_owned(), context)));
    let examples = Examples::open(&artifact.file(SplitName::Validation.examples()).unwrap()).unwrap();
    let second = examples.get(1);
    assert_eq!((second.question, second.answers[0].text, second.answers[0].start), ("Did what?", "sat", 8));
    assert!(examples.get(2).answers.is_empty());

    let train = &artifact.manifest.metrics["train"];
    assert_eq!(
        (&train["articles"], &train["contexts"], &train["questions"]),
        (&2.into(), &2.into(), &4.into())
    );
}

#[test]
fn mini_lm_becomes_a_distilbert() {
    let bench = Bench::new(SQUAD);
    let artifact = bench.artifact(&[]);
    let model = &artifact.manifest.metrics["base_model"];
    assert_eq!(model["model_type"], "bert");
    // 22,713,216 less the pooler (384 × 384 + 384) and the two token types (2 × 384).
    assert_eq!(model["parameters"], 22_564_608);
    assert_eq!(model["qa_head"], false);

    let tensors = Tensors::open(&artifact.file(file_name::PRETRAINED).unwrap(), &artifact::TENSORS).unwrap();
    assert_eq!(tensors.iter().count(), 4 + 6 * 16);
    let bytes = fs::read(mini_lm().join("model.safetensors")).unwrap();
    let file = safetensors::SafeTensors::deserialize(&bytes).unwrap();
    let original = |name: &str| -> Vec<f32> {
        let data = file.tensor(name).unwrap().data();
        data.chunks_exact(4).map(|bytes| f32::from_le_bytes(bytes.try_into().unwrap())).collect()
    };
    let converted = |name: &str| tensors.get(name).unwrap().to_f32().unwrap();
    assert_eq!(
        converted("distilbert.transformer.layer.5.ffn.lin2.weight"),
        original("encoder.layer.5.output.dense.weight")
    );
    let token_types = original("embeddings.token_type_embeddings.weight");
    let positions = original("embeddings.position_embeddings.weight");
    let expected: Vec<f32> =
        positions.iter().enumerate().map(|(i, value)| value + token_types[i % 384]).collect();
    assert_eq!(converted("distilbert.embeddings.position_embeddings.weight"), expected);

    let assets = Assets::open(&artifact.file(file_name::ASSETS).unwrap()).unwrap();
    let json =
        |name: &str| -> serde_json::Value { serde_json::from_slice(assets.get(name).unwrap()).unwrap() };
    assert_eq!(json("config.json")["dim"], 384);
    assert!(json("tokenizer.json")["truncation"].is_null());
    assert_eq!(json("tokenizer_config.json")["tokenizer_class"], "DistilBertTokenizer");
    assert_eq!(assets.get("vocab.txt").unwrap(), fs::read(mini_lm().join("vocab.txt")).unwrap());
}

#[test]
fn ids_pick_exactly_those_in_the_order_of_the_data() {
    let bench = Bench::new(SQUAD);
    fs::write(bench.folder.path().join("ids.json"), r#"["d", "b"]"#).unwrap();
    let artifact = bench.artifact(&["ingest.train_ids=ids.json".to_owned()]);
    assert_eq!(
        examples(&artifact, SplitName::Train.examples()),
        [("b", 0), ("d", 1)].map(|(id, context)| (id.to_owned(), context))
    );
}

#[test]
fn unknown_ids_are_listed() {
    let bench = Bench::new(SQUAD);
    fs::write(bench.folder.path().join("ids.json"), r#"["d", "z"]"#).unwrap();
    let (code, stderr) = bench.refused(&["ingest.train_ids=ids.json".to_owned()]);
    assert_eq!(code, Some(3));
    assert!(stderr.contains("1 of its 2 ids are not among the usable questions"), "{stderr}");
    assert!(stderr.contains("\"z\""), "{stderr}");
}

#[test]
fn subsets_are_first_or_random() {
    let bench = Bench::new(SQUAD);
    let settings = ["ingest.max_train_examples=2".to_owned(), "ingest.subset=first".to_owned()];
    let ids = |artifact: &Artifact| {
        examples(artifact, SplitName::Train.examples()).into_iter().map(|(id, _)| id).collect::<Vec<_>>()
    };
    assert_eq!(ids(&bench.artifact(&settings)), ["a", "b"]);
    let bench = Bench::new(SQUAD);
    assert_eq!(ids(&bench.artifact(&settings[..1])).len(), 2);
}

#[test]
fn questions_without_an_answer_are_counted() {
    let impossible = SQUAD.replace("\"answers\": []", "\"answers\": [], \"is_impossible\": true");
    let possible = SQUAD.replace("\"answers\": []", "\"answers\": [], \"is_impossible\": false");
    let empty = SQUAD.replace("\"answers\": []", "\"answers\": [{\"text\": \" \", \"answer_start\": 0}]");
    for train in [SQUAD, &impossible, &possible, &empty] {
        let bench = Bench::new(train);
        let artifact = bench.artifact(&[]);
        let metrics = &artifact.manifest.metrics;
        for counts in [&metrics["train"], &metrics["audit"]["train"]] {
            assert_eq!((&counts["answerable"], &counts["unanswerable"]), (&3.into(), &1.into()), "{train}");
        }
        assert_eq!(metrics["train"]["empty_answers"], u64::from(train == empty));
        let examples = Examples::open(&artifact.file(SplitName::Train.examples()).unwrap()).unwrap();
        let impossible: Vec<&str> =
            examples.iter().filter(|example| example.is_impossible).map(|example| example.id).collect();
        assert_eq!(impossible, ["c"], "the official v2.0 script goes by the answers: {train}");
    }
}

#[test]
fn plausible_answers_can_be_ignored() {
    let plausible = SQUAD.replace("\"answer_start\": 2}]", "\"answer_start\": 2}], \"is_impossible\": true");
    let bench = Bench::new(&plausible);
    let refused = bench.run(&[]);
    let said = String::from_utf8(refused.stderr).unwrap();
    assert!(
        said.contains("impossible_with_answers: 1") && said.contains("ingest.plausible_answers=ignore"),
        "{said}"
    );
    let artifact = bench.artifact(&["ingest.plausible_answers=ignore".to_owned()]);
    assert_eq!(artifact.manifest.metrics["train"]["unanswerable"], 2);
}

#[test]
fn unlabelled_questions_are_refused_for_training() {
    let unlabelled = SQUAD.replace("\"answers\"", "\"labels\"");
    let refused = Bench::new(&unlabelled).run(&[]);
    let said = String::from_utf8(refused.stderr).unwrap();
    assert_eq!(refused.status.code(), Some(3), "{said}");
    assert!(said.contains("(unlabelled: 4)") && said.contains("validation need `answers`"), "{said}");
}

#[test]
fn answers_with_space_at_an_edge_are_found_and_realign_trims_them() {
    let train = SQUAD.replace("\"cät\", \"answer_start\": 4", "\" cät\", \"answer_start\": 3");
    let bench = Bench::new(&train);
    let metrics = bench.artifact(&[]).manifest.metrics;
    assert_eq!(metrics["train"]["edge_spaces"], 1);
    assert_eq!(metrics["audit"]["train"]["findings"]["answer_has_edge_space"], 1);
    let bench = Bench::new(&train);
    let artifact = bench.artifact(&["ingest.on_invalid=realign".to_owned()]);
    let examples = Examples::open(&artifact.file(SplitName::Train.examples()).unwrap()).unwrap();
    let first = examples.get(0);
    assert_eq!((first.answers[0].text, first.answers[0].start), ("cät", 4));
    assert_eq!(
        (
            &artifact.manifest.metrics["train"]["edge_spaces"],
            &artifact.manifest.metrics["train"]["realigned"]
        ),
        (&0.into(), &1.into())
    );
}

#[test]
fn answers_without_an_offset_are_refused_or_found_where_they_stand_once() {
    let train = SQUAD.replace(", \"answer_start\": 2", "");
    let refused = Bench::new(&train).run(&[]);
    let said = String::from_utf8(refused.stderr).unwrap();
    assert!(
        said.contains("answer \"dog\" has no answer_start") && said.contains("on_invalid=realign"),
        "{said}"
    );
    let bench = Bench::new(&train);
    let artifact = bench.artifact(&["ingest.on_invalid=realign".to_owned()]);
    let examples = Examples::open(&artifact.file(SplitName::Train.examples()).unwrap()).unwrap();
    let found = examples.iter().find(|example| example.id == "d").unwrap();
    assert_eq!((found.answers[0].text, found.answers[0].start), ("dog", 2));
    // Where the text stands twice, nobody knows which is meant.
    let twice = train.replace("A dog ran.", "A dog ran to a dog.");
    let refused = Bench::new(&twice).run(&["ingest.on_invalid=realign".to_owned()]);
    assert!(refused.status.success(), "the question is left out");
    assert!(String::from_utf8(refused.stderr).unwrap().contains("skipped=1"));
}

#[test]
fn invalid_questions_can_be_skipped() {
    let bench = Bench::new(&SQUAD.replace("\"answer_start\": 2", "\"answer_start\": 3"));
    let artifact = bench.artifact(&["ingest.on_invalid=skip".to_owned()]);
    assert_eq!(examples(&artifact, SplitName::Train.examples()).len(), 3);
    assert_eq!(artifact.manifest.metrics["train"]["skipped"]["answer_not_at_offset"], 1);
}

#[test]
fn misplaced_answers_can_be_moved() {
    let bench = Bench::new(&SQUAD.replace("\"answer_start\": 2", "\"answer_start\": 3"));
    let artifact = bench.artifact(&["ingest.on_invalid=realign".to_owned()]);
    let path = artifact.file(SplitName::Train.examples()).unwrap();
    let examples = Examples::open(&path).unwrap();
    let moved = examples.iter().find(|example| example.id == "d").unwrap();
    assert_eq!((moved.answers[0].text, moved.answers[0].start), ("dog", 2));
    assert_eq!(artifact.manifest.metrics["train"]["realigned"], 1);
    assert_eq!(artifact.manifest.metrics["audit"]["train"]["findings"]["answer_not_at_offset"], 1);
    let rows = read_audit(&artifact.file(file_name::AUDIT).unwrap()).unwrap();
    let rows: Vec<_> = rows.map(Result::unwrap).filter(|row| row.split == "train").collect();
    assert_eq!((rows[0].id.as_str(), rows[0].answer_start, rows[0].found_start), ("d", Some(3), Some(2)));
}

#[test]
fn the_seed_recipe_ids_are_in_the_shared_data() {
    let Some(data) = shared_data() else { return };
    let data = data.canonicalize().unwrap();
    let bench = Bench::new(SQUAD);
    let artifact = bench.artifact(&[
        format!("ingest.train={}", data.join("squad/train.json.gz").display()),
        format!("ingest.validation={}", data.join("squad/dev-open.json.gz").display()),
        format!("ingest.train_ids={}", data.join("seed-recipe/train-ids.json").display()),
        format!("ingest.validation_ids={}", data.join("seed-recipe/validation-ids.json").display()),
    ]);
    assert_eq!(examples(&artifact, SplitName::Train.examples()).len(), 1000);
    assert_eq!(examples(&artifact, SplitName::Validation.examples()).len(), 200);
    assert_eq!(artifact.manifest.metrics["train"]["available_questions"], 87_599);
}
