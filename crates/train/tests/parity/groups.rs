//! Which parameters are trained, and at which rate.

use std::collections::BTreeMap;

use distilbert::{Activations, Autocast};
use distilburn_train::{AdamW, OptimizerSettings, Step, train_step};

use crate::reference::Reference;
use crate::{generated, model};

fn values(model: &distilbert::DistilBertForQuestionAnswering) -> BTreeMap<String, Vec<f32>> {
    model.parameters().into_iter().map(|parameter| (parameter.name, parameter.handle.to_vec())).collect()
}

#[test]
fn frozen_parameters_stay_as_they_are_and_the_others_have_the_same_gradients() {
    let reference = Reference::open("tiny");
    let batches = reference.batches();
    let features = batches[0].features();
    let whole = model(&reference, &generated(&reference));
    let all = train_step(&whole, None, &Step::plain(vec![&features], Autocast::FP32)).1;
    for activations in [Activations::Keep, Activations::Recompute] {
        let prefixes = ["embeddings".to_owned(), "transformer.layer.0".to_owned()];
        let model = model(&reference, &generated(&reference)).freeze(&prefixes).unwrap();
        let before = values(&model);
        let step = Step { activations, ..Step::plain(vec![&features], Autocast::FP32) };
        let gradients = train_step(&model, None, &step).1;
        let upper: Vec<_> = all
            .iter()
            .filter(|grad| grad.name.contains("layer.1.") || grad.name.starts_with("qa_outputs"))
            .collect();
        assert_eq!(gradients.len(), upper.len());
        for (found, expected) in gradients.iter().zip(upper) {
            assert_eq!((&found.name, found.handle.to_vec()), (&expected.name, expected.handle.to_vec()));
        }
        AdamW::new(model.parameters(), 2, reference.optimizer()).update(&gradients, 1e-3);
        for (name, after) in values(&model) {
            let frozen = name.contains("embeddings") || name.contains("layer.0.");
            assert_eq!(after == before[&name], frozen, "{name}");
        }
    }
}

#[test]
fn what_cannot_be_frozen_is_named() {
    let reference = Reference::open("tiny");
    let frozen = |prefix: &str| model(&reference, &generated(&reference)).freeze(&[prefix.to_owned()]);
    let error = frozen("transformer.layer.9").unwrap_err();
    assert_eq!(error.to_string(), "no parameter's name begins with \"transformer.layer.9\"");
    let everything = ["distilbert".to_owned(), "qa_outputs".to_owned()];
    let error = model(&reference, &generated(&reference)).freeze(&everything).unwrap_err();
    assert_eq!(error.to_string(), "every parameter is frozen");
}

#[test]
fn lower_layers_learn_at_a_lower_rate() {
    let reference = Reference::open("tiny");
    let batches = reference.batches();
    let features = batches[0].features();
    let moved = |layerwise_lr_decay| {
        let model = model(&reference, &generated(&reference));
        let before = values(&model);
        // Without decay of the weights, a first AdamW step moves each by the rate.
        let settings = OptimizerSettings { layerwise_lr_decay, weight_decay: 0.0, ..reference.optimizer() };
        let mut optimizer = AdamW::new(model.parameters(), 2, settings);
        let gradients = train_step(&model, None, &Step::plain(vec![&features], Autocast::FP32)).1;
        optimizer.update(&gradients, 1e-2);
        let moved = |(name, after): (String, Vec<f32>)| {
            let steps = after.iter().zip(&before[&name]).map(|(a, b)| f64::from((a - b).abs()));
            (name, steps.fold(0.0, f64::max))
        };
        values(&model).into_iter().map(moved).collect::<BTreeMap<_, _>>()
    };
    let (same, lower) = (moved(1.0), moved(0.5));
    for (name, factor) in [
        ("qa_outputs.weight", 1.0),
        ("distilbert.transformer.layer.1.ffn.lin1.weight", 0.5),
        ("distilbert.transformer.layer.0.ffn.lin1.weight", 0.25),
        ("distilbert.embeddings.word_embeddings.weight", 0.125),
    ] {
        let ratio = lower[name] / same[name];
        assert!((ratio - factor).abs() < 1e-3, "{name}: {ratio}, expected {factor}");
    }
}
