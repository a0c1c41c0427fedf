//! Checks that the written directory gives the same logits as the trained weights, bit for bit.
//!
//! In fp32 on the CPU: on one machine with one number of threads the same weights then give the same bits.

use std::path::{Path, PathBuf};

use artifact::{Artifact, Assets, Contexts, Examples, SplitName, Tensors, file_name};
use distilbert::{Config, DistilBertForQuestionAnswering, Predictor, QaLogits, Runtime, Weights};
use squad::{FeatureTokenizer, WindowSettings};

use crate::Error;

/// How many validation questions are used, spread evenly over the split.
const QUESTIONS: usize = 8;

/// The trained weights' answers, to compare with those of each weight file.
pub(crate) struct Check<'a> {
    runtime: Runtime,
    trained: &'a Tensors,
    /// The written configuration.
    config: Config,
    /// The questions, encoded by the written tokenizer.
    input_ids: Vec<Vec<i32>>,
    expected: Vec<QaLogits>,
}

impl<'a> Check<'a> {
    /// Reads configuration and tokenizer back from `folder`, and runs the trained weights on the questions.
    pub(crate) fn new(
        folder: &Path,
        trained: &'a Tensors,
        ingest: &Artifact,
        threads: usize,
    ) -> Result<Self, Error> {
        let assets_path = ingest.file(file_name::ASSETS)?;
        let assets = Assets::open(&assets_path)?;
        let base_config = Config::from_assets(&assets)?;
        let config_path = folder.join("config.json");
        let config = Config::from_json(&fs_err::read(&config_path)?)?;
        if config != base_config {
            return Err(differs(&config_path, format!("it says {config:?}, the base model {base_config:?}")));
        }
        let questions = Questions::new(ingest, &config)?;
        let tokenizer_path = folder.join("tokenizer.json");
        let input_ids = questions.encode(&fs_err::read(&tokenizer_path)?)?;
        let name = "tokenizer.json";
        let base_tokenizer = assets.get(name).ok_or(Error::NoAsset { path: assets_path, name })?;
        if input_ids != questions.encode(base_tokenizer)? {
            return Err(differs(
                &tokenizer_path,
                "its ids differ from those of the base model's tokenizer".to_owned(),
            ));
        }
        let runtime = Runtime::cpu_fp32(threads)?;
        let expected = logits(&base_config, trained, &input_ids, &runtime)?;
        Ok(Self { runtime, trained, config, input_ids, expected })
    }

    /// Compares what was read back from `path` with the trained weights: each tensor, then the logits.
    pub(crate) fn weights(&self, path: &Path, weights: &dyn Weights) -> Result<(), Error> {
        for tensor in self.trained.iter() {
            let (expected, found) = (Weights::get(self.trained, tensor.name)?, weights.get(tensor.name)?);
            if expected.0 != found.0 {
                let what = format!(
                    "{} has shape {:?}, in the trained weights {:?}",
                    tensor.name, found.0, expected.0
                );
                return Err(differs(path, what));
            }
            if let Some(at) = first_difference(&expected.1, &found.1) {
                return Err(differs(
                    path,
                    format!("{} differs from the trained weights at element {at}", tensor.name),
                ));
            }
        }
        let found = logits(&self.config, weights, &self.input_ids, &self.runtime)?;
        for (feature, (expected, found)) in self.expected.iter().zip(&found).enumerate() {
            for (side, expected, found) in [
                ("start", &expected.start_logits, &found.start_logits),
                ("end", &expected.end_logits, &found.end_logits),
            ] {
                if let Some(at) = first_difference(expected, found) {
                    let what = format!(
                        "{side} logit {at} of feature {feature} is {}, the trained weights give {}",
                        found[at], expected[at]
                    );
                    return Err(differs(path, what));
                }
            }
        }
        Ok(())
    }

    /// How many features are compared.
    pub(crate) fn features(&self) -> usize {
        self.input_ids.len()
    }

    /// How many numbers they give.
    pub(crate) fn logits(&self) -> usize {
        2 * self.input_ids.iter().map(Vec::len).sum::<usize>()
    }
}

/// A few questions of the validation split.
struct Questions {
    contexts: Contexts,
    examples: Examples,
    settings: WindowSettings,
}

impl Questions {
    fn new(ingest: &Artifact, config: &Config) -> Result<Self, Error> {
        let contexts = Contexts::open(&ingest.file(SplitName::Validation.contexts())?)?;
        let examples = Examples::open(&ingest.file(SplitName::Validation.examples())?)?;
        examples.check_contexts(&contexts)?;
        // The longest windows that the model accepts, so that a question that fitted in tokenize-features fits here.
        let settings = WindowSettings { max_length: config.max_position_embeddings, doc_stride: 0 };
        Ok(Self { contexts, examples, settings })
    }

    /// The first window of each.
    fn encode(&self, tokenizer_json: &[u8]) -> Result<Vec<Vec<i32>>, Error> {
        let tokenizer = FeatureTokenizer::new(tokenizer_json, self.settings).map_err(Error::Tokenizer)?;
        let step = self.examples.len().div_ceil(QUESTIONS).max(1);
        let rows = (0..self.examples.len()).step_by(step);
        rows.map(|row| {
            let example = self.examples.get(row);
            let context = tokenizer.tokenize_context(self.contexts.get(example.context_id).context)?;
            let windows = tokenizer.windows(example.question, &context, None)?;
            Ok(windows.into_iter().next().map(|window| window.input_ids).unwrap_or_default())
        })
        .collect::<Result<_, squad::Error>>()
        .map_err(Error::Tokenizer)
    }
}

fn logits(
    config: &Config,
    weights: &dyn Weights,
    input_ids: &[Vec<i32>],
    runtime: &Runtime,
) -> Result<Vec<QaLogits>, Error> {
    let model = DistilBertForQuestionAnswering::new(config, weights, runtime.device())?;
    let input_ids: Vec<&[i32]> = input_ids.iter().map(Vec::as_slice).collect();
    Ok(Predictor::new(&model, runtime).logits(&input_ids))
}

/// The first place where the bits differ; if one is longer, the end of the shorter one.
fn first_difference(expected: &[f32], found: &[f32]) -> Option<usize> {
    let differ =
        expected.iter().zip(found).position(|(expected, found)| expected.to_bits() != found.to_bits());
    differ.or_else(|| (expected.len() != found.len()).then(|| expected.len().min(found.len())))
}

fn differs(path: &Path, what: String) -> Error {
    Error::Differs { path: PathBuf::from(path), what }
}

#[cfg(test)]
mod tests;
