//! Against the recorded lines of a real training: the generated corpus, three epochs.

use std::path::{Path, PathBuf};
use std::time::Duration;

use artifact::{HistoryKind, LiveRow, file_name};
use insta::assert_snapshot;
use ratatui::Terminal;
use ratatui::backend::TestBackend;

use super::curve::SMOOTHINGS;
use super::find::Wanted;
use super::plain;
use super::training::{State, Training};
use super::view::{View, draw_waiting};

const FINGERPRINT: &str = "0123456789abcdef0123456789abcdef";

fn fixture() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/fixtures/watch/metrics.jsonl")
}

fn rows() -> Vec<LiveRow> {
    artifact::read_live(&fixture()).unwrap()
}

/// The training after its first `lines` lines.
fn training(lines: usize, state: State) -> Training {
    let rows = rows().into_iter().take(lines).collect();
    let mut training = Training::of_rows(&Path::new("train").join(FINGERPRINT), state, rows);
    training.age = Some(Duration::from_secs(2));
    training
}

fn screen(training: &Training, smoothing: f64, (width, height): (u16, u16)) -> String {
    let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
    terminal.draw(|frame| View { training, smoothing }.draw(frame)).unwrap();
    terminal.backend().to_string()
}

#[test]
fn a_running_training_on_a_small_terminal() {
    assert_snapshot!(screen(&training(30, State::Running), 0.95, (80, 24)));
}

#[test]
fn a_finished_training_on_a_large_terminal() {
    assert_snapshot!(screen(&training(usize::MAX, State::Finished), 0.95, (160, 50)));
}

#[test]
fn a_narrow_terminal_shows_the_loss_first() {
    assert_snapshot!(screen(&training(30, State::Stopped), 0.0, (48, 22)));
}

#[test]
fn fp16_shows_scale_and_skipped_steps() {
    let mut training = training(10, State::Running);
    for row in [&mut training.last, &mut training.step].into_iter().flatten() {
        row.loss_scale = Some(32_768.0);
        row.optimizer_step = row.global_step - 2;
    }
    assert!(screen(&training, 0.9, (80, 24)).contains("scale 32768   skipped 2"));
    let text = plain::text(&training);
    assert!(text.contains("scale          32768\nskipped steps  2\n"), "{text}");
}

#[test]
fn no_size_and_no_training_makes_it_panic() {
    let mut odd = training(20, State::Running);
    odd.loss = vec![(1.0, f64::NAN), (2.0, f64::INFINITY), (3.0, -1.0)];
    let none = training(0, State::Running);
    for (width, height) in [(1, 1), (2, 60), (10, 5), (20, 8), (71, 14), (72, 13), (80, 24), (300, 90)] {
        for training in [&training(1, State::Running), &training(usize::MAX, State::Finished), &odd, &none] {
            for smoothing in SMOOTHINGS {
                screen(training, smoothing, (width, height));
            }
        }
        let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
        terminal.draw(|frame| draw_waiting(frame, Path::new("artifacts"))).unwrap();
    }
}

#[test]
fn without_a_terminal_it_is_told_in_words() {
    assert_snapshot!(plain::text(&training(30, State::Stopped)));
}

#[test]
fn before_the_first_line_it_says_what_is_known() {
    let mut begun = training(0, State::Running);
    begun.checkpoint = Some(5);
    let text = plain::text(&begun);
    assert!(
        text.ends_with(
            "no step is logged yet: there is a line every `train.log_every_steps` steps\nthe newest checkpoint is of step 5\n"
        ),
        "{text}"
    );
    assert!(!text.contains("loading"), "{text}");
    assert!(screen(&begun, 0.0, (100, 24)).contains("no step is logged yet"));
    let stopped = plain::text(&training(0, State::Stopped));
    assert!(
        stopped.ends_with("stopped before a step was logged\nthe command that started it resumes it\n"),
        "{stopped}"
    );
}

#[test]
fn the_best_validation_is_the_earliest_of_the_highest_f1() {
    let mut training = training(usize::MAX, State::Finished);
    let best = *training.best().unwrap();
    assert!(training.validations.iter().all(|row| row.f1 <= best.f1));
    training.validations.push(super::training::Validation { global_step: 9999, ..best });
    assert_eq!(training.best().unwrap().global_step, best.global_step);
}

#[test]
fn the_estimate_shrinks_while_no_line_comes_and_ends_with_the_training() {
    let mut training = training(30, State::Running);
    let at_last_line = training.step.as_ref().unwrap().eta_s.unwrap();
    training.age = Some(Duration::from_secs(3));
    assert!((training.eta().unwrap().as_secs_f64() - (at_last_line - 3.0)).abs() < 1e-6);
    training.age = Some(Duration::from_secs(100_000));
    assert_eq!(training.eta(), Some(Duration::ZERO));
    training.state = State::Stopped;
    assert_eq!(training.eta(), None);
}

/// A store with the recorded lines in a folder of this name.
struct Folder(tempfile::TempDir);

impl Folder {
    fn new() -> Self {
        Self(tempfile::TempDir::new().unwrap())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn put(&self, name: &str) -> PathBuf {
        let dir = self.path(name);
        fs_err::create_dir_all(&dir).unwrap();
        fs_err::copy(fixture(), dir.join(file_name::METRICS)).unwrap();
        dir
    }
}

#[test]
fn a_training_is_followed_from_its_partial_folder_to_its_artifact() {
    let folder = Folder::new();
    let store = Wanted::NewestOf(folder.path("artifacts"));
    let target = folder.path("artifacts/train").join(FINGERPRINT);
    let partial = folder.path("artifacts/train").join(format!(".partial-{FINGERPRINT}"));
    let [by_target, by_partial] = [&target, &partial].map(|path| Wanted::At(path.clone()));
    let all = [store, by_target, by_partial, Wanted::At(folder.path("artifacts"))];
    for wanted in &all {
        assert_eq!(wanted.find().unwrap(), None, "{wanted:?}");
    }
    folder.put(&format!("artifacts/train/.partial-{FINGERPRINT}"));
    for wanted in &all {
        assert_eq!(wanted.find().unwrap(), Some(partial.clone()), "{wanted:?}");
    }
    fs_err::rename(&partial, &target).unwrap();
    for wanted in &all {
        assert_eq!(wanted.find().unwrap(), Some(target.clone()), "{wanted:?}");
    }
    let lines = Wanted::At(target.join(file_name::METRICS));
    assert_eq!(lines.find().unwrap(), Some(target));
}

#[test]
fn a_training_outside_the_store_is_found_by_the_name_of_its_output() {
    let folder = Folder::new();
    let wanted = Wanted::At(folder.path("out"));
    assert_eq!(wanted.find().unwrap(), None);
    let partial = folder.put(&format!(".partial-out-{FINGERPRINT}"));
    folder.put(&format!(".partial-outer-{FINGERPRINT}"));
    assert_eq!(wanted.find().unwrap(), Some(partial.clone()));
    let by_partial = Wanted::At(partial.clone());
    fs_err::rename(&partial, folder.path("out")).unwrap();
    assert_eq!(by_partial.find().unwrap(), Some(folder.path("out")));
}

#[test]
fn the_newest_training_of_a_store_is_the_one_with_the_newest_line() {
    let folder = Folder::new();
    let [old, new] = ["old", "new"].map(|name| folder.put(&format!("train/{name}")));
    let hidden = folder.put("train/.old-0123");
    let touch = |dir: &Path, seconds: u64| {
        let time = std::time::UNIX_EPOCH + Duration::from_secs(seconds);
        let file = fs_err::OpenOptions::new().append(true).open(dir.join(file_name::METRICS)).unwrap();
        file.file().set_modified(time).unwrap();
    };
    let wanted = Wanted::NewestOf(folder.path(""));
    for (first, second) in [(&old, &new), (&new, &old)] {
        touch(first, 1_000);
        touch(second, 2_000);
        touch(&hidden, 3_000);
        assert_eq!(wanted.find().unwrap(), Some(second.clone()));
    }
}

#[test]
fn what_is_no_training_is_refused() {
    let folder = Folder::new();
    fs_err::write(folder.path("notes.txt"), "").unwrap();
    fs_err::create_dir(folder.path("ingest")).unwrap();
    fs_err::write(folder.path("ingest/manifest.json"), "{}").unwrap();
    for name in ["notes.txt", "ingest"] {
        let error = Wanted::At(folder.path(name)).find().unwrap_err();
        assert!(error.to_string().ends_with(&format!("{name} is not a training")), "{error}");
    }
}

#[test]
fn a_folder_is_running_while_its_lock_is_held_and_stopped_afterwards() {
    let folder = Folder::new();
    let dir = folder.put(".partial-0123");
    let state = || Training::read(&dir).unwrap().state;
    assert_eq!(state(), State::Stopped, "it took its lock away");
    let lock = folder.path(".partial-0123.lock");
    // A process that was killed this moment, whose number another one has by now.
    fs_err::write(&lock, format!("{}\n", std::process::id())).unwrap();
    assert_eq!(state(), State::Stopped, "nobody holds the lock");
    let held = std::fs::File::open(&lock).unwrap();
    held.lock().unwrap();
    let lines = dir.join(file_name::METRICS);
    let lines = fs_err::OpenOptions::new().append(true).open(&lines).unwrap();
    let long_ago = std::time::SystemTime::now() - Duration::from_mins(10);
    lines.file().set_modified(long_ago).unwrap();
    assert_eq!(state(), State::Running, "a long validation writes no line");
    drop(held);
    assert_eq!(state(), State::Stopped);

    // Another machine's lock cannot be asked.
    fs_err::write(&lock, "12\nanother machine\n").unwrap();
    assert_eq!(state(), State::Stopped);
    lines.file().set_modified(std::time::SystemTime::now()).unwrap();
    assert_eq!(state(), State::Running, "its last line is fresh");
}

#[test]
fn a_finished_training_shows_every_step_of_its_history() {
    let folder = Folder::new();
    let dir = folder.put("done");
    fs_err::write(dir.join(file_name::MANIFEST), "{}").unwrap();
    let row = |global_step| artifact::HistoryRow {
        global_step,
        epoch: 1,
        kind: HistoryKind::Train,
        loss: 1.0 / global_step as f64,
        learning_rate: Some(1e-4),
        grad_norm: None,
        loss_scale: None,
        skipped: None,
        exact_match: None,
        f1: None,
    };
    let history: Vec<_> = (1..=100).map(row).collect();
    artifact::write_history(&dir.join(file_name::HISTORY), "f", &history).unwrap();
    let training = Training::read(&dir).unwrap();
    assert_eq!((training.state, training.loss.len()), (State::Finished, 100));
    assert_eq!(training.loss[3], (4.0, 0.25));
}
