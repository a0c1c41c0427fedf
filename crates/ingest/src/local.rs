//! The files that a setting names, downloaded if necessary.

use std::path::PathBuf;

use artifact::SplitName;
use fetch::{RepoKind, Revision};
use stage::Fetcher;
use stage::settings::{HubId, Location};

use question_files::QuestionFile;

use crate::error::{Error, Result};

/// The formats of one split's files, in order of preference.
const FORMS: [&[&str]; 2] = [&["parquet"], &["jsonl", "ndjson", "json"]];

/// The files of `locations`, in their order; `split` and `setting` are for messages.
pub fn files(
    locations: &[Location],
    split: SplitName,
    setting: &'static str,
    fetcher: &mut Fetcher,
) -> Result<Vec<QuestionFile>> {
    let mut files = Vec::new();
    let mut add = |path: PathBuf, name: String| files.push(QuestionFile { path, name, asked_by: setting });
    for location in locations {
        match location {
            Location::File(path) => add(path.clone(), path.display().to_string()),
            Location::Glob(pattern) => {
                for path in stage::matches(pattern)? {
                    let name = path.display().to_string();
                    add(path, name);
                }
            }
            Location::Url(url) => add(fetcher.url(url)?, fetch::redacted(url)),
            Location::Hub(id) => {
                let repo = id.repo(RepoKind::Dataset);
                let revision = fetcher.revision(&repo, &id.revision)?;
                for name in of_split(&revision, split, id)? {
                    add(fetcher.repo_file(&repo, &revision, name)?, format!("{id}: {name}"));
                }
            }
        }
    }
    Ok(files)
}

/// The files of a split, found as in `datasets`: their names contain the split's name, without letters or digits next
/// to it.
fn of_split<'a>(revision: &'a Revision, split: SplitName, id: &HubId) -> Result<Vec<&'a str>> {
    let words: &[&str] = match split {
        SplitName::Train => &["train", "training"],
        SplitName::Validation => &["validation", "valid", "val", "dev"],
        SplitName::Test => &["test"],
    };
    let names = |name: &&str| {
        name.to_ascii_lowercase()
            .split(|letter: char| !letter.is_ascii_alphanumeric())
            .any(|word| words.contains(&word))
    };
    let form = |name: &str, endings: &[&str]| {
        let name = name.trim_end_matches(".gz").trim_end_matches(".zst");
        name.rsplit_once('.').is_some_and(|(_, ending)| endings.contains(&ending))
    };
    let error = |found: String| -> Result<Vec<&'a str>> {
        let example = format!("https://huggingface.co/datasets/{}/resolve/{}/FILE", id.id, id.revision);
        Err(Error::HubSplit { name: id.to_string(), split: split.as_str(), found, example })
    };
    for endings in FORMS {
        let all = revision.files.keys().map(String::as_str).filter(|name| form(name, endings));
        let found: Vec<&str> = all.filter(names).collect();
        let folder = |name: &'a str| name.rsplit_once('/').map_or("", |(folder, _)| folder);
        let mut folders: Vec<&str> = found.iter().map(|name| folder(name)).collect();
        folders.dedup();
        match folders.as_slice() {
            [] => {}
            [_] => return Ok(found),
            several => return error(format!("files in several folders ({})", several.join(", "))),
        }
    }
    error("no Parquet or JSON file".to_owned())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::path::Path;

    use fetch::{Digest, RepoFile};

    use super::*;
    use crate::message::message;

    fn revision(names: &[&str]) -> Revision {
        let digest = Digest::parse(&"0".repeat(40)).unwrap();
        let file = RepoFile { size_bytes: 1, digest };
        let files: BTreeMap<_, _> = names.iter().map(|name| ((*name).to_owned(), file.clone())).collect();
        Revision { commit: "0".repeat(40), files }
    }

    #[test]
    fn a_split_is_found_by_its_name() {
        let id = HubId::parse("rajpurkar/squad").unwrap();
        let squad = revision(&[
            "README.md",
            "plain_text/train-00000-of-00002.parquet",
            "plain_text/train-00001-of-00002.parquet",
            "plain_text/validation-00000-of-00001.parquet",
            "train.json",
        ]);
        assert_eq!(of_split(&squad, SplitName::Train, &id).unwrap().len(), 2);
        assert_eq!(
            of_split(&squad, SplitName::Validation, &id).unwrap(),
            ["plain_text/validation-00000-of-00001.parquet"]
        );
        let lines = revision(&["training.jsonl.gz", "dev.jsonl", "trainer_state.json"]);
        assert_eq!(of_split(&lines, SplitName::Train, &id).unwrap(), ["training.jsonl.gz"]);
        assert_eq!(of_split(&lines, SplitName::Validation, &id).unwrap(), ["dev.jsonl"]);

        let several = revision(&["en/train.parquet", "de/train.parquet"]);
        let messages =
            [of_split(&several, SplitName::Train, &id), of_split(&several, SplitName::Validation, &id)]
                .map(|found| message(&found.unwrap_err(), Path::new("/nowhere")));
        insta::assert_snapshot!(messages.join("\n\n"));
    }
}
