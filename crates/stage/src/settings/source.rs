//! Where data and models come from, as written in a setting: one path or several, a pattern, a URL, or a Hub id.
//!
//! The text alone decides what it means, except that an existing path takes precedence over a pattern and over a Hub
//! id; see [`Location::parse`].

use std::fmt;
use std::path::{Path, PathBuf};

use fetch::{Repo, RepoKind};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Where a split's questions come from.
#[derive(Debug, Clone, PartialEq)]
pub enum Source {
    /// The corpus that distilburn generates.
    Sample,
    /// This many per cent of the training contexts, set aside for validation: `"10%"`.
    Share(f64),
    /// One place, or several in order.
    At(Vec<Location>),
}

/// One place that questions come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Location {
    File(PathBuf),
    /// Every file that matches a pattern, in the order of their names.
    Glob(String),
    /// `https://…`, or `http://` on this machine.
    Url(String),
    /// A dataset of the Hub.
    Hub(HubId),
}

/// A repository of the Hub at a revision: `owner/name@revision`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HubId {
    /// `owner/name`; the Hub's oldest repositories have only a name.
    pub id: String,
    /// A branch, a tag or a commit.
    pub revision: String,
}

/// Where the pretrained model comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BaseModel {
    Folder(PathBuf),
    /// A model of the Hub.
    Hub(HubId),
}

/// Suffixes that make `a/b.json` a path and not a Hub id.
const DATA_ENDINGS: [&str; 7] = [".json", ".jsonl", ".ndjson", ".parquet", ".gz", ".zst", ".txt"];

impl Location {
    /// Parses a source. `owner/name` without the suffix of a data file is a Hub id, and so is any text with an
    /// `@revision` at its end. A path that could be mistaken for one must start with `./`. A text with `*`, `?` or `[`
    /// is a pattern unless a file of that name exists.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        if text.contains("://") {
            return Self::Url(text.to_owned());
        }
        if text.contains(['*', '?', '[']) && !Path::new(text).exists() {
            return Self::Glob(text.to_owned());
        }
        match HubId::parse(text) {
            Some(id) if text.contains(['/', '@']) => Self::Hub(id),
            _ => Self::File(text.into()),
        }
    }
}

impl HubId {
    /// Parses `name` or `owner/name`, optionally with `@revision`; `None` if it cannot be one.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        if DATA_ENDINGS.iter().any(|ending| text.ends_with(ending)) {
            return None;
        }
        let (id, revision) = text.split_once('@').unwrap_or((text, "main"));
        let sound = |part: &str| {
            part.starts_with(|first: char| first.is_ascii_alphanumeric())
                && part.chars().all(|letter| letter.is_ascii_alphanumeric() || "-_.".contains(letter))
        };
        let parts: Vec<&str> = id.split('/').collect();
        let is_id = parts.len() <= 2 && parts.iter().all(|part| sound(part));
        let is_revision = revision.split('/').all(sound);
        (is_id && is_revision).then(|| Self { id: id.to_owned(), revision: revision.to_owned() })
    }

    #[must_use]
    pub fn repo(&self, kind: RepoKind) -> Repo {
        Repo { kind, id: self.id.clone() }
    }
}

/// Replaces the `~` of `~` and `~/…` by the home folder, as a shell does.
pub(crate) fn expand_home(text: &str) -> String {
    let rest = text.strip_prefix('~').filter(|rest| rest.is_empty() || rest.starts_with('/'));
    match (rest, std::env::home_dir()) {
        (Some(rest), Some(home)) if !home.as_os_str().is_empty() => format!("{}{rest}", home.display()),
        _ => text.to_owned(),
    }
}

/// The same for a path.
pub(crate) fn expand_home_of(path: &Path) -> PathBuf {
    path.to_str().map_or_else(|| path.to_owned(), |text| expand_home(text).into())
}

/// The number before a `%`; `./10%` is a file of that name.
fn percent(text: &str) -> Option<f64> {
    text.strip_suffix('%')?.trim().parse().ok()
}

/// The text of a path relative to `folder` (none = the working directory), in a form that parses as a path again.
/// Anything else stays the same, such as a Hub id, unless there is a file or folder of that name.
pub(super) fn resolve(text: &str, folder: Option<&Path>, is_model: bool) -> String {
    if text.is_empty() || !is_model && (text == "sample" || percent(text).is_some()) {
        return text.to_owned();
    }
    let text = &expand_home(text);
    let joined = |text: &str| folder.map_or_else(|| text.into(), |folder| folder.join(text));
    let is_id = |text: &str| match Location::parse(text) {
        Location::Hub(_) => true,
        Location::File(_) => is_model && HubId::parse(text).is_some(),
        _ => false,
    };
    let path = match Location::parse(text) {
        Location::Url(_) => return text.to_owned(),
        Location::Glob(_) if joined(text).exists() => joined(text).display().to_string(),
        Location::Glob(_) if !is_model && folder.is_some() && !Path::new(text).is_absolute() => {
            let folder = folder.unwrap_or(Path::new("")).display().to_string();
            return Path::new(&glob::Pattern::escape(&folder)).join(text).display().to_string();
        }
        Location::Glob(_) if !is_model => return text.to_owned(),
        _ if is_id(text) && !joined(text).exists() => return text.to_owned(),
        _ => joined(text).display().to_string(),
    };
    if is_id(&path) { format!("./{path}") } else { path }
}

impl fmt::Display for HubId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}@{}", self.id, self.revision)
    }
}

impl fmt::Display for Location {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => path.display().fmt(formatter),
            Self::Glob(text) | Self::Url(text) => formatter.write_str(text),
            Self::Hub(id) => id.fmt(formatter),
        }
    }
}

impl fmt::Display for Source {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sample => formatter.write_str("sample"),
            Self::Share(percent) => write!(formatter, "{percent}%"),
            Self::At(locations) => {
                let texts: Vec<String> = locations.iter().map(Location::to_string).collect();
                formatter.write_str(&texts.join(", "))
            }
        }
    }
}

impl fmt::Display for BaseModel {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Folder(path) => path.display().fmt(formatter),
            Self::Hub(id) => id.fmt(formatter),
        }
    }
}

/// One text, or a list of them.
#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum Texts {
    One(String),
    Several(Vec<String>),
}

impl Serialize for Source {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::At(locations) if locations.len() > 1 => {
                Texts::Several(locations.iter().map(Location::to_string).collect()).serialize(serializer)
            }
            one => serializer.collect_str(one),
        }
    }
}

impl<'de> Deserialize<'de> for Source {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let texts = match Texts::deserialize(deserializer)? {
            Texts::One(text) if text == "sample" => return Ok(Self::Sample),
            Texts::One(text) => match percent(&text) {
                Some(percent) => return Ok(Self::Share(percent)),
                None => vec![text],
            },
            Texts::Several(texts) => texts,
        };
        if let Some(text) = texts.iter().find(|text| *text == "sample" || percent(text).is_some()) {
            return Err(D::Error::custom(format!("\"{text}\" cannot be part of a list")));
        }
        Ok(Self::At(texts.iter().map(|text| Location::parse(text)).collect()))
    }
}

impl Serialize for BaseModel {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for BaseModel {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Ok(match HubId::parse(&text) {
            Some(id) => Self::Hub(id),
            None => Self::Folder(text.into()),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_says_what_it_is() {
        let kind = |text| match Location::parse(text) {
            Location::File(_) => "file",
            Location::Glob(_) => "glob",
            Location::Url(_) => "url",
            Location::Hub(_) => "hub",
        };
        for (text, expected) in [
            ("train.json", "file"),
            ("data/train.json", "file"),
            ("data/train.jsonl.zst", "file"),
            ("./data/train", "file"),
            ("/data/train", "file"),
            ("a/b/c", "file"),
            ("2024", "file"),
            ("squad", "file"),
            ("me@work.json", "file"),
            ("parts/*.parquet", "glob"),
            ("https://example.org/train.json", "url"),
            ("rajpurkar/squad", "hub"),
            ("rajpurkar/squad_v2@refs/convert", "hub"),
            ("squad@main", "hub"),
        ] {
            assert_eq!(kind(text), expected, "{text}");
            assert_eq!(
                Location::parse(text).to_string().strip_suffix("@main").unwrap_or(text),
                text.trim_end_matches("@main")
            );
        }
    }

    #[test]
    fn ids_carry_their_revision() {
        let id = HubId::parse("distilbert-base-uncased").unwrap();
        assert_eq!((id.id.as_str(), id.revision.as_str()), ("distilbert-base-uncased", "main"));
        assert_eq!(HubId::parse("o/n@v1.0").unwrap().to_string(), "o/n@v1.0");
        for text in ["", "@main", "a/b/c", "../x", "a@", "a@../x", "a b", "-x", ".cache", "o/n@a@b"] {
            assert_eq!(HubId::parse(text), None, "{text:?}");
        }
    }

    #[test]
    fn a_tilde_is_the_home_folder() {
        let home = std::env::home_dir().unwrap().display().to_string();
        assert_eq!(
            resolve("~/data/train.json", Some(Path::new("x")), false),
            format!("{home}/data/train.json")
        );
        assert_eq!(resolve("~", None, true), home);
        assert_eq!(expand_home_of(Path::new("~/a")), Path::new(&home).join("a"));
        for text in ["~other/x", "a/~", "~~"] {
            assert_eq!(expand_home(text), text);
        }
    }

    #[test]
    fn an_existing_path_goes_before_a_pattern() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path().join("run [1]?");
        std::fs::create_dir(&folder).unwrap();
        for name in ["train[1].json", "what?.json", "every*.json"] {
            std::fs::write(folder.join(name), "").unwrap();
            let resolved = resolve(name, Some(&folder), false);
            assert_eq!(Location::parse(&resolved), Location::File(folder.join(name)));
        }
        let Location::Glob(pattern) = Location::parse(&resolve("*.json", Some(&folder), false)) else {
            panic!("no file of this name: a pattern")
        };
        assert_eq!(glob::glob(&pattern).unwrap().count(), 3);
    }

    #[test]
    fn an_existing_path_goes_before_a_hub_id() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(folder.path().join("my/data")).unwrap();
        let resolved = |text| resolve(text, Some(folder.path()), false);
        assert_eq!(resolved("my/data"), folder.path().join("my/data").display().to_string());
        assert_eq!(resolved("rajpurkar/squad"), "rajpurkar/squad");
        assert_eq!(resolved("https://x/y"), "https://x/y");
        assert_eq!(resolved("*.json"), folder.path().join("*.json").display().to_string());
        assert_eq!(resolve("models/mine", Some(Path::new("relative")), true), "models/mine");
        // Tests run in the crate's own folder.
        assert_eq!(resolve("src/settings", None, true), "./src/settings");
        assert_eq!(resolve("settings", Some(Path::new("src")), true), "./src/settings");
    }
}
