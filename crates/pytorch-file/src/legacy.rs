//! The format of PyTorch before 1.6 (`torch/serialization.py`, `_legacy_save`): five pickles (magic number, version,
//! facts about the machine, the state dict, the keys of the storages), then each storage as its number of elements and
//! the elements.

use std::collections::HashMap;
use std::io::{BufReader, Read, Seek, SeekFrom};

use fs_err::File;

use crate::error::{Fault, brief};
use crate::input::Input;
use crate::object::Object;
use crate::state_dict::state_dict;
use crate::tensor::{Storage, Tensor};
use crate::unpickle::{Unpickled, unpickle};

const MAGIC_NUMBER: i128 = 0x1950_a86a_20f9_469c_fc6c;
const PROTOCOL_VERSION: i128 = 1001;

/// A file whose storages have the places and lengths that its pickles say.
#[derive(Debug)]
pub(crate) struct Legacy {
    file: File,
    /// First byte of each storage's elements.
    starts: HashMap<String, u64>,
}

impl Legacy {
    pub(crate) fn open(file: File) -> Result<(Self, Vec<(String, Tensor)>), Fault> {
        let size_bytes = file.metadata()?.len();
        let mut reader = BufReader::new(file);
        let mut at = 0;
        let mut next = || {
            let mut input = Input::new(&mut reader, at);
            let pickle = unpickle(&mut input)?;
            at = input.at();
            Ok::<Unpickled, Fault>(pickle)
        };
        let number = |pickle: &Unpickled, what: &str, expected: i128| match pickle.root() {
            Object::Integer(found) if *found == expected => Ok(()),
            Object::Integer(found) => {
                Err(Fault::Form(format!("its {what} is {found:#x}, expected {expected:#x}")))
            }
            other => Err(Fault::Form(format!("its {what} is {}, expected an int", other.kind()))),
        };
        number(&next()?, "magic number", MAGIC_NUMBER)?;
        number(&next()?, "version", PROTOCOL_VERSION)?;
        little_endian(&next()?)?;
        let tensors = state_dict(&next()?)?;
        let listed = next()?;
        let keys = keys(&listed)?;
        let starts = starts(&mut reader, at, size_bytes, &keys, &tensors)?;
        Ok((Self { file: reader.into_inner(), starts }, tensors))
    }

    /// The bytes of a storage.
    pub(crate) fn storage(&mut self, storage: &Storage) -> Result<Vec<u8>, Fault> {
        let (Some(start), Some(len)) = (self.starts.get(&*storage.key), storage.size_bytes()) else {
            return Err(Fault::Form(format!("storage {} is missing", brief(&storage.key))));
        };
        self.file.seek(SeekFrom::Start(*start))?;
        let mut bytes = Vec::new();
        (&mut self.file).take(len).read_to_end(&mut bytes)?;
        if bytes.len() as u64 == len {
            return Ok(bytes);
        }
        Err(Fault::Form(format!("it ends within storage {}", brief(&storage.key))))
    }
}

fn little_endian(pickle: &Unpickled) -> Result<(), Fault> {
    let Object::Dict(facts) = pickle.root() else {
        return Err(Fault::Form(format!("its sys_info is {}, expected a dict", pickle.root().kind())));
    };
    let says = facts.iter().find_map(|(key, value)| match (pickle.get(*key), pickle.get(*value)) {
        (Object::Text(key), Object::Bool(value)) if &**key == "little_endian" => Some(*value),
        _ => None,
    });
    match says {
        Some(true) => Ok(()),
        Some(false) => Err(Fault::Form("its byte order is big, expected little".to_owned())),
        None => Err(Fault::Form("its sys_info lacks little_endian".to_owned())),
    }
}

fn keys(pickle: &Unpickled) -> Result<Vec<&str>, Fault> {
    let list = match pickle.root() {
        Object::List(keys) => keys.iter().map(|key| match pickle.get(*key) {
            Object::Text(key) => Some(&**key),
            _ => None,
        }),
        other => return Err(Fault::Form(format!("it lists storages by {}, expected a list", other.kind()))),
    };
    list.collect::<Option<_>>().ok_or_else(|| Fault::Form("a key of its storages is not a str".to_owned()))
}

/// Skips over the storages, and checks that each is as long as its tensors say.
fn starts(
    reader: &mut BufReader<File>,
    mut at: u64,
    size_bytes: u64,
    keys: &[&str],
    tensors: &[(String, Tensor)],
) -> Result<HashMap<String, u64>, Fault> {
    let mut storages: HashMap<&str, &Storage> = HashMap::new();
    for (_, tensor) in tensors {
        let storage = &tensor.storage;
        if let Some(other) = storages.insert(&storage.key, storage)
            && other != storage
        {
            return Err(storage.differs_from(other));
        }
    }
    let mut starts = HashMap::new();
    for key in keys {
        let storage = storages
            .get(key)
            .ok_or_else(|| Fault::Form(format!("no tensor says what type its storage {} has", brief(key))))?;
        let mut numel = [0; 8];
        if size_bytes.saturating_sub(at) < 8 {
            return Err(Fault::Form(format!("it ends before storage {}", brief(key))));
        }
        reader.seek(SeekFrom::Start(at))?;
        reader.read_exact(&mut numel)?;
        let numel = u64::from_le_bytes(numel);
        if numel != storage.numel {
            return Err(Fault::Form(format!(
                "its storage {} has {numel} elements, expected {}",
                brief(key),
                storage.numel
            )));
        }
        let start = at + 8;
        let end = storage.size_bytes().and_then(|len| start.checked_add(len));
        at = end
            .filter(|end| *end <= size_bytes)
            .ok_or_else(|| Fault::Form(format!("it ends within storage {}", brief(key))))?;
        if starts.insert((*key).to_owned(), start).is_some() {
            return Err(Fault::Form(format!("it lists storage {} twice", brief(key))));
        }
    }
    if let Some(missing) = storages.keys().find(|key| !starts.contains_key(**key)) {
        return Err(Fault::Form(format!("storage {} is missing", brief(missing))));
    }
    Ok(starts)
}
