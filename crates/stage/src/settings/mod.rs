//! Every setting of every stage, as the stages read them.
//!
//! The values come from `pipeline.toml`. It is also built in, so it is the only place with defaults. `load` merges the
//! layers, and `check` checks rules between keys.

mod check;
mod error;
mod known;
mod layers;
mod load;
mod source;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use squad::F1Units;

pub use error::SettingsError;
pub(crate) use known::{keys_named, nearest};
pub(crate) use layers::BUILT_IN;
pub use load::{Loaded, Request};
pub(crate) use source::expand_home_of;
pub use source::{BaseModel, HubId, Location, Source};

/// All settings, one field per table of `pipeline.toml`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Settings {
    /// `[run]`: what several stages share.
    pub run: Run,
    pub ingest: Ingest,
    /// `[tokenize-features]`
    #[serde(rename = "tokenize-features")]
    pub tokenize_features: TokenizeFeatures,
    pub train: Train,
    pub evaluate: Evaluate,
    pub export: Export,
    pub report: Report,
}

/// Settings that several stages share.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Run {
    /// A name for people; empty = none.
    pub name: String,
    /// Seeds the new head, the order of the features and dropout.
    pub seed: u64,
    /// `auto`, `cpu`, `cuda:N` or `mps`, as typed.
    pub device: String,
    /// Type of the matrix products.
    pub precision: PrecisionChoice,
    /// Whether fp16 may run on a CPU, where it is no faster.
    pub allow_slow_precision: bool,
    /// CPU threads; 0 = all cores.
    pub threads: usize,
}

/// Where data and base model come from, and which questions are kept.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Ingest {
    /// Training questions.
    pub train: Source,
    /// Validation questions.
    pub validation: Source,
    /// Test questions, if any: scored once, at the end.
    #[serde(with = "optional_source")]
    pub test: Option<Source>,
    /// The pretrained model.
    pub base_model: BaseModel,
    /// Training questions to keep; 0 = all.
    pub max_train_examples: usize,
    /// Validation questions to keep; 0 = all.
    pub max_validation_examples: usize,
    /// Which ones, if not all are kept.
    pub subset: Subset,
    /// Seeds the generated corpus and the random subset.
    pub seed: u64,
    /// JSON list of the training ids to keep, instead of a number of them.
    #[serde(with = "optional_path")]
    pub train_ids: Option<PathBuf>,
    /// The same for validation.
    #[serde(with = "optional_path")]
    pub validation_ids: Option<PathBuf>,
    /// What to do with a question that breaks the rules.
    pub on_invalid: OnInvalid,
    /// What to do with the answers of a question that is marked as impossible.
    pub plausible_answers: PlausibleAnswers,
    /// Seconds that a server may be silent.
    pub download_timeout_s: u64,
}

/// How questions become windows of tokens.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TokenizeFeatures {
    /// Tokens in a window, special tokens and question included.
    pub max_length: usize,
    /// Tokens by which neighbouring windows overlap.
    pub doc_stride: usize,
}

/// Fine-tuning.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Train {
    /// Passes over the training features.
    pub epochs: u32,
    /// Optimizer steps at most; 0 = no limit.
    pub max_steps: u64,
    /// Features per forward and backward pass.
    pub batch_size: usize,
    /// Features per forward pass outside of training.
    pub eval_batch_size: usize,
    /// Batches averaged into one optimizer step.
    pub gradient_accumulation_steps: usize,
    /// Peak rate of `AdamW`.
    pub learning_rate: f64,
    /// Optimizer steps over which the rate climbs to its peak.
    pub warmup_steps: u64,
    /// The same as a share of all steps; above 0, it takes precedence over `warmup_steps`.
    pub warmup_ratio: f64,
    /// How the rate falls after the warm-up.
    pub schedule: Schedule,
    /// `AdamW`'s decoupled decay; biases and `LayerNorm`s are exempt.
    pub weight_decay: f64,
    /// `AdamW`'s two averaging constants.
    pub betas: [f64; 2],
    /// `AdamW`'s guard against division by zero.
    pub epsilon: f64,
    /// Global L2 norm that gradients are clipped to; 0 = never.
    pub max_grad_norm: f64,
    /// Whether the backward pass recomputes the encoder layers instead of keeping their activations.
    pub gradient_checkpointing: bool,
    /// Prefixes of the names of weights that are not trained.
    pub freeze: Vec<String>,
    /// The factor by which the learning rate changes from one layer to the one below; 1 = the same rate everywhere.
    pub layerwise_lr_decay: f64,
    /// A trained model to start from instead of the base model.
    #[serde(with = "optional_path")]
    pub init_from: Option<PathBuf>,
    /// Optimizer steps between two validations; 0 = only after each epoch.
    pub eval_every_steps: u64,
    /// The score that chooses the best weights.
    pub metric_for_best: Metric,
    /// Validations in a row without a better score after which training ends; 0 = never.
    pub early_stopping_patience: u64,
    /// Optimizer steps between two log lines.
    pub log_every_steps: u64,
    /// Optimizer steps between two checkpoints on disk; 0 = only when training is stopped.
    pub checkpoint_every_steps: u64,
    /// Checkpoints that are kept.
    pub keep_checkpoints: usize,
    /// Minutes after which training stops, ready to resume; 0 = never.
    pub max_minutes: f64,
    /// Address of an `MLflow` server; empty = none.
    pub mlflow_uri: String,
    /// The `MLflow` experiment of the run.
    pub mlflow_experiment: String,
}

/// From logits to answers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Evaluate {
    /// Positions considered per window, and answers kept per question.
    pub n_best: usize,
    /// Tokens in the longest answer considered.
    pub max_answer_length: usize,
    /// Logits by which "no answer" must exceed the best answer.
    pub null_threshold: NullThreshold,
    /// What F1 counts, in training's validations too.
    pub f1_units: F1Units,
    /// How long to measure how fast the model answers; 0 = not at all.
    pub profile_seconds: f64,
}

/// When a question counts as unanswerable.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(untagged, expecting = "expected a number of logits or \"auto\"")]
pub enum NullThreshold {
    At(f64),
    Chosen(ByValidation),
}

/// The word for a value that evaluate chooses on the validation split.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum ByValidation {
    #[serde(rename = "auto")]
    Auto,
}

/// The Hugging Face model directory.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Export {
    /// Weight files to write.
    pub formats: Vec<Format>,
}

/// The page about an evaluation.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// The user's own slices: name → a file of question ids, one per line. `errors`, `compare` and `--require` know
    /// them too.
    pub slices: BTreeMap<String, PathBuf>,
    /// Whether contexts, questions and answers are shown.
    pub texts: bool,
}

/// The data type of matrix products.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PrecisionChoice {
    /// `bf16` where the device has it in hardware and is faster with it, else `fp16` on a GPU and `fp32` on a CPU.
    Auto,
    /// Single precision throughout.
    Fp32,
    /// bfloat16 for matrix products, fp32 for the rest.
    Bf16,
    /// float16 for matrix products, under a scaled loss.
    Fp16,
    /// int8 for the products of linear layers, to answer questions on a CPU.
    Int8,
}

impl PrecisionChoice {
    /// The word in the settings.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Fp32 => "fp32",
            Self::Bf16 => "bf16",
            Self::Fp16 => "fp16",
            Self::Int8 => "int8",
        }
    }
}

impl fmt::Display for PrecisionChoice {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

/// Which questions are kept if not all are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Subset {
    /// A sample without replacement, by `ingest.seed`, in the order of the file.
    Random,
    /// The first ones of the file.
    First,
}

/// What happens to a question that breaks the rules.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OnInvalid {
    /// List them and stop.
    Error,
    /// Leave them out and count them.
    Skip,
    /// Move answers to their places, if these are beyond doubt; leave out the rest and count both.
    Realign,
}

/// What happens to answers under `is_impossible: true`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PlausibleAnswers {
    /// The question breaks the rules.
    Error,
    /// They are ignored: the question has no answer.
    Ignore,
}

/// How the learning rate falls after the warm-up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Schedule {
    /// In a straight line to 0 at the last step.
    Linear,
    /// Along half a cosine to 0 at the last step.
    Cosine,
    /// The rate does not fall.
    Constant,
}

/// A score of a validation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Metric {
    /// Token overlap, per cent: higher is better.
    F1,
    /// Per cent: higher is better.
    ExactMatch,
    /// Mean cross-entropy: lower is better.
    Loss,
}

/// A weight file of the exported directory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// `model.safetensors`
    Safetensors,
    /// `pytorch_model.bin`
    Pytorch,
}

/// TOML has no null: the empty string stands for "no source".
mod optional_source {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    use super::{Location, Source};

    #[expect(clippy::ref_option, reason = "serde's `with` fixes the signature")]
    pub(super) fn serialize<S: Serializer>(
        source: &Option<Source>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        match source {
            Some(source) => source.serialize(serializer),
            None => serializer.serialize_str(""),
        }
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<Source>, D::Error> {
        let is_none = |source: &Source| match source {
            Source::At(locations) => *locations == [Location::File("".into())],
            _ => false,
        };
        Ok(Some(Source::deserialize(deserializer)?).filter(|source| !is_none(source)))
    }
}

/// TOML has no null: the empty string stands for "no path".
mod optional_path {
    use std::path::{Path, PathBuf};

    use serde::{Deserialize, Deserializer, Serializer};

    #[expect(clippy::ref_option, reason = "serde's `with` fixes the signature")]
    pub(super) fn serialize<S: Serializer>(path: &Option<PathBuf>, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&path.as_deref().unwrap_or(Path::new("")).display())
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<PathBuf>, D::Error> {
        let text = String::deserialize(deserializer)?;
        Ok((!text.is_empty()).then(|| text.into()))
    }
}
