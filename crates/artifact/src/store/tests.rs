use serde_json::json;
use tempfile::TempDir;

use super::*;
use crate::{Assets, AssetsWriter, DAMAGED_PREFIX, Input, ManifestDraft, fingerprint};

const FINGERPRINT: &str = "0123456789abcdef0123456789abcdef";

fn store() -> (TempDir, Store) {
    let dir = TempDir::new().unwrap();
    let store = Store::new(dir.path().join("artifacts"));
    (dir, store)
}

fn write_assets(partial: &Partial, data: &[u8]) {
    let mut writer = AssetsWriter::create(&partial.dir().join("assets.arrow"), FINGERPRINT).unwrap();
    writer.push("config.json", data).unwrap();
    writer.push("vocab.txt", b"").unwrap();
    writer.finish().unwrap();
}

fn draft() -> ManifestDraft {
    let parts = json!({"stage": "ingest", "code": "c0de", "settings": {"seed": 0}, "inputs": {}});
    ManifestDraft {
        inputs: vec![Input { stage: "none".to_owned(), fingerprint: fingerprint(&parts), content: None }],
        parts,
        metrics: json!({"examples": 2, "ratio": 0.1}).as_object().unwrap().clone(),
        run: json!({"elapsed_ms": 12}).as_object().unwrap().clone(),
    }
}

/// An artifact with a table and a file in a folder.
fn make(store: &Store, data: &[u8]) -> Artifact {
    let partial = store.begin("ingest", FINGERPRINT).unwrap();
    write_assets(&partial, data);
    std::fs::create_dir_all(partial.dir().join("model/1_Pooling")).unwrap();
    std::fs::write(partial.dir().join("model/1_Pooling/config.json"), "{}").unwrap();
    partial.commit(draft()).unwrap()
}

fn names(dir: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(dir).unwrap();
    let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn an_artifact_is_found_once_it_is_committed_and_not_before() {
    let (_dir, store) = store();
    assert_eq!(store.find("ingest", FINGERPRINT).unwrap(), None);
    assert_eq!(store.latest("ingest").unwrap(), None);
    let partial = store.begin("ingest", FINGERPRINT).unwrap();
    write_assets(&partial, b"{}");
    assert_eq!(store.find("ingest", FINGERPRINT).unwrap(), None);
    let artifact = partial.commit(draft()).unwrap();
    assert_eq!(artifact.dir, store.dir("ingest", FINGERPRINT));
    assert_eq!(store.find("ingest", FINGERPRINT).unwrap().as_ref(), Some(&artifact));
    assert_eq!(store.latest("ingest").unwrap().as_ref(), Some(&artifact));
    assert_eq!(Artifact::open(&artifact.dir).unwrap(), artifact);
    // Nothing is left of the making.
    assert_eq!(names(&store.root().join("ingest")), [FINGERPRINT, "latest"]);
    assert_eq!(names(&artifact.dir), ["assets.arrow", "manifest.json"]);
}

#[test]
fn a_manifest_lists_files_with_rows_and_no_absolute_path() {
    let (dir, store) = store();
    let artifact = make(&store, b"{}");
    let files: Vec<_> = artifact.manifest.files.iter().map(|file| (file.name.as_str(), file.rows)).collect();
    assert_eq!(files, [("assets.arrow", Some(2)), ("model/1_Pooling/config.json", None)]);
    assert_eq!(artifact.manifest.files[1].bytes, 2);
    artifact.verify().unwrap();
    let text = std::fs::read_to_string(artifact.dir.join("manifest.json")).unwrap();
    assert!(!text.contains(dir.path().to_str().unwrap()), "{text}");
    assert!(!text.contains("\"/"), "{text}");
}

#[test]
fn an_altered_manifest_is_refused() {
    let (_dir, store) = store();
    let artifact = make(&store, b"{}");
    let path = artifact.dir.join("manifest.json");
    let text = std::fs::read_to_string(&path).unwrap();
    let rewrite = |from: &str, to: &str| {
        assert!(text.contains(from), "{from} is not in {text}");
        std::fs::write(&path, text.replacen(from, to, 1)).unwrap();
        store.find("ingest", FINGERPRINT).unwrap_err()
    };
    assert!(matches!(rewrite("\"examples\": 2", "\"examples\": 3"), Error::ManifestChecksum { .. }));
    assert!(matches!(rewrite("\"metrics\"", "\"more\": 1, \"metrics\""), Error::ManifestChecksum { .. }));
    assert!(matches!(
        rewrite("\"format_version\": 1", "\"format_version\": 9"),
        Error::ManifestVersion { .. }
    ));
    assert!(matches!(rewrite("\"stage\"", "\"stages\""), Error::ManifestJson { .. }));
    assert!(matches!(rewrite("{", ""), Error::ManifestJson { .. }));
    std::fs::remove_file(&path).unwrap();
    assert!(matches!(store.find("ingest", FINGERPRINT), Err(Error::NoManifest { .. })));
    // Spacing and the order of keys are no part of the contents.
    let value: serde_json::Value = serde_json::from_str(&text).unwrap();
    std::fs::write(&path, crate::canonical_json(&value)).unwrap();
    assert_eq!(store.find("ingest", FINGERPRINT).unwrap(), Some(artifact));
}

#[test]
fn a_changed_file_is_named_with_both_sizes_or_hashes() {
    let (_dir, store) = store();
    let artifact = make(&store, b"{}");
    let path = artifact.file("model/1_Pooling/config.json").unwrap();
    std::fs::write(&path, "[]").unwrap();
    store.find("ingest", FINGERPRINT).unwrap();
    let error = artifact.verify().unwrap_err().to_string();
    assert!(
        error.contains("config.json has the BLAKE3 ") && error.contains(", the manifest says "),
        "{error}"
    );
    std::fs::write(&path, "[1]").unwrap();
    let error = store.find("ingest", FINGERPRINT).unwrap_err().to_string();
    assert_eq!(error, format!("{} has 3 bytes, the manifest says 2 bytes", path.display()));
    std::fs::remove_file(&path).unwrap();
    let error = artifact.file("model/1_Pooling/config.json").unwrap_err().to_string();
    assert_eq!(error, format!("{} is missing, the manifest says 2 bytes", path.display()));
    assert!(matches!(artifact.file("absent.arrow"), Err(Error::NotListed { .. })));
}

#[test]
fn an_artifact_in_the_place_of_another_is_refused() {
    let (_dir, store) = store();
    let artifact = make(&store, b"{}");
    std::fs::rename(&artifact.dir, store.dir("ingest", "other")).unwrap();
    assert!(matches!(store.find("ingest", "other"), Err(Error::Misplaced { .. })));
    // `latest` names a folder that is gone.
    assert_eq!(store.latest("ingest").unwrap(), None);
}

#[test]
fn a_second_commit_replaces_the_first_while_it_is_mapped() {
    let (_dir, store) = store();
    let first = make(&store, b"first");
    let mapped = Assets::open(&first.file("assets.arrow").unwrap()).unwrap();
    let second = make(&store, b"second");
    assert_eq!(second.dir, first.dir);
    let read = Assets::open(&second.file("assets.arrow").unwrap()).unwrap();
    assert_eq!(read.get("config.json"), Some(&b"second"[..]));
    assert_eq!(mapped.get("config.json"), Some(&b"first"[..]));
    second.verify().unwrap();
    assert_eq!(names(&store.root().join("ingest")), [FINGERPRINT, "latest"]);
}

#[test]
fn latest_names_the_newest() {
    let (_dir, store) = store();
    make(&store, b"{}");
    let partial = store.begin("ingest", "ffff").unwrap();
    let newest = partial.commit(draft()).unwrap();
    assert_eq!(store.latest("ingest").unwrap(), Some(newest));
    let text = std::fs::read_to_string(store.root().join("ingest/latest")).unwrap();
    assert_eq!(text, "ffff\n");
}

#[test]
fn two_processes_cannot_make_the_same_artifact() {
    let (_dir, store) = store();
    let partial = store.begin("train", FINGERPRINT).unwrap();
    let error = store.begin("train", FINGERPRINT).unwrap_err();
    let expected = format!("{} is being written by process {}", partial.dir().display(), std::process::id());
    assert_eq!(error.to_string(), expected);
    // Another artifact of the stage can be made meanwhile.
    store.begin("train", "ffff").unwrap();
    drop(partial);
    store.begin("train", FINGERPRINT).unwrap();
}

#[test]
fn an_interrupted_run_leaves_its_files_to_the_next() {
    let (_dir, store) = store();
    let partial = store.begin("train", FINGERPRINT).unwrap();
    let path = partial.dir().join("checkpoints/step-00000500.bin");
    std::fs::create_dir(path.parent().unwrap()).unwrap();
    std::fs::write(&path, "state").unwrap();
    drop(partial);
    // A process that is killed leaves its lock file, but no lock.
    std::fs::write(store.root().join(format!("train/.partial-{FINGERPRINT}.lock")), "4194305\n").unwrap();
    let partial = store.begin("train", FINGERPRINT).unwrap();
    assert_eq!(std::fs::read(&path).unwrap(), b"state");
    partial.clear().unwrap();
    assert_eq!(names(partial.dir()), [""; 0]);
}

#[test]
fn unfinished_tables_and_an_old_manifest_do_not_get_into_the_artifact() {
    let (_dir, store) = store();
    let partial = store.begin("ingest", FINGERPRINT).unwrap();
    let pretrained = AssetsWriter::create(&partial.dir().join("pretrained.arrow"), FINGERPRINT).unwrap();
    assert_eq!(names(partial.dir()), ["pretrained.arrow.tmp"]);
    drop(pretrained);
    assert!(names(partial.dir()).is_empty(), "a table that is given up leaves nothing");
    // What a killed process leaves.
    std::fs::write(partial.dir().join("pretrained.arrow.tmp"), "ARROW1").unwrap();
    std::fs::write(partial.dir().join("manifest.json"), "{}").unwrap();
    let artifact = partial.commit(draft()).unwrap();
    assert_eq!(artifact.manifest.files, []);
    assert_eq!(names(&artifact.dir), ["manifest.json"]);
}

#[test]
fn a_damaged_table_is_not_committed() {
    let (_dir, store) = store();
    let partial = store.begin("ingest", FINGERPRINT).unwrap();
    std::fs::write(partial.dir().join("assets.arrow"), "ARROW1 and no more").unwrap();
    let dir = partial.dir().to_owned();
    assert!(matches!(partial.commit(draft()), Err(Error::Damaged { .. })));
    assert_eq!(store.find("ingest", FINGERPRINT).unwrap(), None);
    assert!(dir.join("assets.arrow").exists());
}

#[test]
fn output_goes_to_an_empty_or_absent_folder_only() {
    let (dir, _store) = store();
    let absent = dir.path().join("deep/out");
    let partial = Partial::at(&absent, "ingest", FINGERPRINT).unwrap();
    write_assets(&partial, b"{}");
    assert!(!absent.exists());
    let artifact = partial.commit(draft()).unwrap();
    assert_eq!(artifact.dir, absent);
    assert_eq!(names(&absent), ["assets.arrow", "manifest.json"]);
    assert_eq!(names(&dir.path().join("deep")), ["out"]);

    let error = Partial::at(&absent, "ingest", FINGERPRINT).unwrap_err();
    assert_eq!(error.to_string(), format!("{} is not empty", absent.display()));

    let empty = dir.path().join("empty");
    std::fs::create_dir(&empty).unwrap();
    let partial = Partial::at(&empty, "ingest", FINGERPRINT).unwrap();
    partial.commit(draft()).unwrap().verify().unwrap();
}

#[test]
fn an_output_that_was_filled_meanwhile_is_left_and_the_artifact_named() {
    let (dir, _store) = store();
    let output = dir.path().join("out");
    let partial = Partial::at(&output, "ingest", FINGERPRINT).unwrap();
    write_assets(&partial, b"{}");
    std::fs::create_dir(&output).unwrap();
    std::fs::write(output.join("other"), "").unwrap();
    let Error::OutputFilled { path, made } = partial.commit(draft()).unwrap_err() else {
        panic!("committed over what is there")
    };
    assert_eq!(names(&path), ["other"]);
    Artifact::open(&made).unwrap().verify().unwrap();
}

fn mkfifo(path: &Path) {
    assert!(std::process::Command::new("mkfifo").arg(path).status().unwrap().success());
}

#[test]
fn what_is_no_regular_file_is_damage_that_is_named_never_opened_and_mended() {
    for name in ["assets.arrow", "model/1_Pooling/config.json", "manifest.json"] {
        for kind in ["a directory", "a FIFO", "a symbolic link", "a device"] {
            let (dir, store) = store();
            let path = make(&store, b"{}").dir.join(name);
            let elsewhere = dir.path().join("elsewhere");
            std::fs::rename(&path, &elsewhere).unwrap();
            match kind {
                "a directory" => std::fs::create_dir(&path).unwrap(),
                "a FIFO" => mkfifo(&path),
                "a symbolic link" => std::os::unix::fs::symlink(&elsewhere, &path).unwrap(),
                _ => std::os::unix::fs::symlink("/dev/zero", &path).unwrap(),
            }
            // A manifest may be a link, as those of a store that is kept elsewhere are.
            let found = store.find("ingest", FINGERPRINT);
            if name == "manifest.json" && kind == "a symbolic link" {
                found.unwrap().unwrap().verify().unwrap();
                continue;
            }
            let error = found.unwrap_err();
            let what =
                if name == "manifest.json" { kind } else { kind.replace("device", "symbolic link").leak() };
            let says = format!("{} is {what}, ", path.display());
            assert!(error.to_string().starts_with(&says) && error.is_damage(), "{kind}: {error}");
            let mended = make(&store, b"{}");
            mended.verify().unwrap();
            assert_eq!(store.find("ingest", FINGERPRINT).unwrap(), Some(mended));
            let kept = store.root().join(format!("ingest/{DAMAGED_PREFIX}{FINGERPRINT}"));
            assert!(kept.is_dir(), "{kind}");
        }
    }
}

#[test]
fn a_folder_of_an_artifact_that_is_a_link_is_damage() {
    let (dir, store) = store();
    let model = make(&store, b"{}").dir.join("model");
    std::fs::rename(&model, dir.path().join("model")).unwrap();
    std::os::unix::fs::symlink(dir.path().join("model"), &model).unwrap();
    let error = store.find("ingest", FINGERPRINT).unwrap_err();
    let expected = format!("{} is a symbolic link, the manifest says a directory", model.display());
    assert_eq!((error.to_string(), error.is_damage()), (expected, true));
}

#[test]
fn a_manifest_that_names_a_file_outside_its_folder_is_refused() {
    let (dir, store) = store();
    let artifact = make(&store, b"{}");
    std::fs::write(dir.path().join("secret"), "s").unwrap();
    let outside = dir.path().join("secret").to_str().unwrap().to_owned();
    for name in [&*outside, "../../../secret", "model/../../x", "/dev/zero", "", ".", "a//b", "a/", "x\0"] {
        let entry = crate::FileEntry { name: name.to_owned(), ..artifact.manifest.files[0].clone() };
        let altered = crate::Manifest::seal("ingest", FINGERPRINT, draft(), vec![entry]);
        std::fs::write(artifact.dir.join("manifest.json"), altered.to_text()).unwrap();
        let error = Artifact::open(&artifact.dir).unwrap_err();
        let expected = format!("names the file {name:?}, which is outside its folder");
        assert!(error.to_string().ends_with(&expected) && error.is_damage(), "{error}");
    }
    // Nor is an artifact looked for elsewhere.
    for name in ["..", "../ingest", "/", "", "."] {
        assert_eq!(store.find("ingest", name).unwrap(), None, "{name}");
    }
}

#[test]
fn what_stands_in_the_place_of_latest_is_not_opened() {
    let (dir, store) = store();
    let artifact = make(&store, b"{}");
    let latest = store.root().join("ingest/latest");
    let replace = |with: &dyn Fn(&Path)| {
        std::fs::remove_file(&latest).unwrap();
        with(&latest);
        let found = store.latest("ingest");
        if latest.is_dir() {
            std::fs::remove_dir(&latest).unwrap();
        } else {
            std::fs::remove_file(&latest).unwrap();
        }
        std::fs::write(&latest, "x").unwrap();
        found.unwrap()
    };
    assert_eq!(replace(&|path| std::fs::create_dir(path).unwrap()), None);
    assert_eq!(replace(&mkfifo), None);
    assert_eq!(replace(&|path| std::os::unix::fs::symlink("/dev/zero", path).unwrap()), None);
    assert_eq!(replace(&|path| std::fs::write(path, "../ingest\n").unwrap()), None);
    assert_eq!(replace(&|path| std::fs::write(path, " ".repeat(1000)).unwrap()), None);
    assert_eq!(replace(&|path| std::fs::write(path, FINGERPRINT).unwrap()), Some(artifact));
    drop(dir);
}

#[test]
fn a_lock_is_not_taken_through_a_link() {
    let (dir, store) = store();
    let lock = store.root().join(format!("train/.partial-{FINGERPRINT}.lock"));
    std::fs::create_dir_all(lock.parent().unwrap()).unwrap();
    let precious = dir.path().join("precious");
    std::fs::write(&precious, "kept").unwrap();
    std::os::unix::fs::symlink(&precious, &lock).unwrap();
    let refused = || store.begin("train", FINGERPRINT).unwrap_err().to_string();
    assert_eq!(refused(), format!("{} is a symbolic link, expected a lock file", lock.display()));
    assert_eq!(std::fs::read(&precious).unwrap(), b"kept");
    std::fs::remove_file(&lock).unwrap();
    mkfifo(&lock);
    assert_eq!(refused(), format!("{} is a FIFO, expected a regular file", lock.display()));
    std::fs::remove_file(&lock).unwrap();
    std::fs::create_dir(&lock).unwrap();
    assert_eq!(refused(), format!("{} is a directory, expected a lock file", lock.display()));
    std::fs::remove_dir(&lock).unwrap();
    store.begin("train", FINGERPRINT).unwrap();
}

#[test]
fn a_misplaced_or_newer_artifact_is_damage() {
    let (_dir, store) = store();
    let artifact = make(&store, b"{}");
    let path = artifact.dir.join("manifest.json");
    let text = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, text.replacen("\"format_version\": 1", "\"format_version\": 2", 1)).unwrap();
    assert!(store.find("ingest", FINGERPRINT).unwrap_err().is_damage());
    std::fs::write(&path, text).unwrap();
    std::fs::rename(&artifact.dir, store.dir("ingest", "other")).unwrap();
    assert!(store.find("ingest", "other").unwrap_err().is_damage());
}

#[test]
fn an_artifact_in_the_making_with_a_link_in_it_is_not_gone_on_with() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::new(folder.path().join("artifacts"));
    let partial = store.begin("train", "f").unwrap();
    let tensorboard = partial.dir().join("tensorboard");
    let outside = folder.path().join("outside");
    std::fs::create_dir(&outside).unwrap();
    std::os::unix::fs::symlink(&outside, &tensorboard).unwrap();
    drop(partial);
    let error = store.begin("train", "f").unwrap_err();
    assert!(matches!(&error, Error::NotAWorkingFile { path, .. } if *path == tensorboard), "{error}");
    std::fs::remove_file(tensorboard).unwrap();
    store.begin("train", "f").unwrap();
}
