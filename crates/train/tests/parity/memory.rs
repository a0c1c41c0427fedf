//! Accumulation and recomputation change the memory of a step, not its result.

use distilbert::{Activations, Autocast, DistilBertForQuestionAnswering, ModelCopies, Parameter};
use distilburn_train::{AdamW, MicroBatch, Step, TrainFeature, train_step};

use crate::reference::{Batch, Reference};
use crate::{generated, is_zero, model, scalar};

/// Sums of a few hundred f32 terms in another order: relative to a tensor's largest gradient.
const REGROUPED: f32 = 1e-6;
/// Weights after 20 steps: relative, L2. The contract of accumulation.
const WEIGHTS: f64 = 1e-6;

#[test]
fn accumulated_batches_have_the_gradients_of_one_batch() {
    let reference = Reference::open("tiny");
    let model = model(&reference, &generated(&reference));
    let batches = reference.batches();
    let features = batches[0].features();
    let whole = train_step(&model, None, &Step::plain(vec![&features], Autocast::FP32));
    // Eight features in batches of three: the last group is a partial one.
    let parts = train_step(&model, None, &Step::plain(features.chunks(3).collect(), Autocast::FP32));
    assert!((scalar(whole.0) / scalar(parts.0) - 1.0).abs() < 1e-6);
    for (whole, parts) in whole.1.iter().zip(&parts.1).filter(|(whole, _)| !is_zero(&reference, &whole.name))
    {
        let (whole_values, parts) = (whole.handle.to_vec(), parts.handle.to_vec());
        let largest = whole_values.iter().fold(0.0_f32, |max, value| max.max(value.abs()));
        for (a, b) in whole_values.iter().zip(&parts) {
            assert!((a - b).abs() <= REGROUPED * largest, "{}: {a} and {b} of {largest}", whole.name);
        }
    }
}

fn trained(
    reference: &Reference,
    step: impl Fn(&[TrainFeature<'_>], u64) -> Step,
) -> (Vec<f64>, DistilBertForQuestionAnswering) {
    let model = model(reference, &generated(reference));
    let batches = reference.batches();
    let features: Vec<_> = batches.iter().map(Batch::features).collect();
    let mut optimizer = AdamW::new(model.parameters(), model.config().n_layers, reference.optimizer());
    let mut copies = model.copies(step(&features[0], 0).autocast);
    let losses = (0..20).map(|number| {
        let step = step(&features[number % features.len()], number as u64);
        let (loss, gradients) = train_step(&model, copies.as_ref(), &step);
        optimizer.update(&gradients, 1e-3);
        copies.iter_mut().for_each(ModelCopies::fill);
        scalar(loss)
    });
    (losses.collect(), model)
}

#[test]
fn accumulated_steps_end_at_the_weights_of_whole_ones() {
    let reference = Reference::open("tiny");
    let (_, whole) = trained(&reference, |batch, _| Step::plain(vec![batch], Autocast::FP32));
    let (_, parts) = trained(&reference, |batch, _| Step::plain(batch.chunks(3).collect(), Autocast::FP32));
    for (whole, parts) in whole.parameters().iter().zip(parts.parameters()) {
        // What rounding alone moves has no weights to compare: Adam makes steps of full size from it.
        if is_zero(&reference, &whole.name) {
            continue;
        }
        let (whole_values, parts) = (whole.handle.to_vec(), parts.handle.to_vec());
        let square = |x: f64| x * x;
        let norm: f64 = whole_values.iter().map(|a| square(f64::from(*a))).sum();
        let distance: f64 =
            whole_values.iter().zip(&parts).map(|(a, b)| square(f64::from(*a) - f64::from(*b))).sum();
        let relative = (distance / norm).sqrt();
        assert!(relative <= WEIGHTS, "{} is off by {relative:.1e}", whole.name);
    }
}

pub(crate) fn bits(parameters: &[Parameter]) -> Vec<(String, Vec<u32>)> {
    let bits = |parameter: &Parameter| parameter.handle.to_vec().into_iter().map(f32::to_bits).collect();
    parameters.iter().map(|parameter| (parameter.name.clone(), bits(parameter))).collect()
}

#[test]
fn recomputed_layers_end_at_the_same_bits() {
    assert_recomputed_layers_end_at_the_same_bits();
}

pub(crate) fn assert_recomputed_layers_end_at_the_same_bits() {
    let reference = Reference::open("tiny");
    for (autocast, loss_scale) in
        [(Autocast::FP32, None), (Autocast::BF16, None), (Autocast::FP16, Some(256.0))]
    {
        let [kept, recomputed] = [Activations::Keep, Activations::Recompute].map(|activations| {
            let (losses, model) = trained(&reference, |batch, step| Step {
                micro_batches: batch.chunks(5).map(MicroBatch::pack).collect(),
                dropout: Some((7, step)),
                autocast,
                loss_scale,
                activations,
            });
            (losses, bits(&model.parameters()))
        });
        assert_eq!(kept.0, recomputed.0, "{autocast:?}");
        assert_eq!(kept.1, recomputed.1, "{autocast:?}");
    }
}

#[test]
fn dropout_masks_depend_on_the_step_and_the_batch_in_it() {
    let reference = Reference::open("tiny");
    let model = model(&reference, &generated(&reference));
    let batches = reference.batches();
    let features = batches[0].features();
    let loss = |dropout, micro_batches| {
        let plain = Step::plain(micro_batches, Autocast::FP32);
        // As bits: the same or another, nothing in between.
        scalar(train_step(&model, None, &Step { dropout, ..plain }).0).to_bits()
    };
    assert_eq!(loss(Some((7, 0)), vec![&features[..]]), loss(Some((7, 0)), vec![&features[..]]));
    assert_ne!(loss(Some((7, 0)), vec![&features[..]]), loss(Some((7, 1)), vec![&features[..]]));
    assert_ne!(loss(Some((7, 0)), vec![&features[..]]), loss(Some((8, 0)), vec![&features[..]]));
    // Twice the same features in one step: each has masks of its own.
    let twice = loss(Some((7, 0)), vec![&features[..], &features[..]]);
    assert_ne!(twice, loss(Some((7, 0)), vec![&features[..]]));
}
