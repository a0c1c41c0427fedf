//! The names of the files inside artifacts, except those of a split ([`crate::SplitName`]).

/// ingest: the weights of the base model.
pub const PRETRAINED: &str = "pretrained.arrow";
/// ingest: `config.json`, `tokenizer.json` and the other small files of the base model.
pub const ASSETS: &str = "assets.arrow";
/// ingest: the findings about the data.
pub const AUDIT: &str = "audit.arrow";
/// train: the best weights.
pub const WEIGHTS: &str = "weights.arrow";
/// train: what every step and validation measured, deterministic values only.
pub const HISTORY: &str = "history.arrow";
/// train: how long the steps took.
pub const TIMING: &str = "timing.arrow";
/// train: history and timing as JSON lines, written live.
pub const METRICS: &str = "metrics.jsonl";
/// train: the folder of `TensorBoard`'s event files.
pub const TENSORBOARD: &str = "tensorboard";
/// train: the run on an `MLflow` server, if there is one.
pub const MLFLOW: &str = "mlflow.json";
/// train: the folder of checkpoints.
pub const CHECKPOINTS: &str = "checkpoints";
/// evaluate: question id of the validation split → answer text, in the format of the `SQuAD` script.
pub const PREDICTIONS_JSON: &str = "predictions.json";
/// evaluate: the same of the test split.
pub const TEST_PREDICTIONS_JSON: &str = "predictions-test.json";
/// evaluate: how fast the model answers.
pub const PROFILE: &str = "profile.arrow";
/// report: the result of each question.
pub const QUESTIONS: &str = "questions.arrow";
/// report: scores of the slices.
pub const SLICES: &str = "slices.arrow";
/// report: the page.
pub const REPORT_HTML: &str = "report.html";
/// report: a short version, for a pull request or the page of a CI job.
pub const REPORT_MD: &str = "report.md";
/// export: the listing of the model folder.
pub const FILES: &str = "files.arrow";
/// export: the Hugging Face model folder.
pub const MODEL: &str = "model";
/// Every artifact: what it is made of and from.
pub const MANIFEST: &str = "manifest.json";
/// An unfinished artifact: the parts of its fingerprint, until it has a manifest.
pub const PARTS: &str = ".parts.json";
