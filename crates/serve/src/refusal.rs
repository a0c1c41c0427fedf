//! Why a request is not answered: a status, and one body for all.

use axum::body::Body;
use axum::http::StatusCode;
use axum::http::header::{CONTENT_TYPE, HeaderValue, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::response::{IntoResponse, Response};
use schemars::JsonSchema;
use serde::Serialize;

/// The body of every error reply.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[schemars(rename = "Error")]
pub(crate) struct ErrorBody {
    /// What is wrong, for people
    pub(crate) error: String,
    /// What is wrong, for programs
    pub(crate) error_type: ErrorType,
}

/// What is wrong, for programs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum ErrorType {
    Malformed,
    Unauthorized,
    NotFound,
    MethodNotAllowed,
    TooSlow,
    TooLarge,
    UnsupportedMediaType,
    Validation,
    Overloaded,
    Internal,
    Unavailable,
    Timeout,
}

/// An error reply.
#[derive(Debug, Clone)]
pub(crate) struct Refusal {
    error_type: ErrorType,
    error: String,
}

impl Refusal {
    pub(crate) fn new(error_type: ErrorType, error: impl Into<String>) -> Self {
        Self { error_type, error: error.into() }
    }

    /// A field with an invalid value.
    pub(crate) fn field(name: &str, problem: &str) -> Self {
        Self::new(ErrorType::Validation, format!("{name}: {problem}"))
    }

    pub(crate) fn status(&self) -> StatusCode {
        match self.error_type {
            ErrorType::Malformed => StatusCode::BAD_REQUEST,
            ErrorType::Unauthorized => StatusCode::UNAUTHORIZED,
            ErrorType::NotFound => StatusCode::NOT_FOUND,
            ErrorType::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
            ErrorType::TooSlow => StatusCode::REQUEST_TIMEOUT,
            ErrorType::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            ErrorType::UnsupportedMediaType => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            ErrorType::Validation => StatusCode::UNPROCESSABLE_ENTITY,
            ErrorType::Overloaded => StatusCode::TOO_MANY_REQUESTS,
            ErrorType::Internal => StatusCode::INTERNAL_SERVER_ERROR,
            ErrorType::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
            ErrorType::Timeout => StatusCode::GATEWAY_TIMEOUT,
        }
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let status = self.status();
        let body = ErrorBody { error: self.error, error_type: self.error_type };
        let mut response = json(&body);
        *response.status_mut() = status;
        let headers = response.headers_mut();
        match self.error_type {
            // Seconds: the queue is some batches long.
            ErrorType::Overloaded | ErrorType::Unavailable => {
                headers.insert(RETRY_AFTER, HeaderValue::from_static("1"));
            }
            ErrorType::Unauthorized => {
                headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
            }
            _ => {}
        }
        response
    }
}

/// A reply of JSON.
pub(crate) fn json(body: &impl Serialize) -> Response {
    let body = serde_json::to_vec(body).expect("replies have string keys and finite numbers");
    let mut response = Response::new(Body::from(body));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}
