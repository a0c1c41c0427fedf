use burn::tensor::{Device, Tensor};
use distilbert::Parameter;
use torch_kernels::Handle;

use super::*;
use crate::checkpoint::Best;
use crate::optimizer::OptimizerSettings;

fn names(dir: &Path) -> Vec<String> {
    let mut names: Vec<_> =
        fs_err::read_dir(dir).unwrap().map(|entry| file_name(&entry.unwrap().path())).collect();
    names.sort();
    names
}

/// Of one parameter.
fn optimizer() -> AdamW {
    let handle = Handle::from_burn(Tensor::<1>::from_floats([1.0, 2.0], &Device::default()));
    let parameter = Parameter { name: "qa_outputs.bias".to_owned(), shape: vec![2], handle, trainable: true };
    let settings = OptimizerSettings {
        betas: [0.9, 0.999],
        epsilon: 1e-8,
        weight_decay: 0.01,
        max_grad_norm: 1.0,
        layerwise_lr_decay: 1.0,
    };
    AdamW::new(vec![parameter], 1, settings)
}

/// Of before a step's validation, and of after it.
const BEFORE: CheckpointName = CheckpointName { global_step: 3, validated: false };
const AFTER: CheckpointName = CheckpointName { validated: true, ..BEFORE };

#[test]
fn the_validation_of_a_checkpoint_that_is_there_is_kept_beside_it() {
    let dir = tempfile::tempdir().unwrap();
    let files = |checkpoint: CheckpointName| {
        ["json", "arrow", "history.arrow"]
            .map(|extension| fs_err::read(dir.path().join(format!("{checkpoint}.{extension}"))).ok())
    };
    let counters = Counters { global_step: 3, ..Counters::default() };
    let mut checkpoints = Checkpoints::open(dir.path(), 2, 4).unwrap();
    checkpoints.save(counters.clone(), &[], &optimizer(), "f").unwrap();
    checkpoints.wait().unwrap();
    let stopped = files(BEFORE);
    drop(checkpoints);
    // The next start makes the validation that was not over.
    let mut checkpoints = Checkpoints::open(dir.path(), 2, 4).unwrap();
    assert_eq!(checkpoints.open_newest().unwrap().unwrap().counters, counters);
    let validated = Counters { validated_step: 3, ..counters };
    checkpoints.save(validated.clone(), &[], &optimizer(), "f").unwrap();
    checkpoints.wait().unwrap();
    assert!(files(BEFORE) == stopped && stopped.iter().all(Option::is_some));
    assert_eq!(sealed_checkpoints(dir.path()).unwrap(), [BEFORE, AFTER]);
    drop(checkpoints);
    // And the one after that finds it made; one that is damaged gives way to the one of before.
    let mut checkpoints = Checkpoints::open(dir.path(), 1, 4).unwrap();
    assert_eq!(checkpoints.open_newest().unwrap().unwrap().counters, validated);
    fs_err::write(dir.path().join(format!("{AFTER}.arrow")), "").unwrap();
    assert_eq!(checkpoints.open_newest().unwrap().unwrap().counters.validated_step, 0);
    checkpoints.save(Counters { global_step: 4, ..Counters::default() }, &[], &optimizer(), "f").unwrap();
    checkpoints.wait().unwrap();
    let last = CheckpointName { global_step: 4, validated: false };
    assert_eq!(sealed_checkpoints(dir.path()).unwrap(), [last]);
}

#[test]
fn a_checkpoint_that_was_not_sealed_is_taken_again() {
    let dir = tempfile::tempdir().unwrap();
    let best = Best { global_step: 2, loss: 1.0, exact_match: 0.0, f1: 0.0 };
    let counters = Counters { global_step: 3, best: Some(best), ..Counters::default() };
    let mut checkpoints = Checkpoints::open(dir.path(), 1, 4).unwrap();
    checkpoints.save(counters.clone(), &[], &optimizer(), "f").unwrap();
    checkpoints.wait().expect_err("the best weights are not there");
    assert_eq!(names(dir.path()), [STARTS]);
    fs_err::write(checkpoints.best_path(2), "weights").unwrap();
    checkpoints.save(counters, &[], &optimizer(), "f").unwrap();
    checkpoints.wait().unwrap();
    assert_eq!(sealed_checkpoints(dir.path()).unwrap(), [BEFORE]);
}

#[test]
fn without_regular_checkpoints_none_is_due() {
    let dir = tempfile::tempdir().unwrap();
    let due = |every_steps| Checkpoints::open(dir.path(), 1, every_steps).unwrap().is_due(7, Duration::ZERO);
    assert_eq!([0, 7, 9].map(due), [false, true, false]);
}

#[test]
fn a_damaged_checkpoint_is_not_kept_in_place_of_a_whole_one() {
    let dir = tempfile::tempdir().unwrap();
    for name in ["step-00000008.json", "step-00000008.arrow", "step-00000008.history.arrow"] {
        fs_err::write(dir.path().join(name), "{}").unwrap();
    }
    let mut checkpoints = Checkpoints::open(dir.path(), 1, 4).unwrap();
    // The only one is not given up, in whatever way it is damaged.
    let whole = names(dir.path());
    let refused = checkpoints.open_newest().err().expect("it is damaged").to_string();
    assert!(refused.starts_with("none of the 1 checkpoints in "), "{refused}");
    assert_eq!(names(dir.path()), whole);
    drop(checkpoints);
    let mut checkpoints = Checkpoints::open(dir.path(), 2, 4).unwrap();
    checkpoints.save(Counters { global_step: 4, ..Counters::default() }, &[], &optimizer(), "f").unwrap();
    checkpoints.wait().unwrap();
    assert_eq!(checkpoints.open_newest().unwrap().unwrap().counters.global_step, 4);
    let kept = ["step-00000004.arrow", "step-00000004.history.arrow", "step-00000004.json"];
    assert!(kept.iter().all(|name| dir.path().join(name).is_file()));
    assert!(!dir.path().join("step-00000008.json").exists());
}

#[test]
fn what_has_no_seal_goes_when_the_folder_is_opened() {
    let dir = tempfile::tempdir().unwrap();
    let left = ["best-00000004.arrow", "step-00000004.arrow", "step-00000004.history.arrow"];
    let gone = ["best-00000008.arrow.tmp", "step-00000008.arrow.tmp", "step-00000006.history.arrow"];
    for name in left.iter().chain(&gone).chain(&["step-00000004.json", "step-00000006.json.tmp"]) {
        fs_err::write(dir.path().join(name), "{}").unwrap();
    }
    Checkpoints::open(dir.path(), 2, 4).unwrap();
    let expected: Vec<_> = left.into_iter().chain([STARTS, "step-00000004.json"]).collect();
    let mut expected: Vec<_> = expected.into_iter().map(str::to_owned).collect();
    expected.sort();
    assert_eq!(names(dir.path()), expected);
}

fn with_best(global_step: u64, best_step: u64) -> Counters {
    let best = Best { global_step: best_step, loss: 1.0, exact_match: 0.0, f1: 0.0 };
    Counters { global_step, best: Some(best), ..Counters::default() }
}

#[test]
fn best_weights_that_changed_since_their_first_checkpoint_are_not_vouched_for_again() {
    let dir = tempfile::tempdir().unwrap();
    let mut checkpoints = Checkpoints::open(dir.path(), 2, 4).unwrap();
    fs_err::write(checkpoints.best_path(2), "weights").unwrap();
    checkpoints.save(with_best(3, 2), &[], &optimizer(), "f").unwrap();
    checkpoints.wait().unwrap();
    checkpoints.check_best(2).unwrap();
    fs_err::write(checkpoints.best_path(2), "weigths").unwrap();
    checkpoints.save(with_best(6, 2), &[], &optimizer(), "f").unwrap();
    checkpoints.wait().unwrap();
    assert!(matches!(checkpoints.check_best(2), Err(Error::Checkpoint { .. })));
    drop(checkpoints);
    // Neither checkpoint is whole without them.
    let mut checkpoints = Checkpoints::open(dir.path(), 2, 4).unwrap();
    let refused = checkpoints.open_newest().err().expect("neither is whole");
    assert!(matches!(refused, Error::NoWholeCheckpoint { count: 2, .. }), "{refused}");
    // Nothing is lost: the weights as they were make both whole again.
    fs_err::write(checkpoints.best_path(2), "weights").unwrap();
    assert_eq!(checkpoints.open_newest().unwrap().unwrap().counters.global_step, 6);
}

#[test]
fn what_is_no_file_in_the_place_of_a_checkpoint_is_damage() {
    let dir = tempfile::tempdir().unwrap();
    let mut checkpoints = Checkpoints::open(dir.path(), 2, 4).unwrap();
    for global_step in [3, 6] {
        let counters = Counters { global_step, ..Counters::default() };
        checkpoints.save(counters, &[], &optimizer(), "f").unwrap();
        checkpoints.wait().unwrap();
    }
    for name in ["step-00000006.json", "step-00000006.arrow", "step-00000006.history.arrow"] {
        let path = dir.path().join(name);
        let bytes = fs_err::read(&path).unwrap();
        let seal = fs_err::read(dir.path().join("step-00000006.json")).unwrap();
        for kind in ["directory", "FIFO", "device"] {
            fs_err::remove_file(&path).unwrap();
            match kind {
                "directory" => fs_err::create_dir(&path).unwrap(),
                "device" => std::os::unix::fs::symlink("/dev/zero", &path).unwrap(),
                _ => assert!(std::process::Command::new("mkfifo").arg(&path).status().unwrap().success()),
            }
            let found = checkpoints.open_newest().unwrap().expect("the one before is whole");
            assert_eq!(found.counters.global_step, 3, "{name} as a {kind}");
            assert!(!dir.path().join("step-00000006.json").exists(), "{name} as a {kind}");
            if path.exists() {
                remove(&path).unwrap();
            }
            fs_err::write(&path, &bytes).unwrap();
            fs_err::write(dir.path().join("step-00000006.json"), &seal).unwrap();
        }
    }
}

#[test]
fn without_regular_checkpoints_best_weights_go_when_no_checkpoint_refers_to_them() {
    let dir = tempfile::tempdir().unwrap();
    let left = |every_steps, stopped_after: u64| {
        let mut checkpoints = Checkpoints::open(dir.path(), 1, every_steps).unwrap();
        fs_err::write(checkpoints.best_path(2), "weights").unwrap();
        if stopped_after > 0 {
            checkpoints.save(with_best(stopped_after, 2), &[], &optimizer(), "f").unwrap();
            checkpoints.wait().unwrap();
        }
        checkpoints.discard_best(2);
        checkpoints.best_path(2).exists()
    };
    assert!(left(4, 0), "a checkpoint may still refer to them");
    assert!(!left(0, 0));
    assert!(left(0, 3), "the checkpoint of step 3 refers to them");
}

#[test]
fn checkpoints_that_cannot_be_read_for_now_are_not_given_up() {
    let dir = tempfile::tempdir().unwrap();
    let mut checkpoints = Checkpoints::open(dir.path(), 2, 4).unwrap();
    for global_step in [3, 6] {
        let counters = Counters { global_step, ..Counters::default() };
        checkpoints.save(counters, &[], &optimizer(), "f").unwrap();
        checkpoints.wait().unwrap();
    }
    drop(checkpoints);
    let whole = names(dir.path());
    let newest = dir.path().join("step-00000006.arrow");
    let bytes = fs_err::read(&newest).unwrap();
    let unreadable = |path: &Path| {
        // Opens, and answers with EIO.
        fs_err::remove_file(path).unwrap();
        std::os::unix::fs::symlink("/proc/self/mem", path).unwrap();
    };
    // All of them: it may pass.
    unreadable(&newest);
    unreadable(&dir.path().join("step-00000003.arrow"));
    let mut checkpoints = Checkpoints::open(dir.path(), 2, 4).unwrap();
    assert!(checkpoints.open_newest().err().expect("neither can be read").is_io());
    assert_eq!(names(dir.path()), whole);
    // One of them: the other is used.
    fs_err::remove_file(&newest).unwrap();
    fs_err::write(&newest, bytes).unwrap();
    assert_eq!(checkpoints.open_newest().unwrap().unwrap().counters.global_step, 6);
    unreadable(&newest);
    fs_err::remove_file(dir.path().join("step-00000003.arrow")).unwrap();
    assert!(checkpoints.open_newest().err().expect("one is gone, one cannot be read").is_io());
}
