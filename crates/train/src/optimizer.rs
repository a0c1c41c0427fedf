//! `AdamW` over parameters keyed by its name in weight files.

use burn::tensor::Tensor;
use distilbert::Parameter;
use torch_kernels::{AdamWOptions, Handle, Slot, adamw, clip_scale, global_norm};

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
    /// What the learning rate is multiplied by from a layer to the one below (Bao et al. 2021); 1 = the same
    /// rate everywhere.
    pub layerwise_lr_decay: f64,
}

/// `AdamW` (Loshchilov and Hutter 2019), as `torch.optim.AdamW` with a group for each weight decay and rate.
pub struct AdamW {
    settings: OptimizerSettings,
    states: Vec<ParameterState>,
    /// Members of `states`, by what their update shares.
    groups: Vec<Group>,
    optimizer_step: u64,
}

/// A parameter and its moments.
pub struct ParameterState {
    /// The parameter, whose storage updates change.
    pub param: Parameter,
    /// First moment.
    pub exp_avg: Handle,
    /// Second moment.
    pub exp_avg_sq: Handle,
}

struct Group {
    weight_decay: f64,
    /// What the learning rate is multiplied by.
    rate_factor: f64,
    members: Vec<usize>,
}

impl AdamW {
    /// Starts with moments of zero for the trainable ones of `parameters`; `n_layers` is the model's.
    #[must_use]
    pub fn new(parameters: Vec<Parameter>, n_layers: usize, settings: OptimizerSettings) -> Self {
        let states: Vec<ParameterState> = parameters
            .into_iter()
            .filter(|param| param.trainable)
            .map(|param| ParameterState {
                exp_avg: param.handle.zeros_like(),
                exp_avg_sq: param.handle.zeros_like(),
                param,
            })
            .collect();
        let mut groups: Vec<Group> = Vec::new();
        for (member, state) in states.iter().enumerate() {
            let below_head = (n_layers + 1 - state.param.depth(n_layers)) as i32;
            let rate_factor = settings.layerwise_lr_decay.powi(below_head);
            let weight_decay = if state.param.decays() { settings.weight_decay } else { 0.0 };
            let shared =
                |group: &&mut Group| (group.weight_decay, group.rate_factor) == (weight_decay, rate_factor);
            match groups.iter_mut().find(shared) {
                Some(group) => group.members.push(member),
                None => groups.push(Group { weight_decay, rate_factor, members: vec![member] }),
            }
        }
        Self { settings, states, groups, optimizer_step: 0 }
    }

    /// How many updates were made.
    #[must_use]
    pub fn optimizer_step(&self) -> u64 {
        self.optimizer_step
    }

    /// Parameters with their moments.
    #[must_use]
    pub fn states(&self) -> &[ParameterState] {
        &self.states
    }

    /// The same, to be overwritten by those that were there after `optimizer_step` updates.
    pub fn restore(&mut self, optimizer_step: u64) -> &mut [ParameterState] {
        self.optimizer_step = optimizer_step;
        &mut self.states
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
        for group in &self.groups {
            let slots: Vec<Slot<'_>> = group
                .members
                .iter()
                .map(|&member| Slot {
                    param: &self.states[member].param.handle,
                    grad: &gradients[member].handle,
                    exp_avg: &self.states[member].exp_avg,
                    exp_avg_sq: &self.states[member].exp_avg_sq,
                })
                .collect();
            let options = AdamWOptions {
                learning_rate: learning_rate * group.rate_factor,
                betas: self.settings.betas,
                epsilon: self.settings.epsilon,
                weight_decay: group.weight_decay,
                step: self.optimizer_step,
            };
            adamw(&slots, options, grad_scale.clone());
        }
        norm
    }
}
