//! A tensor of a state dict: a view of a storage.

use std::sync::Arc;

use crate::dtype::Dtype;
use crate::error::{Fault, brief};

/// The elements that tensors view.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Storage {
    /// Its name in the file.
    pub key: Arc<str>,
    pub dtype: Dtype,
    /// Elements.
    pub numel: u64,
}

impl Storage {
    /// The message for a file that describes one storage in two ways.
    pub(crate) fn differs_from(&self, other: &Self) -> Fault {
        let [this, that] = [self, other].map(|storage| format!("{} × {}", storage.numel, storage.dtype));
        Fault::Form(format!("storage {} is {that} and {this}", brief(&self.key)))
    }

    /// `None` past 64 bits.
    pub(crate) fn size_bytes(&self) -> Option<u64> {
        self.numel.checked_mul(self.dtype.size_bytes())
    }
}

/// A tensor of the file: what it is, and where its elements are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tensor {
    pub(crate) storage: Storage,
    /// First element in the storage.
    pub(crate) offset: u64,
    pub(crate) shape: Arc<[usize]>,
    /// Elements from one index to the next, for each dimension.
    pub(crate) strides: Arc<[u64]>,
}

impl Tensor {
    /// The type of its elements.
    #[must_use]
    pub fn dtype(&self) -> Dtype {
        self.storage.dtype
    }

    /// Sizes of its dimensions.
    #[must_use]
    pub fn shape(&self) -> &[usize] {
        &self.shape
    }

    /// Whether it is within its storage, and has no more elements than the storage.
    pub(crate) fn check(&self, name: &str) -> Result<(), Fault> {
        let says = |what: &str| {
            Fault::Form(format!(
                "{} {:?} with strides {:?} from element {} on {what} a storage of {} elements",
                brief(name),
                self.shape,
                self.strides,
                self.offset,
                self.storage.numel
            ))
        };
        if self.shape.len() != self.strides.len() {
            return Err(says("does not describe a view of"));
        }
        let numel = self.shape.iter().try_fold(1_u64, |numel, size| numel.checked_mul(*size as u64));
        if numel == Some(0) {
            return Ok(());
        }
        let mut steps = self.shape.iter().zip(&*self.strides);
        let last = steps.try_fold(self.offset, |last, (size, stride)| {
            last.checked_add(stride.checked_mul(*size as u64 - 1)?)
        });
        if last.is_none_or(|last| last >= self.storage.numel) {
            return Err(says("reaches past"));
        }
        // An expanded tensor: a few bytes could claim any size.
        if numel.is_none_or(|numel| numel > self.storage.numel) {
            return Err(says("repeats the elements of"));
        }
        Ok(())
    }

    /// Its elements, row by row, from those of its storage. [`Self::check`] must have passed.
    pub(crate) fn gather(&self, storage: &[u8]) -> Vec<u8> {
        let size_bytes = self.storage.dtype.size_bytes() as usize;
        let numel: usize = self.shape.iter().product();
        let start = self.offset as usize * size_bytes;
        if numel == 0 {
            return Vec::new();
        }
        if self.is_contiguous() {
            return storage[start..start + numel * size_bytes].to_vec();
        }
        let mut elements = Vec::with_capacity(numel * size_bytes);
        let mut index = vec![0_usize; self.shape.len()];
        for _ in 0..numel {
            let steps = index.iter().zip(&*self.strides);
            let element =
                self.offset as usize + steps.map(|(index, stride)| index * *stride as usize).sum::<usize>();
            elements.extend_from_slice(&storage[element * size_bytes..][..size_bytes]);
            for (index, size) in index.iter_mut().zip(&*self.shape).rev() {
                *index += 1;
                if *index < *size {
                    break;
                }
                *index = 0;
            }
        }
        elements
    }

    fn is_contiguous(&self) -> bool {
        let mut expected = 1;
        self.shape.iter().zip(&*self.strides).rev().all(|(size, stride)| {
            let fits = *size == 1 || *stride == expected;
            expected *= *size as u64;
            fits
        })
    }
}
