//! Batches assembled ahead: read from the memory map, packed and labelled on a thread of their own while the model
//! learns from those before.

use std::sync::mpsc::{Receiver, sync_channel};
use std::thread::{Scope, ScopedJoinHandle};
use std::{mem, panic};

use artifact::Features;
use burn_dataset::Dataset;

use crate::data::{FeatureDataset, TrainFeature, epoch_order};
use crate::recipe::Recipe;
use crate::step::MicroBatch;

/// Steps that may wait to be taken.
const STEPS_AHEAD: usize = 2;

/// What one optimizer step learns from.
pub(crate) struct StepBatches {
    pub(crate) epoch: u32,
    /// Rows of its features.
    pub(crate) rows: Vec<usize>,
    pub(crate) tokens: u64,
    pub(crate) micro_batches: Vec<MicroBatch>,
}

/// The steps in order, up to the last.
pub(crate) struct BatchesAhead<'scope> {
    steps: Receiver<StepBatches>,
    thread: Option<ScopedJoinHandle<'scope, ()>>,
}

impl<'scope> BatchesAhead<'scope> {
    /// Those after `global_step` earlier ones.
    pub(crate) fn new(
        scope: &'scope Scope<'scope, '_>,
        features: &'scope Features,
        recipe: Recipe,
        global_step: u64,
    ) -> Self {
        let (to_trainer, steps) = sync_channel(STEPS_AHEAD);
        let thread = scope.spawn(move || {
            let mut assembler = Assembler { features, recipe, order: (0, Vec::new()) };
            for global_step in global_step..recipe.total_steps {
                if to_trainer.send(assembler.assemble(global_step)).is_err() {
                    // The training has stopped.
                    return;
                }
            }
        });
        Self { steps, thread: Some(thread) }
    }

    /// The next step's; there must be one. A panic of the thread goes on here.
    pub(crate) fn next(&mut self) -> StepBatches {
        self.steps.recv().unwrap_or_else(|_| {
            let outcome = self.thread.take().map(ScopedJoinHandle::join);
            panic::resume_unwind(outcome.and_then(Result::err).expect("no step is asked for after the last"))
        })
    }
}

impl Drop for BatchesAhead<'_> {
    /// A panic over batches that nobody takes any more is no failure of the training.
    fn drop(&mut self) {
        drop(mem::replace(&mut self.steps, sync_channel(0).1));
        if let Some(thread) = self.thread.take() {
            drop(thread.join());
        }
    }
}

struct Assembler<'a> {
    features: &'a Features,
    recipe: Recipe,
    /// An epoch and its order.
    order: (u32, Vec<usize>),
}

impl Assembler<'_> {
    fn assemble(&mut self, global_step: u64) -> StepBatches {
        let (epoch, place) = self.recipe.place_of_step(global_step);
        if self.order.0 != epoch {
            self.order = (epoch, epoch_order(self.features.len(), self.recipe.seed, epoch));
        }
        let per_step = self.recipe.features_per_step();
        let rows = self.order.1.chunks(per_step).nth(place).expect("the place is within the epoch").to_vec();
        let dataset = FeatureDataset(self.features);
        let features: Vec<TrainFeature<'_>> =
            rows.iter().map(|&row| dataset.get(row).unwrap_or_else(|never| match never {})).collect();
        StepBatches {
            epoch,
            tokens: features.iter().map(|feature| feature.input_ids.len() as u64).sum(),
            micro_batches: features.chunks(self.recipe.batch_size).map(MicroBatch::pack).collect(),
            rows,
        }
    }
}
