//! Every file of every artifact, damaged in every way: named by `status --verify` and by the stage that reads it, never
//! used, and made again by `run` in the same call, without `--force`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use artifact::Store;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use crate::bench::{Bench, STAGES};
use crate::tiny;
use crate::whole::alone;

/// What is done to a file. All of them but the first two change its size or its kind, which planning sees.
const DAMAGES: [&str; 8] =
    ["bit flipped", "swapped", "truncated", "emptied", "a folder", "a FIFO", "a link", "missing"];

fn damage(path: &Path, how: &str, other: &Path) {
    let bytes = fs::read(path).unwrap();
    let (middle, len) = (bytes.len() / 2, bytes.len());
    let write = |bytes: &[u8]| fs::write(path, bytes).unwrap();
    match how {
        "bit flipped" => {
            let mut bytes = bytes;
            bytes[middle] ^= 1;
            write(&bytes);
        }
        // With the bytes of another file, as many as there were.
        "swapped" => {
            let other = fs::read(other).unwrap();
            write(&other.into_iter().cycle().take(len).collect::<Vec<_>>());
        }
        "truncated" => write(&bytes[..middle]),
        "emptied" => write(b""),
        _ => {
            fs::remove_file(path).unwrap();
            match how {
                "a folder" => fs::create_dir(path).unwrap(),
                "a FIFO" => assert!(Command::new("mkfifo").arg(path).status().unwrap().success()),
                "a link" => std::os::unix::fs::symlink(other, path).unwrap(),
                _ => {}
            }
        }
    }
}

/// The folder of a stage's artifact, under these settings.
fn dir(bench: &Bench, stage: &str, settings: &str) -> PathBuf {
    bench.path(bench.run(&format!("distilburn path {stage}{settings}")).stdout.trim())
}

/// The stages that a `run --json` ran.
fn ran(summary: &Value) -> Vec<String> {
    let stages = summary["stages"].as_array().unwrap().iter().filter(|stage| stage["ran"] == true);
    stages.map(|stage| stage["stage"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn a_damaged_file_of_an_artifact_is_named_never_used_and_mended_by_run() {
    let bench = Bench::new();
    assert_eq!(ran(&bench.json("distilburn run --json")), STAGES);
    let (mut cases, mut refused) = (0, 0);
    for stage in STAGES {
        let artifact = dir(&bench, stage, "");
        let work = artifact.join("work.txt");
        let reader =
            stage::STAGES.iter().find(|other| other.inputs.contains(&stage)).map(|reader| reader.name);
        for name in ["work.txt", "manifest.json"] {
            for how in DAMAGES {
                let (path, case) = (artifact.join(name), format!("{stage}/{name}, {how}"));
                let other = if name == "work.txt" { artifact.join("manifest.json") } else { work.clone() };
                damage(&path, how, &other);
                cases += 1;

                let said = bench.run("distilburn status --verify");
                assert_eq!(said.code, Some(3), "{case}: {said:?}");
                assert!(said.stdout.contains(name), "{case}: {said:?}");

                // A stage that reads it refuses it: what was there before must not hide that.
                if let Some(reader) = reader {
                    let said = bench.run(&format!("distilburn-{reader} --force"));
                    assert_eq!(said.code, Some(3), "{case}: {said:?}");
                    assert!(said.stderr.contains(stage) && said.stdout.is_empty(), "{case}: {said:?}");
                    refused += 1;
                    // Planning goes by sizes: where those are right, a stage that reads it has to be due.
                    fs::remove_dir_all(dir(&bench, reader, "")).unwrap();
                } else if ["bit flipped", "swapped"].contains(&how) && name == "work.txt" {
                    // Nothing reads it, and its sizes are right.
                    fs::remove_dir_all(&artifact).unwrap();
                }
                let mended = ran(&bench.json("distilburn run --json"));
                assert!(mended.iter().any(|ran| ran == stage), "{case}: {mended:?} ran");
                let said = bench.run("distilburn status --verify");
                assert_eq!(said.code, Some(0), "{case}: {said:?}");
                assert!(ran(&bench.json("distilburn run --json")).is_empty(), "{case}");
            }
        }
    }
    println!("{cases} damaged files named and mended, {refused} refused by the stage that reads them");
}

/// What the real stages write, a file at a time.
#[test]
fn every_file_of_every_artifact_is_named_when_it_is_damaged() {
    let _alone = alone();
    let bench = tiny::bench();
    let said = bench.run(&format!(
        "distilburn run --quiet {} --set train.epochs=1 --set train.warmup_steps=2",
        tiny::DATA
    ));
    assert_eq!(said.code, Some(0), "{said:?}");
    let store = Store::new(bench.path("artifacts"));
    let aside = bench.path("aside");
    let mut cases = 0;
    for stage in STAGES {
        let artifact = store.latest(stage).unwrap().unwrap();
        let fingerprint = &artifact.manifest.fingerprint;
        let verified = || store.find(stage, fingerprint).and_then(|found| found.unwrap().verify());
        let manifest = artifact.dir.join("manifest.json");
        let files = artifact.manifest.files.iter().map(|file| artifact.dir.join(&file.name));
        for path in files.clone().chain([manifest.clone()]) {
            let other = if path == manifest { files.clone().next().unwrap() } else { manifest.clone() };
            for how in DAMAGES {
                fs::copy(&path, &aside).unwrap();
                damage(&path, how, &other);
                let error = verified().expect_err(how);
                // A manifest that is gone has no name to tell.
                let named = if path == manifest { &artifact.dir } else { &path };
                let named = error.to_string().starts_with(&named.display().to_string());
                assert!(named && error.is_damage(), "{}, {how}: {error}", path.display());
                if path.is_dir() {
                    fs::remove_dir(&path).unwrap();
                }
                let _ = fs::remove_file(&path);
                fs::copy(&aside, &path).unwrap();
                verified().unwrap();
                cases += 1;
            }
        }
    }
    println!("{cases} damaged files of real artifacts named");
}

/// Of a later distilburn, or of another place: an artifact whose manifest is sound in itself.
#[test]
fn a_manifest_of_a_newer_version_or_of_another_artifact_is_replaced_by_run() {
    let bench = Bench::new();
    bench.run("distilburn run");
    for stage in STAGES {
        let path = dir(&bench, stage, "").join("manifest.json");
        let text = fs::read_to_string(&path).unwrap();
        let newer = text.replacen("\"format_version\": 1", "\"format_version\": 2", 1);
        let elsewhere = STAGES.into_iter().find(|other| *other != stage).unwrap();
        let other = fs::read_to_string(dir(&bench, elsewhere, "").join("manifest.json")).unwrap();
        for altered in [newer, other] {
            fs::write(&path, altered).unwrap();
            assert_eq!(bench.run("distilburn status --verify").code, Some(3));
            assert_eq!(ran(&bench.json("distilburn run --json")), [stage]);
            assert_eq!(bench.run("distilburn status --verify").code, Some(0));
        }
    }
}

/// A supervisor that signals a whole group reaches a stage twice at once, through the driver too: that is one request.
#[test]
fn a_second_sigterm_ends_a_stage_unless_it_comes_with_the_first() {
    let bench = Bench::new();
    // A stage that does not look whether it was asked to stop.
    let mut child = bench.start("distilburn-ingest", "FAKE_STAGE", "deaf");
    let folder = |name: &str| bench.path("artifacts/ingest").join(name).join("waiting");
    while !bench.names("artifacts/ingest").iter().any(|name| folder(name).is_file()) {
        assert!(child.try_wait().unwrap().is_none(), "it ended before it was asked to");
        std::thread::sleep(Duration::from_millis(5));
    }
    let pid = Pid::from_child(&child);
    let send = || kill_process(pid, Signal::TERM).unwrap();
    send();
    send();
    std::thread::sleep(Duration::from_millis(1100));
    assert!(child.try_wait().unwrap().is_none(), "two at once are one request");
    send();
    assert_eq!(child.wait().unwrap().code(), Some(130));
}

/// `ulimit -f` ends a process without a word unless it asks not to be.
#[test]
fn a_write_past_the_limit_of_file_sizes_is_reported_with_its_file() {
    let bench = Bench::new();
    let line = format!("ulimit -f 0; exec {} ", bench.path("bin/distilburn-ingest").display());
    let output = Command::new("sh").args(["-c", &line]).current_dir(bench.path("")).output().unwrap();
    let said = bench.said(output);
    assert_eq!(said.code, Some(1), "{said:?}");
    assert!(said.stderr.contains("File too large"), "{said:?}");
}
