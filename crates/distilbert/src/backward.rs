//! Loss and gradients of one packed batch, in one backward pass or layer by layer.
//!
//! Layer by layer ("gradient checkpointing", Chen et al. 2016) only the inputs of the encoder layers are kept: the
//! backward pass runs each layer again. Dropout masks are drawn from the same numbers, so the gradients are the
//! same.

use burn::module::Module;
use burn::tensor::{Gradients, Tensor};

use crate::loss::{QaTargets, qa_loss};
use crate::model::{Mode, Pass};
use crate::{Autocast, DistilBertForQuestionAnswering, ModelCopies, PackedBatch, Parameter};

/// What a forward pass keeps for the backward pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Activations {
    /// Everything that it needs.
    Keep,
    /// The inputs of the encoder layers; the rest is computed again.
    Recompute,
}

/// One batch, and how its loss is taken.
#[derive(Clone, Copy, Debug)]
pub struct LossInput<'a> {
    /// The features.
    pub batch: &'a PackedBatch,
    /// Their gold positions.
    pub targets: &'a QaTargets,
    /// Features that the loss is averaged over: those of the whole accumulation group.
    pub features: usize,
    /// The precision.
    pub autocast: Autocast,
    /// [`DistilBertForQuestionAnswering::copies`] of the precision, filled since the last update; without them every pass
    /// brings the parameters to the compute type.
    pub copies: Option<&'a ModelCopies>,
    /// With dropout or without.
    pub mode: Mode,
    /// What the loss is multiplied by before the backward pass, so that no float16 gradient vanishes.
    pub loss_scale: Option<f64>,
    /// What is kept in between.
    pub activations: Activations,
}

impl DistilBertForQuestionAnswering {
    /// The batch's share of the mean loss, on the device, and the gradients of `loss_scale` times it, in the order of
    /// the trainable [`Self::parameters`].
    #[must_use]
    pub fn loss_and_gradients(&self, input: &LossInput<'_>) -> (Tensor<1>, Vec<Parameter>) {
        let pass = Pass {
            batch: input.batch,
            uploaded: self.upload(input.batch, Some(input.targets)),
            autocast: input.autocast,
            copies: input.copies,
            mode: input.mode,
        };
        let (loss, gradients) = match input.activations {
            Activations::Keep => {
                let loss = loss_of(self.logits(&pass), &pass, input);
                let gradients = backward(loss.clone(), input);
                (loss, vec![gradients])
            }
            Activations::Recompute => self.layer_by_layer(&pass, input),
        };
        (loss.without_autodiff(), self.gradients(&gradients))
    }

    fn layer_by_layer(&self, pass: &Pass<'_>, input: &LossInput<'_>) -> (Tensor<1>, Vec<Gradients>) {
        let plain = self.valid();
        let mut layer_inputs = Vec::with_capacity(self.config().n_layers);
        let mut hidden = plain.embed(pass);
        for layer in 0..self.config().n_layers {
            layer_inputs.push(hidden.clone());
            hidden = plain.encode_layer(pass, layer, hidden);
        }

        let hidden = hidden.autodiff().require_grad();
        let loss = loss_of(self.score(pass, hidden.clone()), pass, input);
        let mut all = vec![backward(loss.clone(), input)];
        let mut grad = grad_of(&hidden, &all[0]);
        let lowest = self.lowest_trainable_depth();
        for (layer, layer_input) in layer_inputs.into_iter().enumerate().rev() {
            // Depth of a layer: one above its number, because the embeddings are 0.
            if layer + 1 < lowest {
                return (loss, all);
            }
            let layer_input = layer_input.autodiff().require_grad();
            let output = self.encode_layer(pass, layer, layer_input.clone());
            let gradients = (output * grad).sum().backward();
            grad = grad_of(&layer_input, &gradients);
            all.push(gradients);
        }
        if lowest == 0 {
            all.push((self.embed(pass) * grad).sum().backward());
        }
        (loss, all)
    }

    fn lowest_trainable_depth(&self) -> usize {
        let n_layers = self.config().n_layers;
        let parameters = self.parameters();
        let depths = parameters.iter().filter(|parameter| parameter.trainable).map(|it| it.depth(n_layers));
        depths.min().unwrap_or(n_layers + 1)
    }
}

fn loss_of(logits: Tensor<2>, pass: &Pass<'_>, input: &LossInput<'_>) -> Tensor<1> {
    let targets = pass.uploaded.of_loss.as_ref().expect("uploaded with the batch");
    qa_loss(logits, input.batch, targets, input.features)
}

fn backward(loss: Tensor<1>, input: &LossInput<'_>) -> Gradients {
    match input.loss_scale {
        None => loss.backward(),
        Some(scale) => (loss * scale).backward(),
    }
}

fn grad_of(input: &Tensor<2>, gradients: &Gradients) -> Tensor<2> {
    input.grad(gradients).expect("the loss depends on every layer's input").without_autodiff()
}
