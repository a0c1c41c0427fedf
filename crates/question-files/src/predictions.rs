//! Predictions: an answer text for each question id, in the forms that `run_qa`, the metrics of `datasets` and the
//! official script use.

use std::fmt;

use serde::de::{Error as _, IgnoredAny, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value};

use crate::delimited::Records;
use crate::error::{Error, Result};
use crate::form::{self, Contents, Wanted};
use crate::json_text::{Expected, JsonText};
use crate::scalar::Word;
use crate::{QuestionFile, arrow_file, delimited, json, parquet};

const TEXT: &str = "prediction_text";

const OBJECT_FORM: &str = "one object of question id → answer text: {\"5733be28\": \"Denver Broncos\", …}, or objects \
                           with `id` and `prediction_text`, one per line or in a list";

const LINE_FORM: &str = "objects with `id` and `prediction_text`: {\"id\": \"5733be28\", \"prediction_text\": \"Denver Broncos\"}";

/// Every question id and predicted text of `file`, in its order.
pub fn predictions(file: &QuestionFile) -> Result<Vec<(String, String)>> {
    let name = &file.name;
    let wanted = Wanted {
        is_line: |start| {
            form::keys(start).any(|(key, _)| [TEXT.as_bytes(), b"id"].contains(&key))
                || form::has_second(start)
        },
        knows: |column| column == TEXT || column == "id",
        what: "predictions",
    };
    let mut all = Vec::new();
    let contents = form::contents(file, &wanted)?;
    let mut take = |Prediction { id, text }| {
        all.push((id, text));
        Ok(())
    };
    let check = |names: &[&str]| match ["id", TEXT].iter().find(|column| !names.contains(column)) {
        None => Ok(()),
        Some(column) => {
            let (name, message) = (name.clone(), missing(column, names));
            Err(Error::Columns { name, message, columns: "id and prediction_text" })
        }
    };
    let mut take_row = |number, mut row: Map<String, Value>| {
        row.retain(|column, _| (wanted.knows)(column));
        let prediction = serde_path_to_error::deserialize(Value::Object(row));
        take(prediction.map_err(|error| Error::of_row(name, number, &error))?)
    };
    let expected = Expected { name, form: LINE_FORM };
    match contents {
        Contents::Parquet(file) => parquet::read(file, name, wanted.knows, &check, &mut take_row),
        Contents::Arrow(file) => arrow_file::read(file, name, wanted.knows, &check, &mut take_row),
        Contents::Table(delimiter, text) => {
            delimited::read(Records::new(text, name, delimiter), &check, &mut take_row)
        }
        Contents::List(text) => json::list(text, expected, &mut take),
        Contents::Lines(text) => json::lines(text, expected, &mut take),
        Contents::Object(text) => {
            object(JsonText::new(text, Expected { name, form: OBJECT_FORM }), &mut take)
        }
    }?;
    Ok(all)
}

/// Reads one object of id → text.
fn object(
    mut json: JsonText<'_, impl std::io::BufRead>,
    take: &mut dyn FnMut(Prediction) -> Result<()>,
) -> Result<()> {
    json.sign(b'{', "an object")?;
    let mut is_first = true;
    while json.has_item(b'}', is_first)? {
        is_first = false;
        let id = json.value("an id")?;
        json.sign(b':', "an object")?;
        // Null is what pandas makes of an empty text: no answer.
        take(Prediction { id, text: json.value::<Option<String>>("a text")?.unwrap_or_default() })?;
    }
    json.end()
}

fn missing(column: &str, names: &[&str]) -> String {
    format!("missing field `{column}`; found {}", crate::field::in_ticks(names))
}

struct Prediction {
    id: String,
    text: String,
}

impl<'de> Deserialize<'de> for Prediction {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(PredictionVisitor)
    }
}

struct PredictionVisitor;

impl<'de> Visitor<'de> for PredictionVisitor {
    type Value = Prediction;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object with `id` and `prediction_text`")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Prediction, A::Error> {
        let (mut id, mut text, mut names) = (None, None, Vec::new());
        while let Some(key) = map.next_key::<String>()? {
            let is_twice = match key.as_str() {
                "id" => id.replace(map.next_value::<Word>()?.0).is_some(),
                TEXT => text.replace(map.next_value::<Option<String>>()?.unwrap_or_default()).is_some(),
                _ => map.next_value::<IgnoredAny>().map(|_| false)?,
            };
            if is_twice {
                return Err(A::Error::custom(format!("duplicate field `{key}`")));
            }
            names.push(key);
        }
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let or = |column| A::Error::custom(missing(column, &names));
        Ok(Prediction { id: id.ok_or_else(|| or("id"))?, text: text.ok_or_else(|| or(TEXT))? })
    }
}
