//! `AdamW` over parameters keyed by checkpoint name.

use distilbert::Parameter;
use torch_kernels::{AdamWOptions, Handle, Slot, adamw, clip_scale, global_norm};

use burn::tensor::Tensor;

/// Settings of `[train]` that the optimizer reads.
#[derive(Clone, Copy, Debug)]
pub struct OptimizerSettings {
    /// Decay of the first and second moment.
    pub betas: [f64; 2],
    /// Guard against division by zero.
    pub epsilon: f64,
    /// Decoupled decay of all but biases and layer normalisations.
    pub weight_decay: f64,
    /// Global norm that gradients are clipped to; 0 = never.
    pub max_grad_norm: f64,
}

/// `AdamW` (Loshchilov and Hutter 2019), as `torch.optim.AdamW` in two groups: with and without decay.
pub struct AdamW {
    settings: OptimizerSettings,
    states: Vec<State>,
    optimizer_step: u64,
}

struct State {
    param: Parameter,
    exp_avg: Handle,
    exp_avg_sq: Handle,
}

impl AdamW {
    /// Starts with moments of zero for `parameters`, whose storage updates will change.
    #[must_use]
    pub fn new(parameters: Vec<Parameter>, settings: OptimizerSettings) -> Self {
        let states = parameters
            .into_iter()
            .map(|param| State {
                exp_avg: param.handle.zeros_like(),
                exp_avg_sq: param.handle.zeros_like(),
                param,
            })
            .collect();
        Self { settings, states, optimizer_step: 0 }
    }

    /// How many updates were made.
    #[must_use]
    pub fn optimizer_step(&self) -> u64 {
        self.optimizer_step
    }

    /// One update from `gradients` (in the parameters' order). Returns their global norm before clipping, on
    /// the device: reading it waits for a GPU.
    pub fn update(&mut self, gradients: &[Parameter], learning_rate: f64) -> Tensor<1> {
        let same_names =
            gradients.iter().zip(&self.states).all(|(grad, state)| grad.name == state.param.name);
        assert!(gradients.len() == self.states.len() && same_names, "gradients in the parameters' order");

        let norm = global_norm(gradients.iter().map(|grad| &grad.handle));
        let grad_scale = match self.settings.max_grad_norm {
            max_norm if max_norm > 0.0 => clip_scale(norm.clone(), max_norm),
            _ => norm.ones_like(),
        };
        self.optimizer_step += 1;
        for decays in [true, false] {
            let slots: Vec<Slot<'_>> = gradients
                .iter()
                .zip(&self.states)
                .filter(|(_, state)| state.param.decays() == decays)
                .map(|(grad, state)| Slot {
                    param: &state.param.handle,
                    grad: &grad.handle,
                    exp_avg: &state.exp_avg,
                    exp_avg_sq: &state.exp_avg_sq,
                })
                .collect();
            let options = AdamWOptions {
                learning_rate,
                betas: self.settings.betas,
                epsilon: self.settings.epsilon,
                weight_decay: if decays { self.settings.weight_decay } else { 0.0 },
                step: self.optimizer_step,
            };
            adamw(&slots, options, grad_scale.clone());
        }
        norm
    }
}
