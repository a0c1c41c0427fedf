//! Batched inference: start and end logits of features.

use burn::module::Module;
use burn::tensor::TensorData;

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
        Self { model: autocast.narrow(model.valid()), autocast }
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
