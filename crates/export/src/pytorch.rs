//! `pytorch_model.bin` of a checkpoint. Its form is the business of `pytorch_file`.

use std::collections::HashMap;
use std::io;
use std::path::Path;

use artifact::Tensors;
use distilbert::Weights;
use pytorch_file::{F32Tensor, StateDictFile};

use crate::Error;

/// Writes all tensors of the checkpoint, which are f32.
pub(crate) fn write(path: &Path, checkpoint: &Tensors) -> Result<(), Error> {
    let tensors = checkpoint.iter().map(|tensor| F32Tensor {
        name: tensor.name,
        shape: tensor.shape.iter().map(|&size| size as u64).collect(),
        data: tensor.data,
    });
    Ok(pytorch_file::write(path, &tensors.collect::<Vec<_>>())?)
}

/// The tensors of the file. Reading one checks its CRC.
#[derive(Debug)]
pub(crate) struct PytorchWeights {
    file: StateDictFile,
    /// Place of each name.
    places: HashMap<String, usize>,
}

impl PytorchWeights {
    pub(crate) fn open(path: &Path) -> Result<Self, Error> {
        let file = StateDictFile::open(path)
            .map_err(|source| Error::Pytorch { path: path.to_owned(), source: Box::new(source) })?;
        let names = file.tensors().iter().map(|(name, _)| name.clone());
        Ok(Self { places: names.zip(0..).collect(), file })
    }
}

impl Weights for PytorchWeights {
    fn get(&self, name: &str) -> Result<(Vec<usize>, Vec<f32>), distilbert::Error> {
        let place = self.places.get(name);
        let place = place.ok_or_else(|| distilbert::Error::MissingTensor { name: name.to_owned() })?;
        let (_, tensor) = &self.file.tensors()[*place];
        let values = self.file.read_f32(tensor).map_err(io::Error::other)?;
        Ok((tensor.shape().to_vec(), values))
    }
}
