//! The answers of a question, in all the shapes that files have them in.

use std::fmt;

use serde::de::value::MapAccessDeserializer;
use serde::de::{Error as _, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::Value;

use crate::json_text::too_many_parts;
use crate::question::Answer;
use crate::scalar::{AnswerText, Many, Start};

/// Gives every answer its place in the context; `starts` come from a separate column.
pub(super) fn place(answers: &mut [Answer], starts: Vec<Start>) -> Result<(), String> {
    // An empty answer or an empty start does not give a place.
    if answers.iter().all(Answer::is_empty) || starts.iter().all(|start| start.0.is_none()) {
        return Ok(());
    }
    if answers.len() != starts.len() {
        return Err(uneven(answers.len(), starts.len()));
    }
    for (answer, Start(start)) in answers.iter_mut().zip(starts) {
        if answer.answer_start.is_some() && answer.answer_start != start {
            return Err("answer_start is both in `answers` and beside it, with different values".to_owned());
        }
        answer.answer_start = start;
    }
    Ok(())
}

fn uneven(texts: usize, starts: usize) -> String {
    format!("{texts} texts and {starts} answer_start, expected equal numbers")
}

/// The answers of a question in any shape; `None` if the file says nothing.
#[derive(Debug, Default)]
pub(super) struct Answers(pub(super) Option<Vec<Answer>>);

impl<'de> Deserialize<'de> for Answers {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(AnswersVisitor { may_be_json: false })
    }
}

/// All contents of a field of answers. It may be a JSON list as text, as in tables.
pub(super) struct Whole(pub(super) Answers);

impl<'de> Deserialize<'de> for Whole {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(AnswersVisitor { may_be_json: true }).map(Self)
    }
}

/// The list or object in the JSON `text`; `None` if `text` is an answer itself.
fn unpacked(text: &str) -> Result<Option<Value>, String> {
    let has_key = |item: &Value| {
        ["text", "answer", "answer_text", "answer_start"].iter().any(|key| item.get(key).is_some())
    };
    let is_item = |item: &Value| item.is_string() || item.is_null() || item.is_object();
    if let Some(found) = too_many_parts(text.as_bytes()) {
        return Err(format!("has {found}"));
    }
    match serde_json::from_str::<Value>(text) {
        Ok(value) if value.is_object() => Ok(Some(value).filter(has_key)),
        Ok(Value::Array(items)) => Ok(items.iter().all(is_item).then_some(Value::Array(items))),
        Ok(_) => Ok(None),
        // "[sic] an answer" is an answer.
        Err(_) if !["['", "[\"", "{'", "{\""].iter().any(|begin| text.starts_with(begin)) => Ok(None),
        Err(_) => Err(format!(
            "begins with {:?}, which is neither an answer nor JSON: it looks like Python's text of a list; write the \
             file with `to_json` in place of `to_csv`",
            text.chars().take(12).collect::<String>()
        )),
    }
}

struct AnswersVisitor {
    may_be_json: bool,
}

impl<'de> Visitor<'de> for AnswersVisitor {
    type Value = Answers;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("answers: [{\"text\": …, \"answer_start\": …}]")
    }

    fn visit_unit<E>(self) -> Result<Answers, E> {
        Ok(Answers(None))
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Answers, E> {
        if self.may_be_json
            && text.starts_with(['[', '{'])
            && let Some(value) = unpacked(text).map_err(E::custom)?
        {
            return serde_json::from_value(value).map_err(|error| E::custom(crate::error::in_words(&error)));
        }
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
            // Null means the same as an empty text.
            answers.extend(item.unwrap_or_else(|| vec![Answer { text: String::new(), answer_start: None }]));
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
    text: Many<AnswerText>,
    #[serde(default, alias = "start", alias = "answerStart")]
    answer_start: Option<Many<Start>>,
    /// Label Studio: the place in the text, if `start` is a place in the HTML.
    #[serde(default, rename = "globalOffsets")]
    global_offsets: Option<GlobalOffsets>,
    /// MRQA: the place of the text, in characters.
    #[serde(default)]
    char_spans: Option<Value>,
}

impl AnswerObject {
    fn answers(self) -> Result<Option<Vec<Answer>>, String> {
        let texts = self.text.0;
        let starts = self.global_offsets.map(|offsets| Many(vec![offsets.start])).or(self.answer_start);
        let starts = match (starts, self.char_spans) {
            (Some(Many(starts)), _) => starts,
            (None, Some(spans)) if texts.len() == 1 && !is_columns(&spans) => vec![first_start(&spans)?],
            (None, Some(Value::Array(spans))) => spans.iter().map(first_start).collect::<Result<_, _>>()?,
            (None, Some(_)) => return Err("char_spans is not a list".to_owned()),
            (None, None) => {
                let answers = texts.into_iter().map(|AnswerText(text)| Answer { text, answer_start: None });
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
        let answer = |(AnswerText(text), Start(answer_start))| Answer { text, answer_start };
        Ok(Some(texts.into_iter().zip(starts).map(answer).collect()))
    }
}

#[derive(Deserialize)]
struct GlobalOffsets {
    start: Start,
}

/// Whether these are the spans of several texts: `[{"start": […], "end": […]}, …]`, as in `datasets`.
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
