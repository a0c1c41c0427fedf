//! A checkpoint: everything that a training needs to go on as if it had never stopped.
//!
//! Order and dropout are functions of the seed and the step, so it is the parameters with their moments, a
//! handful of counters, and the history so far.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use answerer::SplitScore;
use artifact::{CheckpointName, HistoryRow, Tensors, TensorsWriter, read_history, write_history};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::Error;
use crate::optimizer::AdamW;
use crate::scaler::GradScaler;

/// What is counted, beside the optimizer's own step.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Counters {
    /// Steps attempted.
    pub(crate) global_step: u64,
    /// Updates made.
    pub(crate) optimizer_step: u64,
    /// In float16.
    pub(crate) scaler: Option<GradScaler>,
    /// The step after which the last validation was; 0 = there was none.
    pub(crate) validated_step: u64,
    /// The best validation.
    pub(crate) best: Option<Best>,
    /// Validations since then.
    pub(crate) validations_since_best: u64,
}

/// The best validation so far.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Best {
    pub(crate) global_step: u64,
    pub(crate) loss: f64,
    pub(crate) exact_match: f64,
    pub(crate) f1: f64,
}

impl Best {
    pub(crate) fn score(&self) -> SplitScore {
        SplitScore { loss: self.loss, exact_match: self.exact_match, f1: self.f1 }
    }
}

impl Counters {
    /// What a checkpoint with them is called.
    pub(crate) fn name(&self) -> CheckpointName {
        let Self { global_step, validated_step, .. } = *self;
        CheckpointName { global_step, validated: global_step > 0 && validated_step == global_step }
    }

    /// The same, for a training that begins with `scaler`: another device may have another precision.
    pub(crate) fn for_scaler(self, scaler: Option<GradScaler>) -> Self {
        let scaler = match (self.scaler, scaler) {
            (Some(kept), Some(_)) => Some(kept),
            (None, None) => None,
            (kept, new) => {
                let had = if kept.is_some() { "float16" } else { "another precision than float16" };
                tracing::warn!(had, "the training resumes in another precision than it was stopped in");
                new
            }
        };
        Self { scaler, ..self }
    }

    /// Each counter as JSON under its name.
    fn to_metadata(&self) -> BTreeMap<String, String> {
        let Ok(Value::Object(counters)) = serde_json::to_value(self) else {
            unreachable!("a struct of numbers is a JSON object")
        };
        counters.into_iter().map(|(name, value)| (name, value.to_string())).collect()
    }

    fn from_metadata(tensors: &Tensors) -> Result<Self, serde_json::Error> {
        let names = Self::default().to_metadata();
        let found = names.keys().filter_map(|name| Some((name.clone(), tensors.metadata(name)?)));
        let counters = found
            .map(|(name, text)| Ok((name, serde_json::from_str(text)?)))
            .collect::<Result<Map<_, _>, serde_json::Error>>()?;
        serde_json::from_value(Value::Object(counters))
    }
}

/// What the rows of a parameter's moments are called after its name.
const MOMENTS: [&str; 2] = [".exp_avg", ".exp_avg_sq"];

/// A checkpoint on its way to the disk: its tensors are written, so that training goes on, but not yet known to be there.
///
/// The copy is the operating system's (its cache of the file), which may move it to the disk and out of memory at any
/// time; one of ours would take three times the model's size until the file is whole.
pub(crate) struct Snapshot {
    pub(crate) counters: Counters,
    paths: CheckpointPaths,
    fingerprint: String,
    history: Vec<HistoryRow>,
    tensors: TensorsWriter,
}

impl Snapshot {
    /// Copies parameters and moments into the checkpoint's file in `dir`.
    pub(crate) fn take(
        dir: &Path,
        counters: Counters,
        history: &[HistoryRow],
        optimizer: &AdamW,
        fingerprint: &str,
    ) -> Result<Self, Error> {
        let paths = CheckpointPaths::new(dir, counters.name());
        let kind = &artifact::CHECKPOINT;
        let mut tensors =
            TensorsWriter::create_as(&paths.tensors, fingerprint, kind, counters.to_metadata())?;
        for state in optimizer.states() {
            let shape: Vec<i64> = state.param.shape.iter().map(|&size| size as i64).collect();
            let name = &state.param.name;
            tensors.push_f32(name, &shape, &state.param.handle.to_vec())?;
            for (moment, handle) in MOMENTS.into_iter().zip([&state.exp_avg, &state.exp_avg_sq]) {
                tensors.push_f32(&format!("{name}{moment}"), &shape, &handle.to_vec())?;
            }
        }
        Ok(Self { counters, paths, fingerprint: fingerprint.to_owned(), history: history.to_vec(), tensors })
    }

    /// Writes the history; returns when both files are whole, on the disk, and have their names.
    pub(crate) fn finish(self) -> Result<CheckpointPaths, Error> {
        write_history(&self.paths.history, &self.fingerprint, &self.history)?;
        self.tensors.finish()?;
        Ok(self.paths)
    }
}

/// Where the two files of a checkpoint are.
#[derive(Clone, Debug)]
pub(crate) struct CheckpointPaths {
    pub(crate) tensors: PathBuf,
    pub(crate) history: PathBuf,
}

impl CheckpointPaths {
    pub(crate) fn new(dir: &Path, name: CheckpointName) -> Self {
        Self {
            tensors: dir.join(format!("{name}.arrow")),
            history: dir.join(format!("{name}.history.arrow")),
        }
    }
}

/// A checkpoint read back.
pub(crate) struct Checkpoint {
    pub(crate) counters: Counters,
    pub(crate) history: Vec<HistoryRow>,
    path: PathBuf,
    tensors: Tensors,
}

impl Checkpoint {
    pub(crate) fn open(paths: &CheckpointPaths) -> Result<Self, Error> {
        let tensors = Tensors::open(&paths.tensors, &artifact::CHECKPOINT)?;
        let counters = Counters::from_metadata(&tensors)
            .map_err(|error| Error::Checkpoint { path: paths.tensors.clone(), reason: error.to_string() })?;
        Ok(Self { counters, history: read_history(&paths.history)?, path: paths.tensors.clone(), tensors })
    }

    /// Overwrites parameters and moments with those of the checkpoint.
    pub(crate) fn restore(&self, optimizer: &mut AdamW) -> Result<(), Error> {
        for state in optimizer.restore(self.counters.optimizer_step) {
            let name = state.param.name.clone();
            let handles = [&mut state.param.handle, &mut state.exp_avg, &mut state.exp_avg_sq];
            for (handle, suffix) in handles.into_iter().zip(["", MOMENTS[0], MOMENTS[1]]) {
                let values = self.tensors.get(&format!("{name}{suffix}"))?.to_f32()?;
                if values.len() != handle.numel() {
                    let reason =
                        format!("{name}{suffix} has {} values, expected {}", values.len(), handle.numel());
                    return Err(Error::Checkpoint { path: self.path.clone(), reason });
                }
                handle.copy_from(&values);
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scale_goes_with_float16_alone() {
        let new = GradScaler::new(GradScaler::INITIAL_SCALE);
        let kept = GradScaler::new(8.0);
        let after =
            |before, scaler| Counters { scaler: before, ..Counters::default() }.for_scaler(scaler).scaler;
        assert_eq!(after(Some(kept), Some(new)), Some(kept));
        assert_eq!(after(Some(kept), None), None);
        assert_eq!(after(None, Some(new)), Some(new));
        assert_eq!(after(None, None), None);
    }
}
