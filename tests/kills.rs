//! Training is killed or stopped at random moments and started again, until it has finished: nothing may be lost, and
//! nothing may be done twice beyond what the newest checkpoint lacks.
//!
//! `DISTILBURN_KILLS` says how many kills each recipe takes; `scripts/bench/kills` sets it to many.

mod training;

use std::fs;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use squad::SplitMix64;

use self::training::{End, Moment, Training, run_until, run_until_killed};
use crate::tiny::{DATA, bench, with_scaled};
use crate::whole::alone;

/// Times the outputs of the tiny model's layers: the loss, scaled by 65,536, has gradients beyond float16's largest number,
/// and a few halvings later has not.
const OVERFLOWS: f32 = 100.0;

/// A training whose resuming is looked at.
struct Recipe {
    name: &'static str,
    checkpoint_every_steps: u64,
    keep_checkpoints: usize,
    /// Of the layers' outputs: large enough, and the first gradients in float16 overflow.
    scale: f32,
    settings: &'static str,
}

const ACCUMULATION: Recipe = Recipe {
    name: "accumulation",
    checkpoint_every_steps: 3,
    keep_checkpoints: 2,
    scale: 1.0,
    settings: "--set train.gradient_accumulation_steps=3",
};

/// What the kills are spread over.
const RECIPES: [Recipe; 3] = [
    ACCUMULATION,
    Recipe {
        name: "fp16",
        checkpoint_every_steps: 2,
        keep_checkpoints: 2,
        scale: OVERFLOWS,
        settings: "--set run.precision=fp16 --set run.allow_slow_precision=true \
                   --set train.gradient_checkpointing=true",
    },
    Recipe {
        name: "bf16",
        checkpoint_every_steps: 5,
        keep_checkpoints: 1,
        scale: 1.0,
        settings: "--set run.precision=bf16 --set train.eval_every_steps=2",
    },
];

impl Recipe {
    fn settings(&self) -> String {
        let Self { checkpoint_every_steps, keep_checkpoints, settings, .. } = self;
        format!(
            "{settings} --set train.checkpoint_every_steps={checkpoint_every_steps} \
             --set train.keep_checkpoints={keep_checkpoints}"
        )
    }
}

fn kills() -> u64 {
    std::env::var("DISTILBURN_KILLS").map_or(8, |text| text.parse().expect("DISTILBURN_KILLS is a number"))
}

/// Whether a finished training went on from where it had to: `resumes_from` has, for each of its starts, the newest
/// checkpoint that there was.
fn check(info: &Value, resumes_from: &[u64], most_steps: u64) -> Result<(), String> {
    let noted: Vec<u64> = serde_json::from_value(info["resumed_from_steps"].clone()).unwrap();
    let executed = info["executed_steps"].as_u64().unwrap();
    // A process that was killed before it had looked for a checkpoint has noted no start; the last one has.
    if noted.last() != resumes_from.last() || !is_subsequence(&noted, resumes_from) {
        return Err(format!("it went on from {noted:?}, the newest states were {resumes_from:?}"));
    }
    if executed > most_steps {
        return Err(format!("it executed {executed} steps, {most_steps} at most are due"));
    }
    Ok(())
}

#[test]
fn a_training_that_is_killed_anywhere_goes_on_and_ends_at_the_same_bits() {
    let _alone = alone();
    let mut random = SplitMix64::new(20);
    for recipe in RECIPES {
        let (name, bench) = (recipe.name, with_scaled("output_layer_norm", recipe.scale));
        let uninterrupted = Training::new(&bench, "whole", &recipe);
        uninterrupted.finish();
        let steps = uninterrupted.run_info()["executed_steps"].as_u64().unwrap();
        let skipped = steps - uninterrupted.metrics()["optimizer_steps"].as_u64().unwrap();
        assert_eq!(skipped > 0, recipe.scale > 1.0, "{name}: the scale of the loss has to change");
        let (mut killed, mut stopped, mut executed, mut trainings) = (0, 0, 0, 0);
        while killed < kills() {
            trainings += 1;
            let training = Training::new(&bench, &format!("store-{trainings}"), &recipe);
            let (mut resumes_from, mut ends) = (vec![0], Vec::new());
            loop {
                let moment = if killed < kills() { Moment::draw(&mut random) } else { Moment::NEVER };
                let signal =
                    [Signal::KILL, Signal::KILL, Signal::TERM, Signal::INT][random.below(4) as usize];
                // One in four of those that are asked to stop are not given the time.
                let patience = if random.below(4) == 0 {
                    Duration::from_millis(random.below(20))
                } else {
                    Duration::MAX
                };
                let end = run_until_killed(&training, moment, signal, patience);
                if end == End::Finished {
                    break;
                }
                ends.push(end);
                killed += u64::from(end == End::Killed);
                stopped += u64::from(end == End::Stopped);
                if training.finished.exists() {
                    // Ended by the signal all the same: what it had still to do, the next start does.
                    training.finish();
                    break;
                }
                let states = training.sealed();
                assert!(states.len() <= recipe.keep_checkpoints + 1, "{name}: {states:?} are kept");
                resumes_from.push(training.newest_state());
            }
            let info = training.run_info();
            let costly = ends.iter().filter(|end| matches!(end, End::Killed | End::Unheard)).count() as u64;
            let most_steps = steps + costly * recipe.checkpoint_every_steps;
            check(&info, &resumes_from, most_steps).unwrap_or_else(|why| panic!("{name}: {why}, {ends:?}"));
            executed += info["executed_steps"].as_u64().unwrap();
            assert!(
                training.results() == uninterrupted.results(),
                "{name}: other bits after {resumes_from:?}"
            );
            assert_eq!(training.logged(), uninterrupted.logged(), "{name}: {resumes_from:?}");
            assert!(!training.finished.join("checkpoints").exists() && !training.partial.exists());
        }
        println!(
            "{name}: {killed} kills and {stopped} stops in {trainings} trainings of {steps} steps, {skipped} of them \
             without an update: {executed} steps executed"
        );
    }
}

fn is_subsequence(part: &[u64], whole: &[u64]) -> bool {
    let mut whole = whole.iter();
    part.iter().all(|step| whole.any(|other| other == step))
}

#[test]
fn a_training_that_starts_over_does_not_pass_for_one_that_goes_on() {
    let _alone = alone();
    let bench = bench();
    let training = Training::new(&bench, "deleted", &ACCUMULATION);
    assert_eq!(run_until(&training, Moment::Sealed(1), Signal::KILL), End::Killed);
    let newest_state = training.newest_state();
    assert!(newest_state > 0);
    fs::remove_dir_all(training.checkpoints()).unwrap();
    training.finish();
    assert_eq!(training.run_info()["resumed_from_steps"], json!([0]));
    let checked = check(&training.run_info(), &[0, newest_state], u64::MAX);
    assert!(checked.is_err_and(|why| why.starts_with("it went on from [0]")));
}

#[test]
fn without_regular_states_a_training_that_is_stopped_goes_on() {
    let _alone = alone();
    let bench = bench();
    let recipe = Recipe { checkpoint_every_steps: 0, ..ACCUMULATION };
    let whole = Training::new(&bench, "whole", &recipe);
    whole.finish();
    for signal in [Signal::TERM, Signal::INT] {
        let training = Training::new(&bench, &format!("stopped-{}", signal.as_raw()), &recipe);
        assert_eq!(run_until(&training, Moment::Validated, signal), End::Stopped);
        let newest_state = training.newest_state();
        assert!(newest_state > 0);
        training.finish();
        let steps = whole.run_info()["executed_steps"].as_u64().unwrap();
        check(&training.run_info(), &[0, newest_state], steps).unwrap();
        assert!(training.results() == whole.results());
    }
}

#[test]
fn a_training_that_is_stopped_inside_a_validation_makes_it_again_and_keeps_it() {
    let _alone = alone();
    let bench = bench();
    let questions = "--set ingest.max_validation_examples=300";
    let said = bench.run(&format!("distilburn run --quiet --to tokenize-features {DATA} {questions}"));
    assert_eq!(said.code, Some(0), "{said:?}");
    // Nearly all of the time goes to validations, each with a checkpoint sealed after it.
    let settings = format!("{questions} --set train.epochs=1 --set train.eval_every_steps=1");
    let recipe = Recipe { checkpoint_every_steps: 1, ..ACCUMULATION }.settings();
    let training = |store: &str| Training::with_settings(&bench, store, &format!("{recipe} {settings}"));
    let whole = training("whole");
    whole.finish();
    let (mut stopped_inside, mut kept) = (0, 0);
    for attempt in 0..20 {
        let training = training(&format!("stopped-{attempt}"));
        assert_eq!(run_until(&training, Moment::SealedValidated, Signal::TERM), End::Stopped);
        let (step, sealed) = training.sealed().pop().unwrap();
        if sealed.ends_with(".validated") {
            continue;
        }
        stopped_inside += 1;
        // Seen before the step after it is validated, if its validation was kept.
        assert_eq!(run_until(&training, Moment::SealedValidated, Signal::KILL), End::Killed);
        let (validated_step, validated) = training.sealed().pop().unwrap();
        assert!(validated_step >= step && validated.ends_with(".validated"), "{sealed}, then {validated}");
        training.finish();
        let steps = whole.run_info()["executed_steps"].as_u64().unwrap();
        check(&training.run_info(), &[0, step, validated_step], steps + 1).unwrap();
        assert!(training.results() == whole.results());
        kept += u64::from(validated_step == step);
        if stopped_inside >= 3 && kept > 0 {
            return;
        }
    }
    panic!("{stopped_inside} of 20 were stopped inside a validation, and {kept} of these kept it afterwards");
}

#[test]
fn a_damaged_newest_state_is_reported_and_the_one_before_it_used() {
    let _alone = alone();
    let bench = bench();
    let whole = Training::new(&bench, "undamaged", &ACCUMULATION);
    whole.finish();
    for best in [false, true] {
        let training = Training::new(&bench, &format!("damaged-{best}"), &ACCUMULATION);
        let moment = if best { Moment::SealedWithBest } else { Moment::Sealed(2) };
        assert_eq!(run_until(&training, moment, Signal::KILL), End::Killed);
        let states = training.sealed();
        let [.., (before, _), (_, newest)] = states.as_slice() else { panic!("{states:?}: two are needed") };
        let seal = fs::read_to_string(training.checkpoints().join(format!("{newest}.json"))).unwrap();
        let seal: Value = serde_json::from_str(&seal).unwrap();
        let prefix = if best { "best-" } else { "step-" };
        let name = seal["blake3"].as_object().unwrap().keys().find(|name| name.starts_with(prefix)).unwrap();
        let path = training.checkpoints().join(name);
        let mut bytes = fs::read(&path).unwrap();
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        fs::write(&path, bytes).unwrap();
        let said = bench.run(&training.line);
        assert_eq!(said.code, Some(0), "{said:?}");
        assert!(said.stderr.contains("a checkpoint is damaged"), "{}", said.stderr);
        let going_on = format!("resuming from a checkpoint global_step={before}");
        assert!(said.stderr.contains(&going_on), "{}", said.stderr);
        assert!(training.results() == whole.results());
    }
}

#[test]
fn time_that_runs_out_stops_a_training_that_goes_on_later() {
    let _alone = alone();
    let bench = bench();
    let recipe = format!("{} --set train.epochs=400", ACCUMULATION.settings());
    let training = Training::with_settings(&bench, "timed", &recipe);
    let started = Instant::now();
    let said = bench.run(&format!("{} --set train.max_minutes=0.08", training.line));
    let took = started.elapsed();
    assert_eq!(said.code, Some(130), "{said:?}");
    assert!(said.stderr.contains("before train.max_minutes = 0.08 ran out"), "{}", said.stderr);
    // 4.8 s, and what a busy machine may add; all 400 epochs take longer.
    assert!(took < Duration::from_secs(8), "{took:?}");
    let step = training.newest_state();
    assert!(step > 0);
    let said = bench.run(&format!("{} --set train.max_minutes=0.08", training.line));
    assert_eq!(said.code, Some(130), "{said:?}");
    assert!(
        said.stderr.contains(&format!("resuming from a checkpoint global_step={step}")),
        "{}",
        said.stderr
    );
    assert!(training.newest_state() > step);
    let said = bench.run(&format!("{} --set train.max_minutes=0.0001", training.line));
    assert_eq!(said.code, Some(130), "{said:?}");
    assert!(said.stderr.contains("0.0001 ran out before the training came beyond step"), "{}", said.stderr);
}

#[test]
fn a_hangup_stops_a_training_in_order_unless_it_is_ignored() {
    let _alone = alone();
    let bench = bench();
    let stopped = Training::new(&bench, "hung-up", &ACCUMULATION);
    assert_eq!(run_until(&stopped, Moment::Sealed(1), Signal::HUP), End::Stopped);
    // As nohup starts it.
    let training = Training::new(&bench, "nohup", &ACCUMULATION);
    let command = bench.command(&training.line);
    let mut ignoring = Command::new("sh");
    ignoring
        .args(["-c", "trap '' HUP; exec \"$0\" \"$@\""])
        .arg(command.get_program())
        .args(command.get_args());
    ignoring.current_dir(command.get_current_dir().unwrap()).stdout(Stdio::null()).stderr(Stdio::null());
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => ignoring.env(name, value),
            None => ignoring.env_remove(name),
        };
    }
    let mut child = ignoring.spawn().unwrap();
    while training.newest_state() == 0 {
        assert!(child.try_wait().unwrap().is_none(), "it ended before it had a checkpoint");
        std::thread::sleep(Duration::from_millis(1));
    }
    kill_process(Pid::from_child(&child), Signal::HUP).unwrap();
    assert!(child.wait().unwrap().success());
    assert_eq!(training.run_info()["resumed_from_steps"], json!([0]));
}

#[test]
fn a_training_whose_driver_is_killed_stops_in_order() {
    let _alone = alone();
    let bench = bench();
    let recipe = format!("{} --set train.epochs=40", ACCUMULATION.settings());
    let training = Training::with_settings(&bench, "orphaned", &recipe);
    let line =
        training.line.replacen("distilburn-train", "distilburn run --from train --to train --quiet", 1);
    let mut driver = bench.command(&line).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let started = Instant::now();
    while training.newest_state() == 0 {
        assert!(started.elapsed() < Duration::from_mins(1), "no checkpoint");
        std::thread::sleep(Duration::from_millis(5));
    }
    driver.kill().unwrap();
    driver.wait().unwrap();
    // While the stage still runs the folder is locked.
    let said = loop {
        let said = bench.run(&format!("{} --quiet", training.line));
        if said.code == Some(0) || started.elapsed() > Duration::from_mins(1) {
            break said;
        }
    };
    assert_eq!(said.code, Some(0), "{said:?}");
    let resumed_from_steps = training.run_info()["resumed_from_steps"].clone();
    assert_eq!(resumed_from_steps.as_array().unwrap().len(), 2, "{resumed_from_steps}");
    assert!(resumed_from_steps[1].as_u64().unwrap() > 0, "{resumed_from_steps}");
}
