//! Training is killed at random moments and started again, until it has finished: nothing may be lost, and nothing may
//! be done twice beyond what the newest training state lacks.
//!
//! `DISTILBURN_KILLS` says how many kills each recipe takes; `scripts/bench/kills` sets it to many.

use std::fs;
use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use squad::SplitMix64;

use crate::bench::Bench;
use crate::tiny::{DATA, bench};
use crate::whole::alone;

const RECIPE: &str = "--set train.epochs=3 --set train.batch_size=2 --set train.warmup_steps=4 \
                      --set train.log_every_steps=5";

/// What the kills are spread over.
const RECIPES: [(&str, u64, &str); 3] = [
    ("accumulation", 3, "--set train.gradient_accumulation_steps=3 --set train.checkpoint_every_steps=3"),
    (
        "fp16",
        2,
        "--set run.precision=fp16 --set run.allow_slow_precision=true --set train.checkpoint_every_steps=2 \
         --set train.gradient_checkpointing=true",
    ),
    (
        "bf16",
        5,
        "--set run.precision=bf16 --set train.eval_every_steps=7 --set train.checkpoint_every_steps=5 \
         --set train.keep_checkpoints=1",
    ),
];

/// One recipe in one store.
struct Training<'a> {
    bench: &'a Bench,
    line: String,
    partial: PathBuf,
    finished: PathBuf,
}

impl<'a> Training<'a> {
    fn new(bench: &'a Bench, store: &str, recipe: &str) -> Self {
        crate::whole::copy_folder(&bench.path("artifacts"), &bench.path(store));
        let line = format!("distilburn-train {DATA} {RECIPE} {recipe} --artifacts {store}");
        let path = bench.run(&line.replacen("distilburn-train", "distilburn path train", 1)).stdout;
        let finished = bench.path(path.trim());
        let name = finished.file_name().unwrap().to_str().unwrap();
        Self { bench, partial: finished.with_file_name(format!(".partial-{name}")), finished, line }
    }

    fn checkpoints(&self) -> PathBuf {
        self.partial.join("checkpoints")
    }

    /// The files of the checkpoints folder that end with `extension`.
    fn names(&self, extension: &str) -> Vec<String> {
        let entries = fs::read_dir(self.checkpoints()).into_iter().flatten().flatten();
        let names = entries.map(|entry| entry.file_name().into_string().unwrap());
        names.filter(|name| name.ends_with(extension)).collect()
    }

    /// The steps of the states that are sealed.
    fn states(&self) -> Vec<u64> {
        let step = |name: String| name.strip_prefix("step-")?.strip_suffix(".json")?.parse().ok();
        self.names(".json").into_iter().filter_map(step).collect()
    }

    /// The newest of them; 0 where there is none.
    fn newest_state(&self) -> u64 {
        self.states().into_iter().max().unwrap_or(0)
    }

    fn start(&self) -> Child {
        let mut command = self.bench.command(&self.line);
        command.arg("--quiet").stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap()
    }

    fn finish(&self) {
        let said = self.bench.run(&format!("{} --quiet", self.line));
        assert_eq!(said.code, Some(0), "{said:?}");
    }

    fn results(&self) -> [Vec<u8>; 2] {
        ["checkpoint.arrow", "history.arrow"].map(|name| fs::read(self.finished.join(name)).unwrap())
    }

    fn run_info(&self) -> Value {
        let manifest: Value =
            serde_json::from_slice(&fs::read(self.finished.join("manifest.json")).unwrap()).unwrap();
        manifest["run"].clone()
    }
}

/// When a process is killed.
#[derive(Clone, Copy, Debug)]
enum Moment {
    /// After so many milliseconds.
    After(u64),
    /// While a table is being written.
    Writing,
    /// When a state has its name, and not yet its seal.
    Unsealed,
    /// When so many states are sealed.
    Sealed(usize),
}

impl Moment {
    fn draw(random: &mut SplitMix64) -> Self {
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
        }
    }
}

/// Starts the training and kills it when `moment` has come. `None` where it ended before.
fn kill_at(training: &Training<'_>, moment: Moment) -> Option<u64> {
    let resumes_from = training.newest_state();
    let started = Instant::now();
    let mut child = training.start();
    loop {
        if let Some(status) = child.try_wait().unwrap() {
            assert!(status.success(), "{moment:?}: {status:?}");
            return None;
        }
        if moment.has_come(training, started) {
            child.kill().unwrap();
            let status = child.wait().unwrap();
            // It may have ended just before.
            assert!(status.success() || status.signal() == Some(9), "{moment:?}: {status:?}");
            return (!status.success()).then_some(resumes_from);
        }
        assert!(started.elapsed() < Duration::from_mins(2), "{moment:?} never came");
        std::thread::sleep(Duration::from_micros(200));
    }
}

fn kills() -> u64 {
    std::env::var("DISTILBURN_KILLS").map_or(8, |text| text.parse().expect("DISTILBURN_KILLS is a number"))
}

#[test]
fn a_training_that_is_killed_anywhere_goes_on_and_ends_at_the_same_bits() {
    let _alone = alone();
    let bench = bench();
    let mut random = SplitMix64::new(20);
    for (name, checkpoint_every_steps, recipe) in RECIPES {
        let uninterrupted = Training::new(&bench, &format!("{name}-whole"), recipe);
        uninterrupted.finish();
        let steps = uninterrupted.run_info()["executed_steps"].as_u64().unwrap();
        let (mut killed, mut executed, mut trainings) = (0, 0, 0);
        while killed < kills() {
            trainings += 1;
            let training = Training::new(&bench, &format!("{name}-{trainings}"), recipe);
            let mut resumed_from = Vec::new();
            while let Some(step) = kill_at(
                &training,
                if killed < kills() { Moment::draw(&mut random) } else { Moment::After(u64::MAX) },
            ) {
                // A process that was killed before it had looked for a state has noted no start.
                resumed_from.push(step);
                killed += 1;
            }
            let info = training.run_info();
            let noted: Vec<u64> = serde_json::from_value(info["resumed_from_steps"].clone()).unwrap();
            assert!(
                is_subsequence(&noted[..noted.len() - 1], &resumed_from),
                "{noted:?} of {resumed_from:?}"
            );
            let bound = steps + (noted.len() as u64 - 1) * checkpoint_every_steps;
            executed += info["executed_steps"].as_u64().unwrap();
            assert!(info["executed_steps"].as_u64().unwrap() <= bound, "{name}: {info}, {steps} steps");
            assert!(training.results() == uninterrupted.results(), "{name}: other bits after {noted:?}");
            assert!(!training.checkpoints().exists() && !training.partial.exists());
        }
        println!(
            "{name}: {killed} kills in {trainings} trainings of {steps} steps: {executed} steps executed"
        );
    }
}

fn is_subsequence(part: &[u64], whole: &[u64]) -> bool {
    let mut whole = whole.iter();
    part.iter().all(|step| whole.any(|other| other == step))
}

#[test]
fn without_its_states_a_training_starts_over_and_says_so() {
    let _alone = alone();
    let bench = bench();
    let recipe = RECIPES[0].2;
    let training = Training::new(&bench, "deleted", recipe);
    kill_at(&training, Moment::Sealed(1)).expect("killed before its end");
    assert!(training.newest_state() > 0);
    fs::remove_dir_all(training.checkpoints()).unwrap();
    training.finish();
    // What the kill test asks for does not hold: the run began at 0, not where it was killed.
    assert_eq!(training.run_info()["resumed_from_steps"], json!([0]));
}

#[test]
fn a_damaged_newest_state_is_reported_and_the_one_before_it_used() {
    let _alone = alone();
    let bench = bench();
    let training = Training::new(&bench, "damaged", RECIPES[0].2);
    kill_at(&training, Moment::Sealed(2)).expect("killed before its end");
    let newest = training.newest_state();
    let before = training.states().into_iter().filter(|step| *step < newest).max().unwrap();
    let path = training.checkpoints().join(format!("step-{newest:08}.arrow"));
    let mut bytes = fs::read(&path).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&path, bytes).unwrap();
    let said = bench.run(&training.line);
    assert_eq!(said.code, Some(0), "{said:?}");
    assert!(said.stderr.contains("a training state is damaged"), "{}", said.stderr);
    assert!(
        said.stderr.contains(&format!("going on from a training state global_step={before}")),
        "{}",
        said.stderr
    );
    let whole = Training::new(&bench, "undamaged", RECIPES[0].2);
    whole.finish();
    assert!(training.results() == whole.results());
}

#[test]
fn time_that_runs_out_stops_a_training_that_goes_on_later() {
    let _alone = alone();
    let bench = bench();
    let recipe = format!("{} --set train.epochs=400", RECIPES[0].2);
    let training = Training::new(&bench, "timed", &recipe);
    let said = bench.run(&format!("{} --set train.max_minutes=0.02", training.line));
    assert_eq!(said.code, Some(130), "{said:?}");
    assert!(said.stderr.contains("before train.max_minutes = 0.02 ran out"), "{}", said.stderr);
    let step = training.newest_state();
    assert!(step > 0);
    let said = bench.run(&format!("{} --set train.max_minutes=0.02", training.line));
    assert_eq!(said.code, Some(130), "{said:?}");
    assert!(
        said.stderr.contains(&format!("going on from a training state global_step={step}")),
        "{}",
        said.stderr
    );
    assert!(training.newest_state() > step);
}
