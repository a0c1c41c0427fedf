//! Label Studio's annotations: which of the marked and written texts are answers.

use std::collections::BTreeSet;

use serde::Deserialize;
use serde_json::Value;

use crate::field::{self, Field};

/// One annotation by one annotator.
#[derive(Deserialize)]
pub(super) struct Annotation {
    #[serde(default)]
    pub(super) was_cancelled: bool,
    pub(super) result: Vec<Label>,
}

/// The result of one control of the labelling interface.
#[derive(Deserialize)]
pub(super) struct Label {
    /// The control's name.
    #[serde(default)]
    pub(super) from_name: String,
    /// The control's type.
    #[serde(default, rename = "type")]
    control_type: String,
    #[serde(default)]
    value: Value,
}

impl Label {
    /// Whether it is a marked or written text, not a choice or a rating.
    pub(super) fn is_answer(&self) -> bool {
        match self.control_type.as_str() {
            "labels" | "hypertextlabels" | "paragraphlabels" | "textarea" => true,
            // From a version that writes no type, or marked without a label.
            "" | "text" | "hypertext" => self.value.get("text").or(self.value.get("labels")).is_some(),
            _ => false,
        }
    }

    /// As an item of `answers`.
    pub(super) fn answer(mut self) -> Value {
        // Beside it, `start` is a place in the HTML, or a paragraph's number.
        let has_own_start = self.value.get("startOffset").is_none();
        let has_start = self.control_type != "textarea"
            && (has_own_start || self.value.get("globalOffsets").is_some_and(Value::is_object));
        if !has_start && let Some(value) = self.value.as_object_mut() {
            value.retain(|key, _| key == "text");
        }
        self.value
    }
}

/// The control that holds the answers; the others go to `ignored`.
pub(super) fn control(
    labels: &[Label],
    ignored: &mut Vec<(Field, String)>,
) -> Result<Option<String>, String> {
    let names: BTreeSet<&str> = labels.iter().map(|label| label.from_name.as_str()).collect();
    let mut called_answer = names.iter().filter(|name| is_called_answer(name));
    let control = match (names.len(), called_answer.next(), called_answer.next()) {
        (0 | 1, ..) => names.first(),
        (_, Some(control), None) => Some(control),
        _ => {
            let names: Vec<&str> = names.into_iter().collect();
            return Err(format!(
                "the controls {} hold texts: rename the one with the answers to `answer`",
                field::in_ticks(&names)
            ));
        }
    };
    let others = names.iter().filter(|name| Some(*name) != control);
    ignored.extend(others.map(|name| (Field::Answers, (*name).to_owned())));
    Ok(control.map(|control| (*control).to_owned()))
}

pub(super) fn is_called_answer(control: &str) -> bool {
    ["answer", "answers"].iter().any(|name| control.eq_ignore_ascii_case(name))
}
