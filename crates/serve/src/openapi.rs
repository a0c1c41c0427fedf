//! The `OpenAPI` document: its schemas are made from the types that are read and written.

use std::sync::LazyLock;

use schemars::SchemaGenerator;
use schemars::generate::SchemaSettings;
use serde_json::{Value, json};

use crate::refusal::ErrorBody;
use crate::speech::{BatchReply, BatchRequest, Info, QuestionReply, QuestionRequest, Status};

/// The document.
pub(crate) fn document() -> &'static Value {
    static DOCUMENT: LazyLock<Value> = LazyLock::new(make);
    &DOCUMENT
}

fn make() -> Value {
    let settings = SchemaSettings::draft2020_12()
        .with(|settings| settings.definitions_path = "/components/schemas".into());
    let mut schemas = settings.into_generator();
    let error = reference::<ErrorBody>(&mut schemas);
    let body = |schema: &Value| json!({ "application/json": { "schema": schema } });
    let ok = |schema: Value| json!({ "description": "Done", "content": body(&schema) });
    let refused = |description: &str| json!({ "description": description, "content": body(&error) });
    let text = |media_type: &str| json!({ "description": "Done", "content": { media_type: { "schema": { "type": "string" } } } });
    let unauthorized = || refused("An API key is needed");
    let unavailable = || {
        json!({
            "description": "The model is being loaded, or the server is shutting down", "content": body(&error),
            "headers": { "Retry-After": { "schema": { "type": "string" } } },
        })
    };
    let answering = |request: Value, reply: Value, summary: &str, id: &str| {
        json!({
            "summary": summary, "operationId": id, "security": [{}, { "key": [] }],
            "requestBody": { "required": true, "content": body(&request) },
            "responses": {
                "200": ok(reply), "400": refused("The body is not JSON"), "401": unauthorized(),
                "408": refused("The body took too long to arrive"), "413": refused("The body is too large"),
                "415": refused("The body has no JSON content type"), "422": refused("A field is not valid"),
                "429": {
                    "description": "The server is full", "content": body(&error),
                    "headers": { "Retry-After": { "schema": { "type": "string" } } },
                },
                "500": refused("The model failed"), "503": unavailable(), "504": refused("Out of time"),
            },
        })
    };
    let getting = |responses: Value, summary: &str, id: &str| json!({ "summary": summary, "operationId": id, "security": [{}, { "key": [] }], "responses": responses });
    let (question, reply) =
        (reference::<QuestionRequest>(&mut schemas), reference::<QuestionReply>(&mut schemas));
    let (batch, answers) = (reference::<BatchRequest>(&mut schemas), reference::<BatchReply>(&mut schemas));
    let (status, info) = (reference::<Status>(&mut schemas), reference::<Info>(&mut schemas));
    let paths = json!({
        "/": {
            "get": getting(json!({ "200": text("text/html") }), "A page to try the model", "page"),
            "post": answering(question, reply, "Answer a question about a text, as huggingface_hub asks it", "question"),
        },
        "/v1/answers": {
            "post": answering(batch, answers, "Answer many questions about many texts", "answers"),
        },
        "/health": { "get": getting(json!({ "200": ok(status.clone()) }), "Whether the server runs", "health") },
        "/ready": {
            "get": getting(json!({ "200": ok(status), "503": unavailable() }), "Whether it takes requests", "ready"),
        },
        "/info": {
            "get": getting(
                json!({ "200": ok(info), "401": unauthorized(), "503": unavailable() }),
                "The model and the limits", "info",
            ),
        },
        "/metrics": {
            "get": getting(json!({ "200": text("text/plain"), "401": unauthorized() }), "Metrics for Prometheus", "metrics"),
        },
        "/openapi.json": {
            "get": getting(
                json!({ "200": ok(json!({ "type": "object" })), "401": unauthorized() }), "This document", "openapi",
            ),
        },
    });
    json!({
        "openapi": "3.1.0",
        "info": { "title": "distilburn", "version": env!("CARGO_PKG_VERSION"), "description": "Extractive question answering" },
        "paths": paths,
        "components": {
            "schemas": schemas.take_definitions(true),
            "securitySchemes": { "key": { "type": "http", "scheme": "bearer" } },
        },
    })
}

fn reference<T: schemars::JsonSchema>(schemas: &mut SchemaGenerator) -> Value {
    schemas.subschema_for::<T>().to_value()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reference_leads_somewhere() {
        fn references<'a>(value: &'a Value, found: &mut Vec<&'a str>) {
            match value {
                Value::Object(object) => {
                    found.extend(object.get("$ref").and_then(Value::as_str));
                    object.values().for_each(|value| references(value, found));
                }
                Value::Array(items) => items.iter().for_each(|value| references(value, found)),
                _ => {}
            }
        }
        let mut found = Vec::new();
        references(document(), &mut found);
        assert!(found.len() > 10);
        for reference in found {
            let pointer = reference.strip_prefix('#').unwrap();
            assert!(document().pointer(pointer).is_some(), "{reference}");
        }
    }
}
