//! The names of the files inside artifacts, and which stage writes each.

use std::path::Path;

/// ingest: the paragraphs of the training split.
pub const CONTEXTS_TRAIN: &str = "contexts-train.arrow";
/// ingest: the paragraphs of the validation split.
pub const CONTEXTS_VALIDATION: &str = "contexts-validation.arrow";
/// ingest: the questions of the training split.
pub const EXAMPLES_TRAIN: &str = "examples-train.arrow";
/// ingest: the questions of the validation split.
pub const EXAMPLES_VALIDATION: &str = "examples-validation.arrow";
/// ingest: the weights of the base model.
pub const PRETRAINED: &str = "pretrained.arrow";
/// ingest: `config.json`, `tokenizer.json` and the other small files of the base model.
pub const ASSETS: &str = "assets.arrow";
/// ingest: what is odd about the data.
pub const AUDIT: &str = "audit.arrow";
/// tokenize-features: the windows of the training split.
pub const FEATURES_TRAIN: &str = "features-train.arrow";
/// tokenize-features: the windows of the validation split.
pub const FEATURES_VALIDATION: &str = "features-validation.arrow";
/// train: the weights of the best model.
pub const CHECKPOINT: &str = "checkpoint.arrow";
/// train: what every step and validation measured, deterministic values only.
pub const HISTORY: &str = "history.arrow";
/// train: how long the steps took.
pub const TIMING: &str = "timing.arrow";
/// train: history and timing as JSON lines, written live.
pub const METRICS: &str = "metrics.jsonl";
/// train: the folder of `TensorBoard`'s event files.
pub const TENSORBOARD: &str = "tensorboard";
/// train: the run on an `MLflow` server, where there is one.
pub const MLFLOW: &str = "mlflow.json";
/// train: the folder of training states.
pub const CHECKPOINTS: &str = "checkpoints";
/// evaluate: one row per question.
pub const PREDICTIONS_VALIDATION: &str = "predictions-validation.arrow";
/// evaluate: question id → answer text, as the `SQuAD` script reads it.
pub const PREDICTIONS_JSON: &str = "predictions.json";
/// export: the listing of the model folder.
pub const FILES: &str = "files.arrow";
/// export: the Hugging Face model folder.
pub const MODEL: &str = "model";
/// Every artifact: what it is made of and from.
pub const MANIFEST: &str = "manifest.json";

/// The stage that writes the file of this name, where the name tells.
pub(crate) fn producer(path: &Path) -> Option<&'static str> {
    let name = path.file_name()?.to_str()?;
    match name {
        CONTEXTS_TRAIN | CONTEXTS_VALIDATION | EXAMPLES_TRAIN | EXAMPLES_VALIDATION | PRETRAINED | ASSETS
        | AUDIT => Some("ingest"),
        FEATURES_TRAIN | FEATURES_VALIDATION => Some("tokenize-features"),
        CHECKPOINT | HISTORY | TIMING | METRICS => Some("train"),
        PREDICTIONS_VALIDATION | PREDICTIONS_JSON => Some("evaluate"),
        FILES => Some("export"),
        _ => None,
    }
}
