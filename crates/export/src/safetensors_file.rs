//! `model.safetensors`.

use std::borrow::Cow;
use std::collections::HashMap;
use std::path::Path;

use artifact::{TensorView, Tensors};
use safetensors::{Dtype, View};

use crate::Error;

/// Writes all tensors, and the metadata that tells transformers that they are PyTorch's.
pub(crate) fn write(path: &Path, trained: &Tensors) -> Result<(), Error> {
    let tensors = trained.iter().map(|tensor| (tensor.name, F32::new(&tensor)));
    let metadata = HashMap::from([("format".to_owned(), "pt".to_owned())]);
    // The library writes a temporary file with access only for its owner, and renames it.
    let permissions = fs_err::File::create(path)?.metadata()?.permissions();
    safetensors::serialize_to_file(tensors, Some(metadata), path)
        .map_err(|source| Error::WriteSafetensors { path: path.to_owned(), source })?;
    Ok(fs_err::set_permissions(path, permissions)?)
}

/// Checks that the weights are f32, because the weight files copy their bytes, and counts their values.
pub(crate) fn count_parameters(trained: &Tensors) -> Result<u64, Error> {
    match trained.iter().find(|tensor| tensor.dtype != "F32") {
        Some(tensor) => Err(Error::Dtype { name: tensor.name.to_owned(), dtype: tensor.dtype.to_owned() }),
        None => Ok(trained.iter().map(|tensor| tensor.data.len() as u64 / 4).sum()),
    }
}

/// A tensor, not copied.
struct F32<'a> {
    shape: Vec<usize>,
    data: &'a [u8],
}

impl<'a> F32<'a> {
    fn new(tensor: &TensorView<'a>) -> Self {
        Self { shape: tensor.shape.iter().map(|&size| size as usize).collect(), data: tensor.data }
    }
}

impl View for F32<'_> {
    fn dtype(&self) -> Dtype {
        Dtype::F32
    }

    fn shape(&self) -> &[usize] {
        &self.shape
    }

    fn data(&self) -> Cow<'_, [u8]> {
        Cow::Borrowed(self.data)
    }

    fn data_len(&self) -> usize {
        self.data.len()
    }
}
