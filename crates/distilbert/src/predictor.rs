//! Batched inference: start and end logits of features.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::sync::mpsc::sync_channel;
use std::sync::{Mutex, PoisonError};
use std::thread;

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
    /// Batches that run at once, and threads of each.
    workers: usize,
    threads_each: usize,
}

/// More would hold more batches' activations than they are worth.
const MOST_WORKERS: usize = 4;

impl Predictor {
    /// For `model` as it is: where it is trained on, the new weights need a new predictor.
    #[must_use]
    pub fn new(model: &DistilBertForQuestionAnswering, runtime: &Runtime) -> Self {
        let autocast = runtime.autocast();
        let threads = runtime.threads();
        let threads_each =
            if runtime.device_name() == "cpu" { threads.div_ceil(MOST_WORKERS) } else { threads };
        let workers = threads / threads_each;
        Self { model: autocast.narrow(model.valid()), autocast, workers, threads_each }
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

    /// Logits of batches of features given by their token ids, handed to `each` in order until it breaks.
    ///
    /// On a CPU a few batches run at once, with a share of the threads each: threads that share one batch wait for one
    /// another after every operation.
    pub fn logits_of_batches<'a>(
        &self,
        batches: impl Iterator<Item = Vec<&'a [i32]>> + Send,
        mut each: impl FnMut(Vec<QaLogits>) -> ControlFlow<()>,
    ) {
        let batches = Mutex::new(batches.enumerate());
        thread::scope(|scope| {
            let (to_caller, logits) = sync_channel(self.workers);
            for _ in 0..self.workers {
                let (to_caller, batches) = (to_caller.clone(), &batches);
                scope.spawn(move || {
                    torch_kernels::set_own_threads(self.threads_each);
                    let next = || batches.lock().unwrap_or_else(PoisonError::into_inner).next();
                    while let Some((index, batch)) = next() {
                        if to_caller.send((index, self.logits(&batch))).is_err() {
                            return;
                        }
                    }
                });
            }
            drop(to_caller);
            let mut early = BTreeMap::new();
            let mut handed = 0;
            for (index, logits) in logits {
                early.insert(index, logits);
                while let Some(logits) = early.remove(&handed) {
                    handed += 1;
                    if each(logits).is_break() {
                        return;
                    }
                }
            }
        });
    }

    /// Logits of features given by their token ids, run as one batch.
    #[must_use]
    pub fn logits(&self, input_ids: &[&[i32]]) -> Vec<QaLogits> {
        self.predict(&PackedBatch::pack(input_ids))
    }
}
