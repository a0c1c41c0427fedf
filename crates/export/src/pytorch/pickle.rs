//! Writes `data.pkl`: a state dict in pickle protocol 2.
//!
//! Only what a state dict of f32 tensors needs, spelled out each time instead of through the memo.

/// Protocol 2's opcodes that a state dict of `torch.save` is made of (`CPython`, `Lib/pickle.py`).
pub(super) mod op {
    pub const PROTO: u8 = 0x80;
    pub const GLOBAL: u8 = b'c';
    pub const MARK: u8 = b'(';
    pub const EMPTY_TUPLE: u8 = b')';
    pub const REDUCE: u8 = b'R';
    pub const BINUNICODE: u8 = b'X';
    pub const BININT1: u8 = b'K';
    pub const BININT2: u8 = b'M';
    pub const BININT: u8 = b'J';
    pub const LONG1: u8 = 0x8a;
    pub const NEWFALSE: u8 = 0x89;
    pub const TUPLE: u8 = b't';
    pub const BINPERSID: u8 = b'Q';
    pub const SETITEMS: u8 = b'u';
    pub const STOP: u8 = b'.';
}

/// `module\nname` of what the pickle calls.
pub(super) const ORDERED_DICT: &str = "collections\nOrderedDict";
pub(super) const REBUILD_TENSOR: &str = "torch._utils\n_rebuild_tensor_v2";
pub(super) const FLOAT_STORAGE: &str = "torch\nFloatStorage";

/// `OrderedDict` of name → contiguous f32 tensor, whose storage is named by its place in the order.
pub(super) fn state_dict<'a>(tensors: impl Iterator<Item = (&'a str, Vec<u64>)>) -> Vec<u8> {
    let mut pickle = Pickle(vec![op::PROTO, 2]);
    pickle.ordered_dict();
    pickle.op(op::MARK);
    for (index, (name, shape)) in tensors.enumerate() {
        pickle.text(name);
        pickle.tensor(&index.to_string(), &shape);
    }
    pickle.op(op::SETITEMS);
    pickle.op(op::STOP);
    pickle.0
}

/// Steps in elements from one index to the next, for each dimension of a contiguous tensor.
pub(super) fn contiguous_strides(shape: &[u64]) -> Vec<u64> {
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

    /// In the shortest form, as `CPython` does.
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
