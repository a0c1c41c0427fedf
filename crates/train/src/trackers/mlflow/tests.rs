use std::time::Instant;

use serde_json::{Value, json};
use stage::settings::Request;

use super::*;

mod server;

use server::{Behaviour, Server};

/// Short enough for a test, long enough for a busy machine.
const SHORT: Limits = Limits {
    request: Duration::from_secs(2),
    finish: Duration::from_secs(4),
    interval: Duration::from_millis(20),
    retry: [Duration::from_millis(20), Duration::from_millis(50)],
};

struct Training {
    settings: stage::Settings,
    dir: tempfile::TempDir,
}

impl Training {
    fn at(uri: &str) -> Self {
        let set = vec![format!("train.mlflow_uri={uri}"), "train.mlflow_experiment=q & a".to_owned()];
        let dir = tempfile::TempDir::new().unwrap();
        let config = dir.path().join("pipeline.toml");
        fs_err::write(&config, "").unwrap();
        let request = Request { config: Some(config), set, ..Request::default() };
        Self { settings: request.load().unwrap().settings, dir }
    }

    fn facts(&self, resumed_from_step: u64) -> RunFacts<'_> {
        let fingerprint = "0123456789abcdef0123456789abcdef";
        RunFacts { settings: &self.settings, dir: self.dir.path(), fingerprint, resumed_from_step }
    }

    /// Trains three rows.
    fn run(&self, resumed_from_step: u64, outcome: Outcome) {
        let mut mlflow = Mlflow::start_with(&self.facts(resumed_from_step), SHORT);
        for step in 1..=3 {
            mlflow.log(resumed_from_step + step, vec![("train/loss", 0.5), ("train/grad_norm", 1.0)]);
        }
        mlflow.finish(outcome);
    }
}

/// Step and name of every value that came in.
fn metrics(requests: &[(String, Value)]) -> Vec<(u64, String)> {
    let batches = requests.iter().filter_map(|(_, body)| body["metrics"].as_array());
    let of_metric = |metric: &Value| {
        assert!(metric["timestamp"].as_u64() > Some(1_600_000_000_000), "{metric}");
        (metric["step"].as_u64().unwrap(), metric["key"].as_str().unwrap().to_owned())
    };
    batches.flatten().map(of_metric).collect()
}

fn expected(first_step: u64) -> Vec<(u64, String)> {
    let names = ["train/loss", "train/grad_norm"];
    let of_step = |step| names.map(|name| (step, name.to_owned()));
    (first_step..first_step + 3).flat_map(of_step).collect()
}

#[test]
fn a_run_is_made_told_and_ended() {
    let server = Server::start(Behaviour::Mlflow);
    let training = Training::at(&server.uri());
    training.run(0, Outcome::Finished);
    let requests = server.requests();

    let calls: Vec<&str> = requests.iter().take(4).map(|(line, _)| line.as_str()).collect();
    let base = "/api/2.0/mlflow";
    assert_eq!(
        calls,
        [
            format!("GET {base}/experiments/get-by-name?experiment_name=q%20%26%20a"),
            format!("POST {base}/experiments/create"),
            format!("POST {base}/runs/create"),
            format!("POST {base}/runs/log-batch"),
        ]
    );
    assert_eq!(requests[1].1, json!({ "name": "q & a" }));
    let run = &requests[2].1;
    assert_eq!(run["experiment_id"], "7");
    assert_eq!(run["run_name"], "train-0123456789ab");
    assert!(
        run["tags"].as_array().unwrap().contains(
            &json!({ "key": "distilburn.fingerprint", "value": "0123456789abcdef0123456789abcdef" })
        )
    );
    let params = requests[3].1["params"].as_array().unwrap();
    assert!(params.contains(&json!({ "key": "train.learning_rate", "value": "0.0003" })), "{params:?}");
    assert!(params.contains(&json!({ "key": "run.seed", "value": "42" })), "{params:?}");
    assert!(params.iter().all(|param| !param["key"].as_str().unwrap().contains("mlflow")), "{params:?}");

    assert_eq!(metrics(&requests), expected(1));
    let (line, end) = requests.last().unwrap();
    assert_eq!(line, &format!("POST {base}/runs/update"));
    assert_eq!((&end["run_id"], &end["status"]), (&json!("run-1"), &json!("FINISHED")));
    assert!(end["end_time"].as_u64() >= run["start_time"].as_u64());
}

#[test]
fn a_resumed_training_goes_on_with_its_run() {
    let server = Server::start(Behaviour::Mlflow);
    let training = Training::at(&server.uri());
    training.run(0, Outcome::Interrupted);
    let before = server.requests();
    assert_eq!(before.last().unwrap().1["status"], "KILLED");

    training.run(3, Outcome::Finished);
    let after = &server.requests()[before.len()..];
    assert_eq!(after[0].1, json!({ "run_id": "run-1", "status": "RUNNING" }));
    assert!(after.iter().all(|(line, _)| !line.ends_with("create")), "{after:?}");
    assert_eq!(metrics(after), expected(4));
}

#[test]
fn a_server_that_fails_at_first_gets_everything_in_the_end() {
    let server = Server::start(Behaviour::FailsFirst(1));
    Training::at(&server.uri()).run(0, Outcome::Failed);
    let requests = server.requests();
    assert_eq!(metrics(&requests), expected(1));
    assert_eq!(requests.last().unwrap().1["status"], "FAILED");
}

/// Logs far more rows than the queue holds. Returns how long all of the logging took, and the end.
fn overfill(uri: &str, limits: Limits) -> [Duration; 2] {
    let training = Training::at(uri);
    let mut mlflow = Mlflow::start_with(&training.facts(0), limits);
    let started = Instant::now();
    for step in 0..4 * QUEUE_ROWS as u64 {
        mlflow.log(step, vec![("train/loss", 0.5)]);
    }
    let logged = started.elapsed();
    let ending = Instant::now();
    mlflow.finish(Outcome::Finished);
    [logged, ending.elapsed()]
}

#[test]
fn a_server_that_never_answers_costs_the_end_its_patience_and_training_nothing() {
    let server = Server::start(Behaviour::Silent);
    let request = Duration::from_mins(1);
    let limits = Limits { request, finish: Duration::from_millis(300), ..SHORT };
    let [logged, finished] = overfill(&server.uri(), limits);
    assert!(logged < Duration::from_secs(1), "logging waited {logged:?}");
    assert!(finished >= limits.finish, "the end did not wait: {finished:?}");
    assert!(finished < request / 2, "the end waited {finished:?}");
}

#[test]
fn a_server_that_is_not_there_or_answers_with_errors_costs_nothing() {
    let nobody = {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        format!("http://{}", listener.local_addr().unwrap())
    };
    let failing = Server::start(Behaviour::FailsFirst(usize::MAX));
    let foreign = Server::start(Behaviour::Foreign);
    for uri in [nobody, failing.uri(), foreign.uri()] {
        let [logged, finished] = overfill(&uri, SHORT);
        assert!(logged < Duration::from_secs(1), "logging waited {logged:?}");
        assert!(finished < SHORT.finish, "the end waited {finished:?}");
    }
    assert!(!failing.requests().is_empty() && !foreign.requests().is_empty());
}

/// 302 turns a POST into a GET: what was to be delivered would count as taken.
#[test]
fn a_redirect_is_not_followed_and_named() {
    let server = Server::start(Behaviour::Redirects);
    let api = api::Api::new(&server.uri(), SHORT.request);
    let error = api.log_metrics("run-1", &[]).unwrap_err().to_string();
    let expected =
        "the server redirects to /elsewhere (302): name the address that answers in train.mlflow_uri";
    assert_eq!(error, expected, "without the query, which may sign it");
    let asked: Vec<_> = server.requests().into_iter().map(|(line, _)| line).collect();
    assert_eq!(asked, ["POST /api/2.0/mlflow/runs/log-batch"]);
}
