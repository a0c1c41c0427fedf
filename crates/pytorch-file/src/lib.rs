//! `pytorch_model.bin`: the state dict of `torch.save`, read and written without PyTorch or Python.
//!
//! Two forms are read: the zip of PyTorch 1.6 and later, and the stream of pickles from before. A pickle is a
//! program; here it is read by a machine that knows the opcodes of a state dict and the few names that one
//! holds, calls nothing, and refuses everything else by name. What a file claims is checked against what
//! it holds before memory is taken for it.
//!
//! Not here: what the tensors are for (ingest, export), safetensors (a library's).

mod dtype;
mod error;
mod input;
mod legacy;
mod object;
mod opcode;
mod pickle;
mod reader;
mod state_dict;
mod tensor;
mod unpickle;
mod write;
mod zipped;

pub use crate::dtype::Dtype;
pub use crate::error::{Error, Result};
pub use crate::reader::StateDictFile;
pub use crate::tensor::Tensor;
pub use crate::write::{F32Tensor, write};
