//! What a step on a GPU asks of LibTorch, asked of it on the host: its values against the host's own path, its bits after a
//! restart, and how many operations there are.
//!
//! Attention on CUDA has a stand-in on the host. With `DISTILBURN_TEST_DEVICE` all but the count run on that device. That the kernels for CUDA compute the same is the matter of their trial.

use std::collections::BTreeMap;
use std::ops::Range;

use burn::tensor::{Device, Tensor};
use distilbert::{Autocast, Config, DistilBertForQuestionAnswering, ModelCopies, Parameter};
use distilburn_train::{AdamW, OptimizerSettings, Step, TrainFeature, train_step};
use torch_kernels::{Dropout, counted, on_device_path};

use crate::memory::{assert_recomputed_layers_end_at_the_same_bits, bits};
use crate::precision::apart;
use crate::reference::{Batch, Generated, Reference};
use crate::{device, generated, host, model_on, scalar};

/// Sums of a few hundred f32 terms in another order.
const F32: f64 = 1e-5;
/// f16 has 11 significant bits; a few roundings follow each other, at other places in query, key and value.
const F16: f64 = 3e-3;
/// bf16 has 8.
const BF16: f64 = 2e-2;

const RATE: f64 = 1e-3;
const LOSS_SCALE: f64 = 256.0;

/// A model, its optimizer, and what is kept beside them.
struct Training {
    model: DistilBertForQuestionAnswering,
    copies: Option<ModelCopies>,
    optimizer: AdamW,
    autocast: Autocast,
}

impl Training {
    fn new(device: &Device, reference: &Reference, autocast: Autocast) -> Self {
        let model = model_on(device, reference, &generated(reference));
        let optimizer = AdamW::new(model.parameters(), model.config().n_layers, reference.optimizer());
        Self { copies: model.copies(autocast), model, optimizer, autocast }
    }

    /// The loss and the gradients, before an update that may change them in place.
    fn step(&mut self, features: &[TrainFeature<'_>], dropout: Option<(u64, u64)>) -> (f64, Vec<Parameter>) {
        let loss_scale = (self.autocast == Autocast::FP16).then_some(LOSS_SCALE);
        let step = Step { dropout, loss_scale, ..Step::plain(vec![features], self.autocast) };
        let (loss, gradients) = train_step(&self.model, self.copies.as_ref(), &step);
        if let Some(scale) = loss_scale {
            let found_inf = torch_kernels::unscale(gradients.iter().map(|grad| &grad.handle), scale);
            assert!(found_inf.into_scalar::<f32>() < 1.0, "an overflow");
        }
        let before = gradients.iter().map(|Parameter { name, shape, handle, trainable }| Parameter {
            name: name.clone(),
            shape: shape.clone(),
            handle: handle.copy(),
            trainable: *trainable,
        });
        let before = before.collect();
        self.optimizer.update(&gradients, RATE);
        self.copies.iter_mut().for_each(ModelCopies::fill);
        (scalar(loss), before)
    }

    /// The losses of steps with dropout.
    fn steps(&mut self, batches: &[Batch], steps: Range<usize>) -> Vec<f64> {
        let step = |step: usize| {
            let features = batches[step % batches.len()].features();
            self.step(&features, Some((7, step as u64))).0
        };
        steps.map(step).collect()
    }
}

#[test]
fn steps_learn_what_steps_of_the_host_learn() {
    let reference = Reference::open("tiny");
    let batches = reference.batches();
    for (autocast, tolerance) in [(Autocast::FP32, F32), (Autocast::BF16, BF16), (Autocast::FP16, F16)] {
        let three = |device: Device| {
            let mut training = Training::new(&device, &reference, autocast);
            let step = |index: usize| training.step(&batches[index % batches.len()].features(), None);
            let steps: Vec<_> = (0..3).map(step).collect();
            (steps, training.copies.is_some())
        };
        let ((found, device), (expected, host)) = (on_device_path(|| three(device())), three(host()));
        assert_eq!((device, host), (autocast != Autocast::FP32, false), "{autocast:?}: copies");
        for ((loss, gradients), (expected_loss, expected)) in found.iter().zip(&expected) {
            let of_loss = (loss / expected_loss - 1.0).abs();
            let of_gradients = apart(gradients, expected, 1.0);
            println!("{autocast:?}: losses are {of_loss:.1e} apart, gradients {of_gradients:.1e}");
            assert!(of_loss <= tolerance && of_gradients <= tolerance, "{autocast:?}");
        }
    }
}

#[test]
fn a_training_that_resumes_ends_at_the_same_bits() {
    let reference = Reference::open("tiny");
    let batches = reference.batches();
    for autocast in [Autocast::FP32, Autocast::BF16, Autocast::FP16] {
        on_device_path(|| {
            let mut whole = Training::new(&device(), &reference, autocast);
            let losses = whole.steps(&batches, 0..6);

            let mut first = Training::new(&device(), &reference, autocast);
            first.steps(&batches, 0..3);
            // What LibTorch's generator does in between is of no matter.
            let ones = Tensor::ones([3, 5], &device().without_autodiff());
            drop(torch_kernels::dropout(ones, Dropout { p: 0.5, seed: 99 }));
            let mut second = Training::new(&device(), &reference, autocast);
            for (to, from) in second.optimizer.restore(3).iter_mut().zip(first.optimizer.states()) {
                to.param.handle.copy_from(&from.param.handle.to_vec());
                to.exp_avg.copy_from(&from.exp_avg.to_vec());
                to.exp_avg_sq.copy_from(&from.exp_avg_sq.to_vec());
            }
            second.copies = second.model.copies(autocast);
            assert_eq!(second.steps(&batches, 3..6), losses[3..], "{autocast:?}");
            assert_eq!(bits(&second.model.parameters()), bits(&whole.model.parameters()), "{autocast:?}");

            // Or all this would hold without dropout too.
            let without = Training::new(&device(), &reference, autocast).step(&batches[0].features(), None).0;
            assert!((without - losses[0]).abs() > 1e-4, "{autocast:?}: {without}");
        });
    }
}

#[test]
fn recomputed_layers_draw_the_masks_of_the_first_pass() {
    on_device_path(assert_recomputed_layers_end_at_the_same_bits);
}

/// PyTorch with autocast and fused `AdamW` asks for 600 to 700.
const MOST_OPERATIONS: usize = 450;

/// What a step with DistilBERT's six layers asks of LibTorch in bf16 with dropout, its update included.
fn operations(batch_size: usize) -> BTreeMap<String, usize> {
    let config =
        br#"{"vocab_size": 64, "max_position_embeddings": 32, "n_layers": 6, "n_heads": 2, "dim": 16,
        "hidden_dim": 32}"#;
    let config = Config::from_json(config).unwrap();
    let weights = Generated { config: config.clone(), scale: 0.2 };
    let model = DistilBertForQuestionAnswering::new(&config, &weights, &host()).unwrap();
    let settings = OptimizerSettings {
        betas: [0.9, 0.999],
        epsilon: 1e-8,
        weight_decay: 0.01,
        max_grad_norm: 1.0,
        layerwise_lr_decay: 1.0,
    };
    let ids: Vec<i32> = (0..32).collect();
    let feature = |index| TrainFeature { input_ids: &ids[index % 8..], start_position: 1, end_position: 3 };
    let features: Vec<_> = (0..batch_size).map(feature).collect();
    let step = Step { dropout: Some((7, 0)), ..Step::plain(vec![&features], Autocast::BF16) };
    on_device_path(|| {
        let mut copies = model.copies(Autocast::BF16);
        let mut optimizer = AdamW::new(model.parameters(), config.n_layers, settings);
        let ((), operations) = counted(|| {
            let (_, gradients) = train_step(&model, copies.as_ref(), &step);
            optimizer.update(&gradients, RATE);
            copies.iter_mut().for_each(ModelCopies::fill);
        });
        operations
    })
}

#[test]
fn a_step_asks_for_at_most_450_operations_whatever_the_batch() {
    let (few, many) = (operations(8), operations(32));
    let total: usize = few.values().sum();
    println!("{total} operations: {few:#?}");
    assert!(total <= MOST_OPERATIONS, "{total} operations: {few:#?}");
    assert_eq!(few, many);
    // Or nothing would be counted. Dropout: embeddings, six layers, head.
    let counts = ["attention", "attention backward", "aten::native_dropout", "aten::_foreach_copy_"];
    assert_eq!(counts.map(|name| few[name]), [6, 6, 8, 1]);
}
