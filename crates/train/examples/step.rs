//! Times training steps of a model with random weights on random features: `step DEVICE PRECISION BATCH_SIZE STEPS SHAPE`.
//!
//! SHAPE is `base` (DistilBERT-base), `minilm` or `tiny`. Prints JSON: the seconds of each step, and how many operations the
//! last one asks LibTorch for. `scripts/bench/first-gpu` compares it with PyTorch on features of the same lengths.

use std::error::Error;
use std::time::Instant;

use distilbert::{Config, DistilBertForQuestionAnswering, ModelCopies, Runtime, RuntimeOptions, Weights};
use distilburn_train::{AdamW, OptimizerSettings, Step, TrainFeature, train_step};
use serde_json::json;
use squad::SplitMix64;

fn main() -> Result<(), Box<dyn Error>> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let [device, precision, batch_size, steps, shape] = words.as_slice() else {
        return Err("usage: step DEVICE PRECISION BATCH_SIZE STEPS SHAPE".into());
    };
    let (batch_size, steps): (usize, usize) = (batch_size.parse()?, steps.parse()?);
    let runtime = Runtime::new(RuntimeOptions { device, precision, threads: 0, allow_slow_precision: true })?;
    let config = config(shape)?;
    let model =
        DistilBertForQuestionAnswering::new(&config, &Random(&config), &runtime.device().clone().autodiff())?;
    let settings = OptimizerSettings {
        betas: [0.9, 0.999],
        epsilon: 1e-8,
        weight_decay: 0.01,
        max_grad_norm: 1.0,
        layerwise_lr_decay: 1.0,
    };
    let mut optimizer = AdamW::new(model.parameters(), config.n_layers, settings);
    let mut copies = model.copies(runtime.autocast());
    let loss_scale = (precision == "fp16").then_some(1024.0);
    let mut step = |number: usize| {
        let lengths = (0..batch_size).map(|index| length(number * batch_size + index));
        let ids: Vec<Vec<i32>> =
            lengths.map(|len| (0..len).map(|at| (at * 7 % 1000) as i32).collect()).collect();
        let features: Vec<_> = ids
            .iter()
            .map(|input_ids| TrainFeature { input_ids, start_position: 3, end_position: 5 })
            .collect();
        let begin = Instant::now();
        let step = Step {
            dropout: Some((42, number as u64)),
            loss_scale,
            ..Step::plain(vec![&features], runtime.autocast())
        };
        let (loss, gradients) = train_step(&model, copies.as_ref(), &step);
        if let Some(scale) = loss_scale {
            let found_inf = torch_kernels::unscale(gradients.iter().map(|grad| &grad.handle), scale);
            assert!(found_inf.into_scalar::<f32>() < 1.0, "an overflow");
        }
        optimizer.update(&gradients, 3e-5);
        copies.iter_mut().for_each(ModelCopies::fill);
        // Waits for the device.
        let loss = loss.into_scalar::<f32>();
        assert!(loss.is_finite(), "the loss is {loss}");
        begin.elapsed().as_secs_f64()
    };
    let seconds: Vec<f64> = (0..steps).map(&mut step).collect();
    let (_, operations) = torch_kernels::counted(|| step(steps));
    let operations: usize = operations.values().sum();
    println!(
        "{}",
        json!({ "step_seconds": seconds, "operations": operations, "device": runtime.device_name() })
    );
    Ok(())
}

/// Of SQuAD's windows: 384 tokens at most, some 170 on average. `gpu_step.py` has the same.
fn length(index: usize) -> usize {
    let draw = index * 7919 % 1000;
    if draw < 60 { 384 } else { 90 + draw * 150 / 1000 }
}

fn config(shape: &str) -> Result<Config, Box<dyn Error>> {
    let (dim, hidden_dim, n_heads, n_layers) = match shape {
        "base" => (768, 3072, 12, 6),
        "minilm" => (384, 1536, 12, 6),
        "tiny" => (32, 64, 2, 6),
        _ => return Err("SHAPE is base, minilm or tiny".into()),
    };
    let config = json!({
        "vocab_size": 30522, "max_position_embeddings": 512,
        "dim": dim, "hidden_dim": hidden_dim, "n_heads": n_heads, "n_layers": n_layers,
    });
    Ok(Config::from_json(config.to_string().as_bytes())?)
}

/// Weights of DistilBERT's spread, uniform.
struct Random<'a>(&'a Config);

impl Weights for Random<'_> {
    fn get(&self, name: &str) -> Result<(Vec<usize>, Vec<f32>), distilbert::Error> {
        let Config { dim, hidden_dim, .. } = *self.0;
        let normalisation = name.to_lowercase().contains("layernorm") || name.contains("layer_norm");
        let [rows, columns] = match name {
            _ if name.contains("word_embeddings") => [self.0.vocab_size, dim],
            _ if name.contains("position_embeddings") => [self.0.max_position_embeddings, dim],
            _ if name.contains("ffn.lin1") => [hidden_dim, dim],
            _ if name.contains("ffn.lin2") => [dim, hidden_dim],
            _ if name.starts_with("qa_outputs") => [2, dim],
            _ => [dim, dim],
        };
        if name.ends_with("bias") || normalisation {
            let value = if normalisation && name.ends_with("weight") { 1.0 } else { 0.0 };
            return Ok((vec![rows], vec![value; rows]));
        }
        let mut random = SplitMix64::keyed(&[rows as u64, columns as u64]);
        let values = (0..rows * columns).map(|_| (random.below(1 << 16) as f32 / 65_536.0 - 0.5) * 0.07);
        Ok((vec![rows, columns], values.collect()))
    }
}
