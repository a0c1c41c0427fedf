//! The bodies of requests and replies.

use std::fmt;
use std::marker::PhantomData;

use answerer::{Answerer, Usage};
use axum::body::Bytes;
use schemars::JsonSchema;
use serde::de::value::MapAccessDeserializer;
use serde::de::{DeserializeOwned, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::error::Category;
use squad::{SpanCandidate, SpanPrediction};

use crate::refusal::{ErrorType, Refusal};

/// The most answers that a client can request for a question.
const MAX_ANSWERS: usize = 100;

/// `POST /`: what `huggingface_hub.InferenceClient.question_answering` sends.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct QuestionRequest {
    #[serde(deserialize_with = "object")]
    pub(crate) inputs: Inputs,
    #[serde(default, deserialize_with = "optional_object")]
    pub(crate) parameters: Option<Parameters>,
}

/// A question and the text to find its answer in.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Inputs {
    /// The question
    #[schemars(regex(pattern = r"\S"))]
    pub(crate) question: String,
    /// The text
    #[schemars(regex(pattern = r"\S"))]
    pub(crate) context: String,
}

/// Parameters; those that are left out have the values of the model's folder.
#[derive(Debug, Default, Clone, Copy, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Parameters {
    /// How many answers; more than one makes the reply a list
    #[schemars(range(min = 1, max = 100))]
    pub(crate) top_k: Option<usize>,
    /// Tokens that neighbouring windows share
    pub(crate) doc_stride: Option<usize>,
    /// Tokens in the longest answer
    #[schemars(range(min = 1))]
    pub(crate) max_answer_len: Option<usize>,
    /// Tokens in a window, the question included
    #[schemars(range(min = 1))]
    pub(crate) max_seq_len: Option<usize>,
    /// Tokens of the question; the rest is cut off
    #[schemars(range(min = 1))]
    pub(crate) max_question_len: Option<usize>,
    /// Whether "no answer", an empty text, is an answer
    pub(crate) handle_impossible_answer: Option<bool>,
    /// Whether answers are extended to whole words
    pub(crate) align_to_words: Option<bool>,
}

/// An answer, as `InferenceClient` takes it.
#[derive(Debug, PartialEq, Serialize, JsonSchema)]
pub(crate) struct QuestionAnswer {
    /// A piece of the text; empty for no answer
    pub(crate) answer: String,
    /// Its probability among the candidates
    pub(crate) score: f64,
    /// Its first character in the text
    pub(crate) start: usize,
    /// The character after its last
    pub(crate) end: usize,
}

/// The reply to `POST /`.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(untagged)]
pub(crate) enum QuestionReply {
    One(QuestionAnswer),
    Several(Vec<QuestionAnswer>),
}

/// `POST /v1/answers`: many questions about many contexts.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct BatchRequest {
    /// The texts
    #[schemars(length(min = 1), inner(regex(pattern = r"\S")))]
    pub(crate) contexts: Vec<String>,
    /// The questions
    #[schemars(length(min = 1))]
    #[serde(deserialize_with = "objects")]
    pub(crate) questions: Vec<BatchQuestion>,
    #[serde(default, deserialize_with = "optional_object")]
    pub(crate) parameters: Option<Parameters>,
}

/// A question about one of the contexts.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct BatchQuestion {
    /// The question
    #[schemars(regex(pattern = r"\S"))]
    pub(crate) question: String,
    /// The number of its context, from 0
    #[serde(default)]
    pub(crate) context: usize,
}

/// The reply to `POST /v1/answers`, in the order of the questions.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct BatchReply {
    pub(crate) answers: Vec<BatchAnswer>,
}

/// The answer to one question of a batch.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct BatchAnswer {
    /// A piece of the context; null for no answer
    pub(crate) answer: Option<String>,
    /// Its probability among the candidates
    pub(crate) probability: f64,
    /// Its first character in the context; null for no answer
    pub(crate) start: Option<usize>,
    /// The character after its last; null for no answer
    pub(crate) end: Option<usize>,
    /// The best candidates, best first; `top_k` sets their number
    pub(crate) n_best: Vec<Candidate>,
}

/// A candidate for an answer.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Candidate {
    /// A piece of the context; null for no answer
    pub(crate) answer: Option<String>,
    /// Among the candidates
    pub(crate) probability: f64,
    /// Its first character in the context; null for no answer
    pub(crate) start: Option<usize>,
    /// The character after its last; null for no answer
    pub(crate) end: Option<usize>,
}

/// `GET /info`
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub(crate) struct Info {
    /// The version of distilburn
    pub(crate) version: String,
    /// The name of the model's folder
    pub(crate) model: String,
    /// The precision of the matrix products
    pub(crate) precision: String,
    /// Tokens in a window
    pub(crate) max_length: usize,
    /// Tokens that neighbouring windows share
    pub(crate) doc_stride: usize,
    /// Tokens in the longest answer
    pub(crate) max_answer_length: usize,
    /// Whether the model can give no answer
    pub(crate) no_answer: bool,
    pub(crate) max_batch_tokens: usize,
    pub(crate) max_queued_tokens: usize,
    pub(crate) max_request_tokens: usize,
    pub(crate) max_requests: usize,
    pub(crate) max_questions: usize,
    pub(crate) max_bytes: usize,
    /// Seconds
    pub(crate) timeout: usize,
}

/// `GET /health` and `GET /ready`
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Status {
    pub(crate) status: String,
}

/// Reads a body: 400 if it is not JSON, 422 with the field if a value is not valid.
pub(crate) fn parse<T: DeserializeOwned>(body: &Bytes) -> Result<T, Refusal> {
    let mut json = serde_json::Deserializer::from_slice(body);
    let Object(parsed) = serde_path_to_error::deserialize(&mut json).map_err(|error| {
        let path = error.path().to_string();
        let source = error.into_inner();
        match source.classify() {
            Category::Data if path == "." => Refusal::new(ErrorType::Validation, source.to_string()),
            Category::Data => Refusal::field(&path, &source.to_string()),
            _ => malformed(&source),
        }
    })?;
    json.end().map_err(|error| malformed(&error))?;
    Ok(parsed)
}

fn malformed(error: &serde_json::Error) -> Refusal {
    Refusal::new(ErrorType::Malformed, format!("the body is not valid JSON: {error}"))
}

/// A value from an object only: the derived code would also accept a list of the fields' values.
struct Object<T>(T);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Object<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Fields<T>(PhantomData<T>);

        impl<'de, T: Deserialize<'de>> Visitor<'de> for Fields<T> {
            type Value = T;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<T, A::Error> {
                T::deserialize(MapAccessDeserializer::new(map))
            }
        }

        deserializer.deserialize_map(Fields(PhantomData)).map(Self)
    }
}

fn object<'de, T: Deserialize<'de>, D: Deserializer<'de>>(deserializer: D) -> Result<T, D::Error> {
    Object::deserialize(deserializer).map(|Object(value)| value)
}

fn optional_object<'de, T: Deserialize<'de>, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<T>, D::Error> {
    Option::deserialize(deserializer).map(|value: Option<Object<T>>| value.map(|Object(value)| value))
}

fn objects<'de, T: Deserialize<'de>, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<T>, D::Error> {
    Vec::deserialize(deserializer)
        .map(|values: Vec<Object<T>>| values.into_iter().map(|Object(value)| value).collect())
}

/// Refuses a text without a letter in it.
pub(crate) fn check_text(name: &str, text: &str) -> Result<(), Refusal> {
    if text.trim().is_empty() { Err(Refusal::field(name, "is empty")) } else { Ok(()) }
}

impl Parameters {
    /// How many answers are requested.
    pub(crate) fn top_k(&self) -> usize {
        self.top_k.unwrap_or(1)
    }

    /// The model with these parameters.
    pub(crate) fn ask(&self, answerer: &Answerer) -> Result<Option<Answerer>, Refusal> {
        let at_least_one = |name: &str, value: Option<usize>| match value {
            Some(0) => Err(Refusal::field(&format!("parameters.{name}"), "must be at least 1")),
            _ => Ok(()),
        };
        at_least_one("top_k", self.top_k)?;
        at_least_one("max_answer_len", self.max_answer_len)?;
        at_least_one("max_question_len", self.max_question_len)?;
        if self.top_k() > MAX_ANSWERS {
            return Err(Refusal::field("parameters.top_k", &format!("must be at most {MAX_ANSWERS}")));
        }
        let mut usage: Usage = *answerer.usage();
        if let Some(max_seq_len) = self.max_seq_len {
            let positions = answerer.positions();
            if max_seq_len > positions {
                let problem = format!("must be at most {positions}, the positions of this model");
                return Err(Refusal::field("parameters.max_seq_len", &problem));
            }
            usage.windows.max_length = max_seq_len;
            usage.windows.doc_stride = usage.windows.doc_stride.min(max_seq_len / 2);
        }
        if let Some(doc_stride) = self.doc_stride {
            usage.windows.doc_stride = doc_stride;
        }
        if let Some(max_answer_len) = self.max_answer_len {
            usage.spans.max_answer_length = max_answer_len;
        }
        usage.spans.n_best = usage.spans.n_best.max(self.top_k());
        usage.no_answer = self.handle_impossible_answer.unwrap_or(usage.no_answer);
        if usage == *answerer.usage() {
            return Ok(None);
        }
        let name = if self.doc_stride.is_some() { "doc_stride" } else { "max_seq_len" };
        let asked = answerer.asked(usage);
        asked.map(Some).map_err(|error| Refusal::field(&format!("parameters.{name}"), &error.to_string()))
    }
}

/// The chosen candidate first, then the others. "empty", `run_qa`'s stand-in for no answer, becomes no answer.
fn ranked(prediction: SpanPrediction) -> Vec<SpanCandidate> {
    let SpanPrediction { start_char, end_char, n_best, .. } = prediction;
    let is_chosen =
        |candidate: &SpanCandidate| (candidate.start_char, candidate.end_char) == (start_char, end_char);
    let (mut ranked, others): (Vec<_>, Vec<_>) = n_best.into_iter().partition(is_chosen);
    ranked.extend(others);
    for candidate in &mut ranked {
        if candidate.start_char < 0 {
            candidate.text.clear();
        }
    }
    ranked
}

impl QuestionReply {
    /// As in transformers' pipeline (5.2): answers with equal lower-cased text are merged and their probabilities
    /// added; a list for `top_k` above 1.
    pub(crate) fn new(context: &str, prediction: SpanPrediction, parameters: &Parameters) -> Self {
        let mut answers: Vec<QuestionAnswer> = Vec::new();
        for candidate in ranked(prediction) {
            let answer = answer_of(context, candidate, parameters.align_to_words == Some(true));
            let same =
                answers.iter_mut().find(|other| other.answer.to_lowercase() == answer.answer.to_lowercase());
            match same {
                Some(same) => same.score += answer.score,
                None => answers.push(answer),
            }
        }
        answers.truncate(parameters.top_k());
        if parameters.top_k() == 1 && answers.len() == 1 {
            return Self::One(answers.remove(0));
        }
        Self::Several(answers)
    }
}

fn answer_of(context: &str, candidate: SpanCandidate, align_to_words: bool) -> QuestionAnswer {
    let SpanCandidate { text, start_char, end_char, probability, .. } = candidate;
    let (Ok(start), Ok(end)) = (usize::try_from(start_char), usize::try_from(end_char)) else {
        return QuestionAnswer { answer: String::new(), score: probability, start: 0, end: 0 };
    };
    if !align_to_words {
        return QuestionAnswer { answer: text, score: probability, start, end };
    }
    let (start, end) = whole_words(context, start, end);
    let answer = context.chars().skip(start).take(end - start).collect();
    QuestionAnswer { answer, score: probability, start, end }
}

/// The characters from `start` to `end`, with the rest of the words that they cut.
fn whole_words(context: &str, start: usize, end: usize) -> (usize, usize) {
    let letters: Vec<bool> = context.chars().map(char::is_alphanumeric).collect();
    let is_letter = |at: usize| letters.get(at).copied().unwrap_or(false);
    let (mut first, mut last) = (start, end);
    while first > 0 && is_letter(first) && is_letter(first - 1) {
        first -= 1;
    }
    while last > 0 && is_letter(last - 1) && is_letter(last) {
        last += 1;
    }
    (first, last)
}

impl BatchAnswer {
    pub(crate) fn new(prediction: SpanPrediction, top_k: usize) -> Self {
        let mut candidates = ranked(prediction).into_iter().map(|candidate| {
            let place = |character| usize::try_from(character).ok();
            let start = place(candidate.start_char);
            Candidate {
                answer: start.is_some().then_some(candidate.text),
                probability: candidate.probability,
                start,
                end: place(candidate.end_char),
            }
        });
        let n_best: Vec<Candidate> = candidates.by_ref().take(top_k).collect();
        let first = n_best.first().expect("a prediction has a candidate, and top_k is at least 1");
        Self {
            answer: first.answer.clone(),
            probability: first.probability,
            start: first.start,
            end: first.end,
            n_best,
        }
    }
}

#[cfg(test)]
mod tests;
