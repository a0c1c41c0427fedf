//! Batched inference: start and end logits of features.

use burn::module::{Module, ModuleMapper, Param};
use burn::tensor::{FloatDType, Tensor, TensorData};

use crate::model::Mode;
use crate::{Autocast, DistilBertForQuestionAnswering, PackedBatch, Runtime};

/// Start and end logits of one feature, one of each for every token.
#[derive(Clone, Debug, PartialEq)]
pub struct QaLogits {
    /// How well each token begins the answer.
    pub start_logits: Vec<f32>,
    /// How well each token ends it.
    pub end_logits: Vec<f32>,
}

/// A model that answers and does not learn.
pub struct Predictor {
    model: DistilBertForQuestionAnswering,
    autocast: Autocast,
}

impl Predictor {
    /// For `model` as it is: where it is trained on, the new weights need a new predictor.
    #[must_use]
    pub fn new(model: &DistilBertForQuestionAnswering, runtime: &Runtime) -> Self {
        let autocast = runtime.autocast();
        let mut narrow = Narrow { path: Vec::new(), compute: autocast.compute_type() };
        Self { model: model.valid().map(&mut narrow), autocast }
    }

    /// Logits of a packed batch, in its order.
    #[must_use]
    pub fn predict(&self, batch: &PackedBatch) -> Vec<QaLogits> {
        let logits: TensorData = self.model.forward(batch, self.autocast, Mode::Inference).into_data();
        let logits = logits.as_slice::<f32>().expect("the forward pass returns f32");
        batch
            .cu_seqlens()
            .windows(2)
            .map(|bounds| {
                let rows = logits[2 * bounds[0]..2 * bounds[1]].chunks_exact(2);
                QaLogits {
                    start_logits: rows.clone().map(|row| row[0]).collect(),
                    end_logits: rows.map(|row| row[1]).collect(),
                }
            })
            .collect()
    }

    /// Logits of features given by their token ids, run as one batch.
    #[must_use]
    pub fn logits(&self, input_ids: &[&[i32]]) -> Vec<QaLogits> {
        self.predict(&PackedBatch::pack(input_ids))
    }
}

/// Brings the linear layers' parameters to the compute type, where every pass would otherwise bring them first.
struct Narrow {
    path: Vec<String>,
    compute: FloatDType,
}

impl ModuleMapper for Narrow {
    fn enter_module(&mut self, name: &str, _container_type: &str) {
        self.path.push(name.to_owned());
    }

    fn exit_module(&mut self, _name: &str, _container_type: &str) {
        self.path.pop();
    }

    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let layer = self.path.iter().rev().nth(1).map_or("", String::as_str);
        let linear = layer.ends_with("_lin") || matches!(layer, "lin1" | "lin2" | "qa_outputs");
        if linear && self.compute != FloatDType::F32 {
            param.map(|value| value.cast(self.compute))
        } else {
            param
        }
    }
}
