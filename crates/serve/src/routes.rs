//! The routes: who may use them, what they return, and a log line and metrics for each request.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::{Body, Bytes, HttpBody as _, to_bytes};
use axum::extract::State;
use axum::http::header::{AUTHORIZATION, CONNECTION, CONTENT_TYPE, HeaderMap, HeaderValue};
use axum::http::{Method, Request, StatusCode};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use tokio::time::timeout_at;
use tower_http::cors::{Any, CorsLayer};

use crate::engine::{Asked, Engine};
use crate::refusal::{ErrorType, Refusal, json};
use crate::server::App;
use crate::speech::{
    BatchAnswer, BatchReply, BatchRequest, QuestionReply, QuestionRequest, Status, check_text, parse,
};
use crate::{Error, openapi, page, telemetry};

/// The client disconnected before its reply was ready: nginx's status for this.
const CLIENT_GONE: u16 = 499;

/// Routes that need no key: the page, and the probes of an orchestrator.
const OPEN: [&str; 5] = ["/", "/page.css", "/page.js", "/health", "/ready"];

pub(crate) fn router(app: Arc<App>, origins: &[String]) -> Result<Router, Error> {
    let router = Router::new()
        .route("/", get(page::html).post(question))
        .route("/page.css", get(page::css))
        .route("/page.js", get(page::js))
        .route("/v1/answers", post(answers))
        .route("/health", get(health))
        .route("/ready", get(ready))
        .route("/info", get(info))
        .route("/metrics", get(metrics))
        .route("/openapi.json", get(async || json(openapi::document())))
        .fallback(async || Refusal::new(ErrorType::NotFound, "no such route: /openapi.json lists all routes"))
        .method_not_allowed_fallback(async || {
            Refusal::new(
                ErrorType::MethodNotAllowed,
                "this route does not accept this method: /openapi.json lists all routes and methods",
            )
        })
        .layer(middleware::from_fn_with_state(Arc::clone(&app), authorize));
    let router = match cors(origins)? {
        Some(cors) => router.layer(cors),
        None => router,
    };
    Ok(router.layer(middleware::from_fn_with_state(Arc::clone(&app), observe)).with_state(app))
}

fn cors(origins: &[String]) -> Result<Option<CorsLayer>, Error> {
    if origins.is_empty() {
        return Ok(None);
    }
    let cors = CorsLayer::new()
        .allow_methods([Method::GET, Method::POST])
        .allow_headers([CONTENT_TYPE, AUTHORIZATION])
        .max_age(Duration::from_mins(10));
    if origins.iter().any(|origin| origin == "*") {
        return Ok(Some(cors.allow_origin(Any)));
    }
    let parsed = origins.iter().map(|origin| {
        let host = origin.split_once("://").map(|(_, host)| host).filter(|host| !host.is_empty());
        let is_origin = host.is_some_and(|host| !host.contains('/'));
        let value = HeaderValue::from_str(origin).ok().filter(|_| is_origin);
        value.ok_or_else(|| Error::Origin { origin: origin.clone() })
    });
    Ok(Some(cors.allow_origin(parsed.collect::<Result<Vec<_>, _>>()?)))
}

/// The route of a path, for metrics and logs: all unknown paths count as one.
fn route_of(path: &str) -> &'static str {
    const ROUTES: [&str; 9] = [
        "/",
        "/page.css",
        "/page.js",
        "/v1/answers",
        "/health",
        "/ready",
        "/info",
        "/metrics",
        "/openapi.json",
    ];
    ROUTES.into_iter().find(|route| *route == path).unwrap_or("other")
}

/// Counts and logs a request when its reply is ready, or when it is dropped because the client disconnected.
struct Observed {
    route: &'static str,
    method: Method,
    started: Instant,
    status: u16,
}

impl Drop for Observed {
    fn drop(&mut self) {
        let Self { route, method, started, status } = self;
        let elapsed = started.elapsed();
        telemetry::request(route, *status, elapsed);
        let ms = (elapsed.as_secs_f64() * 1e4).round() / 10.0;
        // An orchestrator asks for these every few seconds.
        if OPEN.contains(route) && *method == Method::GET || *route == "/metrics" {
            tracing::debug!(%method, route, status, ms, "request");
        } else {
            tracing::info!(%method, route, status, ms, "request");
        }
    }
}

async fn observe(State(app): State<Arc<App>>, request: Request<Body>, next: Next) -> Response {
    let mut observed = Observed {
        route: route_of(request.uri().path()),
        method: request.method().clone(),
        started: Instant::now(),
        status: CLIENT_GONE,
    };
    let mut response = next.run(request).await;
    if app.is_draining.load(Ordering::SeqCst) {
        response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    }
    observed.status = response.status().as_u16();
    response
}

async fn authorize(State(app): State<Arc<App>>, request: Request<Body>, next: Next) -> Response {
    let is_open = OPEN.contains(&request.uri().path()) && request.method() != Method::POST;
    if let Some(key) = app.api_key.filter(|_| !is_open)
        && !names_key(request.headers(), key)
    {
        let error = "an API key is needed: send the header `Authorization: Bearer KEY`";
        return Refusal::new(ErrorType::Unauthorized, error).into_response();
    }
    next.run(request).await
}

fn names_key(headers: &HeaderMap, key: blake3::Hash) -> bool {
    let value = headers.get(AUTHORIZATION).map(HeaderValue::as_bytes).unwrap_or_default();
    let (scheme, given) = value.split_at_checked("Bearer ".len()).unwrap_or_default();
    // The comparison of hashes takes the same time wherever they differ.
    scheme.eq_ignore_ascii_case(b"Bearer ") && blake3::hash(given.trim_ascii()) == key
}

async fn health() -> Response {
    json(&Status { status: "ok".to_owned() })
}

async fn ready(State(app): State<Arc<App>>) -> Result<Response, Refusal> {
    engine(&app)?;
    Ok(json(&Status { status: "ready".to_owned() }))
}

async fn info(State(app): State<Arc<App>>) -> Result<Response, Refusal> {
    engine(&app)?;
    Ok(json(app.info.get().expect("it is set before the engine")))
}

async fn metrics(State(app): State<Arc<App>>) -> Response {
    let mut response = Response::new(Body::from(app.metrics.render()));
    let text = HeaderValue::from_static("text/plain; version=0.0.4");
    response.headers_mut().insert(CONTENT_TYPE, text);
    response
}

/// The model, if it is loaded and accepts requests.
fn engine(app: &App) -> Result<&Engine, Refusal> {
    if app.is_draining.load(Ordering::SeqCst) {
        return Err(Refusal::new(
            ErrorType::Unavailable,
            "the server is shutting down and accepts no more requests",
        ));
    }
    let loading = || Refusal::new(ErrorType::Unavailable, "the model is being loaded: try again in a moment");
    app.engine.get().map(Arc::as_ref).ok_or_else(loading)
}

/// The body of a request for answers, and when it must be answered.
struct Accepted {
    body: Bytes,
    deadline: tokio::time::Instant,
}

async fn accepted(app: &App, request: Request<Body>) -> Result<Accepted, Refusal> {
    let deadline = tokio::time::Instant::now() + Duration::from_secs(app.limits.timeout as u64);
    engine(app)?;
    let content_type = request.headers().get(CONTENT_TYPE).map(HeaderValue::as_bytes).unwrap_or_default();
    let media_type = content_type.split(|byte| *byte == b';').next().unwrap_or_default().trim_ascii();
    if !media_type.eq_ignore_ascii_case(b"application/json") {
        // This also keeps pages of other origins from sending requests without a preflight.
        let error = "send JSON, with the header `Content-Type: application/json`";
        return Err(Refusal::new(ErrorType::UnsupportedMediaType, error));
    }
    let limit = app.limits.max_bytes;
    let too_large = || Refusal::new(ErrorType::TooLarge, format!("the body is larger than {limit} bytes"));
    let body = request.into_body();
    if body.size_hint().lower() > limit as u64 {
        return Err(too_large());
    }
    match timeout_at(deadline, to_bytes(body, limit)).await {
        Ok(Ok(body)) => Ok(Accepted { body, deadline }),
        Ok(Err(error)) if is_length_limit(&error) => Err(too_large()),
        Ok(Err(_)) => Err(Refusal::new(ErrorType::Malformed, "the body is shorter than its Content-Length")),
        Err(_) => Err(Refusal::new(ErrorType::TooSlow, "the body took too long to arrive")),
    }
}

fn is_length_limit(error: &(dyn std::error::Error + 'static)) -> bool {
    // The type is not exported, so its text is compared.
    error.to_string().contains("length limit") || error.source().is_some_and(is_length_limit)
}

fn overloaded() -> Refusal {
    Refusal::new(ErrorType::Overloaded, "too many requests at once: try again in a moment")
}

async fn question(State(app): State<Arc<App>>, request: Request<Body>) -> Result<Response, Refusal> {
    let Accepted { body, deadline } = accepted(&app, request).await?;
    let QuestionRequest { inputs, parameters } = parse(&body)?;
    let parameters = parameters.unwrap_or_default();
    check_text("inputs.question", &inputs.question)?;
    check_text("inputs.context", &inputs.context)?;
    let _permit = app.permits.try_acquire().map_err(|_| overloaded())?;
    let engine = engine(&app)?;
    let asked_as = parameters.ask(engine.answerer())?;
    let context: Arc<str> = inputs.context.into();
    let asked = Asked {
        contexts: vec![Arc::clone(&context)],
        questions: vec![(inputs.question.clone(), 0)],
        max_question_len: parameters.max_question_len,
        field: |_| "inputs.question".to_owned(),
    };
    let prediction = engine.answer(asked, asked_as, deadline).await?.remove(0);
    if app.log_texts {
        tracing::info!(question = inputs.question, answer = prediction.text, "answered");
    }
    Ok(json(&QuestionReply::new(&context, prediction, &parameters)))
}

async fn answers(State(app): State<Arc<App>>, request: Request<Body>) -> Result<Response, Refusal> {
    let Accepted { body, deadline } = accepted(&app, request).await?;
    let BatchRequest { contexts, questions, parameters } = parse(&body)?;
    let parameters = parameters.unwrap_or_default();
    let limit = app.limits.max_questions;
    if questions.is_empty() {
        return Err(Refusal::field("questions", "is empty"));
    }
    if questions.len() > limit {
        return Err(Refusal::field("questions", &format!("has {}, the limit is {limit}", questions.len())));
    }
    for (number, context) in contexts.iter().enumerate() {
        check_text(&format!("contexts[{number}]"), context)?;
    }
    for (number, question) in questions.iter().enumerate() {
        check_text(&format!("questions[{number}].question"), &question.question)?;
        if question.context >= contexts.len() {
            let problem = format!("is {}, but there are {} contexts", question.context, contexts.len());
            return Err(Refusal::field(&format!("questions[{number}].context"), &problem));
        }
    }
    if parameters.align_to_words.is_some() {
        return Err(Refusal::field("parameters.align_to_words", "is accepted only by POST /"));
    }
    let _permit = app.permits.try_acquire().map_err(|_| overloaded())?;
    let engine = engine(&app)?;
    let asked_as = parameters.ask(engine.answerer())?;
    let texts: Vec<String> = questions.iter().map(|question| question.question.clone()).collect();
    let asked = Asked {
        contexts: contexts.into_iter().map(Arc::from).collect(),
        questions: questions.into_iter().map(|question| (question.question, question.context)).collect(),
        max_question_len: parameters.max_question_len,
        field: |number| format!("questions[{number}].question"),
    };
    let predictions = engine.answer(asked, asked_as, deadline).await?;
    if app.log_texts {
        for (question, prediction) in texts.iter().zip(&predictions) {
            tracing::info!(question, answer = prediction.text, "answered");
        }
    }
    let answer = |prediction| BatchAnswer::new(prediction, parameters.top_k());
    Ok(json(&BatchReply { answers: predictions.into_iter().map(answer).collect() }))
}

/// A file of the page.
pub(crate) fn file(content_type: &'static str, text: &'static str) -> Response {
    let mut response = (StatusCode::OK, text).into_response();
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    response
}
