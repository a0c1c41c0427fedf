use distilbert::{Config, DistilBertForQuestionAnswering, Error, Runtime, Weights};

#[path = "../../distilbert/src/tests.rs"]
mod tiny;

pub(crate) use tiny::tiny_model;
