//! What training starts from: the base model with a fresh head, or a model that was trained before.

use std::path::Path;

use artifact::{Tensors, file_name};
use burn::tensor::Device;
use distilbert::{BaseWeights, Config, DistilBertForQuestionAnswering, QA_HEAD_WEIGHT};
use pretrained::{Identity, ModelFolder, NamedTensors};
use serde::Deserialize;
use stage::InitFrom;

use crate::Error;

/// Where a train artifact's manifest says, among the information on its run, which tokenizer and shape its weights are
/// made for.
pub(crate) const IDENTITY: &str = "model";

pub(crate) enum InitialWeights<'a> {
    /// An ingest artifact's.
    Base(&'a Tensors),
    /// A train artifact's best weights.
    Weights(Tensors),
    /// A model folder's.
    Folder(NamedTensors),
}

impl<'a> InitialWeights<'a> {
    /// Opens what `train.init_from` names, which must fit the base model's tokenizer and shape; without it, the base model
    /// is what there is.
    pub(crate) fn open(
        init_from: Option<&Path>,
        pretrained: &'a Tensors,
        base: &Identity,
    ) -> Result<Self, Error> {
        let Some(folder) = init_from else { return Ok(Self::Base(pretrained)) };
        tracing::info!(folder = %folder.display(), "starting from a trained model");
        let said = format!("train.init_from = {}", folder.display());
        match InitFrom::of(folder)? {
            InitFrom::Artifact(artifact) => {
                artifact.verify().map_err(|error| match error {
                    error if error.is_damage() => Error::InitFromDamaged { damage: error.to_string() },
                    error => error.into(),
                })?;
                if let Some(Ok(identity)) = artifact.manifest.run.get(IDENTITY).map(Identity::deserialize) {
                    identity.check(&said, base)?;
                } else {
                    tracing::warn!(
                        "the artifact does not say which tokenizer its weights were trained with: make sure that it is the \
                         base model's"
                    );
                }
                Ok(Self::Weights(Tensors::open(&artifact.file(file_name::WEIGHTS)?, &artifact::WEIGHTS)?))
            }
            InitFrom::Folder => {
                let model = ModelFolder::open(folder)?;
                // The head first: a base model of other sizes is to be called a base model.
                if !model.has_qa_head() {
                    let (path, tensor) = (model.weights_path().to_owned(), QA_HEAD_WEIGHT);
                    return Err(Error::InitFromBaseModel { path, tensor });
                }
                model.identity().check(&said, base)?;
                Ok(Self::Folder(model.tensors()?))
            }
        }
    }

    /// The model with these weights; `seed` draws a fresh head where the base model has none.
    pub(crate) fn model(
        &self,
        config: &Config,
        seed: u64,
        device: &Device,
    ) -> Result<DistilBertForQuestionAnswering, Error> {
        Ok(match self {
            Self::Base(pretrained) => {
                let weights = BaseWeights::new(pretrained, config.dim, seed);
                DistilBertForQuestionAnswering::new(config, &weights, device)
            }
            Self::Weights(tensors) => DistilBertForQuestionAnswering::new(config, tensors, device),
            Self::Folder(tensors) => DistilBertForQuestionAnswering::new(config, tensors, device),
        }?)
    }
}
