//! A training in a store of its own: started, ended when a moment has come, and looked at.

use std::fs;
use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use squad::SplitMix64;

use super::Recipe;
use crate::bench::Bench;
use crate::tiny::DATA;

const RECIPE: &str = "--set train.epochs=3 --set train.batch_size=2 --set train.warmup_steps=4 \
                      --set train.log_every_steps=5";

/// One recipe in one store.
pub(super) struct Training<'a> {
    bench: &'a Bench,
    pub(super) line: String,
    pub(super) partial: PathBuf,
    pub(super) finished: PathBuf,
}

impl<'a> Training<'a> {
    pub(super) fn new(bench: &'a Bench, store: &str, recipe: &Recipe) -> Self {
        Self::with_settings(bench, store, &recipe.settings())
    }

    pub(super) fn with_settings(bench: &'a Bench, store: &str, recipe: &str) -> Self {
        crate::whole::copy_folder(&bench.path("artifacts"), &bench.path(store));
        let line = format!("distilburn-train {DATA} {RECIPE} {recipe} --artifacts {store}");
        let path = bench.run(&line.replacen("distilburn-train", "distilburn path train", 1)).stdout;
        let finished = bench.path(path.trim());
        let name = finished.file_name().unwrap().to_str().unwrap();
        Self { bench, partial: finished.with_file_name(format!(".partial-{name}")), finished, line }
    }

    pub(super) fn checkpoints(&self) -> PathBuf {
        self.partial.join("checkpoints")
    }

    /// The files of the checkpoints folder that end with `extension`.
    fn names(&self, extension: &str) -> Vec<String> {
        let entries = fs::read_dir(self.checkpoints()).into_iter().flatten().flatten();
        let names = entries.map(|entry| entry.file_name().into_string().unwrap());
        names.filter(|name| name.ends_with(extension)).collect()
    }

    /// The states that are sealed, oldest first: after how many steps, and what their files' names begin with.
    pub(super) fn sealed(&self) -> Vec<(u64, String)> {
        let state = |name: String| {
            let stem = name.strip_suffix(".json")?.to_owned();
            Some((stem.strip_prefix("step-")?.split('.').next()?.parse().ok()?, stem))
        };
        let mut states: Vec<_> = self.names(".json").into_iter().filter_map(state).collect();
        states.sort();
        states
    }

    /// The step of the newest of them; 0 where there is none.
    pub(super) fn newest_state(&self) -> u64 {
        self.sealed().last().map_or(0, |(step, _)| *step)
    }

    /// The step of the best weights.
    fn best_step(&self) -> Option<u64> {
        let step = |name: String| name.strip_prefix("best-")?.strip_suffix(".arrow")?.parse().ok();
        self.names(".arrow").into_iter().filter_map(step).max()
    }

    fn start(&self) -> Child {
        let mut command = self.bench.command(&self.line);
        command.arg("--quiet").stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap()
    }

    pub(super) fn finish(&self) {
        let said = self.bench.run(&format!("{} --quiet", self.line));
        assert_eq!(said.code, Some(0), "{said:?}");
    }

    pub(super) fn results(&self) -> [Vec<u8>; 2] {
        ["weights.arrow", "history.arrow"].map(|name| fs::read(self.finished.join(name)).unwrap())
    }

    fn manifest(&self) -> Value {
        serde_json::from_slice(&fs::read(self.finished.join("manifest.json")).unwrap()).unwrap()
    }

    pub(super) fn run_info(&self) -> Value {
        self.manifest()["run"].clone()
    }

    pub(super) fn metrics(&self) -> Value {
        self.manifest()["metrics"].clone()
    }

    /// The steps of `metrics.jsonl` that every run has: of the validations, and those that `log_every_steps` asks for.
    pub(super) fn logged(&self) -> Vec<(String, u64)> {
        let lines = fs::read_to_string(self.finished.join("metrics.jsonl")).unwrap();
        let lines = lines.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        let logged = lines
            .map(|line| (line["kind"].as_str().unwrap().to_owned(), line["global_step"].as_u64().unwrap()));
        // An interruption adds a line of the step it came after.
        logged.filter(|(kind, step)| kind == "validation" || step.is_multiple_of(5)).collect()
    }
}

/// When a process is ended.
#[derive(Clone, Copy, Debug)]
pub(super) enum Moment {
    /// After so many milliseconds.
    After(u64),
    /// While a table is being written.
    Writing,
    /// When a checkpoint has its name, and not yet its seal.
    Unsealed,
    /// When so many states are sealed.
    Sealed(usize),
    /// When a validation is over.
    Validated,
    /// When a checkpoint of after a validation is sealed.
    SealedWithBest,
    /// When the newest checkpoint is one of after its step's validation.
    SealedValidated,
}

impl Moment {
    pub(super) const NEVER: Self = Self::After(u64::MAX);

    pub(super) fn draw(random: &mut SplitMix64) -> Self {
        match random.below(4) {
            0 => Self::Writing,
            1 => Self::Unsealed,
            _ => Self::After(200 + random.below(900)),
        }
    }

    fn has_come(self, training: &Training<'_>, since: Instant) -> bool {
        match self {
            Self::After(ms) => since.elapsed() >= Duration::from_millis(ms),
            Self::Writing => !training.names(".arrow.tmp").is_empty(),
            Self::Unsealed => {
                let sealed = training.names(".json").len();
                let states = training.names(".arrow");
                let named = |name: &&String| name.starts_with("step-") && !name.contains("history");
                states.iter().filter(named).count() > sealed
            }
            Self::Sealed(count) => training.names(".json").len() >= count,
            Self::Validated => training.best_step().is_some(),
            Self::SealedValidated => {
                training.sealed().last().is_some_and(|(_, stem)| stem.ends_with(".validated"))
            }
            Self::SealedWithBest => training.best_step().is_some_and(|step| training.newest_state() >= step),
        }
    }
}

/// How a start of a training ended.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum End {
    Finished,
    /// At once, by SIGKILL.
    Killed,
    /// At once, by another signal before it was listened to.
    Unheard,
    /// In order, with exit code 130.
    Stopped,
}

/// Starts the training and sends it `signal` when `moment` has come.
pub(super) fn run_until(training: &Training<'_>, moment: Moment, signal: Signal) -> End {
    run_until_killed(training, moment, signal, Duration::MAX)
}

/// The same, and kills it `patience` later, as supervisors do.
pub(super) fn run_until_killed(
    training: &Training<'_>,
    moment: Moment,
    signal: Signal,
    patience: Duration,
) -> End {
    let started = Instant::now();
    let mut child = training.start();
    let mut sent: Option<Instant> = None;
    loop {
        if let Some(status) = child.try_wait().unwrap() {
            assert!(sent.is_some() || status.success(), "{moment:?}: {status:?}");
            return match (status.code(), status.signal()) {
                (Some(0), _) => End::Finished,
                (Some(130), _) => End::Stopped,
                (None, Some(number)) if number == Signal::KILL.as_raw() => End::Killed,
                (None, Some(number)) if number == signal.as_raw() => End::Unheard,
                _ => panic!("{moment:?}, {signal:?}: {status:?}"),
            };
        }
        let next = match sent {
            None => moment.has_come(training, started).then_some(signal),
            Some(since) => (since.elapsed() >= patience).then_some(Signal::KILL),
        };
        if let Some(signal) = next {
            kill_process(Pid::from_child(&child), signal).unwrap();
            sent.get_or_insert_with(Instant::now);
        }
        assert!(started.elapsed() < Duration::from_mins(2), "{moment:?} never came");
        std::thread::sleep(Duration::from_micros(200));
    }
}
