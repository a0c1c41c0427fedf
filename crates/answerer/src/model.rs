//! Opens the model that a command line names, with the settings of its folder and of the command line.

use distilbert::Config;
use stage::settings::NullThreshold;
use stage::{CommonOptions, Settings, SettingsOptions, Workspace};

use crate::{Answerer, Error, Usage, runtime};

/// Opens the model that `--model` names, or else the export of the settings: anything that [`Workspace::model_folder`]
/// accepts. Its folder says how to ask it, and `--set` can change that; a settings file cannot. `command` is the
/// command that needs the model, for messages.
///
/// # Errors
/// [`Error`], each with its remedy.
pub fn open_model(model: Option<&str>, options: &CommonOptions, command: &str) -> Result<Answerer, Error> {
    let mut workspace = Workspace::open(&without_builtin_stride(&options.settings), &[])?;
    workspace.progress = options.output.progress();
    let folder = workspace.model_folder(model, command)?;
    let settings = workspace.settings();
    torch_kernels::keep_few_sizes();
    let runtime = runtime(&settings.run)?;
    let adjust = |usage: &mut Usage, config: &Config| {
        override_with(usage, config.max_position_embeddings, settings, &options.settings.set);
    };
    Answerer::open(&folder, adjust, &runtime)
}

/// If only `max_length` was typed, it must not be checked against the built-in `doc_stride`, but against the model's
/// own.
fn without_builtin_stride(options: &SettingsOptions) -> SettingsOptions {
    let mut options = options.clone();
    let sets = |key: &str| options.set.iter().any(|set| set.trim_start().starts_with(key));
    if sets("tokenize-features.max_length") && !sets("tokenize-features.doc_stride") {
        options.set.push("tokenize-features.doc_stride=0".to_owned());
    }
    options
}

/// Only what was typed overrides the model, not a settings file.
fn override_with(usage: &mut Usage, positions: usize, settings: &Settings, typed: &[String]) {
    let is_typed =
        |key: &str| typed.iter().any(|set| set.split_once('=').is_some_and(|(typed, _)| typed.trim() == key));
    let (tokenize, evaluate) = (&settings.tokenize_features, &settings.evaluate);
    if is_typed("tokenize-features.max_length") {
        usage.windows.max_length = tokenize.max_length;
    }
    if is_typed("tokenize-features.doc_stride") {
        usage.windows.doc_stride = tokenize.doc_stride;
    }
    if is_typed("evaluate.n_best") {
        usage.spans.n_best = evaluate.n_best;
    }
    if is_typed("evaluate.max_answer_length") {
        usage.spans.max_answer_length = evaluate.max_answer_length;
    }
    if is_typed("evaluate.null_threshold")
        && let NullThreshold::At(threshold) = evaluate.null_threshold
    {
        usage.spans.null_threshold = threshold;
    }
    usage.windows.max_length = usage.windows.max_length.min(positions);
    if !is_typed("tokenize-features.doc_stride") {
        usage.windows.doc_stride = usage.windows.doc_stride.min(usage.windows.max_length / 2);
    }
}

#[cfg(test)]
mod tests {
    use pretrained::{SpanConfig, UseConfig, WindowConfig};
    use squad::{SpanSettings, WindowSettings};

    use super::*;

    fn settings(set: &[String]) -> Settings {
        stage::settings::Request { set: set.to_vec(), ..Default::default() }.load().unwrap().settings
    }

    #[test]
    fn a_folder_says_how_it_is_asked_and_only_the_command_line_overrides_it() {
        let said = UseConfig {
            windows: WindowConfig { max_length: 64, doc_stride: 16 },
            spans: SpanConfig { n_best: 5, max_answer_length: 7, null_threshold: 1.5 },
            no_answer: true,
            temperature: 1.0,
            files: std::collections::BTreeMap::new(),
        };
        let asked = |said, positions, set: &[String]| {
            let mut usage = Usage::of(said, positions);
            override_with(&mut usage, positions, &settings(set), set);
            usage
        };
        let usage = asked(Some(&said), 512, &[]);
        assert_eq!(usage.windows, WindowSettings { max_length: 64, doc_stride: 16 });
        assert_eq!(usage.spans, SpanSettings { n_best: 5, max_answer_length: 7, null_threshold: 1.5 });
        assert!(usage.no_answer);

        let set = ["tokenize-features.max_length=256", "evaluate.null_threshold=3"].map(str::to_owned);
        let usage = asked(Some(&said), 512, &set);
        assert_eq!(usage.windows, WindowSettings { max_length: 256, doc_stride: 16 });
        assert_eq!((usage.spans.null_threshold, usage.spans.n_best), (3.0, 5));
    }

    /// transformers' question-answering pipeline (5.2): `max_seq_len` min(model, 384), `doc_stride` min(half of it, 128).
    #[test]
    fn a_folder_of_another_tool_is_asked_as_by_transformers() {
        let usage = Usage::of(None, 512);
        assert_eq!(usage.windows, WindowSettings { max_length: 384, doc_stride: 128 });
        assert_eq!((usage.spans.max_answer_length, usage.no_answer), (30, false));
        assert_eq!(Usage::of(None, 64).windows, WindowSettings { max_length: 64, doc_stride: 32 });
    }
}
