//! A pickle machine that builds plain data and descriptions of tensors, and calls nothing.
//!
//! It knows the opcodes that `torch.load(weights_only=True)` knows of protocol 2 (`torch/_weights_only_unpickler.py`)
//! and only the names of a state dict's parts. Objects are in one list and refer to one another by index, so that
//! nesting in a file needs no call stack.

use std::collections::HashMap;
use std::io::Read;
use std::sync::Arc;

use crate::error::Fault;
use crate::input::Input;
use crate::object::{Global, Object, Ref};
use crate::opcode as op;
use crate::tensor::{Storage, Tensor};

/// The most objects of a pickle: a state dict has about 30 for each tensor.
const OBJECTS: usize = 1 << 20;
/// The most numbers and pairs that calls copy out of tuples and lists: recalling one takes two bytes of the pickle,
/// however long it is. A tensor has two for each dimension.
const COPIED: usize = 1 << 22;
/// The most dimensions of a tensor: PyTorch supports at most 64.
const DIMENSIONS: usize = 64;
/// Arguments that an error lists.
const LISTED: usize = 8;

/// What a pickle built.
#[derive(Debug)]
pub(crate) struct Unpickled {
    objects: Vec<Object>,
    root: Ref,
}

impl Unpickled {
    pub(crate) fn root(&self) -> &Object {
        self.get(self.root)
    }

    pub(crate) fn get(&self, object: Ref) -> &Object {
        &self.objects[object as usize]
    }
}

/// Reads one pickle, up to its STOP.
pub(crate) fn unpickle<R: Read>(input: &mut Input<R>) -> Result<Unpickled, Fault> {
    let mut machine = Machine::default();
    while machine.step(input)? {}
    match (machine.stack.as_slice(), machine.marks.as_slice()) {
        (&[root], []) => Ok(Unpickled { objects: machine.objects, root }),
        (stack, _) => Err(form(format!("its pickle ends with {} objects, expected 1", stack.len()))),
    }
}

#[derive(Default)]
struct Machine {
    objects: Vec<Object>,
    stack: Vec<Ref>,
    /// Heights of the stack.
    marks: Vec<usize>,
    memo: HashMap<u32, Ref>,
    /// Counts towards [`COPIED`].
    copied: usize,
}

impl Machine {
    /// Carries out one opcode; false after the last.
    fn step<R: Read>(&mut self, input: &mut Input<R>) -> Result<bool, Fault> {
        let at = input.at();
        let [opcode] = input.array()?;
        let object = match opcode {
            op::STOP => return Ok(false),
            op::PROTO => match input.array()? {
                [2] => return Ok(true),
                [protocol] => return Err(form(format!("its pickle is of protocol {protocol}, expected 2"))),
            },
            op::MARK => {
                self.marks.push(self.stack.len());
                return Ok(true);
            }
            op::BINPUT | op::LONG_BINPUT => {
                let key = memo_key(opcode == op::BINPUT, input)?;
                let top = *self.stack.last().ok_or_else(empty_stack)?;
                self.memo.insert(key, top);
                return Ok(true);
            }
            op::BINGET | op::LONG_BINGET => {
                let key = memo_key(opcode == op::BINGET, input)?;
                let known = self.memo.get(&key);
                let known = *known.ok_or_else(|| {
                    form(format!("its pickle refers to the object {key}, which it never stored"))
                })?;
                self.stack.push(known);
                return Ok(true);
            }
            op::APPEND | op::APPENDS | op::SETITEM | op::SETITEMS => {
                self.fill(opcode)?;
                return Ok(true);
            }
            op::BUILD => {
                self.pop()?;
                // The `_metadata` of an OrderedDict: versions of modules, not used here.
                let top = *self.stack.last().ok_or_else(empty_stack)?;
                return match &self.objects[top as usize] {
                    Object::Dict(_) => Ok(true),
                    other => Err(form(format!("its pickle sets attributes of {}", other.kind()))),
                };
            }
            op::GLOBAL => {
                let (module, name) = (input.line()?, input.line()?);
                let known = Global::find(&module, &name);
                Object::Global(
                    known.ok_or_else(|| Fault::Foreign { what: format!("names {module}.{name}"), at })?,
                )
            }
            op::REDUCE => self.reduce()?,
            op::BINPERSID => self.storage()?,
            op::NONE => Object::None,
            op::NEWTRUE => Object::Bool(true),
            op::NEWFALSE => Object::Bool(false),
            op::BININT1 => Object::Integer(u8::from_le_bytes(input.array()?).into()),
            op::BININT2 => Object::Integer(u16::from_le_bytes(input.array()?).into()),
            op::BININT => Object::Integer(i32::from_le_bytes(input.array()?).into()),
            op::LONG1 => Object::Integer(long(input)?),
            op::BINFLOAT => {
                input.array::<8>()?;
                Object::Float
            }
            op::BINUNICODE => text(u32::from_le_bytes(input.array()?), input)?,
            op::SHORT_BINSTRING => text(u8::from_le_bytes(input.array()?).into(), input)?,
            op::EMPTY_LIST => Object::List(Vec::new()),
            op::EMPTY_DICT => Object::Dict(Vec::new()),
            op::EMPTY_TUPLE => Object::Tuple(Vec::new()),
            op::TUPLE1 => Object::Tuple(self.pop_many(1)?),
            op::TUPLE2 => Object::Tuple(self.pop_many(2)?),
            op::TUPLE3 => Object::Tuple(self.pop_many(3)?),
            op::TUPLE => Object::Tuple(self.pop_to_mark()?),
            foreign => {
                return Err(Fault::Foreign {
                    what: format!("has the opcode {}", op::foreign_name(foreign)),
                    at,
                });
            }
        };
        if self.objects.len() == OBJECTS {
            return Err(form(format!("its pickle has more than {OBJECTS} objects")));
        }
        self.stack.push(self.objects.len() as Ref);
        self.objects.push(object);
        Ok(true)
    }

    /// A list's or dict's new items.
    fn fill(&mut self, opcode: u8) -> Result<(), Fault> {
        let items = match opcode {
            op::APPEND => self.pop_many(1)?,
            op::SETITEM => self.pop_many(2)?,
            _ => self.pop_to_mark()?,
        };
        let top = *self.stack.last().ok_or_else(empty_stack)?;
        match (&mut self.objects[top as usize], opcode) {
            (Object::List(list), op::APPEND | op::APPENDS) => list.extend(items),
            (Object::Dict(dict), op::SETITEM | op::SETITEMS) if items.len().is_multiple_of(2) => {
                dict.extend(items.as_chunks().0.iter().map(|[key, value]| (*key, *value)));
            }
            (other, _) => {
                return Err(form(format!("its pickle puts {} items into {}", items.len(), other.kind())));
            }
        }
        Ok(())
    }

    /// The result of a call of one of the known functions.
    fn reduce(&mut self) -> Result<Object, Fault> {
        let (arguments, callable) = (self.pop()?, self.pop()?);
        let (Object::Tuple(arguments), Object::Global(callable)) =
            (&self.objects[arguments as usize], &self.objects[callable as usize])
        else {
            return Err(form("its pickle calls an object that is not a function".to_owned()));
        };
        let arguments: Vec<&Object> =
            arguments.iter().take(LISTED).map(|argument| &self.objects[*argument as usize]).collect();
        let dimensions = arguments.iter().filter_map(|argument| match argument {
            Object::Tuple(sizes) => Some(sizes.len()),
            _ => None,
        });
        if let Some(found) = dimensions.max().filter(|found| *found > DIMENSIONS) {
            return Err(form(format!(
                "it has a tensor of {found} dimensions, expected {DIMENSIONS} at most"
            )));
        }
        let items = arguments.iter().map(|argument| match argument {
            Object::List(list) | Object::Tuple(list) => list.len(),
            _ => 0,
        });
        let copied = self.copied.saturating_add(items.sum());
        if copied > COPIED {
            return Err(form(format!("its pickle copies more than {COPIED} items of its lists and tuples")));
        }
        let object = match (callable, arguments.as_slice()) {
            (Global::OrderedDict, []) => Some(Object::Dict(Vec::new())),
            // Python 2's form.
            (Global::OrderedDict, [Object::List(pairs)]) => self.pairs(pairs).map(Object::Dict),
            (
                Global::RebuildTensor,
                [
                    Object::Storage(storage),
                    Object::Integer(offset),
                    Object::Tuple(shape),
                    Object::Tuple(strides),
                ],
            )
            | (
                Global::RebuildTensorV2,
                [
                    Object::Storage(storage),
                    Object::Integer(offset),
                    Object::Tuple(shape),
                    Object::Tuple(strides),
                    _,
                    _,
                ],
            ) => self.tensor(storage, *offset, shape, strides),
            (Global::RebuildParameter, [Object::Tensor(tensor), _, _]) => {
                Some(Object::Tensor(tensor.clone()))
            }
            _ => None,
        };
        let object = object.ok_or_else(|| {
            form(format!("its pickle gives {callable:?} the arguments ({})", kinds(&arguments)))
        })?;
        self.copied = copied;
        Ok(object)
    }

    fn pairs(&self, pairs: &[Ref]) -> Option<Vec<(Ref, Ref)>> {
        let pair = |pair: &Ref| match &self.objects[*pair as usize] {
            Object::List(pair) | Object::Tuple(pair) => <[Ref; 2]>::try_from(pair.as_slice()).ok(),
            _ => None,
        };
        pairs.iter().map(|item| pair(item).map(|[key, value]| (key, value))).collect()
    }

    fn tensor(&self, storage: &Storage, offset: i128, shape: &[Ref], strides: &[Ref]) -> Option<Object> {
        let integer = |item: &Ref| match self.objects[*item as usize] {
            Object::Integer(value) => Some(value),
            _ => None,
        };
        Some(Object::Tensor(Box::new(Tensor {
            storage: storage.clone(),
            offset: offset.try_into().ok()?,
            shape: shape.iter().map(|size| integer(size)?.try_into().ok()).collect::<Option<_>>()?,
            strides: strides.iter().map(|stride| integer(stride)?.try_into().ok()).collect::<Option<_>>()?,
        })))
    }

    /// The persistent id `("storage", class, key, device, numel)`; the legacy form adds what the storage is a view
    /// of, which has been None since PyTorch 0.4.
    fn storage(&mut self) -> Result<Object, Fault> {
        let id = self.pop()?;
        let Object::Tuple(id) = &self.objects[id as usize] else {
            return Err(form("its pickle refers to a storage by an object that is not a tuple".to_owned()));
        };
        let id: Vec<&Object> = id.iter().take(LISTED).map(|part| &self.objects[*part as usize]).collect();
        match id.as_slice() {
            [
                Object::Text(what),
                Object::Global(Global::Storage(dtype)),
                Object::Text(key),
                Object::Text(_),
                Object::Integer(numel),
            ]
            | [
                Object::Text(what),
                Object::Global(Global::Storage(dtype)),
                Object::Text(key),
                Object::Text(_),
                Object::Integer(numel),
                Object::None,
            ] if &**what == "storage" && (0..=i64::MAX.into()).contains(numel) => {
                Ok(Object::Storage(Box::new(Storage {
                    key: Arc::clone(key),
                    dtype: *dtype,
                    numel: *numel as u64,
                })))
            }
            parts => Err(form(format!("its pickle refers to a storage by ({})", kinds(parts)))),
        }
    }

    fn pop(&mut self) -> Result<Ref, Fault> {
        self.pop_many(1).map(|items| items[0])
    }

    /// The objects above the last mark.
    fn pop_many(&mut self, count: usize) -> Result<Vec<Ref>, Fault> {
        let floor = self.marks.last().copied().unwrap_or(0);
        let start = self.stack.len().checked_sub(count).filter(|start| *start >= floor);
        Ok(self.stack.split_off(start.ok_or_else(empty_stack)?))
    }

    fn pop_to_mark(&mut self) -> Result<Vec<Ref>, Fault> {
        let mark = self.marks.pop().ok_or_else(empty_stack)?;
        Ok(self.stack.split_off(mark))
    }
}

/// Python's names for their types.
fn kinds(objects: &[&Object]) -> String {
    objects.iter().map(|object| object.kind()).collect::<Vec<_>>().join(", ")
}

fn memo_key<R: Read>(short: bool, input: &mut Input<R>) -> Result<u32, Fault> {
    if short { Ok(u8::from_le_bytes(input.array()?).into()) } else { Ok(u32::from_le_bytes(input.array()?)) }
}

/// Little-endian two's complement of any length.
fn long<R: Read>(input: &mut Input<R>) -> Result<i128, Fault> {
    let [len] = input.array()?;
    let digits = input.bytes(len.into())?;
    if digits.len() > 16 {
        return Err(form(format!("its pickle has an integer of {len} bytes")));
    }
    let sign = if digits.last().is_some_and(|last| last & 0x80 != 0) { 0xff } else { 0 };
    let mut bytes = [sign; 16];
    bytes[..digits.len()].copy_from_slice(&digits);
    Ok(i128::from_le_bytes(bytes))
}

fn text<R: Read>(len: u32, input: &mut Input<R>) -> Result<Object, Fault> {
    let text = String::from_utf8(input.bytes(len.into())?);
    Ok(Object::Text(text.map_err(|_| form("a text in its pickle is not UTF-8".to_owned()))?.into()))
}

fn empty_stack() -> Fault {
    form("its pickle takes an object from an empty stack".to_owned())
}

fn form(reason: String) -> Fault {
    Fault::Form(reason)
}
