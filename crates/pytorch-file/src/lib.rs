//! `pytorch_model.bin`: the state dict of `torch.save`, read and written without PyTorch or Python.
//!
//! It reads two formats: the zip of PyTorch 1.6 and later, and the older stream of pickles. A pickle is a program. The
//! machine here knows only the opcodes and names of a state dict, calls nothing, and refuses everything else by name. A
//! file's claims are checked against its contents before memory is allocated.
//!
//! Not here: what the tensors are for (ingest, export), and safetensors (a library).

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
