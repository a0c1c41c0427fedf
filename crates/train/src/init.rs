//! What training starts from: the base model with a fresh head, or a model that was trained before.

use std::path::{Path, PathBuf};

use artifact::{Tensors, file_name};
use burn::tensor::Device;
use distilbert::{
    BaseWeights, Config, DistilBertForQuestionAnswering, QA_HEAD_WEIGHT, SafetensorsWeights, Weights,
};

use crate::Error;

/// Where the weights are.
pub(crate) enum InitialWeights<'a> {
    /// An ingest artifact's.
    Base(&'a Tensors),
    /// A train artifact's checkpoint.
    Checkpoint(Tensors),
    /// An exported model directory's `model.safetensors`.
    Exported { bytes: Vec<u8>, path: PathBuf },
}

impl<'a> InitialWeights<'a> {
    /// Opens what `train.init_from` names; without it, the base model is what there is.
    pub(crate) fn open(init_from: Option<&Path>, pretrained: &'a Tensors) -> Result<Self, Error> {
        let Some(folder) = init_from else { return Ok(Self::Base(pretrained)) };
        tracing::info!(folder = %folder.display(), "starting from a trained model");
        let checkpoint = folder.join(file_name::CHECKPOINT);
        if checkpoint.is_file() {
            return Ok(Self::Checkpoint(Tensors::open(&checkpoint)?));
        }
        let path = folder.join("model.safetensors");
        let bytes = std::fs::read(&path).map_err(|source| Error::InitFrom { path: path.clone(), source })?;
        Ok(Self::Exported { bytes, path })
    }

    /// The model with these weights; `seed` draws a fresh head where the base model has none.
    pub(crate) fn model(
        &self,
        config: &Config,
        seed: u64,
        device: &Device,
    ) -> Result<DistilBertForQuestionAnswering, Error> {
        let model = match self {
            Self::Base(pretrained) => {
                let weights = BaseWeights::new(pretrained, config.dim, seed);
                DistilBertForQuestionAnswering::new(config, &weights, device)
            }
            Self::Checkpoint(tensors) => DistilBertForQuestionAnswering::new(config, tensors, device),
            Self::Exported { bytes, path } => {
                let weights = SafetensorsWeights::new(bytes, path)?;
                // The head first: a base model of other sizes is to be called a base model.
                let head = weights.get(QA_HEAD_WEIGHT);
                let model = head.and_then(|_| DistilBertForQuestionAnswering::new(config, &weights, device));
                return model.map_err(|error| match error {
                    distilbert::Error::MissingTensor { name } if name == QA_HEAD_WEIGHT => {
                        Error::InitFromBaseModel { path: path.clone(), tensor: name }
                    }
                    error => error.into(),
                });
            }
        };
        Ok(model?)
    }
}
