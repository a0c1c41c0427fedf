//! An artifact by the beginning of its fingerprint, as `plan` and `status` print it.

use std::io;

use artifact::Store;
use stage::STAGES;

use crate::Error;

/// The beginning of a fingerprint has at least this many digits.
const SHORTEST: usize = 4;

/// Whether `text` can be the beginning of a fingerprint.
pub(crate) fn is_prefix(text: &str) -> bool {
    (SHORTEST..=32).contains(&text.len())
        && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

/// Stage and fingerprint of the artifact in the store that begins with this; `None` if there is none.
///
/// # Errors
/// [`Error::Ambiguous`] if several do.
pub(crate) fn find(store: &Store, prefix: &str) -> Result<Option<(&'static str, String)>, Error> {
    if !is_prefix(prefix) {
        return Ok(None);
    }
    let mut found = Vec::new();
    for stage in STAGES.map(|declaration| declaration.name) {
        let entries = match fs_err::read_dir(store.root().join(stage)) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            Err(error) => return Err(error.into()),
        };
        for entry in entries {
            let name = entry?.file_name().to_string_lossy().into_owned();
            if name.starts_with(prefix) {
                found.push((stage, name));
            }
        }
    }
    if found.len() > 1 {
        found.sort();
        let candidates: Vec<_> =
            found.iter().map(|(stage, fingerprint)| format!("{stage} {fingerprint}")).collect();
        return Err(Error::Ambiguous { prefix: prefix.to_owned(), candidates: candidates.join(", ") });
    }
    Ok(found.pop())
}
