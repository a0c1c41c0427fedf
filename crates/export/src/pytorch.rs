//! Writes `pytorch_model.bin`; `pytorch_file` knows the format.

use std::path::Path;

use artifact::Tensors;
use pytorch_file::F32Tensor;

use crate::Error;

/// Writes all tensors, which are f32.
pub(crate) fn write(path: &Path, trained: &Tensors) -> Result<(), Error> {
    let tensors = trained.iter().map(|tensor| F32Tensor {
        name: tensor.name,
        shape: tensor.shape.iter().map(|&size| size as u64).collect(),
        data: tensor.data,
    });
    Ok(pytorch_file::write(path, &tensors.collect::<Vec<_>>())?)
}
