//! The registry of stages: what each reads and writes, and the settings and code that can change its output.
//!
//! The driver plans from these declarations without linking the stages, and each stage binary uses its own. A new stage
//! is an entry in [`STAGES`] and a crate of its name. Reading a setting that is not listed in the entry would leave
//! artifacts that look up to date and are not.

use artifact::Kind;
use serde_json::{Map, Value, json};
use tracing::{Span, info_span};

use crate::sources::{self, Outside};
use crate::{Error, Fetcher, Planned, Settings, Workspace, check};

/// One stage of the pipeline.
#[derive(Debug)]
pub struct Declaration {
    /// `ingest`, `tokenize-features`, …: also the name of its crate and of its folder in the store.
    pub name: &'static str,
    /// A sentence for `--help`.
    pub about: &'static str,
    /// What a newcomer needs to know in addition.
    pub details: &'static str,
    /// The files it writes, for `--help`.
    pub output: &'static str,
    /// Stages whose artifacts it reads.
    pub inputs: &'static [&'static str],
    /// The settings, as `table.key`, that can change its output. Devices, threads, paths and log options
    /// are not among them: a store is valid on any machine and in any folder.
    pub settings: &'static [&'static str],
    /// Settings that count by the contents that they name (a file, a URL, a model) instead of by their value.
    pub named_files: &'static [&'static str],
    /// Reads what these settings name.
    pub(crate) outside: fn(&Workspace, &mut Fetcher) -> Result<Outside, Error>,
    /// Refuses settings that the stage would refuse only once its inputs are made.
    pub(crate) check: fn(&Workspace, &[Planned], &mut Fetcher) -> Result<(), Error>,
    /// Locked libraries that can change its output, with their versions.
    pub libraries: &'static [(&'static str, &'static str)],
    /// The kinds of table it reads or writes.
    pub kinds: &'static [&'static Kind],
    /// What happens to the files of an unfinished run.
    pub unfinished: Unfinished,
    /// The span of its log lines.
    pub(crate) span: fn() -> Span,
}

/// What happens to the files of an unfinished run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unfinished {
    /// The next run starts over; a failed one leaves nothing.
    Clear,
    /// The next run resumes from them.
    GoOn,
}

impl Declaration {
    /// The name of the stage's binary.
    #[must_use]
    pub fn binary(&self) -> String {
        format!("distilburn-{}", self.name)
    }

    /// The declaration of the stage with this name.
    #[must_use]
    pub fn of(stage: &str) -> Option<&'static Self> {
        STAGES.into_iter().find(|declaration| declaration.name == stage)
    }

    /// Every stage that its output depends on, in execution order.
    #[must_use]
    pub fn upstream(&self) -> Vec<&'static str> {
        let mut upstream: Vec<&str> = self.inputs.to_vec();
        for declaration in STAGES.into_iter().rev() {
            if upstream.contains(&declaration.name) {
                upstream.extend(declaration.inputs);
            }
        }
        STAGES
            .into_iter()
            .map(|declaration| declaration.name)
            .filter(|name| upstream.contains(name))
            .collect()
    }

    /// The code's part of the fingerprint.
    #[must_use]
    pub fn code(&self) -> Value {
        let libraries: Map<_, _> =
            self.libraries.iter().map(|(name, version)| ((*name).into(), json!(version))).collect();
        let kinds: Map<_, _> =
            self.kinds.iter().map(|kind| (kind.name.into(), json!(kind.version))).collect();
        json!({ "sources": self.sources(), "libraries": libraries, "kinds": kinds })
    }

    /// Hash of the sources that can change its output.
    fn sources(&self) -> &'static str {
        /// Crate → hash, from the build script.
        const SOURCES: &[(&str, &str)] = include!(concat!(env!("OUT_DIR"), "/sources.rs"));
        let found = SOURCES.iter().find(|(name, _)| *name == self.name);
        found.expect("a stage has a crate of its name, whose main is stage::stage_main").1
    }

    /// Whether a setting counts in its fingerprint, by its value or by the contents that it names.
    pub(crate) fn counts(&self, key: &str) -> bool {
        self.settings.contains(&key) || self.named_files.contains(&key)
    }

    /// The settings' part of the fingerprint, by `table.key`.
    #[must_use]
    pub fn settings_read(&self, settings: &Settings) -> Value {
        let all = serde_json::to_value(settings).expect("settings hold no maps with keys other than strings");
        let read = self.settings.iter().map(|path| {
            let (table, key) = path.split_once('.').expect("declared as table.key");
            ((*path).to_owned(), all[table][key].clone())
        });
        Value::Object(read.collect())
    }
}

const TOKENIZERS: (&str, &str) = ("tokenizers", env!("DISTILBURN_LOCKED_TOKENIZERS"));
const BURN: (&str, &str) = ("burn", env!("DISTILBURN_LOCKED_BURN"));
const TCH: (&str, &str) = ("tch", env!("DISTILBURN_LOCKED_TCH"));

/// The outside world → examples and pretrained weights.
pub static INGEST: Declaration = Declaration {
    name: "ingest",
    about: "Reads question-answering data and a pretrained model into Arrow tables",
    details: "Data: a corpus that distilburn generates (\"sample\"), or files, URLs or Hub datasets. Formats: SQuAD JSON \
              (v1.1, v2.0), JSON Lines, Parquet and more, plain, gzip or zstd. Model: a folder or a model on the Hub, \
              with config.json, tokenizer.json or vocab.txt, and model.safetensors or pytorch_model.bin of a DistilBERT \
              or BERT-family model. ingest reads HF_ENDPOINT, HF_HOME, HF_TOKEN and HF_HUB_OFFLINE.",
    output: "contexts-….arrow and examples-….arrow of every split, audit.arrow (findings about them), \
             pretrained.arrow, assets.arrow,",
    inputs: &[],
    settings: &[
        "ingest.max_train_examples",
        "ingest.max_validation_examples",
        "ingest.on_invalid",
        "ingest.plausible_answers",
        "ingest.seed",
        "ingest.subset",
    ],
    named_files: &[
        "ingest.train",
        "ingest.validation",
        "ingest.test",
        "ingest.base_model",
        "ingest.train_ids",
        "ingest.validation_ids",
    ],
    outside: |workspace, fetcher| sources::inputs(&workspace.loaded, workspace.store.root(), fetcher),
    check: |_, _, _| Ok(()),
    libraries: &[],
    kinds: &[
        &artifact::ASSETS,
        &artifact::AUDIT,
        &artifact::CONTEXTS,
        &artifact::EXAMPLES,
        &artifact::TENSORS,
    ],
    unfinished: Unfinished::Clear,
    span: || info_span!("ingest"),
};

/// Examples → windows of tokens.
pub static TOKENIZE_FEATURES: Declaration = Declaration {
    name: "tokenize-features",
    about: "Cuts questions and contexts into overlapping windows of tokens",
    details: "Writes one feature per window: its token ids, the characters of each token, and the start and end of the \
              answer.",
    output: "features-….arrow of every split,",
    inputs: &["ingest"],
    settings: &["tokenize-features.doc_stride", "tokenize-features.max_length"],
    named_files: &[],
    outside: |_, _| Ok(Outside::default()),
    check: check::positions,
    libraries: &[TOKENIZERS],
    kinds: &[&artifact::ASSETS, &artifact::CONTEXTS, &artifact::EXAMPLES, &artifact::FEATURES],
    unfinished: Unfinished::Clear,
    span: || info_span!("tokenize-features"),
};

/// Features and pretrained weights → the fine-tuned model.
pub static TRAIN: Declaration = Declaration {
    name: "train",
    about: "Fine-tunes the model on the training features",
    details: "After each epoch, train answers and scores the validation questions, and keeps the best weights. \
              history.arrow holds loss, learning rate and scores; timing.arrow and metrics.jsonl hold the speed. If \
              training is stopped or killed, the same command resumes from the newest checkpoint; --force starts over.",
    output: "weights.arrow (the best weights), history.arrow, timing.arrow, metrics.jsonl (live), tensorboard/,",
    inputs: &["ingest", "tokenize-features"],
    settings: &[
        "evaluate.f1_units",
        "run.precision",
        "run.seed",
        "train.batch_size",
        "train.betas",
        "train.early_stopping_patience",
        "train.epochs",
        "train.epsilon",
        "train.eval_batch_size",
        "train.eval_every_steps",
        "train.freeze",
        "train.gradient_accumulation_steps",
        "train.gradient_checkpointing",
        "train.layerwise_lr_decay",
        "train.learning_rate",
        "train.max_grad_norm",
        "train.max_steps",
        "train.metric_for_best",
        "train.schedule",
        "train.warmup_ratio",
        "train.warmup_steps",
        "train.weight_decay",
    ],
    named_files: &["train.init_from"],
    outside: |workspace, _| sources::init_from(&workspace.loaded, workspace.store.root()),
    check: check::training,
    libraries: &[BURN, TCH],
    kinds: &[
        &artifact::ASSETS,
        &artifact::CONTEXTS,
        &artifact::EXAMPLES,
        &artifact::FEATURES,
        &artifact::HISTORY,
        &artifact::TENSORS,
        &artifact::TIMING,
        &artifact::CHECKPOINT,
    ],
    unfinished: Unfinished::GoOn,
    span: || info_span!("train"),
};

/// The fine-tuned model on the validation questions → answers and scores.
pub static EVALUATE: Declaration = Declaration {
    name: "evaluate",
    about: "Answers the validation and test questions and scores exact match and F1, before and after fine-tuning",
    details: "predictions.json has the format of SQuAD's official script; predictions-….arrow hold the n-best answers with \
              their scores. `distilburn evaluate --model MODEL --dataset FILE` scores a finished \
              model on other questions, outside the store.",
    output: "predictions-….arrow and predictions-base-….arrow of validation and test, predictions.json, profile.arrow (how \
             fast the model answers),",
    inputs: &["ingest", "tokenize-features", "train"],
    settings: &[
        "evaluate.f1_units",
        "evaluate.max_answer_length",
        "evaluate.n_best",
        "evaluate.null_threshold",
        "run.precision",
        "train.eval_batch_size",
    ],
    named_files: &[],
    outside: |_, _| Ok(Outside::default()),
    check: |_, _, _| Ok(()),
    libraries: &[BURN, TCH],
    kinds: &[
        &artifact::ASSETS,
        &artifact::CONTEXTS,
        &artifact::EXAMPLES,
        &artifact::FEATURES,
        &artifact::PREDICTIONS,
        &artifact::PROFILE,
        &artifact::TENSORS,
    ],
    unfinished: Unfinished::Clear,
    span: || info_span!("evaluate"),
};

/// The fine-tuned model → a Hugging Face model directory.
pub static EXPORT: Declaration = Declaration {
    name: "export",
    about: "Writes the fine-tuned model as a Hugging Face model directory",
    details: "model/ loads with AutoModelForQuestionAnswering and AutoTokenizer. Before it reports success, export reads \
              the model back and compares its logits.",
    output: "model/ and its listing, files.arrow,",
    inputs: &["ingest", "train", "evaluate"],
    settings: &["export.formats"],
    named_files: &[],
    outside: |_, _| Ok(Outside::default()),
    check: |_, _, _| Ok(()),
    libraries: &[BURN, TCH],
    kinds: &[&artifact::ASSETS, &artifact::FILES, &artifact::PREDICTIONS, &artifact::TENSORS],
    unfinished: Unfinished::Clear,
    span: || info_span!("export"),
};

/// Everything about an evaluation → a page.
pub static REPORT: Declaration = Declaration {
    name: "report",
    about: "Writes a page about the evaluation: scores, slices, errors, calibration, data and recipe",
    details: "report.html is one file that needs no network. report.md is a short version for a pull request or a CI job's \
              page. No stage reads the report, so a change of slices or layout re-runs only this stage.",
    output: "report.html, report.md, questions.arrow (slices, category and scores of each question), slices.arrow \
             (scores of each slice),",
    inputs: &["ingest", "tokenize-features", "train", "evaluate"],
    settings: &["report.texts"],
    named_files: &["report.slices"],
    outside: |workspace, _| sources::own_slices(&workspace.loaded, workspace.store.root()),
    check: |_, _, _| Ok(()),
    libraries: &[],
    kinds: &[
        &artifact::AUDIT,
        &artifact::CONTEXTS,
        &artifact::EXAMPLES,
        &artifact::FEATURES,
        &artifact::HISTORY,
        &artifact::PREDICTIONS,
        &artifact::PROFILE,
        &artifact::QUESTIONS,
        &artifact::SLICES,
        &artifact::TIMING,
    ],
    unfinished: Unfinished::Clear,
    span: || info_span!("report"),
};

/// All stages, in the order in which they run.
pub static STAGES: [&Declaration; 6] = [&INGEST, &TOKENIZE_FEATURES, &TRAIN, &EVALUATE, &EXPORT, &REPORT];
