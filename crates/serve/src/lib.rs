//! Serves a model over HTTP: a route for `huggingface_hub`, one for batches of questions, a page for people, and routes
//! for operators.
//!
//! The model has its own threads; the HTTP threads only pass windows to it. Not here: how a model answers (`answerer`).

mod engine;
mod error;
mod openapi;
mod page;
mod queue;
mod refusal;
mod routes;
mod server;
mod speech;
mod telemetry;

use std::net::IpAddr;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use clap::builder::RangedU64ValueParser;
use stage::{CommonOptions, ModelOptions, OutputOptions};

pub use error::Error;

/// Answer questions over HTTP
///
/// POST / is the route of `huggingface_hub.InferenceClient(model=URL).question_answering(…)`. POST /v1/answers takes
/// many questions about many contexts. GET / is a page to try the model. GET /openapi.json describes all routes, such
/// as /health, /ready, /info and /metrics (Prometheus).
///
/// If --api-key-file or the environment variable `DISTILBURN_API_KEY` gives an API key, requests need the header
/// `Authorization: Bearer KEY`. On SIGTERM, the server answers all accepted requests, then exits.
#[derive(Debug, Parser)]
// Reached as `distilburn serve`, which its usage shows.
#[command(name = "distilburn-serve", bin_name = "distilburn serve", version)]
#[command(after_help = "\
Examples:
  distilburn serve                                      http://127.0.0.1:8080/ is a page to try it
  distilburn serve --model owner/name --port 9000
  curl http://127.0.0.1:8080/ -H 'Content-Type: application/json' \\
    -d '{\"inputs\": {\"question\": \"Who sat?\", \"context\": \"The cat sat.\"}}'")]
pub struct Options {
    #[command(flatten)]
    model: ModelOptions,

    /// Address to listen on; 0.0.0.0 for all addresses of this machine
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1")]
    host: IpAddr,

    /// Port to listen on; 0 for any free port
    #[arg(long, value_name = "PORT", default_value_t = 8080)]
    port: u16,

    #[command(flatten)]
    limits: Limits,

    /// Read the API key from FILE
    #[arg(long, value_name = "FILE", help_heading = "Access")]
    api_key_file: Option<PathBuf>,

    /// Let pages of this origin use the server: `https://example.org`, or * for all; repeatable
    #[arg(long, value_name = "ORIGIN", help_heading = "Access")]
    cors_origin: Vec<String>,

    /// Log questions and answers too
    #[arg(long, help_heading = "Output")]
    log_texts: bool,

    #[command(flatten)]
    common: CommonOptions,
}

/// Limits of the server.
#[derive(Debug, Clone, Copy, clap::Args)]
#[command(next_help_heading = "Limits")]
pub(crate) struct Limits {
    /// Maximum tokens in a batch; a batch starts when a worker is free, full or not [default: 1024 on a CPU, 4096 on a GPU]
    #[arg(long, value_name = "N", value_parser = positive())]
    max_batch_tokens: Option<usize>,

    /// Maximum tokens waiting for the model, counting the next four windows of each request; further requests get 429
    #[arg(long, value_name = "N", default_value_t = 6144, value_parser = positive())]
    max_queued_tokens: usize,

    /// Maximum tokens of a request, over all its windows
    #[arg(long, value_name = "N", default_value_t = 1 << 17, value_parser = positive())]
    max_request_tokens: usize,

    /// Maximum requests at a time; further requests get 429
    #[arg(long, value_name = "N", default_value_t = 256, value_parser = positive())]
    max_requests: usize,

    /// Maximum questions in a request
    #[arg(long, value_name = "N", default_value_t = 128, value_parser = positive())]
    max_questions: usize,

    /// Maximum bytes of a request
    #[arg(long, value_name = "N", default_value_t = 1 << 20, value_parser = positive())]
    max_bytes: usize,

    /// Maximum seconds for a request, from its first byte to its answer
    #[arg(long, value_name = "SECONDS", default_value_t = 30, value_parser = positive())]
    timeout: usize,
}

fn positive() -> RangedU64ValueParser<usize> {
    RangedU64ValueParser::new().range(1..)
}

impl Options {
    /// How it logs.
    #[must_use]
    pub fn output(&self) -> &OutputOptions {
        &self.common.output
    }
}

/// Serves until it is asked to stop.
///
/// # Errors
/// [`Error`], each with its remedy.
pub fn run(options: Options) -> Result<ExitCode, Error> {
    server::run(&options)?;
    Ok(ExitCode::SUCCESS)
}
