//! An item while it is read: which fields it has, under which names, and what they mean together.

use std::collections::HashSet;

use serde_json::Value;

use super::answers::{Answers, Whole, place};
use super::label_studio::{Annotation, Label, control, is_called_answer};
use super::{ANY, DATA, Item, Key, PARAGRAPH, QUESTION};
use crate::field::{self, Field};
use crate::scalar::{Many, Start};

/// An object while its fields come in.
#[derive(Default)]
pub(super) struct Parts<const LEVEL: u8> {
    pub(super) item: Item<LEVEL>,
    pub(super) answers: Answers,
    pub(super) starts: Option<Many<Start>>,
    pub(super) text: Option<Value>,
    pub(super) qid: Option<String>,
    /// Regions in a column named by Label Studio, with its name.
    label: Option<(String, Value)>,
    pub(super) detected: Answers,
    pub(super) data: Option<Box<Item<DATA>>>,
    pub(super) annotations: Option<Vec<Annotation>>,
    usual: [bool; Field::COUNT],
    others: Vec<String>,
}

impl<const LEVEL: u8> Parts<LEVEL> {
    /// The field whose value is to be read, if `key` is one at this level.
    pub(super) fn takes(&mut self, key: Key) -> Result<Option<Field>, String> {
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
                self.item.ignored.extend(earlier.map(|earlier| self.item.renamed.remove(earlier)));
            }
            Some(name) if *usual => {
                self.item.ignored.push((field, name));
                return Ok(None);
            }
            Some(name) => {
                if let Some(earlier) = earlier {
                    let other = &self.item.renamed[earlier].1;
                    return Err(format!(
                        "both `{other}` and `{name}` may be the {field}: rename the right one to `{field}`"
                    ));
                }
                self.item.renamed.push((field, name));
            }
        }
        Ok(Some(field))
    }

    pub(super) fn finish(mut self) -> Result<Item<LEVEL>, String> {
        self.labels()?;
        self.resolve_label()?;
        self.resolve_text()?;
        self.resolve_id();
        let has_start = self.starts.as_ref().is_some_and(|Many(starts)| {
            starts.iter().any(|Start(start)| start.is_some_and(|start| start >= 0))
        });
        let mut answers = self.answers.0.take();
        let mut others = Vec::new();
        if let Some(detected) = self.detected.0.take().filter(|detected| !detected.is_empty()) {
            others = answers.replace(detected).unwrap_or_default();
        }
        if let (Some(Many(starts)), Some(answers)) = (self.starts.take(), &mut answers) {
            place(answers, starts)?;
        }
        // MRQA accepts all of them, anywhere in the context.
        if let Some(answers) = &mut answers {
            let mut known = HashSet::new();
            if !others.is_empty() {
                known.extend(answers.iter().map(|answer| answer.text.clone()));
            }
            others.retain(|answer| !answer.is_empty() && known.insert(answer.text.clone()));
            answers.append(&mut others);
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
            return Err(match self.name_of(missing) {
                Some(name) => format!("`{name}` is null"),
                None => field::missing(missing, self.names()),
            });
        }
        let is_question = LEVEL == QUESTION || (LEVEL == ANY && item.question.is_some());
        if is_question && item.answers.is_none() && !self.has_answers() {
            // Without any answers it is unlabelled; with a misspelt key it would only look unlabelled.
            let mut others = self.others.iter().filter(|name| !name.starts_with("plausible"));
            let is_near = others.any(|name| field::is_near(name, "answers"));
            if is_near || (has_start && item.is_impossible != Some(true)) {
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
        item.ignored.extend(data.ignored);
        let annotations = self.annotations.take().unwrap_or_default();
        let mut labels = Vec::new();
        for annotation in annotations.into_iter().filter(|annotation| !annotation.was_cancelled) {
            if annotation.result.is_empty() {
                // The annotator marked nothing: no answer.
                self.answers.0.get_or_insert_default();
            }
            labels.extend(annotation.result.into_iter().filter(Label::is_answer));
        }
        let Some(control) = control(&labels, &mut item.ignored)? else { return Ok(()) };
        if !is_called_answer(&control) && !control.is_empty() {
            item.renamed.push((Field::Answers, control.clone()));
        }
        let answers = self.answers.0.get_or_insert_default();
        for label in labels.into_iter().filter(|label| label.from_name == control) {
            let Answers(answer) =
                serde_json::from_value(label.answer()).map_err(|error| crate::error::in_words(&error))?;
            answers.extend(answer.unwrap_or_default());
        }
        Ok(())
    }

    /// Keeps the contents of a column called `name`, if it is a list of regions.
    pub(super) fn label(&mut self, name: String, value: Value) -> Result<(), String> {
        let is_region = |item: &Value| ["text", "start", "end"].iter().all(|key| item.get(key).is_some());
        if !value.as_array().is_some_and(|items| !items.is_empty() && items.iter().all(is_region)) {
            return Ok(());
        }
        if let Some((other, _)) = &self.label {
            return Err(format!(
                "both `{other}` and `{name}` may be the answers: rename the right one to `answers`"
            ));
        }
        self.label = Some((name, value));
        Ok(())
    }

    /// Such regions are the answers, unless these are there too.
    fn resolve_label(&mut self) -> Result<(), String> {
        let Some((name, regions)) = self.label.take() else { return Ok(()) };
        if self.has_answers() || self.item.is_task {
            self.item.ignored.push((Field::Answers, name));
            return Ok(());
        }
        self.answers = serde_json::from_value(regions)
            .map_err(|error| format!("{name}: {}", crate::error::in_words(&error)))?;
        self.item.renamed.push((Field::Answers, name));
        Ok(())
    }

    /// MRQA's files have `id` and `qid`, and its scripts go by `qid`.
    fn resolve_id(&mut self) {
        if self.usual[Field::Id as usize]
            && self.has(Field::DetectedAnswers)
            && let Some(qid) = self.qid.take()
        {
            self.item.id = Some(qid);
            let place = self.item.ignored.iter().position(|(field, _)| *field == Field::Id);
            self.item.renamed.extend(place.map(|place| self.item.ignored.remove(place)));
        }
    }

    /// `text` is the context, unless there is one: then it is the answer.
    fn resolve_text(&mut self) -> Result<(), String> {
        let Some(text) = self.text.take() else { return Ok(()) };
        let has_context = self.has(Field::Context);
        // A key that may be a misspelt context, or a place of this text in it.
        let is_doubtful = self.item.question.is_none()
            || self.has(Field::AnswerStart)
            || self.others.iter().any(|name| field::is_near(name, "context"));
        let role = match (has_context, LEVEL == DATA || self.has_answers()) {
            (true, true) => return Ok(()),
            (true, false) => Field::Answers,
            (false, has_answers) if has_answers || !is_doubtful => Field::Context,
            (false, _) => {
                return Err(
                    "`text` may be the context or the answer: rename it to `context` or `answers`".to_owned()
                );
            }
        };
        let error = |error: serde_json::Error| format!("text: {}", crate::error::in_words(&error));
        if role == Field::Context {
            self.item.context = Some(serde_json::from_value(text).map_err(error)?);
        } else {
            let Whole(Answers(answers)) = serde_json::from_value(text).map_err(error)?;
            self.answers = Answers(answers.or(Some(Vec::new())));
        }
        self.item.renamed.push((role, "text".to_owned()));
        Ok(())
    }

    fn has_answers(&self) -> bool {
        self.has(Field::Answers) || self.has(Field::DetectedAnswers)
    }

    fn has(&self, field: Field) -> bool {
        self.name_of(field).is_some()
    }

    /// The file's name for `field`.
    fn name_of(&self, field: Field) -> Option<&str> {
        if self.usual[field as usize] {
            return Some(field.usual());
        }
        let renamed = &self.item.renamed;
        renamed.iter().find_map(|(other, name)| (*other == field).then_some(name.as_str()))
    }

    fn names(&self) -> Vec<&str> {
        let usual = Field::ALL.into_iter().filter(|field| self.usual[*field as usize]).map(Field::usual);
        let mut names: Vec<&str> = usual.collect();
        names.extend(self.item.renamed.iter().map(|(_, name)| name.as_str()));
        names.extend(self.others.iter().map(String::as_str));
        names
    }
}
