//! The metrics for operators.

use std::time::Duration;

use metrics::{counter, gauge, histogram};
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};

const REQUESTS: &str = "distilburn_requests_total";
const DURATION: &str = "distilburn_request_duration_seconds";
const QUEUE: &str = "distilburn_queue_duration_seconds";
const TOKENIZE: &str = "distilburn_tokenize_duration_seconds";
const INFERENCE: &str = "distilburn_inference_duration_seconds";
const BATCH_WINDOWS: &str = "distilburn_batch_windows";
const BATCH_TOKENS: &str = "distilburn_batch_tokens";
const QUEUED_REQUESTS: &str = "distilburn_queued_requests";
const QUEUED_TOKENS: &str = "distilburn_queued_tokens";

/// Upper bounds of durations in seconds: a short question takes milliseconds, a book many seconds.
const SECONDS: [f64; 14] =
    [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0];
const WINDOWS: [f64; 8] = [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0];
const TOKENS: [f64; 8] = [128.0, 256.0, 512.0, 1024.0, 2048.0, 4096.0, 8192.0, 16384.0];

/// The interval of the metrics' upkeep: without it, they would fill memory if nobody reads them.
pub(crate) const UPKEEP_EVERY: Duration = Duration::from_secs(5);

/// Sets up the process's metrics.
pub(crate) fn install() -> PrometheusHandle {
    let buckets = [(BATCH_WINDOWS, &WINDOWS), (BATCH_TOKENS, &TOKENS)];
    let mut builder = PrometheusBuilder::new().set_buckets(&SECONDS).expect("there are buckets");
    for (name, buckets) in buckets {
        let matcher = Matcher::Full(name.to_owned());
        builder = builder.set_buckets_for_metric(matcher, buckets).expect("there are buckets");
    }
    let recorder = builder.build_recorder();
    let handle = recorder.handle();
    // An earlier recorder can only come from a test in the same process.
    let _ = metrics::set_global_recorder(recorder);
    metrics::describe_counter!(
        REQUESTS,
        "Requests by route and status; 499: the client closed the connection"
    );
    metrics::describe_histogram!(DURATION, "Seconds from the headers of a request to its reply");
    metrics::describe_histogram!(QUEUE, "Seconds that a request waits for the model");
    metrics::describe_histogram!(TOKENIZE, "Seconds to split the texts of a request into windows");
    metrics::describe_histogram!(INFERENCE, "Seconds that the model needs for a batch");
    metrics::describe_histogram!(BATCH_WINDOWS, "Windows in a batch");
    metrics::describe_histogram!(BATCH_TOKENS, "Tokens in a batch");
    metrics::describe_gauge!(QUEUED_REQUESTS, "Requests whose windows wait for the model");
    metrics::describe_gauge!(
        QUEUED_TOKENS,
        "Tokens that wait for the model, counting the next windows of each request"
    );
    queue_length(0, 0);
    handle
}

pub(crate) fn request(route: &'static str, status: u16, duration: Duration) {
    counter!(REQUESTS, "route" => route, "status" => status.to_string()).increment(1);
    histogram!(DURATION, "route" => route).record(duration);
}

pub(crate) fn queued(duration: Duration) {
    histogram!(QUEUE).record(duration);
}

pub(crate) fn tokenized(duration: Duration) {
    histogram!(TOKENIZE).record(duration);
}

pub(crate) fn batch(windows: usize, tokens: usize, duration: Duration) {
    histogram!(INFERENCE).record(duration);
    histogram!(BATCH_WINDOWS).record(windows as f64);
    histogram!(BATCH_TOKENS).record(tokens as f64);
}

pub(crate) fn queue_length(requests: usize, tokens: usize) {
    gauge!(QUEUED_REQUESTS).set(requests as f64);
    gauge!(QUEUED_TOKENS).set(tokens as f64);
}
