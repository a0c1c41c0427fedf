//! The calls of the REST interface that a training needs:
//! <https://mlflow.org/docs/latest/api_reference/rest-api.html>

use std::time::Duration;

use fetch::redacted;
use serde::Serialize;
use serde_json::{Value, json};
use thiserror::Error;
use ureq::Agent;
use ureq::http::Request;
use ureq::tls::{RootCerts, TlsConfig};

/// Values that the server takes in one `log-batch`.
pub(super) const BATCH_METRICS: usize = 1000;
const BATCH_PARAMS: usize = 100;

/// More of an answer than the calls here can bring is no answer.
const MAX_ANSWER_BYTES: u64 = 1 << 20;

/// The environment variable of `MLflow`'s own client for a server that wants a token.
const TOKEN: &str = "MLFLOW_TRACKING_TOKEN";

/// One value of one metric.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Metric {
    pub(super) key: &'static str,
    pub(super) value: f64,
    /// Milliseconds since 1970.
    pub(super) timestamp: u64,
    pub(super) step: u64,
}

/// A name and a text, as params and tags are.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Named {
    pub(super) key: String,
    pub(super) value: String,
}

/// Why a call came to nothing.
#[derive(Debug, Error)]
pub(super) enum CallError {
    #[error("{0}")]
    Transport(#[from] ureq::Error),
    #[error("the server redirects{to} ({status}): name the address that answers in train.mlflow_uri")]
    Redirect { status: u16, to: String },
    #[error("the server answered {status}: {code} {message}")]
    Refused { status: u16, code: String, message: String },
    #[error("the server's answer to {call} has no {missing}: is it an MLflow server?")]
    Answer { call: &'static str, missing: &'static str },
}

impl CallError {
    /// Whether the server understood, and will not do it next time either.
    pub(super) fn is_final(&self) -> bool {
        matches!(self, Self::Refused { status: 400 | 404, .. })
    }

    /// Whether what was asked for is not there.
    pub(super) fn is_missing(&self) -> bool {
        matches!(self, Self::Refused { code, .. } if code == "RESOURCE_DOES_NOT_EXIST")
    }
}

type Result<T> = std::result::Result<T, CallError>;

/// A server.
#[derive(Debug)]
pub(super) struct Api {
    agent: Agent,
    base: String,
    token: Option<String>,
}

impl Api {
    /// The server at `uri`, which gets so much time for each call. Opens no connection yet.
    pub(super) fn new(uri: &str, timeout: Duration) -> Self {
        let tls = TlsConfig::builder().root_certs(RootCerts::PlatformVerifier).build();
        let config = Agent::config_builder()
            .timeout_global(Some(timeout))
            // Followed, 301 and 302 turn a POST into a GET, whose answer would count as taken.
            .max_redirects(0)
            // Seconds pass between two calls, and servers close a connection that is idle for that long.
            .max_idle_connections(0)
            .http_status_as_error(false)
            .user_agent(concat!("distilburn/", env!("CARGO_PKG_VERSION")))
            .tls_config(tls);
        Self {
            agent: config.build().into(),
            base: format!("{}/api/2.0/mlflow", uri.trim_end_matches('/')),
            token: std::env::var(TOKEN).ok().filter(|token| !token.is_empty()),
        }
    }

    /// The id of the experiment of this name, which is made if it is not there.
    pub(super) fn experiment(&self, name: &str) -> Result<String> {
        const GET: &str = "experiments/get-by-name";
        const CREATE: &str = "experiments/create";
        let query = name.bytes().map(percent_encoded).collect::<String>();
        match self.call("GET", GET, &format!("?experiment_name={query}"), None) {
            Ok(answer) => text(&answer["experiment"]["experiment_id"], GET, "experiment_id"),
            Err(error) if error.is_missing() => {
                let answer = self.post(CREATE, &json!({ "name": name }))?;
                text(&answer["experiment_id"], CREATE, "experiment_id")
            }
            Err(error) => Err(error),
        }
    }

    /// Begins a run and returns its id.
    pub(super) fn create_run(
        &self,
        experiment_id: &str,
        run_name: &str,
        (start_time, tags): (u64, &[Named]),
    ) -> Result<String> {
        const CREATE: &str = "runs/create";
        let request = json!({
            "experiment_id": experiment_id, "run_name": run_name, "start_time": start_time, "tags": tags,
        });
        let answer = self.post(CREATE, &request)?;
        text(&answer["run"]["info"]["run_id"], CREATE, "run_id")
    }

    /// `RUNNING`, `FINISHED`, `KILLED` or `FAILED`, the last three with the time of the end.
    pub(super) fn set_status(&self, run_id: &str, status: &str, end_time: Option<u64>) -> Result<()> {
        let mut request = json!({ "run_id": run_id, "status": status });
        if let Some(end_time) = end_time {
            request["end_time"] = end_time.into();
        }
        self.post("runs/update", &request).map(drop)
    }

    /// Sends at most [`BATCH_METRICS`] values.
    pub(super) fn log_metrics(&self, run_id: &str, metrics: &[Metric]) -> Result<()> {
        self.post("runs/log-batch", &json!({ "run_id": run_id, "metrics": metrics })).map(drop)
    }

    /// Sends parameters, any number.
    pub(super) fn log_params(&self, run_id: &str, params: &[Named]) -> Result<()> {
        params.chunks(BATCH_PARAMS).try_for_each(|params| {
            self.post("runs/log-batch", &json!({ "run_id": run_id, "params": params })).map(drop)
        })
    }

    fn post(&self, call: &str, body: &Value) -> Result<Value> {
        self.call("POST", call, "", Some(body))
    }

    fn call(&self, method: &str, call: &str, query: &str, body: Option<&Value>) -> Result<Value> {
        let mut request = Request::builder().method(method).uri(format!("{}/{call}{query}", self.base));
        if let Some(token) = &self.token {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        let mut response = match body {
            None => self.agent.run(request.body(()).map_err(ureq::Error::Http)?)?,
            Some(body) => {
                let request = request.header("content-type", "application/json");
                self.agent.run(request.body(body.to_string()).map_err(ureq::Error::Http)?)?
            }
        };
        let status = response.status();
        if status.is_redirection() {
            let location = response.headers().get("location").and_then(|location| location.to_str().ok());
            let to = location.map_or_else(String::new, |to| format!(" to {}", shown(&redacted(to))));
            return Err(CallError::Redirect { status: status.as_u16(), to });
        }
        let text = response.body_mut().with_config().limit(MAX_ANSWER_BYTES).read_to_string()?;
        let answer: Value = serde_json::from_str(&text).unwrap_or_default();
        if status.is_success() {
            return Ok(answer);
        }
        let field = |name: &str| shown(answer[name].as_str().unwrap_or_default());
        Err(CallError::Refused {
            status: status.as_u16(),
            code: field("error_code"),
            message: field("message"),
        })
    }
}

/// What a server says, as a log line shows it: nothing that a terminal would act on, and not pages of it.
fn shown(text: &str) -> String {
    const CHARS: usize = 200;
    let mut shown: String = text.chars().take(CHARS).flat_map(char::escape_debug).collect();
    if text.chars().nth(CHARS).is_some() {
        shown.push('…');
    }
    shown
}

fn text(value: &Value, call: &'static str, missing: &'static str) -> Result<String> {
    value.as_str().map(str::to_owned).ok_or(CallError::Answer { call, missing })
}

fn percent_encoded(byte: u8) -> String {
    if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
        char::from(byte).to_string()
    } else {
        format!("%{byte:02X}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_server_says_is_cut_and_escaped() {
        assert_eq!(shown("no such run"), "no such run");
        assert_eq!(shown("\u{1b}[2J\u{9b}1m\nfake"), r"\u{1b}[2J\u{9b}1m\nfake");
        assert_eq!(shown(&"x".repeat(1 << 20)), format!("{}…", "x".repeat(200)));
    }
}
