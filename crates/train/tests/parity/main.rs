//! Logits, gradients and a loss curve against PyTorch: the whole model, and the whole training step (packing, loss,
//! gradients, clipping, `AdamW`, schedule), for three models. The tolerances are the design's: the differences in f32
//! if the order of summation differs.

mod device_path;
mod groups;
mod memory;
mod precision;
mod reference;

use burn::tensor::{Device, Tensor};
use distilbert::{Autocast, DistilBertForQuestionAnswering, Mode, PackedBatch, Parameter, Weights};
use distilburn_train::{AdamW, Decay, Schedule, Step, train_step};
use reference::{Batch, Generated, MiniLm, Reference};

/// Logits: absolute and relative.
const LOGITS: f64 = 1e-5;
/// Gradients: of a tensor's largest.
const GRADIENT: f64 = 1e-4;
/// Gradients that are zero in exact arithmetic, so that rounding alone is left: of the global norm.
const ZERO_GRADIENT: f64 = 1e-6;
/// Loss curve: relative.
const CURVE: f64 = 1e-4;
/// Loss curve under bf16: relative. Measured 1.6e-3; PyTorch's own bf16 curves are up to 1.9e-3 from its fp32 curve over
/// these 20 steps, and two roundings may go opposite ways.
const BF16_CURVE: f64 = 4e-3;

fn device() -> Device {
    torch_kernels::test_device().autodiff()
}

#[expect(deprecated, reason = "burn-tch is deprecated upstream; distilburn pins burn 0.22")]
fn host() -> Device {
    Device::libtorch().autodiff()
}

fn model(reference: &Reference, weights: &dyn Weights) -> DistilBertForQuestionAnswering {
    model_on(&device(), reference, weights)
}

fn model_on(device: &Device, reference: &Reference, weights: &dyn Weights) -> DistilBertForQuestionAnswering {
    DistilBertForQuestionAnswering::new(&reference.config(), weights, device).unwrap()
}

fn generated(reference: &Reference) -> Generated {
    Generated { config: reference.config(), scale: reference.recipe("scale") }
}

fn scalar(tensor: Tensor<1>) -> f64 {
    f64::from(tensor.into_scalar::<f32>())
}

fn assert_logits(reference: &Reference, model: &DistilBertForQuestionAnswering, batch: &Batch) {
    let ids: Vec<&[i32]> = batch.features().iter().map(|feature| feature.input_ids).collect();
    let logits = model.forward(&PackedBatch::pack(&ids), Autocast::FP32, Mode::Inference);
    let logits: Vec<f32> = logits.without_autodiff().into_data().try_to_vec().unwrap();
    for (column, name) in ["start_logits", "end_logits"].into_iter().enumerate() {
        for (row, expected) in reference.f64s(name).into_iter().enumerate() {
            let found = f64::from(logits[2 * row + column]);
            let allowed = LOGITS + LOGITS * expected.abs();
            assert!((found - expected).abs() <= allowed, "{name}[{row}] is {found}, PyTorch has {expected}");
        }
    }
}

/// Whether this parameter's gradient is zero in exact arithmetic: a softmax does not see a shift of its logits.
fn is_zero(reference: &Reference, name: &str) -> bool {
    let last_layer = format!("layer.{}.output_layer_norm.bias", reference.config().n_layers - 1);
    name.ends_with("k_lin.bias") || name == "qa_outputs.bias" || name.ends_with(&last_layer)
}

fn assert_gradients(reference: &Reference, gradients: &[Parameter]) {
    let global_norm = reference.f64s("grad_norm")[0];
    for gradient in gradients {
        let name = &gradient.name;
        let zero = is_zero(reference, name);
        let found = gradient.handle.to_vec();
        let expected = reference.gradient(name);
        let largest = expected.iter().fold(0.0_f64, |max, (_, value)| max.max(value.abs()));
        let allowed = if zero { ZERO_GRADIENT * global_norm } else { GRADIENT * largest };
        for (index, expected) in expected {
            let difference = (f64::from(found[index]) - expected).abs();
            assert!(
                difference <= allowed,
                "{name}[{index}]: {} against {expected}, allowed {allowed}",
                found[index]
            );
        }
    }
}

/// 20 steps over the fixture's batches in turn, without dropout; returns the loss before each.
fn curve(reference: &Reference, model: &DistilBertForQuestionAnswering, autocast: Autocast) -> Vec<f64> {
    let batches = reference.batches();
    let features: Vec<_> = batches.iter().map(Batch::features).collect();
    let schedule = Schedule {
        learning_rate: reference.recipe("learning_rate"),
        warmup_steps: reference.recipe("warmup_steps") as u64,
        total_steps: reference.recipe("steps") as u64,
        decay: Decay::Linear,
    };
    let mut optimizer = AdamW::new(model.parameters(), model.config().n_layers, reference.optimizer());
    let mut losses = Vec::new();
    for (step, rate) in reference.f64s("curve.learning_rate").into_iter().enumerate() {
        assert!((schedule.rate(step as u64) - rate).abs() <= 1e-12, "rate of step {step}");
        let batch = &features[step % features.len()];
        let (loss, gradients) = train_step(model, None, &Step::plain(vec![batch], autocast));
        losses.push(scalar(loss));
        let norm = scalar(optimizer.update(&gradients, rate));
        if autocast == Autocast::FP32 {
            let expected = reference.f64s("curve.grad_norm")[step];
            assert!(
                (norm / expected - 1.0).abs() <= 1e-3,
                "gradient norm of step {step}: {norm}, PyTorch {expected}"
            );
        }
    }
    losses
}

fn assert_curve(losses: &[f64], expected: &[f64], tolerance: f64) {
    let deviations = losses.iter().zip(expected).map(|(loss, expected)| (loss / expected - 1.0).abs());
    println!("greatest deviation from PyTorch's loss: {:.2e}", deviations.fold(0.0, f64::max));
    for (step, (loss, expected)) in losses.iter().zip(expected).enumerate() {
        assert!(
            (loss / expected - 1.0).abs() <= tolerance,
            "loss of step {step}: {loss}, PyTorch {expected}"
        );
    }
    // The curve must go somewhere, or it would hold for a trainer that does nothing.
    assert!(losses[losses.len() - 1] < 0.97 * losses[0], "the loss did not fall: {losses:?}");
}

fn assert_parity(reference: &Reference, weights: &dyn Weights) -> DistilBertForQuestionAnswering {
    let model = model(reference, weights);
    let batches = reference.batches();
    assert_logits(reference, &model, &batches[0]);
    let features = batches[0].features();
    let (loss, gradients) = train_step(&model, None, &Step::plain(vec![&features], Autocast::FP32));
    let expected = reference.f64s("loss")[0];
    assert!((scalar(loss) / expected - 1.0).abs() <= LOGITS, "loss against {expected}");
    assert_gradients(reference, &gradients);
    assert_curve(&curve(reference, &model, Autocast::FP32), &reference.f64s("curve.loss"), CURVE);
    model
}

#[test]
fn tiny_model_equals_pytorch_to_its_last_weights() {
    let reference = Reference::open("tiny");
    let model = assert_parity(&reference, &generated(&reference));
    for parameter in model.parameters() {
        if is_zero(&reference, &parameter.name) {
            continue;
        }
        let expected = reference.f64s(&format!("final.{}", parameter.name));
        let found = parameter.handle.to_vec();
        let distance: f64 = found.iter().zip(&expected).map(|(a, b)| (f64::from(*a) - b).powi(2)).sum();
        let norm: f64 = expected.iter().map(|b| b * b).sum();
        assert!(
            (distance / norm).sqrt() <= CURVE,
            "{} is off by {:.1e}",
            parameter.name,
            (distance / norm).sqrt()
        );
    }
}

#[test]
fn minilm_equals_pytorch() {
    let reference = Reference::open("minilm");
    assert_parity(&reference, &MiniLm::open(generated(&reference)));
}

#[test]
fn distilbert_base_shapes_equal_pytorch() {
    let reference = Reference::open("base");
    assert_parity(&reference, &generated(&reference));
}

#[test]
fn bf16_follows_pytorch_autocast() {
    let reference = Reference::open("minilm");
    let model = model(&reference, &MiniLm::open(generated(&reference)));
    let losses = curve(&reference, &model, Autocast::BF16);
    assert_curve(&losses, &reference.f64s("bf16_eager_curve.loss"), BF16_CURVE);
}
