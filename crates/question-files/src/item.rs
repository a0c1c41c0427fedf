//! A question, paragraph, article or labelling task as it stands in a file: any of the names and shapes that people
//! use. A row of a table comes through here too, as an object.
//!
//! What contradicts itself or could mean two things is refused; it is never guessed.

use std::fmt;
use std::marker::PhantomData;

use serde::de::value::MapAccessDeserializer;
use serde::de::{DeserializeSeed, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::Value;

use crate::field::{self, Field};
use crate::question::{Answer, Paragraph, Qa};

/// Of a list or a line: an article, a paragraph, a row or a task.
pub(crate) const ANY: u8 = 0;
pub(crate) const PARAGRAPH: u8 = 1;
pub(crate) const QUESTION: u8 = 2;
/// What a labelling task is about: no field is required.
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
}

/// A question without what an [`Item`] may have beside it; its id may have to be made.
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
            let Some(field) = item.takes(key).map_err(A::Error::custom)? else {
                map.next_value::<IgnoredAny>()?;
                continue;
            };
            let parts = &mut item.item;
            match field {
                Field::Id => parts.id = map.next_value::<Option<Word>>()?.map(|word| word.0),
                Field::Title => parts.title = map.next_value::<Option<Word>>()?.map(|word| word.0),
                Field::Context => parts.context = map.next_value()?,
                Field::Question => parts.question = map.next_value()?,
                Field::Answers => item.answers = map.next_value()?,
                Field::AnswerStart => item.starts = Some(map.next_value::<Many<Start>>()?),
                Field::IsImpossible => {
                    parts.is_impossible = map.next_value::<Option<Flag>>()?.map(|flag| flag.0);
                }
                Field::Text => item.text = map.next_value()?,
                Field::DetectedAnswers => item.detected = map.next_value()?,
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

/// A key's field, or its name where that is not the usual one.
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

/// An object while its fields come in.
#[derive(Default)]
struct Parts<const LEVEL: u8> {
    item: Item<LEVEL>,
    answers: Answers,
    starts: Option<Many<Start>>,
    text: Option<Value>,
    detected: Answers,
    data: Option<Box<Item<DATA>>>,
    annotations: Option<Vec<Annotation>>,
    usual: [bool; Field::COUNT],
    others: Vec<String>,
}

impl<const LEVEL: u8> Parts<LEVEL> {
    /// The field whose value is to be read, if `key` is one at this level.
    fn takes(&mut self, key: Key) -> Result<Option<Field>, String> {
        let (field, synonym) = match key {
            Key::Usual(field) => (field, None),
            Key::Synonym(field, name) => (field, Some(name)),
            Key::Other(name) => {
                self.others.push(name);
                return Ok(None);
            }
        };
        let is_known = match LEVEL {
            PARAGRAPH => matches!(field, Field::Context | Field::Qas),
            QUESTION => matches!(
                field,
                Field::Id
                    | Field::Question
                    | Field::Answers
                    | Field::AnswerStart
                    | Field::IsImpossible
                    | Field::DetectedAnswers
            ),
            DATA => {
                matches!(field, Field::Id | Field::Title | Field::Context | Field::Question | Field::Text)
            }
            _ => true,
        };
        if !is_known {
            return Ok(None);
        }
        let usual = &mut self.usual[field as usize];
        let earlier = self.item.renamed.iter().position(|(other, _)| *other == field);
        match synonym {
            None if *usual => return Err(format!("duplicate field `{field}`")),
            None => {
                *usual = true;
                // The usual name counts.
                earlier.map(|earlier| self.item.renamed.remove(earlier));
            }
            Some(_) if *usual => return Ok(None),
            Some(name) => {
                if let Some(earlier) = earlier {
                    let other = &self.item.renamed[earlier].1;
                    return Err(format!(
                        "both `{other}` and `{name}` may be the {field}: call the right one `{field}`"
                    ));
                }
                self.item.renamed.push((field, name));
            }
        }
        Ok(Some(field))
    }

    fn finish(mut self) -> Result<Item<LEVEL>, String> {
        self.labels()?;
        self.resolve_text()?;
        let mut answers = self.answers.0.take();
        if let Some(detected) = self.detected.0.take().filter(|detected| !detected.is_empty()) {
            answers = Some(detected);
        }
        if let (Some(Many(starts)), Some(answers)) = (self.starts.take(), &mut answers) {
            place(answers, starts)?;
        }
        self.item.answers = answers;
        let item = &self.item;
        let missing = match LEVEL {
            PARAGRAPH if item.context.is_none() => Some(Field::Context),
            PARAGRAPH if item.qas.is_none() => Some(Field::Qas),
            QUESTION if item.question.is_none() => Some(Field::Question),
            ANY if item.paragraphs.is_some() => None,
            ANY if item.is_header && item.question.is_none() => None,
            ANY if item.context.is_none() => Some(Field::Context),
            ANY if item.qas.is_none() && item.question.is_none() => Some(Field::Question),
            _ => None,
        };
        if let Some(missing) = missing {
            return Err(field::missing(missing, self.names()));
        }
        let is_question = LEVEL == QUESTION || (LEVEL == ANY && item.question.is_some());
        if is_question && item.answers.is_none() && !self.has_answers() {
            // Without any answers it is unlabelled; with a misspelt key it would only look so.
            let mut others = self.others.iter().filter(|name| !name.starts_with("plausible"));
            if others.any(|name| field::is_near(name, "answers")) {
                return Err(field::missing(Field::Answers, self.names()));
            }
        }
        Ok(self.item)
    }

    /// The answers of a labelling task.
    fn labels(&mut self) -> Result<(), String> {
        let Some(data) = self.data.take() else { return Ok(()) };
        let item = &mut self.item;
        item.is_task = true;
        item.id = data.id.or(item.id.take());
        item.title = data.title.or(item.title.take());
        item.context = data.context.or(item.context.take());
        item.question = data.question.or(item.question.take());
        item.renamed.extend(data.renamed);
        let annotations = self.annotations.take().unwrap_or_default();
        for annotation in annotations.into_iter().filter(|annotation| !annotation.was_cancelled) {
            let answers = self.answers.0.get_or_insert_default();
            for label in annotation.result.into_iter().filter(|label| label.value.get("labels").is_some()) {
                let Answers(answer) =
                    serde_json::from_value(label.value).map_err(|error| error.to_string())?;
                answers.extend(answer.unwrap_or_default());
            }
        }
        Ok(())
    }

    /// `text` is the context beside an answer, and the answer beside a context.
    fn resolve_text(&mut self) -> Result<(), String> {
        let Some(text) = self.text.take() else { return Ok(()) };
        let has_context = self.item.context.is_some();
        let role = match (has_context, LEVEL == DATA || self.has_answers()) {
            (true, true) => return Ok(()),
            (false, true) => Field::Context,
            (true, false) => Field::Answers,
            (false, false) => {
                return Err(
                    "`text` may be the context or the answer: call it `context` or `answers`".to_owned()
                );
            }
        };
        let error = |error: serde_json::Error| format!("text: {}", crate::json_text::in_words(&error));
        if role == Field::Context {
            self.item.context = Some(serde_json::from_value(text).map_err(error)?);
        } else {
            self.answers = serde_json::from_value(text).map_err(error)?;
        }
        self.item.renamed.push((role, "text".to_owned()));
        Ok(())
    }

    fn has_answers(&self) -> bool {
        let has = |field: Field| {
            self.usual[field as usize] || self.item.renamed.iter().any(|(other, _)| *other == field)
        };
        has(Field::Answers) || has(Field::DetectedAnswers)
    }

    fn names(&self) -> Vec<&str> {
        let usual = Field::ALL.into_iter().filter(|field| self.usual[*field as usize]).map(Field::usual);
        let mut names: Vec<&str> = usual.collect();
        names.extend(self.item.renamed.iter().map(|(_, name)| name.as_str()));
        names.extend(self.others.iter().map(String::as_str));
        names
    }
}

/// Gives every answer its place in the context; `starts` are a column of their own.
fn place(answers: &mut [Answer], starts: Vec<Start>) -> Result<(), String> {
    // An answer left empty, or a start left empty: neither says where something is.
    if answers.iter().all(Answer::is_empty) || starts.iter().all(|start| start.0.is_none()) {
        return Ok(());
    }
    if answers.len() != starts.len() {
        return Err(uneven(answers.len(), starts.len()));
    }
    for (answer, Start(start)) in answers.iter_mut().zip(starts) {
        if answer.answer_start.is_some() && answer.answer_start != start {
            return Err("answer_start stands in `answers` and beside it, and differs".to_owned());
        }
        answer.answer_start = start;
    }
    Ok(())
}

fn uneven(texts: usize, starts: usize) -> String {
    format!("{texts} texts and {starts} answer_start, expected as many of one as of the other")
}

/// The answers of a question in any shape; `None` where the file says nothing.
#[derive(Debug, Default)]
pub(crate) struct Answers(Option<Vec<Answer>>);

impl<'de> Deserialize<'de> for Answers {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(AnswersVisitor)
    }
}

struct AnswersVisitor;

impl<'de> Visitor<'de> for AnswersVisitor {
    type Value = Answers;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("answers: [{\"text\": …, \"answer_start\": …}]")
    }

    fn visit_unit<E>(self) -> Result<Answers, E> {
        Ok(Answers(None))
    }

    fn visit_str<E>(self, text: &str) -> Result<Answers, E> {
        Ok(Answers(Some(vec![Answer { text: text.to_owned(), answer_start: None }])))
    }

    fn visit_i64<E: serde::de::Error>(self, number: i64) -> Result<Answers, E> {
        self.visit_str(&number.to_string())
    }

    fn visit_u64<E: serde::de::Error>(self, number: u64) -> Result<Answers, E> {
        self.visit_str(&number.to_string())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Answers, A::Error> {
        let mut answers = Vec::new();
        while let Some(Answers(item)) = items.next_element()? {
            answers.extend(item.ok_or_else(|| A::Error::custom("an answer is null"))?);
        }
        Ok(Answers(Some(answers)))
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Answers, A::Error> {
        let object = AnswerObject::deserialize(MapAccessDeserializer::new(map))?;
        object.answers().map(Answers).map_err(A::Error::custom)
    }
}

/// One answer, or several as one list for each field.
#[derive(Deserialize)]
#[serde(expecting = "an answer: {\"text\": …, \"answer_start\": …}")]
struct AnswerObject {
    #[serde(alias = "answer", alias = "answer_text")]
    text: Many<Word>,
    #[serde(default, alias = "start", alias = "answerStart")]
    answer_start: Option<Many<Start>>,
    /// MRQA: where the text stands, in characters.
    #[serde(default)]
    char_spans: Option<Value>,
}

impl AnswerObject {
    fn answers(self) -> Result<Option<Vec<Answer>>, String> {
        let texts = self.text.0;
        let starts = match (self.answer_start, self.char_spans) {
            (Some(Many(starts)), _) => starts,
            (None, Some(spans)) if texts.len() == 1 && !is_columns(&spans) => vec![first_start(&spans)?],
            (None, Some(Value::Array(spans))) => spans.iter().map(first_start).collect::<Result<_, _>>()?,
            (None, Some(_)) => return Err("char_spans is no list".to_owned()),
            (None, None) => {
                let answers = texts.into_iter().map(|Word(text)| Answer { text, answer_start: None });
                return Ok(Some(answers.collect()));
            }
        };
        let (text_count, start_count) = (texts.len(), starts.len());
        // `{"text": "", "answer_start": []}`: no answer.
        if text_count != start_count && texts.iter().any(|text| !text.0.trim().is_empty())
            || start_count > text_count
        {
            return Err(uneven(text_count, start_count));
        }
        let starts = starts.into_iter().chain(std::iter::repeat_with(|| Start(None)));
        let answer = |(Word(text), Start(answer_start))| Answer { text, answer_start };
        Ok(Some(texts.into_iter().zip(starts).map(answer).collect()))
    }
}

/// Whether these spans are those of several texts: `[{"start": […], "end": […]}, …]`, as `datasets` keeps them.
fn is_columns(spans: &Value) -> bool {
    spans.get(0).is_some_and(Value::is_object)
}

/// The start of the first span in `[[start, end], …]`, `{"start": [start, …], …}` or `[start, end]`.
fn first_start(spans: &Value) -> Result<Start, String> {
    match spans {
        Value::Array(items) if !items.is_empty() => first_start(&items[0]),
        Value::Object(fields) => {
            fields.get("start").map_or_else(|| Err("char_spans has no start".to_owned()), first_start)
        }
        Value::Number(number) => {
            let start = number.as_i64().and_then(|start| i32::try_from(start).ok());
            start.map(|start| Start(Some(start))).ok_or_else(|| format!("char_spans holds {number}"))
        }
        other => Err(format!("char_spans holds {other}, expected [[start, end]]")),
    }
}

/// What an annotator did in one sitting.
#[derive(Deserialize)]
struct Annotation {
    #[serde(default)]
    was_cancelled: bool,
    result: Vec<Label>,
}

#[derive(Deserialize)]
struct Label {
    #[serde(default)]
    value: Value,
}

/// A text, or a whole number that stands for one.
pub(crate) struct Word(pub(crate) String);

/// A place in a text; `None` where there is none.
struct Start(Option<i32>);

/// A boolean; tables have 0 and 1, and texts.
struct Flag(bool);

/// A list, or its only item.
struct Many<T>(Vec<T>);

/// Takes a value of any type that `FromScalar` understands.
trait FromScalar: Sized {
    const EXPECTED: &str;

    fn from_scalar(value: Scalar<'_>) -> Option<Self>;
}

#[derive(Clone, Copy)]
enum Scalar<'a> {
    Null,
    Bool(bool),
    Integer(i64),
    Float(f64),
    Text(&'a str),
}

impl FromScalar for Word {
    const EXPECTED: &str = "a string";

    fn from_scalar(value: Scalar<'_>) -> Option<Self> {
        match value {
            Scalar::Text(text) => Some(Self(text.to_owned())),
            Scalar::Integer(number) => Some(Self(number.to_string())),
            _ => None,
        }
    }
}

impl FromScalar for Start {
    const EXPECTED: &str = "a whole number of 32 bits";

    fn from_scalar(value: Scalar<'_>) -> Option<Self> {
        match value {
            Scalar::Null => Some(Self(None)),
            Scalar::Integer(number) => i32::try_from(number).ok().map(|start| Self(Some(start))),
            // What a table of numbers with gaps makes of 4.
            Scalar::Float(number) => (number.fract() == 0.0 && number.abs() < f64::from(i32::MAX))
                .then_some(Self(Some(number as i32))),
            Scalar::Text(text) if text.trim().is_empty() => Some(Self(None)),
            Scalar::Text(text) => match text.trim().parse::<i32>() {
                Ok(start) => Some(Self(Some(start))),
                Err(_) => Self::from_scalar(Scalar::Float(text.trim().parse().ok()?)),
            },
            Scalar::Bool(_) => None,
        }
    }
}

impl FromScalar for Flag {
    const EXPECTED: &str = "true or false";

    fn from_scalar(value: Scalar<'_>) -> Option<Self> {
        match value {
            Scalar::Bool(flag) => Some(Self(flag)),
            Scalar::Integer(number @ (0 | 1)) => Some(Self(number == 1)),
            Scalar::Text(text) => match text.trim().to_ascii_lowercase().as_str() {
                "true" | "1" => Some(Self(true)),
                "false" | "0" => Some(Self(false)),
                _ => None,
            },
            _ => None,
        }
    }
}

struct ScalarVisitor<T>(PhantomData<T>);

impl<T: FromScalar> ScalarVisitor<T> {
    fn take<E: serde::de::Error>(self, scalar: Scalar<'_>) -> Result<T, E> {
        use serde::de::Unexpected;
        T::from_scalar(scalar).ok_or_else(|| match scalar {
            Scalar::Null => E::invalid_type(Unexpected::Unit, &self),
            Scalar::Bool(flag) => E::invalid_type(Unexpected::Bool(flag), &self),
            Scalar::Integer(number) => E::invalid_value(Unexpected::Signed(number), &self),
            Scalar::Float(number) => E::invalid_value(Unexpected::Float(number), &self),
            Scalar::Text(text) => E::invalid_value(Unexpected::Str(text), &self),
        })
    }
}

impl<T: FromScalar> Visitor<'_> for ScalarVisitor<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(T::EXPECTED)
    }

    fn visit_unit<E: serde::de::Error>(self) -> Result<T, E> {
        self.take(Scalar::Null)
    }

    fn visit_bool<E: serde::de::Error>(self, flag: bool) -> Result<T, E> {
        self.take(Scalar::Bool(flag))
    }

    fn visit_i64<E: serde::de::Error>(self, number: i64) -> Result<T, E> {
        self.take(Scalar::Integer(number))
    }

    fn visit_u64<E: serde::de::Error>(self, number: u64) -> Result<T, E> {
        match i64::try_from(number) {
            Ok(number) => self.take(Scalar::Integer(number)),
            Err(_) => self.take(Scalar::Float(number as f64)),
        }
    }

    fn visit_f64<E: serde::de::Error>(self, number: f64) -> Result<T, E> {
        self.take(Scalar::Float(number))
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<T, E> {
        self.take(Scalar::Text(text))
    }
}

impl<'de> Deserialize<'de> for Word {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ScalarVisitor(PhantomData))
    }
}

impl<'de> Deserialize<'de> for Start {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ScalarVisitor(PhantomData))
    }
}

impl<'de> Deserialize<'de> for Flag {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ScalarVisitor(PhantomData))
    }
}

impl<'de, T: FromScalar + Deserialize<'de>> Deserialize<'de> for Many<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ManyVisitor(PhantomData))
    }
}

struct ManyVisitor<T>(PhantomData<T>);

impl<'de, T: FromScalar + Deserialize<'de>> Visitor<'de> for ManyVisitor<T> {
    type Value = Many<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, or a list of them", T::EXPECTED)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Many<T>, A::Error> {
        let mut many = Vec::new();
        while let Some(item) = items.next_element()? {
            many.push(item);
        }
        Ok(Many(many))
    }

    fn visit_unit<E: serde::de::Error>(self) -> Result<Many<T>, E> {
        ScalarVisitor::<T>(PhantomData).visit_unit().map(|item| Many(vec![item]))
    }

    fn visit_i64<E: serde::de::Error>(self, number: i64) -> Result<Many<T>, E> {
        ScalarVisitor::<T>(PhantomData).visit_i64(number).map(|item| Many(vec![item]))
    }

    fn visit_u64<E: serde::de::Error>(self, number: u64) -> Result<Many<T>, E> {
        ScalarVisitor::<T>(PhantomData).visit_u64(number).map(|item| Many(vec![item]))
    }

    fn visit_f64<E: serde::de::Error>(self, number: f64) -> Result<Many<T>, E> {
        ScalarVisitor::<T>(PhantomData).visit_f64(number).map(|item| Many(vec![item]))
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Many<T>, E> {
        ScalarVisitor::<T>(PhantomData).visit_str(text).map(|item| Many(vec![item]))
    }
}
