//! The user's own slices: lists of question ids in files.

use std::collections::{BTreeMap, HashSet};
use std::path::PathBuf;

use crate::Error;
use crate::slices::{OWN, Slice};

/// More than a hundred million ids need.
const MAX_BYTES: u64 = 4 << 30;

/// The slices that `report.slices` names.
#[derive(Clone, Debug, Default)]
pub struct OwnSlices {
    slices: Vec<(String, HashSet<String>)>,
}

impl OwnSlices {
    /// Reads the files: a question id on each line, with or without spaces around it. Empty lines are ignored.
    ///
    /// # Errors
    /// [`Error::OwnSlice`]
    pub fn read(files: &BTreeMap<String, PathBuf>) -> Result<Self, Error> {
        let read = |(name, path): (&String, &PathBuf)| {
            let text = artifact::read_small_text(path, MAX_BYTES).map_err(|source| Error::OwnSlice {
                name: name.clone(),
                path: path.clone(),
                source,
            })?;
            let text = text.strip_prefix('\u{feff}').unwrap_or(&text);
            let ids = text.lines().map(str::trim).filter(|id| !id.is_empty());
            Ok((name.clone(), ids.map(str::to_owned).collect()))
        };
        Ok(Self { slices: files.iter().map(read).collect::<Result<_, Error>>()? })
    }

    /// The slices that a question is in, in the order of their names.
    pub fn of<'a>(&'a self, id: &'a str) -> impl Iterator<Item = Slice> + 'a {
        let own = self.slices.iter().filter(move |(_, ids)| ids.contains(id.trim()));
        own.map(|(name, _)| Slice { slicing: OWN.to_owned(), value: name.clone() })
    }

    /// Warns about ids without a question: a list may be for other data, or out of date.
    pub fn warn_about_strangers<'a>(&self, ids: impl Iterator<Item = &'a str>, what: &str) {
        if self.slices.is_empty() {
            return;
        }
        let known: HashSet<&str> = ids.map(str::trim).collect();
        for (slice, ids) in &self.slices {
            let unknown = ids.iter().filter(|id| !known.contains(id.as_str())).count();
            if unknown > 0 {
                let example = ids.iter().filter(|id| !known.contains(id.as_str())).min();
                tracing::warn!(
                    slice,
                    ids = ids.len(),
                    unknown,
                    example,
                    "report.slices names ids that are not among the {what} questions: they are ignored"
                );
            }
        }
    }

    /// All names, for a table that also lists slices without questions.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.slices.iter().map(|(name, _)| name.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_stand_on_lines_and_a_question_may_be_in_several_slices() {
        let folder = tempfile::tempdir().unwrap();
        let file = |name: &str, text: &[u8]| {
            let path = folder.path().join(name);
            fs_err::write(&path, text).unwrap();
            (name.to_owned(), path)
        };
        let files = [file("easy", b"\xef\xbb\xbfa\r\n\r\n b \n"), file("hard", b"b\nc=d")];
        let own = OwnSlices::read(&files.into_iter().collect()).unwrap();
        let of = |id: &str| own.of(id).map(|slice| slice.to_string()).collect::<Vec<_>>();
        assert_eq!(of("b"), ["own=easy", "own=hard"]);
        assert_eq!([of("a"), of("c=d"), of("")], [vec!["own=easy"], vec!["own=hard"], vec![]]);

        for bad in [file("nowhere", b""), file("binary", b"\xff\xfe")] {
            if bad.0 == "nowhere" {
                fs_err::remove_file(&bad.1).unwrap();
            }
            let error = OwnSlices::read(&[bad].into_iter().collect()).unwrap_err();
            assert!(error.to_string().contains("of report.slices cannot be read from"), "{error}");
        }
    }
}
