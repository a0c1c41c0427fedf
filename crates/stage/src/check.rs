//! Checks while planning what a stage could refuse only after its inputs are made.

use artifact::SplitName;

use crate::settings::PrecisionChoice;
use crate::{Basis, Error, Fetcher, Planned, Workspace, sources};

/// Refuses windows longer than the base model's positions. tokenize-features would refuse them only after ingest.
pub(crate) fn positions(
    workspace: &Workspace,
    upstream: &[Planned],
    fetcher: &mut Fetcher,
) -> Result<(), Error> {
    const KEY: &str = "tokenize-features.max_length";
    let loaded = &workspace.loaded;
    if upstream[0].basis != Basis::Settings {
        return Ok(());
    }
    let max_length = loaded.settings.tokenize_features.max_length;
    match sources::positions(loaded, fetcher) {
        Some(positions) if max_length as u64 > positions => Err(Error::Unworkable {
            origin: loaded.origin(KEY).to_owned(),
            message: format!(
                "{KEY} = {max_length} is more than the {positions} positions of the base model {} ({})",
                loaded.settings.ingest.base_model,
                loaded.origin("ingest.base_model")
            ),
            remedy: format!(
                "set max_length to {positions} or less, and doc_stride to much less, such as {}",
                positions / 4
            ),
        }),
        _ => Ok(()),
    }
}

/// Refuses what training cannot do.
pub(crate) fn training(
    workspace: &Workspace,
    upstream: &[Planned],
    fetcher: &mut Fetcher,
) -> Result<(), Error> {
    precision(workspace)?;
    warmup(workspace, upstream, fetcher)
}

fn precision(workspace: &Workspace) -> Result<(), Error> {
    const KEY: &str = "run.precision";
    if workspace.loaded.settings.run.precision != PrecisionChoice::Int8 {
        return Ok(());
    }
    Err(Error::Unworkable {
        origin: workspace.loaded.origin(KEY).to_owned(),
        message: format!("{KEY} = \"int8\" is for answering questions: gradients need more than 8 bits"),
        remedy: "train with \"auto\", and add `--set run.precision=int8` to `distilburn ask`, `predict`, `serve` or \
                 `evaluate --model`"
            .to_owned(),
    })
}

/// Refuses a warm-up that never ends, which train would refuse later. The number of steps is known once the features
/// exist; before, only its maximum `train.max_steps` is.
fn warmup(workspace: &Workspace, upstream: &[Planned], _: &mut Fetcher) -> Result<(), Error> {
    const KEY: &str = "train.warmup_steps";
    let loaded = &workspace.loaded;
    let train = &loaded.settings.train;
    let made = upstream.iter().filter_map(|planned| planned.artifact.as_ref());
    let mut files = made.flat_map(|artifact| &artifact.manifest.files);
    let features = files.find(|file| file.name == SplitName::Train.features()).and_then(|file| file.rows);
    let per_step = (train.batch_size * train.gradient_accumulation_steps) as u64;
    let all_steps = features.map(|features| u64::from(train.epochs) * features.div_ceil(per_step));
    let limit = (train.max_steps > 0).then_some(train.max_steps);
    let Some(steps) = all_steps.into_iter().chain(limit).min() else { return Ok(()) };
    if train.warmup_ratio > 0.0 || train.warmup_steps < steps {
        return Ok(());
    }
    Err(Error::Unworkable {
        origin: loaded.origin(KEY).to_owned(),
        message: format!(
            "{KEY} = {}, but the training has only {steps} steps: the learning rate would never reach its peak",
            train.warmup_steps
        ),
        remedy: "set `train.warmup_ratio = 0.1`, or lower `train.warmup_steps`".to_owned(),
    })
}
