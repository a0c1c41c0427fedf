//! A Hugging Face model directory: `config.json`, `tokenizer.json`, `model.safetensors`.

use std::path::{Path, PathBuf};

use artifact::read_small;
use burn::tensor::Device;
use safetensors::{Dtype, SafeTensors};

use crate::{Config, DistilBertForQuestionAnswering, Error, Weights};

/// The most that a configuration or a tokenizer has.
const FILE_BYTES: u64 = 256 << 20;

/// The files of a fine-tuned model, read into memory.
pub struct ModelFolder {
    path: PathBuf,
    config: Config,
    tokenizer_json: Vec<u8>,
    safetensors: Vec<u8>,
}

impl ModelFolder {
    /// Reads the three files.
    ///
    /// # Errors
    /// [`Error::Io`] names the file that is not there, [`Error::ModelFolder`] the folder of another model.
    pub fn open(path: &Path) -> Result<Self, Error> {
        let config = Config::from_json(&read_small(&path.join("config.json"), FILE_BYTES)?)
            .map_err(|error| Error::ModelFolder { path: path.to_owned(), reason: error.to_string() })?;
        let tokenizer_json = read_small(&path.join("tokenizer.json"), FILE_BYTES)?;
        let weights = path.join("model.safetensors");
        if !weights.is_file() {
            return Err(Error::NoSafetensors { path: path.to_owned() });
        }
        let safetensors = fs_err::read(weights)?;
        Ok(Self { path: path.to_owned(), config, tokenizer_json, safetensors })
    }

    /// `tokenizer.json` as it stands.
    #[must_use]
    pub fn tokenizer_json(&self) -> &[u8] {
        &self.tokenizer_json
    }

    /// Builds the model.
    ///
    /// # Errors
    /// [`Error::Safetensors`] for a damaged file, and those of [`DistilBertForQuestionAnswering::new`].
    pub fn model(&self, device: &Device) -> Result<DistilBertForQuestionAnswering, Error> {
        let file = self.path.join("model.safetensors");
        let weights = SafetensorsWeights::new(&self.safetensors, &file)?;
        DistilBertForQuestionAnswering::new(&self.config, &weights, device)
    }
}

/// The tensors of a safetensors file, f32.
pub struct SafetensorsWeights<'a> {
    tensors: SafeTensors<'a>,
    path: &'a Path,
}

impl<'a> SafetensorsWeights<'a> {
    /// Reads the header of `bytes`, which came from `path`.
    ///
    /// # Errors
    /// [`Error::Safetensors`] for a damaged file.
    pub fn new(bytes: &'a [u8], path: &'a Path) -> Result<Self, Error> {
        let tensors = SafeTensors::deserialize(bytes)
            .map_err(|error| Error::Safetensors { path: path.to_owned(), reason: error.to_string() })?;
        Ok(Self { tensors, path })
    }
}

impl Weights for SafetensorsWeights<'_> {
    fn get(&self, name: &str) -> Result<(Vec<usize>, Vec<f32>), Error> {
        let view = self.tensors.tensor(name).map_err(|_| Error::MissingTensor { name: name.to_owned() })?;
        if view.dtype() != Dtype::F32 {
            let reason = format!("tensor {name} is {:?}, expected F32", view.dtype());
            return Err(Error::Safetensors { path: self.path.to_owned(), reason });
        }
        let values = view.data().as_chunks().0.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect();
        Ok((view.shape().to_vec(), values))
    }
}
