//! Mixed precision against PyTorch's, from `scripts/reference/precision.py`.

use std::collections::HashSet;

use distilbert::{Activations, Autocast, Parameter};
use distilburn_train::{
    AdamW, Decay, GradScaler, OptimizerSettings, Schedule, Step, StepOutcome, train_step,
};
use serde_json::Value;

use crate::reference::{Batch, Reference, root};
use crate::{generated, model, scalar};

/// Loss curve under bf16, absolute. PyTorch's two attentions round at other places and are up to 0.0038 apart over
/// these 200 steps, fp32 up to 0.0024 from either: a third order of rounding may be as far from one as they are from
/// each other, times the spread of a maximum over 200 steps.
const BF16_CURVE: f64 = 0.008;

fn fixture() -> Value {
    let path = root().join("tests/fixtures/reference/precision.json");
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

#[test]
fn the_scale_follows_pytorchs_grad_scaler_through_overflows() {
    let reference = fixture()["scaler"].clone();
    let overflows: HashSet<u64> =
        reference["overflows"].as_array().unwrap().iter().map(|step| step.as_u64().unwrap()).collect();
    let mut scaler = GradScaler::new(GradScaler::INITIAL_SCALE);
    let mut trace: Vec<(u64, f64)> = Vec::new();
    for step in 0..reference["steps"].as_u64().unwrap() {
        if trace.last().is_none_or(|last| last.1.to_bits() != scaler.scale().to_bits()) {
            trace.push((step, scaler.scale()));
        }
        let overflowed = overflows.contains(&step);
        scaler.update(if overflowed { StepOutcome::Skipped } else { StepOutcome::Updated });
    }
    let expected: Vec<(u64, f64)> = serde_json::from_value(reference["scales"].clone()).unwrap();
    assert!(expected.len() > 20, "the sequence has backoffs and growths");
    assert_eq!(trace, expected);
}

#[test]
fn bf16_follows_pytorch_autocast_over_200_steps() {
    let (reference, fixture) = (Reference::open("tiny"), fixture());
    let model = model(&reference, &generated(&reference));
    let batches = reference.batches();
    let features: Vec<_> = batches.iter().map(Batch::features).collect();
    let recipe = &fixture["recipe"];
    let schedule = Schedule {
        learning_rate: recipe["learning_rate"].as_f64().unwrap(),
        warmup_steps: recipe["warmup_steps"].as_u64().unwrap(),
        total_steps: recipe["steps"].as_u64().unwrap(),
        decay: Decay::Linear,
    };
    let mut optimizer = AdamW::new(model.parameters(), model.config().n_layers, reference.optimizer());
    let curves = &fixture["curves"];
    let expected: Vec<f64> = serde_json::from_value(curves["bf16_eager"].clone()).unwrap();
    let mut worst: f64 = 0.0;
    let mut last = 0.0;
    for (step, expected) in expected.iter().enumerate() {
        let batch = &features[step % features.len()];
        let (loss, gradients) = train_step(&model, None, &Step::plain(vec![batch], Autocast::BF16));
        last = scalar(loss);
        assert!(last.is_finite());
        worst = worst.max((last - expected).abs());
        optimizer.update(&gradients, schedule.rate(step as u64));
    }
    println!("bf16 is at most {worst:.4} from PyTorch's autocast, and ends at a loss of {last:.4}");
    assert!(worst <= BF16_CURVE, "the loss is up to {worst} from PyTorch's");
    assert!(last < 0.02, "the model learns its two batches by heart: {last}");
}

/// The largest element by which two lists of gradients differ, over the largest of all.
pub(crate) fn apart(found: &[Parameter], expected: &[Parameter], scale: f64) -> f64 {
    let mut worst: f64 = 0.0;
    let mut largest: f64 = 0.0;
    for (found, expected) in found.iter().zip(expected) {
        for (found, expected) in found.handle.to_vec().iter().zip(expected.handle.to_vec()) {
            assert!(found.is_finite());
            worst = worst.max((f64::from(*found) / scale - f64::from(expected)).abs());
            largest = largest.max(f64::from(expected).abs());
        }
    }
    worst / largest
}

#[test]
fn fp16_gradients_of_a_scaled_loss_are_those_of_fp32_and_too_large_a_scale_overflows() {
    let reference = Reference::open("tiny");
    let model = model(&reference, &generated(&reference));
    let batches = reference.batches();
    let features = batches[0].features();
    let exact = train_step(&model, None, &Step::plain(vec![&features], Autocast::FP32)).1;
    let scaled = |loss_scale: f64| {
        let step = Step { loss_scale: Some(loss_scale), ..Step::plain(vec![&features], Autocast::FP16) };
        train_step(&model, None, &step).1
    };
    // f16 has 11 significant bits; a few roundings follow each other.
    let scale = 1024.0;
    assert!(apart(&scaled(scale), &exact, scale) < 1e-2);
    // Scaled by nothing, small gradients fall below f16's smallest number and are lost; by too much, all are.
    let overflowed = scaled(2_f64.powi(40));
    let found_inf = torch_kernels::unscale(overflowed.iter().map(|grad| &grad.handle), 2_f64.powi(40));
    assert!(found_inf.into_scalar::<f32>() > 0.0);
    assert!(overflowed.iter().any(|grad| !grad.handle.is_finite()));
}

#[test]
fn fp16_under_the_scaler_skips_what_overflows_and_learns() {
    let reference = Reference::open("tiny");
    let model = model(&reference, &generated(&reference));
    let batches = reference.batches();
    let features = batches[0].features();
    let settings = OptimizerSettings { max_grad_norm: 1.0, ..reference.optimizer() };
    let mut optimizer = AdamW::new(model.parameters(), model.config().n_layers, settings);
    // 16 times too large at least: the first steps overflow.
    let mut scaler = GradScaler::new(2_f32.powi(24));
    let (mut skipped, mut losses) = (0, Vec::new());
    for _ in 0..60 {
        let step = Step {
            loss_scale: Some(scaler.scale()),
            activations: Activations::Keep,
            ..Step::plain(vec![&features], Autocast::FP16)
        };
        let before = optimizer.optimizer_step();
        let (loss, gradients) = train_step(&model, None, &step);
        losses.push(scalar(loss));
        let found_inf = torch_kernels::unscale(gradients.iter().map(|grad| &grad.handle), scaler.scale());
        if found_inf.into_scalar::<f32>() < 1.0 {
            let norm = scalar(optimizer.update(&gradients, 1e-3));
            assert!(norm.is_finite() && norm < 1e3, "the norm is that of unscaled gradients: {norm}");
            scaler.update(StepOutcome::Updated);
        } else {
            scaler.update(StepOutcome::Skipped);
            skipped += 1;
            assert_eq!(optimizer.optimizer_step(), before);
        }
    }
    assert!(skipped >= 2, "{skipped} steps overflowed");
    assert_eq!(scaler.scale().to_bits(), 2_f64.powi(24 - skipped).to_bits());
    assert!(losses[59] < 0.5 * losses[0], "{losses:?}");
}
