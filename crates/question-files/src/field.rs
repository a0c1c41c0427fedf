//! The names of keys and columns, and which part of a question each one is.
//!
//! It has only names that mean one thing in every data set that uses them, because a wrong guess would be silent.

use std::fmt::{self, Write as _};

/// A part of a question, a paragraph, an article or a labelling task.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Field {
    Id,
    Title,
    Context,
    Question,
    Answers,
    AnswerStart,
    IsImpossible,
    /// The context or the answer, depending on the other fields.
    Text,
    /// MRQA: the answers at their places in the context.
    DetectedAnswers,
    Qas,
    Paragraphs,
    /// MRQA: the first line, which is not a question.
    Header,
    /// Label Studio: the labelled data.
    Data,
    /// Label Studio: the labels.
    Annotations,
}

/// Names in lower case without `_`, `-` and blanks; the first of each is the usual one.
const NAMES: [(Field, &[&str]); 14] = [
    (Field::Id, &["id", "qid", "questionid", "qasid", "exampleid", "uid", "guid"]),
    (Field::Title, &["title", "documenttitle", "articletitle"]),
    (Field::Context, &["context", "passage", "paragraph", "document", "documenttext"]),
    (Field::Question, &["question", "query", "questiontext"]),
    (Field::Answers, &["answers", "answer", "answertext", "answertexts"]),
    (Field::AnswerStart, &["answerstart", "answerstarts", "charstart", "startchar"]),
    (Field::IsImpossible, &["isimpossible", "impossible", "unanswerable"]),
    (Field::Text, &["text"]),
    (Field::DetectedAnswers, &["detectedanswers"]),
    (Field::Qas, &["qas"]),
    (Field::Paragraphs, &["paragraphs"]),
    (Field::Header, &["header"]),
    (Field::Data, &["data"]),
    (Field::Annotations, &["annotations", "completions"]),
];

/// No name above is longer, with `_`, `-` and blanks in it.
const MAX_NAME_BYTES: usize = 64;

impl Field {
    pub(crate) const COUNT: usize = NAMES.len();

    pub(crate) const ALL: [Self; Self::COUNT] = {
        let (mut all, mut at) = ([Self::Id; Self::COUNT], 0);
        while at < Self::COUNT {
            all[at] = NAMES[at].0;
            at += 1;
        }
        all
    };

    /// Its usual name, as `datasets` and SQuAD write it.
    pub(crate) fn usual(self) -> &'static str {
        match self {
            Self::Id => "id",
            Self::Title => "title",
            Self::Context => "context",
            Self::Question => "question",
            Self::Answers => "answers",
            Self::AnswerStart => "answer_start",
            Self::IsImpossible => "is_impossible",
            Self::Text => "text",
            Self::DetectedAnswers => "detected_answers",
            Self::Qas => "qas",
            Self::Paragraphs => "paragraphs",
            Self::Header => "header",
            Self::Data => "data",
            Self::Annotations => "annotations",
        }
    }

    /// The field of `name`, and whether this is its usual name.
    pub(crate) fn named(name: &str) -> Option<(Self, bool)> {
        if name.len() > MAX_NAME_BYTES {
            return None;
        }
        let plain: String =
            name.chars().filter(|c| !"_- ".contains(*c)).flat_map(char::to_lowercase).collect();
        NAMES.iter().find_map(|(field, names)| {
            names.iter().position(|name| *name == plain).map(|place| (*field, place == 0))
        })
    }
}

impl fmt::Display for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.usual())
    }
}

/// The message that `field` is missing among `names`, and which of them is similar.
pub(crate) fn missing(field: Field, mut names: Vec<&str>) -> String {
    names.sort_unstable();
    let usual = field.usual();
    let mut text = format!("missing field `{usual}`");
    if names.is_empty() {
        return text;
    }
    let near = names.iter().filter(|name| is_near(name, usual) && !says_where(name));
    if let Some(near) = near.min_by_key(|name| strsim::damerau_levenshtein(name, usual)) {
        let _ = write!(text, "; rename `{near}` if it is the {usual}");
    }
    let (shown, more) = names.split_at(names.len().min(12));
    let _ = write!(text, "; found {}", in_ticks(shown));
    if !more.is_empty() {
        let _ = write!(text, " and {} more", more.len());
    }
    text
}

/// Whether `name` names a place or a number, not a text.
fn says_where(name: &str) -> bool {
    let name = name.to_lowercase();
    ["start", "starts", "end", "ends", "span", "spans", "offset", "offsets", "id", "ids"]
        .iter()
        .any(|end| name.ends_with(end))
}

/// Whether `name` may be a misspelling of `usual`, or contain it.
pub(crate) fn is_near(name: &str, usual: &str) -> bool {
    let name = name.to_lowercase();
    let stem = usual.strip_suffix('s').unwrap_or(usual);
    strsim::damerau_levenshtein(&name, usual) <= usual.len() / 3 || name.contains(stem)
}

pub(crate) fn in_ticks(names: &[&str]) -> String {
    names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}
