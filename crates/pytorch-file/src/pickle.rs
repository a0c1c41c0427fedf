//! Writes `data.pkl`: a state dict in pickle protocol 2.
//!
//! Only what a state dict of f32 tensors needs, spelled out each time instead of through the memo.

use crate::opcode as op;

/// `module\nname` of the function that a reader should call.
const ORDERED_DICT: &str = "collections\nOrderedDict";
const REBUILD_TENSOR: &str = "torch._utils\n_rebuild_tensor_v2";
const FLOAT_STORAGE: &str = "torch\nFloatStorage";

/// `OrderedDict` of name → contiguous f32 tensor; its storage is named by its index.
pub(crate) fn state_dict<'a>(tensors: impl Iterator<Item = (&'a str, &'a [u64])>) -> Vec<u8> {
    let mut pickle = Pickle(vec![op::PROTO, 2]);
    pickle.ordered_dict();
    pickle.op(op::MARK);
    for (index, (name, shape)) in tensors.enumerate() {
        pickle.text(name);
        pickle.tensor(&index.to_string(), shape);
    }
    pickle.op(op::SETITEMS);
    pickle.op(op::STOP);
    pickle.0
}

/// Steps in elements from one index to the next, for each dimension of a contiguous tensor.
fn contiguous_strides(shape: &[u64]) -> Vec<u64> {
    let mut strides = vec![1; shape.len()];
    for dim in (1..shape.len()).rev() {
        strides[dim - 1] = strides[dim] * shape[dim];
    }
    strides
}

struct Pickle(Vec<u8>);

impl Pickle {
    /// `_rebuild_tensor_v2(storage, storage_offset, size, stride, requires_grad, backward_hooks)`
    fn tensor(&mut self, storage_key: &str, shape: &[u64]) {
        self.global(REBUILD_TENSOR);
        self.op(op::MARK);
        self.storage(storage_key, shape.iter().product());
        self.integer(0);
        self.integers(shape);
        self.integers(&contiguous_strides(shape));
        self.op(op::NEWFALSE);
        self.ordered_dict();
        self.op(op::TUPLE);
        self.op(op::REDUCE);
    }

    /// The persistent id `("storage", torch.FloatStorage, key, "cpu", numel)`.
    fn storage(&mut self, key: &str, numel: u64) {
        self.op(op::MARK);
        self.text("storage");
        self.global(FLOAT_STORAGE);
        self.text(key);
        self.text("cpu");
        self.integer(numel);
        self.op(op::TUPLE);
        self.op(op::BINPERSID);
    }

    fn ordered_dict(&mut self) {
        self.global(ORDERED_DICT);
        self.op(op::EMPTY_TUPLE);
        self.op(op::REDUCE);
    }

    fn global(&mut self, module_and_name: &str) {
        self.op(op::GLOBAL);
        self.0.extend_from_slice(module_and_name.as_bytes());
        self.0.push(b'\n');
    }

    fn text(&mut self, text: &str) {
        self.op(op::BINUNICODE);
        self.0.extend_from_slice(&(text.len() as u32).to_le_bytes());
        self.0.extend_from_slice(text.as_bytes());
    }

    fn integers(&mut self, values: &[u64]) {
        self.op(op::MARK);
        for &value in values {
            self.integer(value);
        }
        self.op(op::TUPLE);
    }

    /// Writes the shortest form, as `CPython` does.
    fn integer(&mut self, value: u64) {
        let bytes = value.to_le_bytes();
        match value {
            0..=0xff => self.0.extend([op::BININT1, bytes[0]]),
            0x100..=0xffff => self.0.extend([op::BININT2, bytes[0], bytes[1]]),
            0x1_0000..=0x7fff_ffff => {
                self.op(op::BININT);
                self.0.extend_from_slice(&bytes[..4]);
            }
            _ => {
                // A ninth byte, because the eighth's highest bit would be the sign.
                self.0.extend([op::LONG1, 9]);
                self.0.extend_from_slice(&bytes);
                self.0.push(0);
            }
        }
    }

    fn op(&mut self, op: u8) {
        self.0.push(op);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::input::Input;
    use crate::state_dict;
    use crate::unpickle::unpickle;

    #[test]
    fn the_pickle_of_one_tensor_byte_for_byte() {
        let pickle = state_dict([("w", &[2, 300][..])].into_iter());
        insta::assert_snapshot!(pickle.escape_ascii().to_string(), @r"\x80\x02ccollections\nOrderedDict\n)R(X\x01\x00\x00\x00wctorch._utils\n_rebuild_tensor_v2\n((X\x07\x00\x00\x00storagectorch\nFloatStorage\nX\x01\x00\x00\x000X\x03\x00\x00\x00cpuMX\x02tQK\x00(K\x02M,\x01t(M,\x01K\x01t\x89ccollections\nOrderedDict\n)RtRu.");
    }

    #[test]
    fn sizes_of_every_width_come_back() {
        for size in [0, 0xff, 0x100, 0xffff, 0x1_0000, 0x7fff_ffff, 0x8000_0000, i64::MAX as u64] {
            let pickle = state_dict([("w", &[size][..])].into_iter());
            let unpickled = unpickle(&mut Input::new(&*pickle, 0)).unwrap();
            let tensors = state_dict::state_dict(&unpickled).unwrap();
            assert_eq!(tensors[0].1.storage.numel, size);
            assert_eq!(tensors[0].1.shape[..], [size as usize]);
        }
    }
}
