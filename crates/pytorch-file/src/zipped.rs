//! The zip of PyTorch 1.6 and later (`caffe2/serialize/inline_container.cc`): `data.pkl` is the state dict,
//! `data/KEY` the bytes of a storage, all in one folder of any name.

use std::collections::HashMap;
use std::io::{BufReader, Read};

use fs_err::File;
use zip::result::ZipError;
use zip::{CompressionMethod, ZipArchive};

use crate::error::{Fault, brief};
use crate::input::Input;
use crate::state_dict::state_dict;
use crate::tensor::{Storage, Tensor};
use crate::unpickle::unpickle;

/// A zip whose storages are as long as its pickle says.
#[derive(Debug)]
pub(crate) struct Zipped {
    zip: ZipArchive<BufReader<File>>,
    folder: String,
}

impl Zipped {
    pub(crate) fn open(file: File) -> Result<(Self, Vec<(String, Tensor)>), Fault> {
        let zip = ZipArchive::new(BufReader::new(file)).map_err(|error| zip_fault("the zip", error))?;
        let folder = zip.file_names().find_map(|name| match name.split_once('/') {
            Some((folder, "data.pkl")) => Some(folder.to_owned()),
            _ => None,
        });
        let folder = folder.ok_or_else(|| Fault::Form("its zip has no data.pkl".to_owned()))?;
        let mut zipped = Self { zip, folder };
        if zipped.zip.index_for_name(&format!("{}/byteorder", zipped.folder)).is_some() {
            let byteorder = zipped.entry("byteorder", 16)?;
            if byteorder != b"little" {
                return Err(Fault::Form(format!(
                    "its byte order is {}, expected little",
                    byteorder.escape_ascii()
                )));
            }
        }
        let pickle = {
            let name = format!("{}/data.pkl", zipped.folder);
            let entry = zipped.zip.by_name(&name).map_err(|error| zip_fault("data.pkl", error))?;
            unpickle(&mut Input::new(BufReader::new(entry), 0))?
        };
        let tensors = state_dict(&pickle)?;
        let mut known: HashMap<&str, &Storage> = HashMap::new();
        for (name, tensor) in &tensors {
            let storage = &tensor.storage;
            match known.insert(&storage.key, storage) {
                Some(other) if other == storage => {}
                Some(other) => return Err(storage.differs_from(other)),
                None => zipped.check(name, storage)?,
            }
        }
        Ok((zipped, tensors))
    }

    /// The bytes of a storage; the zip library checks their CRC.
    pub(crate) fn storage(&mut self, storage: &Storage) -> Result<Vec<u8>, Fault> {
        let expected = storage.size_bytes().unwrap_or(u64::MAX);
        let bytes = self.entry(&format!("data/{}", storage.key), expected)?;
        if bytes.len() as u64 == expected {
            return Ok(bytes);
        }
        let key = brief(&storage.key);
        Err(Fault::Form(format!("data/{key} has {} bytes, expected {expected}", bytes.len())))
    }

    /// Checks that a storage is uncompressed and has the expected length.
    fn check(&mut self, tensor: &str, storage: &Storage) -> Result<(), Fault> {
        let name = format!("data/{}", storage.key);
        let entry = self.zip.by_name(&format!("{}/{name}", self.folder));
        let entry = entry.map_err(|error| zip_fault(&name, error))?;
        let name = brief(&name);
        if entry.compression() != CompressionMethod::Stored {
            return Err(Fault::Form(format!("{name} is compressed, which torch.save never does")));
        }
        if storage.size_bytes() != Some(entry.size()) {
            let Storage { dtype, numel, .. } = storage;
            return Err(Fault::Form(format!(
                "{name} of {} has {} bytes, expected {numel} elements of {dtype}",
                brief(tensor),
                entry.size()
            )));
        }
        Ok(())
    }

    /// A small entry, or at most one byte more than `limit` of it.
    fn entry(&mut self, name: &str, limit: u64) -> Result<Vec<u8>, Fault> {
        let path = format!("{}/{name}", self.folder);
        let entry = self.zip.by_name(&path).map_err(|error| zip_fault(name, error))?;
        let mut bytes = Vec::new();
        // Grows with the data, because the size in the directory is only the file's claim.
        entry.take(limit.saturating_add(1)).read_to_end(&mut bytes).map_err(|error| match error.kind() {
            // The zip library's error for a bad checksum or an early end.
            std::io::ErrorKind::InvalidData
            | std::io::ErrorKind::UnexpectedEof
            | std::io::ErrorKind::Other => Fault::Form(format!("{}: {error}", brief(name))),
            _ => Fault::Io(error),
        })?;
        Ok(bytes)
    }
}

fn zip_fault(what: &str, error: ZipError) -> Fault {
    match error {
        ZipError::Io(error) if error.kind() != std::io::ErrorKind::UnexpectedEof => Fault::Io(error),
        error => Fault::Form(format!("{}: {error}", brief(what))),
    }
}
