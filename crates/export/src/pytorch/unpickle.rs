//! Reads a `data.pkl` that [`super::pickle`] wrote: a stack machine that builds descriptions of tensors.
//!
//! Nothing is ever called: a global is one of three known names, and any other name or opcode is an error.

use super::pickle::{FLOAT_STORAGE, ORDERED_DICT, REBUILD_TENSOR, op};

/// A tensor of the state dict, before its bytes are looked up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct PickledTensor {
    /// N of `data/N`.
    pub storage_key: String,
    /// Elements of the storage.
    pub numel: u64,
    /// First element of the tensor in it.
    pub storage_offset: u64,
    pub shape: Vec<u64>,
    pub strides: Vec<u64>,
}

/// What stands on the stack.
#[derive(Clone, Debug, PartialEq)]
enum Item {
    Mark,
    Global(&'static str),
    Text(String),
    Integer(u64),
    False,
    Tuple(Vec<Item>),
    Storage { key: String, numel: u64 },
    Tensor(PickledTensor),
    Dict(Vec<(String, PickledTensor)>),
}

/// The tensors of a state dict by name, in its order; or what does not belong there, and at which byte.
pub(super) fn state_dict(pickle: &[u8]) -> Result<Vec<(String, PickledTensor)>, String> {
    let mut machine = Machine { rest: pickle, stack: Vec::new() };
    loop {
        let at = pickle.len() - machine.rest.len();
        match machine.step() {
            Some(true) => {}
            Some(false) => break,
            None => {
                return Err(format!(
                    "data.pkl is no state dict of f32 tensors (byte {at} of {})",
                    pickle.len()
                ));
            }
        }
    }
    match machine.stack.pop() {
        Some(Item::Dict(tensors)) if machine.stack.is_empty() && machine.rest.is_empty() => Ok(tensors),
        _ => Err("data.pkl does not end with one state dict".to_owned()),
    }
}

struct Machine<'a> {
    rest: &'a [u8],
    stack: Vec<Item>,
}

impl<'a> Machine<'a> {
    /// Carries out one opcode; false at the end, `None` where it is not one that a state dict needs.
    fn step(&mut self) -> Option<bool> {
        let item = match self.take(1)?[0] {
            op::PROTO => return (self.take(1)? == [2]).then_some(true),
            op::STOP => return Some(false),
            op::SETITEMS => {
                self.set_items()?;
                return Some(true);
            }
            op::GLOBAL => Item::Global(self.global()?),
            op::MARK => Item::Mark,
            op::EMPTY_TUPLE => Item::Tuple(Vec::new()),
            op::TUPLE => Item::Tuple(self.pop_to_mark()?),
            op::NEWFALSE => Item::False,
            op::BINUNICODE => {
                let len = self.little_endian(4)? as usize;
                Item::Text(std::str::from_utf8(self.take(len)?).ok()?.to_owned())
            }
            op::BININT1 => Item::Integer(self.little_endian(1)?),
            op::BININT2 => Item::Integer(self.little_endian(2)?),
            op::BININT => Item::Integer(self.little_endian(4)?),
            op::LONG1 => match self.take(10)? {
                [9, digits @ .., 0] => Item::Integer(u64::from_le_bytes(digits.try_into().ok()?)),
                _ => return None,
            },
            op::BINPERSID => self.storage()?,
            op::REDUCE => self.reduce()?,
            _ => return None,
        };
        self.stack.push(item);
        Some(true)
    }

    fn take(&mut self, len: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.rest.split_at_checked(len)?;
        self.rest = rest;
        Some(taken)
    }

    fn little_endian(&mut self, len: usize) -> Option<u64> {
        Some(self.take(len)?.iter().rev().fold(0, |value, &byte| value << 8 | u64::from(byte)))
    }

    fn global(&mut self) -> Option<&'static str> {
        let known = [ORDERED_DICT, REBUILD_TENSOR, FLOAT_STORAGE];
        let found = known.into_iter().find(|name| {
            self.rest.strip_prefix(name.as_bytes()).is_some_and(|rest| rest.starts_with(b"\n"))
        })?;
        self.take(found.len() + 1)?;
        Some(found)
    }

    fn pop_to_mark(&mut self) -> Option<Vec<Item>> {
        let mark = self.stack.iter().rposition(|item| *item == Item::Mark)?;
        let items = self.stack.split_off(mark + 1);
        self.stack.pop();
        Some(items)
    }

    fn storage(&mut self) -> Option<Item> {
        let Item::Tuple(id) = self.stack.pop()? else { return None };
        match id.as_slice() {
            [
                Item::Text(what),
                Item::Global(FLOAT_STORAGE),
                Item::Text(key),
                Item::Text(device),
                Item::Integer(numel),
            ] if what == "storage" && device == "cpu" => {
                Some(Item::Storage { key: key.clone(), numel: *numel })
            }
            _ => None,
        }
    }

    fn reduce(&mut self) -> Option<Item> {
        let (Item::Tuple(arguments), Item::Global(callable)) = (self.stack.pop()?, self.stack.pop()?) else {
            return None;
        };
        match (callable, arguments.as_slice()) {
            (ORDERED_DICT, []) => Some(Item::Dict(Vec::new())),
            (
                REBUILD_TENSOR,
                [
                    Item::Storage { key, numel },
                    Item::Integer(offset),
                    Item::Tuple(shape),
                    Item::Tuple(strides),
                    Item::False,
                    Item::Dict(hooks),
                ],
            ) if hooks.is_empty() => Some(Item::Tensor(PickledTensor {
                storage_key: key.clone(),
                numel: *numel,
                storage_offset: *offset,
                shape: integers(shape)?,
                strides: integers(strides)?,
            })),
            _ => None,
        }
    }

    fn set_items(&mut self) -> Option<()> {
        let mut items = self.pop_to_mark()?.into_iter();
        let Item::Dict(tensors) = self.stack.last_mut()? else { return None };
        while let Some(name) = items.next() {
            let (Item::Text(name), Item::Tensor(tensor)) = (name, items.next()?) else { return None };
            tensors.push((name, tensor));
        }
        Some(())
    }
}

fn integers(items: &[Item]) -> Option<Vec<u64>> {
    items.iter().map(|item| if let Item::Integer(value) = item { Some(*value) } else { None }).collect()
}
