//! README's commands do what README says: each is run, planned or at least asked for its help.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::json;

use crate::bench::{Bench, STAGES, Said};
use crate::tiny;
use crate::whole::alone;

static README: &str = include_str!("../README.md");

/// What is done with a command, and why it is not run.
enum How {
    /// It is run as it stands, with a tiny model and a few questions.
    Run,
    /// It is planned on stand-in files; a run takes what is said here.
    Plan(&'static str),
    /// Its `--help` knows its options; it is not run for the reason given.
    Help(&'static str),
}

/// Every command of README, in an order in which they can be run.
const COMMANDS: [(&str, How); 29] = [
    ("distilburn run", How::Run),
    ("distilburn run --progress plain --set train.max_minutes=300", How::Run),
    ("distilburn run --config my/pipeline.toml", How::Run),
    (
        "distilburn run --config my/pipeline.toml --set train.epochs=2 --set train.learning_rate=5e-5",
        How::Plan("the same again"),
    ),
    ("distilburn run --profile squad", How::Plan("hours, SQuAD and a model of 260 MB")),
    ("distilburn run --profile squad-1k", How::Plan("minutes, SQuAD and a model of 260 MB")),
    ("distilburn plan", How::Run),
    ("distilburn status", How::Run),
    ("distilburn status --verify", How::Run),
    ("distilburn clean", How::Run),
    ("distilburn show train", How::Run),
    ("distilburn show ingest", How::Run),
    ("distilburn path train", How::Run),
    // Where stdout is no terminal, a summary.
    ("distilburn watch", How::Run),
    (r#"distilburn ask "Who rebuilt the dome?" notes/ --top 3"#, How::Run),
    ("distilburn predict questions.jsonl --output answers.parquet", How::Run),
    ("distilburn serve", How::Help("runs until it is stopped")),
    ("distilburn errors", How::Run),
    ("distilburn report --open", How::Help("opens a browser")),
    ("distilburn evaluate --model FOLDER --dataset dev.json", How::Run),
    ("distilburn compare A B", How::Help("A and B stand for two trainings")),
    ("distilburn clean --yes --keep 1", How::Run),
    ("distilburn-ingest --output out/ingest", How::Run),
    ("distilburn-tokenize-features --input ingest=out/ingest --output out/features", How::Run),
    ("scripts/quickstart", How::Help("downloads, and builds for minutes")),
    ("scripts/setup", How::Help("downloads")),
    ("scripts/setup --cuda", How::Help("downloads 3.6 GB")),
    ("scripts/package --build", How::Help("builds for half an hour")),
    ("scripts/test", How::Help("runs this test")),
];

#[test]
fn every_command_is_known_here_and_every_known_one_is_there() {
    let known = COMMANDS.iter().map(|(line, _)| (*line).to_owned());
    let (known, found) = (known.collect::<BTreeSet<_>>(), commands());
    let unknown: Vec<_> = found.difference(&known).collect();
    let gone: Vec<_> = known.difference(&found).collect();
    assert!(unknown.is_empty(), "README has commands that tests/readme.rs does not try: {unknown:#?}");
    assert!(gone.is_empty(), "tests/readme.rs tries commands that README no longer has: {gone:#?}");
}

#[test]
fn every_command_does_what_it_should() {
    let _alone = alone();
    let (small, plain) = (small(), plain());
    for (line, how) in &COMMANDS {
        let said = match how {
            How::Run => run(&small, &words(line)),
            How::Plan(_) => run(&plain, &[words(line), vec!["--dry-run".to_owned()]].concat()),
            How::Help(_) if line.starts_with("scripts/") => help_of_script(&small, line),
            How::Help(_) => run(&small, &[words(line), vec!["--help".to_owned()]].concat()),
        };
        let (is_done, why) = match how {
            How::Run => (!said.stdout.is_empty(), "run as it stands"),
            How::Plan(why) => (said.stdout.matches("would run").count() == STAGES.len(), *why),
            How::Help(why) => (!said.stdout.is_empty(), *why),
        };
        assert!(said.code == Some(0) && is_done, "{line} ({why}): {said:?}");
    }
}

#[test]
fn it_has_200_lines_at_most_and_its_links_lead_somewhere() {
    assert!(README.lines().count() <= 200);
    let links = README.split("](").skip(1).map(|rest| rest.split([')', '#']).next().unwrap());
    for link in links.filter(|link| !link.is_empty() && !link.starts_with("https://")) {
        assert!(root().join(link).exists(), "README links to {link}");
    }
}

#[test]
fn the_steps_for_ci_are_those_of_the_example_workflow() {
    let workflow = fs::read_to_string(root().join(".github/workflows/fine-tune.example.yml")).unwrap();
    assert!(workflow.contains(block("yaml")), "README and .github/workflows/fine-tune.example.yml differ");
}

/// The first block of a language.
fn block(language: &str) -> &'static str {
    let start = README.split_once(&format!("```{language}\n")).unwrap().1;
    start.split_once("```").unwrap().0
}

/// The commands in blocks, after `$` or `run:`, and in the text, between backquotes.
fn commands() -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for (index, part) in README.replace("\\\n", "").split("```").enumerate() {
        if index % 2 == 1 {
            let lines = part.lines().map(str::trim_start);
            let typed =
                lines.filter_map(|line| line.strip_prefix("$ ").or_else(|| line.strip_prefix("- run: ")));
            found.extend(typed.map(|line| line.split(" #").next().unwrap().to_owned()));
        } else {
            found.extend(part.split('`').skip(1).step_by(2).map(str::to_owned));
        }
    }
    let tidy = |line: &String| line.split_whitespace().collect::<Vec<_>>().join(" ");
    let found = found.iter().map(tidy).map(|line| line.replace("target/release/distilburn", "distilburn"));
    found
        .filter(|line| {
            line.starts_with("distilburn") && line.contains([' ', '-']) || line.starts_with("scripts/")
        })
        .collect()
}

/// A folder with a tiny model, a settings file that names it, README's own settings file, and what its commands read.
fn small() -> Bench {
    let bench = Bench::with_real_stages();
    let like = bench.path(".cache/models/all-MiniLM-L6-v2");
    fs::create_dir_all(bench.path("models")).unwrap();
    tiny::write_model(&bench.path("models/distilbert-base-uncased"), &like, 384, ("", 1.0));
    let settings = "[run]\nthreads = 1\n[ingest]\nbase_model = \"models/distilbert-base-uncased\"\nmax_train_examples = 24\n\
                    max_validation_examples = 6\n[train]\nepochs = 1\nwarmup_steps = 1\n";
    fs::write(bench.path("pipeline.toml"), settings).unwrap();
    write_own_data(&bench);
    fs::create_dir(bench.path("notes")).unwrap();
    fs::write(bench.path("notes/halden.txt"), "The dome was rebuilt by Ida Varnen.").unwrap();
    let question = json!({"id": "1", "question": "Who sat?", "context": "The cat sat.", "answers": {"text": [], "answer_start": []}});
    fs::write(bench.path("questions.jsonl"), question.to_string()).unwrap();
    fs::copy(bench.path("my/train.json"), bench.path("dev.json")).unwrap();
    bench
}

/// A folder with stand-ins for what the commands that are planned read, and no settings file.
fn plain() -> Bench {
    let bench = Bench::new();
    let model = bench.path("models/distilbert-base-uncased");
    fs::create_dir_all(&model).unwrap();
    fs::write(model.join("config.json"), "{}").unwrap();
    write_own_data(&bench);
    fs::create_dir(bench.path("data")).unwrap();
    for name in ["train-v1.1.json", "dev-v1.1.json"] {
        fs::copy(bench.path("my/train.json"), bench.path("data").join(name)).unwrap();
    }
    bench
}

/// `my/` as README describes it; on one thread, since threads take longer to meet than such a model to compute.
fn write_own_data(bench: &Bench) {
    let paragraphs: Vec<_> = (0..20)
        .map(|index| {
            let context = format!("House {index} was built by Ida in the year {}.", 1900 + index);
            let answers = json!([{"text": "Ida", "answer_start": context.find("Ida")}]);
            let question = format!("Who built house {index}?");
            json!({"context": context, "qas": [{"id": index.to_string(), "question": question, "answers": answers}]})
        })
        .collect();
    fs::create_dir(bench.path("my")).unwrap();
    fs::write(bench.path("my/pipeline.toml"), format!("{}\n[run]\nthreads = 1\n", block("toml"))).unwrap();
    let data = json!({"version": "1.1", "data": [{"title": "Houses", "paragraphs": paragraphs}]});
    fs::write(bench.path("my/train.json"), data.to_string()).unwrap();
}

/// A command line as a shell takes it apart.
fn words(line: &str) -> Vec<String> {
    let mut words = Vec::new();
    for (index, part) in line.split('"').enumerate() {
        if index % 2 == 1 {
            words.push(part.to_owned());
        } else {
            words.extend(part.split_whitespace().map(str::to_owned));
        }
    }
    words
}

fn run(bench: &Bench, words: &[String]) -> Said {
    let mut command = bench.command(&words[0]);
    for word in &words[1..] {
        if word == "FOLDER" {
            command.arg(Path::new(bench.run("distilburn path export").stdout.trim()).join("model"));
        } else {
            command.arg(word);
        }
    }
    bench.said(command.output().unwrap())
}

/// What a script says to `--help`, which names the options that README gives it.
fn help_of_script(bench: &Bench, line: &str) -> Said {
    let mut words = line.split(' ');
    let script = root().join(words.next().unwrap());
    assert!(fs::metadata(&script).unwrap().permissions().mode() & 0o111 != 0, "{line} is not executable");
    let said = bench.said(Command::new(script).arg("--help").stdin(Stdio::null()).output().unwrap());
    for option in words {
        assert!(said.stdout.contains(option), "{line}: {said:?}");
    }
    said
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}
