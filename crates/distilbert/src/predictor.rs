//! Batched inference: start and end logits of features.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::mpsc::channel;
use std::sync::{Mutex, PoisonError};
use std::thread;

use burn::module::Module;
use burn::tensor::TensorData;

use crate::copies::Purpose;
use crate::model::Mode;
use crate::{Autocast, DistilBertForQuestionAnswering, ModelCopies, PackedBatch, Precision, Runtime};

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
    /// The linear layers' parameters as the host's products read them.
    copies: Option<ModelCopies>,
    /// Batches that run at once, and threads of each.
    workers: usize,
    threads_each: usize,
    batch_tokens: usize,
}

/// Tokens of a batch on a CPU, where int8 is slower with larger ones (`scripts/bench/LOG.md`), and on a GPU.
const CPU_BATCH_TOKENS: usize = 1024;
const GPU_BATCH_TOKENS: usize = 4096;

/// Each holds the activations of a batch: some 130 MB for 32 features of DistilBERT-base.
const MOST_WORKERS: usize = 4;

impl Predictor {
    /// For `model` as it is: where it is trained on, the new weights need a new predictor. [`Runtime::check_fits`] says whether
    /// the model can run.
    #[must_use]
    pub fn new(model: &DistilBertForQuestionAnswering, runtime: &Runtime) -> Self {
        let autocast = runtime.autocast();
        let threads = runtime.threads();
        let on_cpu = runtime.device_name() == "cpu";
        let threads_each = if on_cpu { threads.div_ceil(MOST_WORKERS) } else { threads };
        let batch_tokens = if on_cpu { CPU_BATCH_TOKENS } else { GPU_BATCH_TOKENS };
        let workers = threads / threads_each;
        let int8 = runtime.precision() == Precision::Int8;
        let model = model.valid();
        let copies = model.copies_for(autocast, Purpose::Infer { int8 });
        assert!(!int8 || copies.is_some(), "Runtime::check_fits was called before");
        let model = autocast.narrow(model, copies.is_some());
        Self { model, autocast, copies, workers, threads_each, batch_tokens }
    }

    /// How many batches run best at once.
    #[must_use]
    pub fn workers(&self) -> usize {
        self.workers
    }

    /// How many tokens a batch is best made of.
    #[must_use]
    pub fn batch_tokens(&self) -> usize {
        self.batch_tokens
    }

    /// Makes the calling thread one of [`Self::workers`], with its share of the threads.
    pub fn become_worker(&self) {
        torch_kernels::set_own_threads(self.threads_each);
    }

    /// Logits of a packed batch, in its order.
    #[must_use]
    pub fn predict(&self, batch: &PackedBatch) -> Vec<QaLogits> {
        let logits: TensorData =
            self.model.forward_with(batch, self.autocast, self.copies.as_ref(), Mode::Inference).into_data();
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

    /// Logits of batches of windows, handed to `each` with them, in order, until it breaks.
    ///
    /// On a CPU a few batches run at once, with a share of the threads each: threads that share one batch wait for one
    /// another after every operation.
    pub fn logits_of_batches<W: Send>(
        &self,
        batches: impl Iterator<Item = Vec<W>> + Send,
        input_ids: impl Fn(&W) -> &[i32] + Sync,
        mut each: impl FnMut(Vec<(W, QaLogits)>) -> ControlFlow<()>,
    ) {
        // A batch is taken for a permit, and one is given for each that is handed over: so many are held at most.
        let (permit, permits) = channel();
        (0..2 * self.workers).for_each(|_| permit.send(()).expect("the receiver is below"));
        let batches = Mutex::new((permits, batches.enumerate()));
        let next = || {
            let (permits, batches) = &mut *batches.lock().unwrap_or_else(PoisonError::into_inner);
            permits.recv().ok().and_then(|()| batches.next())
        };
        thread::scope(|scope| {
            let (to_caller, logits) = channel();
            for _ in 0..self.workers {
                let to_caller = to_caller.clone();
                let (next, input_ids) = (&next, &input_ids);
                scope.spawn(move || {
                    self.become_worker();
                    while let Some((index, batch)) = next() {
                        let logits = catch_unwind(AssertUnwindSafe(|| {
                            let logits = self.logits(&batch.iter().map(input_ids).collect::<Vec<_>>());
                            batch.into_iter().zip(logits).collect()
                        }));
                        if to_caller.send((index, logits)).is_err() {
                            return;
                        }
                    }
                });
            }
            drop(to_caller);
            // Gone with this closure, and with it the permits that a worker may wait for.
            let permit = permit;
            let mut early = BTreeMap::new();
            let mut handed = 0;
            for (index, logits) in logits {
                // A panic leaves from here, or the other workers would wait for permits.
                early.insert(index, logits.unwrap_or_else(|panic| resume_unwind(panic)));
                while let Some(logits) = early.remove(&handed) {
                    handed += 1;
                    if each(logits).is_break() {
                        return;
                    }
                    // Nobody waits for it after the last batch.
                    let _ = permit.send(());
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::RuntimeOptions;
    use crate::tests::{model_of, tiny_model};

    /// Token ids of batches of one to three features of unequal lengths.
    fn batches() -> Vec<Vec<&'static [i32]>> {
        let features: [&[i32]; 4] = [&[1, 5, 9, 3, 2], &[1, 7, 2], &[1, 4, 4, 8, 6, 3, 2], &[1, 2]];
        (0..20).map(|index| (0..=index % 3).map(|other| features[(index + other) % 4]).collect()).collect()
    }

    #[test]
    fn batches_that_run_at_once_come_in_order() {
        for (threads, shares) in [(1, (1, 1)), (2, (2, 1)), (6, (3, 2))] {
            let predictor = Predictor::new(&tiny_model(), &Runtime::cpu_fp32(threads).unwrap());
            assert_eq!((predictor.workers, predictor.threads_each), shares);
            let mut found = Vec::new();
            predictor.logits_of_batches(
                batches().into_iter(),
                |ids| *ids,
                |batch| {
                    found.push(batch.into_iter().map(|(_, logits)| logits).collect::<Vec<_>>());
                    ControlFlow::Continue(())
                },
            );
            // Sums of f32 depend on the number of threads in their last bit.
            torch_kernels::set_own_threads(predictor.threads_each);
            let expected: Vec<_> = batches().iter().map(|batch| predictor.logits(batch)).collect();
            assert_eq!(found, expected, "{threads} threads");
        }
    }

    #[test]
    #[should_panic(expected = "at least [CLS] and [SEP]")]
    fn a_panic_of_the_model_is_the_callers() {
        let predictor = Predictor::new(&tiny_model(), &Runtime::cpu_fp32(2).unwrap());
        let mut batches = batches();
        batches[1] = vec![&[]];
        predictor.logits_of_batches(batches.into_iter(), |ids| *ids, |_| ControlFlow::Continue(()));
    }

    #[test]
    fn a_break_ends_it_after_the_batches_that_run() {
        let predictor = Predictor::new(&tiny_model(), &Runtime::cpu_fp32(2).unwrap());
        let (mut taken, mut handed) = (0, 0);
        predictor.logits_of_batches(
            batches().into_iter().inspect(|_| taken += 1),
            |ids| *ids,
            |_| {
                handed += 1;
                if handed == 3 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
            },
        );
        assert!(handed == 3 && taken <= 2 + 2 * predictor.workers, "{taken} taken");
    }

    fn logits(model: &DistilBertForQuestionAnswering, precision: &str) -> Vec<QaLogits> {
        let options = RuntimeOptions { device: "cpu", precision, threads: 2, allow_slow_precision: false };
        let predictor = Predictor::new(model, &Runtime::new(options).unwrap());
        batches().iter().flat_map(|batch| predictor.logits(batch)).collect()
    }

    /// Whatever of the model's own weights is given up.
    #[test]
    fn weights_packed_once_change_no_bit_of_the_logits() {
        let model = model_of(64, 96);
        for (precision, autocast) in [("fp32", Autocast::FP32), ("bf16", Autocast::BF16)] {
            let expected = batches().into_iter().flat_map(|batch| {
                let logits = model.forward(&PackedBatch::pack(&batch), autocast, Mode::Inference);
                logits.into_data().try_to_vec::<f32>().unwrap()
            });
            let found = logits(&model, precision).into_iter().flat_map(|one| {
                let pairs = one.start_logits.into_iter().zip(one.end_logits);
                pairs.flat_map(|(start, end)| [start, end]).collect::<Vec<_>>()
            });
            assert!(found.eq(expected), "{precision}");
        }
    }

    #[test]
    fn int8_moves_logits_a_little_and_not_with_what_else_is_in_the_batch() {
        if !torch_kernels::cpu_multiplies_int8() {
            println!("skipped: this CPU has no products of int8");
            return;
        }
        let model = model_of(64, 96);
        let quantized = logits(&model, "int8");
        let exact = logits(&model, "fp32");
        let all = |logits: &[QaLogits]| -> Vec<f32> {
            logits.iter().flat_map(|one| [&one.start_logits[..], &one.end_logits].concat()).collect()
        };
        let (quantized, exact) = (all(&quantized), all(&exact));
        let most = exact.iter().fold(0.0_f32, |most, x| most.max(x.abs()));
        let apart = quantized.iter().zip(&exact).map(|(one, other)| (one - other).abs());
        let apart = apart.fold(0.0, f32::max);
        assert!(apart > 0.0 && apart < 0.05 * most, "{apart} of {most}");

        let options =
            RuntimeOptions { device: "cpu", precision: "int8", threads: 2, allow_slow_precision: false };
        let predictor = Predictor::new(&model, &Runtime::new(options).unwrap());
        for batch in batches() {
            let alone: Vec<_> = batch.iter().flat_map(|features| predictor.logits(&[features])).collect();
            for (alone, together) in alone.iter().zip(predictor.logits(&batch)) {
                let (alone, together) = (all(std::slice::from_ref(alone)), all(&[together]));
                let apart = alone.iter().zip(&together).map(|(one, other)| (one - other).abs());
                assert!(apart.fold(0.0, f32::max) <= 1e-5 * most);
            }
        }
    }

    #[test]
    fn a_model_with_layers_that_int8_does_not_take_is_refused() {
        if !torch_kernels::cpu_multiplies_int8() {
            println!("skipped: this CPU has no products of int8");
            return;
        }
        let runtime = |precision| {
            let options =
                RuntimeOptions { device: "cpu", precision, threads: 2, allow_slow_precision: false };
            Runtime::new(options).unwrap()
        };
        let (tiny, small) = (tiny_model(), model_of(64, 96));
        let error = runtime("int8").check_fits(tiny.config()).unwrap_err();
        assert!(error.is_device() && error.to_string().contains("multiples of 32"), "{error}");
        runtime("int8").check_fits(small.config()).unwrap();
        runtime("fp32").check_fits(tiny.config()).unwrap();
    }

    /// How far a logit may move with what else is in the batch: a product of other rows is summed in another order in
    /// f32, and rounded to bfloat16 (2⁻⁸) after that.
    const OF_THE_BATCH: [(Autocast, f32); 2] = [(Autocast::FP32, 1e-5), (Autocast::BF16, 2e-2)];

    #[test]
    fn logits_do_not_depend_on_what_else_is_in_the_batch() {
        for (autocast, tolerance) in OF_THE_BATCH {
            let mut predictor = Predictor::new(&tiny_model(), &Runtime::cpu_fp32(2).unwrap());
            predictor.model = autocast.narrow(predictor.model, false);
            predictor.autocast = autocast;
            for batch in batches() {
                for (features, together) in batch.iter().zip(predictor.logits(&batch)) {
                    let alone = &predictor.logits(&[features])[0];
                    for (one, other) in [
                        (&alone.start_logits, &together.start_logits),
                        (&alone.end_logits, &together.end_logits),
                    ] {
                        let apart = one.iter().zip(other).map(|(one, other)| (one - other).abs());
                        assert!(apart.fold(0.0, f32::max) <= tolerance, "{alone:?} {together:?}");
                    }
                }
            }
        }
    }
}
