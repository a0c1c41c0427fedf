//! What is accepted, and the message of every refusal.

use std::fs;

use insta::assert_snapshot;
use miette::Diagnostic;

use super::*;

/// Loads `text` as the file `pipeline.toml` of a temporary folder.
fn load_with(text: &str, profile: Option<&str>, set: &[&str]) -> Result<Loaded, String> {
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("pipeline.toml");
    fs::write(&config, text).unwrap();
    let request = Request {
        config: Some(config),
        profile: profile.map(str::to_owned),
        set: set.iter().map(|argument| (*argument).to_owned()).collect(),
    };
    request.load().map_err(|error| {
        let help = error.help().map(|help| format!("\nhelp: {help}")).unwrap_or_default();
        let folder = format!("{}/", folder.path().display());
        format!("{error}{help}").replace(&folder, "")
    })
}

fn load(text: &str) -> Loaded {
    load_with(text, None, &[]).unwrap()
}

/// Each file, or `--set`, with the error that it gives.
fn listed(cases: &[&str]) -> String {
    let refusal = |case: &&str| {
        let refused = match case.strip_prefix("--set ") {
            Some(argument) => load_with("", None, &[argument]),
            None => load_with(case, None, &[]),
        };
        format!("{case}\n----\n{}\n", refused.unwrap_err())
    };
    cases.iter().map(refusal).collect::<Vec<_>>().join("\n")
}

fn file(path: std::path::PathBuf) -> Source {
    Source::At(vec![Location::File(path)])
}

#[test]
fn a_source_is_one_text_or_a_list() {
    let loaded = load_with(
        "[ingest]\ntrain = [\"a.json\", \"parts/*.jsonl\", \"https://example.org/c.json\", \"rajpurkar/squad\"]\n",
        None,
        &["ingest.validation=[\"b.json\", \"c.json\"]"],
    )
    .unwrap();
    let folder = loaded.folder();
    let hub = HubId { id: "rajpurkar/squad".to_owned(), revision: "main".to_owned() };
    let expected = vec![
        Location::File(folder.join("a.json")),
        Location::Glob(folder.join("parts/*.jsonl").display().to_string()),
        Location::Url("https://example.org/c.json".to_owned()),
        Location::Hub(hub),
    ];
    assert_eq!(loaded.settings.ingest.train, Source::At(expected));
    assert_eq!(loaded.settings.ingest.validation.to_string(), "b.json, c.json");
}

#[test]
fn validation_can_be_a_share_of_the_training_data() {
    for (text, percent) in [("10%", 10.0), ("7.5%", 7.5), ("5 %", 5.0)] {
        let set = ["ingest.train=a.json".to_owned(), format!("ingest.validation={text}")];
        let validation =
            load_with("", None, &set.each_ref().map(String::as_str)).unwrap().settings.ingest.validation;
        assert_eq!(validation, Source::Share(percent));
    }
}

#[test]
fn own_slices_count_from_the_file_that_names_them() {
    let loaded = load("[report.slices]\nhard = \"ids/hard.txt\"\neasy = \"/ids/easy.txt\"\n");
    let slices = &loaded.settings.report.slices;
    assert_eq!(slices["hard"], loaded.folder().join("ids/hard.txt"));
    assert_eq!(slices["easy"], std::path::Path::new("/ids/easy.txt"));
    let set = load_with("", None, &["report.slices={ hard = \"hard.txt\" }"]).unwrap();
    assert_eq!(set.settings.report.slices["hard"], std::path::Path::new("hard.txt"));
}

#[test]
fn own_slices_that_cannot_be_are_refused() {
    assert_snapshot!(listed(&[
        "[report]\nslices = [\"hard.txt\"]",
        "[report]\nslices = { hard = 3 }",
        "[report]\nslices = { hard = \"\" }",
        "[report]\nslices = { \" \" = \"hard.txt\" }",
        "--set report.slices=hard.txt",
        "--set report.slices.hard=hard.txt",
    ]));
}

#[test]
fn sources_that_cannot_be_are_refused() {
    assert_snapshot!(listed(&[
        "[ingest]\ntrain = \"http://example.org/train.json\"",
        "[ingest]\ntrain = \"s3://bucket/train.json\"",
        "[ingest]\ntrain = \"data/***.json\"",
        "[ingest]\ntrain = []",
        "[ingest]\ntrain = [\"a.json\", 3]",
        "[ingest]\ntrain = [\"a.json\", \"sample\"]",
        "[ingest]\nvalidation = [\"a.json\", \"10%\"]",
        "[ingest]\nvalidation = \"0%\"",
        "[ingest]\nvalidation = \"100%\"",
        "[ingest]\ntrain = \"10%\"",
        "[ingest]\ntrain = \"a.json\"",
        "--set ingest.train=a.json",
        "--set ingest.validation=b.json",
        "[ingest]\nbase_model = \"https://example.org/model\"",
        "[ingest]\nbase_model = [\"a\", \"b\"]",
        "[ingest]\ndownload_timeout_s = 0",
    ]));
}

#[test]
fn an_empty_file_gives_the_built_in_settings() {
    let settings = load("").settings;
    let mut written_out = load(BUILT_IN).settings;
    // A relative path in a file counts from that file.
    written_out.ingest.base_model = settings.ingest.base_model.clone();
    assert_eq!(settings, written_out);
    assert_eq!(settings.ingest.train, Source::Sample);
    assert_eq!(settings.ingest.train_ids, None);
    assert_eq!(settings.run.precision, PrecisionChoice::Auto);
}

#[test]
fn every_key_of_the_structs_stands_in_pipeline_toml_and_the_other_way_round() {
    let settings = serde_json::to_value(load("").settings).unwrap();
    let written: toml::Table = toml::from_str(BUILT_IN).unwrap();
    for (table, keys) in settings.as_object().unwrap() {
        let of_struct: Vec<_> = keys.as_object().unwrap().keys().collect();
        let of_file = written[table].as_table().unwrap();
        assert_eq!(of_struct.len(), of_file.len(), "[{table}]");
        assert!(of_struct.into_iter().all(|key| of_file.contains_key(key)), "[{table}]");
    }
}

#[test]
fn every_key_of_pipeline_toml_has_a_comment() {
    let mut above = "";
    for line in BUILT_IN.lines().take_while(|line| !line.starts_with("# ---")) {
        // A key may share the comment of the one before it.
        if line.contains(" = ") && !line.starts_with('#') {
            assert!(!above.is_empty() && !above.starts_with('['), "no comment above {line}");
        }
        above = line;
    }
}

#[test]
fn the_squad_profiles_hold_the_recipe_of_the_reference() {
    for (profile, limits) in [("squad", (0, 0)), ("squad-1k", (1000, 200))] {
        let Settings { run, ingest, tokenize_features, train, evaluate, .. } =
            load_with(BUILT_IN, Some(profile), &[]).unwrap().settings;
        assert_eq!(run.seed, 42);
        assert_eq!((ingest.max_train_examples, ingest.max_validation_examples), limits);
        assert_eq!((tokenize_features.max_length, tokenize_features.doc_stride), (384, 128));
        assert_eq!((train.epochs, train.max_steps, train.batch_size, train.eval_batch_size), (3, 0, 8, 32));
        assert_eq!((train.learning_rate, train.warmup_steps), (3e-5, 100));
        assert_eq!((train.weight_decay, train.betas, train.epsilon), (0.01, [0.9, 0.999], 1e-8));
        assert_eq!((train.gradient_accumulation_steps, train.max_grad_norm), (1, 1.0));
        assert_eq!((evaluate.n_best, evaluate.max_answer_length), (20, 30));
        assert_eq!(evaluate.null_threshold, NullThreshold::At(0.0));
    }
}

#[test]
fn the_later_layer_wins() {
    let text = "[train]\nepochs = 5\nbatch_size = 4\n[profile.mine.train]\nepochs = 6\nwarmup_steps = 7\n";
    assert_eq!(load(text).settings.train.epochs, 5);
    let train = load_with(text, Some("mine"), &["train.warmup_steps=8"]).unwrap().settings.train;
    assert_eq!((train.batch_size, train.epochs, train.warmup_steps), (4, 6, 8));
}

#[test]
fn whole_numbers_are_numbers() {
    let train = load("[train]\nlearning_rate = 1\nbetas = [0, 0.5]\n").settings.train;
    assert_eq!((train.learning_rate, train.betas), (1.0, [0.0, 0.5]));
}

#[test]
fn paths_count_from_the_file_and_on_the_command_line_from_here() {
    let loaded =
        load_with("[ingest]\ntrain = \"data/train.json\"\n", None, &["ingest.validation=dev.json"]).unwrap();
    let folder = loaded.folder().to_owned();
    assert_eq!(loaded.settings.ingest.train, file(folder.join("data/train.json")));
    assert_eq!(loaded.settings.ingest.validation, file("dev.json".into()));
    assert_eq!(loaded.settings.ingest.base_model, BaseModel::Folder(".cache/models/all-MiniLM-L6-v2".into()));
}

#[test]
fn the_value_of_set_is_toml_or_else_a_string() {
    let set = [
        "train.betas=[0.8, 0.9]",
        "run.device=cuda:1",
        "export.formats=[\"pytorch\"]",
        "ingest.train=2024",
        "ingest.validation=./10%",
    ];
    let settings = load_with("", None, &set).unwrap().settings;
    assert_eq!((settings.train.betas, settings.run.device.as_str()), ([0.8, 0.9], "cuda:1"));
    assert_eq!(settings.export.formats, [Format::Pytorch]);
    assert_eq!(settings.ingest.train, file("2024".into()));
    assert_eq!(settings.ingest.validation, file("./10%".into()));
}

#[test]
fn unknown_names_are_refused_with_the_nearest() {
    assert_snapshot!(listed(&[
        "[train]\n# a comment\nlearning_rat = 1e-4",
        "[tokenize]\nmax_length = 128",
        "[evaluate]\nmax_length = 128",
        "[export]\nquantum = true",
        "[telemetry]\nlevel = 3",
        "[profile.mine.train]\nepoch = 3",
        "[train]\ncheckpoint_every_step = 500",
        "--set train.lr=1",
    ]));
}

#[test]
fn wrong_types_are_refused_with_the_right_one() {
    assert_snapshot!(listed(&[
        "[train]\nepochs = \"three\"",
        "[train]\nepochs = -1",
        "[train]\nbetas = [0.9, \"x\"]",
        "[train]\nbetas = [0.9]",
        "[run]\ndevice = 0",
        "[export]\nformats = [\"safetensors\", \"onnx\"]",
        "[train]\nschedule = \"polynomial\"",
        "train = 3",
        "epochs = 3\n[train]\n",
        "[train\nepochs = 3",
        "[train]\nepochs = 3\nepochs = 4",
        "--set train.epochs",
        "--set epochs=3",
    ]));
}

#[test]
fn values_out_of_range_are_refused() {
    assert_snapshot!(listed(&[
        "[run]\ndevice = \"gpu\"",
        "[train]\nbatch_size = 0",
        "[train]\nlearning_rate = 0.0",
        "[train]\nlearning_rate = nan",
        "[train]\nweight_decay = -0.1",
        "[train]\nbetas = [0.9, 1.0]",
        "[train]\nwarmup_ratio = 1.0",
        "[train]\nlayerwise_lr_decay = 0.0",
        "[train]\nmax_minutes = -1.0",
        "[train]\nkeep_checkpoints = 0",
        "[evaluate]\nnull_threshold = inf",
        "[export]\nformats = []",
        "[ingest]\nbase_model = \"\"",
        "[ingest]\ntrain = \"\"",
        "[train]\nmlflow_uri = \"localhost:5000\"",
        "[train]\nmlflow_experiment = \" \"",
    ]));
}

#[test]
fn values_that_contradict_each_other_are_refused_with_both_places() {
    assert_snapshot!(listed(&[
        "[tokenize-features]\nmax_length = 100\ndoc_stride = 96",
        "[tokenize-features]\nmax_length = 4",
    ]));
}

#[test]
fn a_profile_or_file_that_is_not_there_is_refused() {
    let text = "[profile.mine.train]\nepochs = 1\n[profile.other.train]\nepochs = 1\n";
    let no_profile = load_with(text, Some("yours"), &[]).unwrap_err();
    let no_profiles = load_with("", Some("squad"), &[]).unwrap_err();
    let request = Request { config: Some("nowhere/pipeline.toml".into()), ..Request::default() };
    let no_file = request.load().unwrap_err();
    assert_snapshot!(format!("{no_profile}\n\n{no_profiles}\n\n{no_file}"));
}
