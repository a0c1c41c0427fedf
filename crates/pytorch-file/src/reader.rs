//! A file in either format.

use std::cell::RefCell;
use std::io::{Read, Seek};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use fs_err::File;

use crate::error::{Error, Fault, Result};
use crate::legacy::Legacy;
use crate::tensor::Tensor;
use crate::zipped::Zipped;

/// A `pytorch_model.bin` whose pickle has been read and found to be a state dict.
///
/// Elements are read one tensor at a time.
#[derive(Debug)]
pub struct StateDictFile {
    path: PathBuf,
    form: RefCell<Form>,
    tensors: Vec<(String, Tensor)>,
    /// The storage that was read last, by its key, because storages may be shared.
    latest: RefCell<Option<(Arc<str>, Vec<u8>)>>,
}

#[derive(Debug)]
enum Form {
    Zipped(Zipped),
    Legacy(Legacy),
}

impl StateDictFile {
    /// Reads names, types, shapes, and where the elements are; nothing of the pickle is called.
    ///
    /// # Errors
    /// [`Error`], also if a storage is not as long as its tensors say.
    pub fn open(path: &Path) -> Result<Self> {
        // Opening a FIFO would wait for a writer.
        if !fs_err::metadata(path)?.is_file() {
            return Err(Error::Form { path: path.to_owned(), reason: "it is not a regular file".to_owned() });
        }
        let mut file = File::open(path)?;
        let mut magic = Vec::new();
        (&mut file).take(4).read_to_end(&mut magic)?;
        file.rewind()?;
        let (form, tensors) = match magic.as_slice() {
            b"PK\x03\x04" => {
                let (zipped, tensors) = Zipped::open(file).map_err(|fault| fault.of(path, "data.pkl"))?;
                (Form::Zipped(zipped), tensors)
            }
            [0x80, ..] => {
                let (legacy, tensors) = Legacy::open(file).map_err(|fault| fault.of(path, "the file"))?;
                (Form::Legacy(legacy), tensors)
            }
            other => {
                let found = other.escape_ascii();
                let reason = format!(
                    "it begins with \"{found}\", expected the zip of torch.save or the pickle of PyTorch before 1.6"
                );
                return Err(Error::Form { path: path.to_owned(), reason });
            }
        };
        Ok(Self { path: path.to_owned(), form: RefCell::new(form), tensors, latest: RefCell::new(None) })
    }

    /// `"zip"`, or `"legacy"` of PyTorch before 1.6.
    #[must_use]
    pub fn form(&self) -> &'static str {
        match &*self.form.borrow() {
            Form::Zipped(_) => "zip",
            Form::Legacy(_) => "legacy",
        }
    }

    /// Names and tensors, in the state dict's order.
    #[must_use]
    pub fn tensors(&self) -> &[(String, Tensor)] {
        &self.tensors
    }

    /// The tensor's elements, row by row, as f32 ([`crate::Dtype::to_f32`]).
    ///
    /// # Errors
    /// An altered zip (its checksums are compared), and tensors of whole numbers.
    pub fn read_f32(&self, tensor: &Tensor) -> Result<Vec<f32>> {
        let fault = |fault: Fault| fault.of(&self.path, "the file");
        let storage = &tensor.storage;
        let mut latest = self.latest.borrow_mut();
        if latest.as_ref().is_none_or(|(key, _)| *key != storage.key) {
            // Freed first, so that two storages are never in memory together.
            *latest = None;
            let bytes = match &mut *self.form.borrow_mut() {
                Form::Zipped(zipped) => zipped.storage(storage),
                Form::Legacy(legacy) => legacy.storage(storage),
            };
            *latest = Some((storage.key.clone(), bytes.map_err(fault)?));
        }
        let (_, bytes) = latest.as_ref().expect("filled just above");
        let values = tensor.dtype().to_f32(&tensor.gather(bytes));
        values.ok_or_else(|| fault(Fault::Form(format!("a tensor of {} cannot become f32", tensor.dtype()))))
    }
}
