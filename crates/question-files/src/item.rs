//! Reads a question, paragraph, article or labelling task of a file, in any of the names and shapes that people use. A
//! row of a table is read here too, as an object.
//!
//! Contradictory or ambiguous items are refused, never guessed.

mod answers;
mod label_studio;
mod parts;

use std::fmt;

use serde::de::{DeserializeSeed, Error as _, IgnoredAny, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::Value;

use self::answers::{Answers, Whole};
use self::parts::Parts;
use crate::field::Field;
use crate::question::{Answer, Paragraph, Qa};
use crate::scalar::{Flag, Many, Start, Word};

/// An item of a list or a line: an article, a paragraph, a row or a task.
pub(crate) const ANY: u8 = 0;
pub(crate) const PARAGRAPH: u8 = 1;
pub(crate) const QUESTION: u8 = 2;
/// The data of a labelling task: no field is required.
const DATA: u8 = 3;

/// An object of the file at one of the levels above.
#[derive(Debug, Default)]
pub(crate) struct Item<const LEVEL: u8> {
    pub(crate) id: Option<String>,
    pub(crate) title: Option<String>,
    pub(crate) context: Option<String>,
    pub(crate) question: Option<String>,
    pub(crate) answers: Option<Vec<Answer>>,
    pub(crate) is_impossible: Option<bool>,
    pub(crate) qas: Option<Vec<Item<QUESTION>>>,
    pub(crate) paragraphs: Option<Vec<Item<PARAGRAPH>>>,
    /// MRQA's first line.
    pub(crate) is_header: bool,
    pub(crate) is_task: bool,
    /// Fields under another than the usual name.
    pub(crate) renamed: Vec<(Field, String)>,
    /// Other names of fields that also have their usual name.
    pub(crate) ignored: Vec<(Field, String)>,
}

/// A question without the other fields of an [`Item`]; its id may have to be made.
pub(crate) struct Asked {
    pub(crate) id: Option<String>,
    pub(crate) qa: Qa,
}

impl<const LEVEL: u8> Item<LEVEL> {
    pub(crate) fn asked(&mut self) -> Asked {
        let is_impossible = self.is_impossible;
        // A file that says so needs no list of answers.
        let none_left_out = (is_impossible == Some(true)).then(Vec::new);
        let answers = self.answers.take().or(none_left_out);
        let question = self.question.take().unwrap_or_default();
        Asked { id: self.id.take(), qa: Qa { id: String::new(), question, answers, is_impossible } }
    }
}

impl Item<PARAGRAPH> {
    pub(crate) fn paragraph(self, qa: impl FnMut(&str, Item<QUESTION>) -> Qa) -> Paragraph {
        paragraph(self.context, self.qas, qa)
    }
}

impl Item<ANY> {
    pub(crate) fn paragraph(self, qa: impl FnMut(&str, Item<QUESTION>) -> Qa) -> Paragraph {
        paragraph(self.context, self.qas, qa)
    }
}

fn paragraph(
    context: Option<String>,
    qas: Option<Vec<Item<QUESTION>>>,
    mut qa: impl FnMut(&str, Item<QUESTION>) -> Qa,
) -> Paragraph {
    let context = context.unwrap_or_default();
    let qas = qas.unwrap_or_default().into_iter().map(|item| qa(&context, item)).collect();
    Paragraph { context, qas }
}

impl<'de, const LEVEL: u8> Deserialize<'de> for Item<LEVEL> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(ItemVisitor)
    }
}

struct ItemVisitor<const LEVEL: u8>;

impl<'de, const LEVEL: u8> Visitor<'de> for ItemVisitor<LEVEL> {
    type Value = Item<LEVEL>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match LEVEL {
            PARAGRAPH => "a paragraph: {\"context\": …, \"qas\": […]}",
            QUESTION => "a question: {\"id\": …, \"question\": …, \"answers\": […]}",
            DATA => "what a task is about: {\"text\": …, \"question\": …}",
            _ => "an object with a question, a paragraph or an article",
        })
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Item<LEVEL>, A::Error> {
        let mut item = Parts::<LEVEL>::default();
        while let Some(key) = map.next_key_seed(KeyName)? {
            let label = key.label().filter(|_| LEVEL == ANY);
            let (is_qid, is_one_answer) = (key.is_qid(), matches!(key, Key::Synonym(Field::Answers, _)));
            let field = item.takes(key).map_err(A::Error::custom)?;
            if is_qid {
                item.qid = map.next_value::<Option<Word>>()?.map(|word| word.0);
                if field.is_some() {
                    item.item.id.clone_from(&item.qid);
                }
                continue;
            }
            let Some(field) = field else {
                match label {
                    Some(name) => item.label(name, map.next_value()?).map_err(A::Error::custom)?,
                    None => map.next_value::<IgnoredAny>().map(drop)?,
                }
                continue;
            };
            let parts = &mut item.item;
            match field {
                Field::Id => parts.id = map.next_value::<Option<Word>>()?.map(|word| word.0),
                Field::Title => parts.title = map.next_value::<Option<Word>>()?.map(|word| word.0),
                Field::Context => parts.context = map.next_value()?,
                Field::Question => parts.question = map.next_value()?,
                Field::Answers => {
                    let Whole(Answers(answers)) = map.next_value()?;
                    // A column with one answer per row is empty if there is none.
                    item.answers = Answers(answers.or(is_one_answer.then(Vec::new)));
                }
                Field::AnswerStart => item.starts = Some(map.next_value::<Many<Start>>()?),
                Field::IsImpossible => {
                    parts.is_impossible = map.next_value::<Option<Flag>>()?.map(|flag| flag.0);
                }
                Field::Text => item.text = Some(map.next_value()?),
                Field::DetectedAnswers => item.detected = map.next_value::<Whole>()?.0,
                Field::Qas => parts.qas = Some(map.next_value()?),
                Field::Paragraphs => parts.paragraphs = Some(map.next_value()?),
                Field::Header => parts.is_header = map.next_value::<IgnoredAny>().map(|_| true)?,
                Field::Data => item.data = Some(Box::new(map.next_value()?)),
                Field::Annotations => item.annotations = map.next_value()?,
            }
        }
        item.finish().map_err(A::Error::custom)
    }
}

/// Whether rows with these columns can be questions.
pub(crate) fn check_columns(names: &[&str]) -> Result<(), String> {
    let mut parts = Parts::<ANY>::default();
    for name in names {
        match parts.takes(Key::of(name))? {
            Some(Field::Context) => parts.item.context = Some(String::new()),
            Some(Field::Question) => parts.item.question = Some(String::new()),
            Some(Field::Text) => parts.text = Some(Value::String(String::new())),
            _ => {}
        }
    }
    parts.finish().map(drop)
}

/// A key's field, or its name if that is not the usual one.
enum Key {
    Usual(Field),
    Synonym(Field, String),
    Other(String),
}

impl Key {
    fn of(name: &str) -> Self {
        match Field::named(name) {
            Some((field, true)) => Self::Usual(field),
            Some((field, false)) => Self::Synonym(field, name.to_owned()),
            None => Self::Other(name.to_owned()),
        }
    }

    /// Its name, if it is Label Studio's default name for a control.
    fn label(&self) -> Option<String> {
        match self {
            Self::Other(name) if ["label", "labels"].contains(&name.as_str()) => Some(name.clone()),
            _ => None,
        }
    }

    /// Whether it is MRQA's id.
    fn is_qid(&self) -> bool {
        matches!(self, Self::Synonym(Field::Id, name) if name.eq_ignore_ascii_case("qid"))
    }
}

struct KeyName;

impl<'de> DeserializeSeed<'de> for KeyName {
    type Value = Key;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Key, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for KeyName {
    type Value = Key;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }

    fn visit_str<E>(self, name: &str) -> Result<Key, E> {
        Ok(Key::of(name))
    }
}
